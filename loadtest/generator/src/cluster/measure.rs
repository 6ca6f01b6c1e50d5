//! Measures all arms in turn, round after round, each round in another order, so that none always runs after the same other one
//! and pays for its after-effects. The cost of an arm is computed within a round, against the first arm of the command line.

use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use clap::Args;
use serde::Serialize;

use super::arm::Arm;
use super::reported::{Calls, Reported};
use super::{Api, Client};
use crate::compare::{Spread, load_average};
use crate::payloads::Variant;
use crate::run::{Pace, Report, Speaks, Target, measure, percentile};

/// Which arms, and how often.
#[derive(Args)]
pub struct Measurement {
    #[command(flatten)]
    api: Api,
    /// The API server's process.
    #[arg(long, value_name = "PID")]
    api_pid: u32,
    /// `NAME[,judges][,pid=PID][,webhook=NAME]`: the first is what the others are compared with. The order is that of the
    /// namespaces.
    #[arg(long = "arm", required = true)]
    arms: Vec<Arm>,
    /// How often each is measured.
    #[arg(long, default_value_t = 10)]
    rounds: usize,
    /// The question, for the heading.
    #[arg(long)]
    question: String,
    /// Where the JSON goes.
    #[arg(long)]
    json: Option<PathBuf>,
    #[command(flatten)]
    pace: Pace,
}

/// One arm, measured.
#[derive(Serialize)]
struct Measured {
    name: String,
    /// All rounds together, in milliseconds.
    p50: f64,
    p95: f64,
    p99: f64,
    /// Added to the first arm, round by round, in milliseconds.
    added_p50: Spread,
    added_p95: Spread,
    added_p99: Spread,
    /// Processor time of the webhook's process for one request, in microseconds.
    webhook_cpu: Option<Spread>,
    /// And of the API server.
    api_cpu: Spread,
    per_second: f64,
    rss_mib: Option<f64>,
    /// What the API server says of the calls.
    reported: Option<Calls>,
    rounds: Vec<Report>,
}

#[derive(Serialize)]
struct Written<'a> {
    question: &'a str,
    pace: &'a Pace,
    load_average: String,
    arms: &'a [Measured],
}

impl Measurement {
    pub async fn run(&self) -> anyhow::Result<()> {
        let client = self.api.client()?;
        for (position, arm) in self.arms.iter().enumerate() {
            arm.ready(position, &client).await?;
        }
        let before = Reported::ask(&client).await?;
        let mut rounds: Vec<Vec<Report>> = self.arms.iter().map(|_| Vec::new()).collect();
        for round in 0..self.rounds {
            for position in order(round, self.arms.len()) {
                rounds[position].push(self.once(position, &client).await?);
            }
        }
        let after = Reported::ask(&client).await?;
        let arms = self.together(rounds, &before, &after);
        self.print(&arms);
        if let Some(path) = &self.json {
            let written = Written {
                question: &self.question,
                pace: &self.pace,
                load_average: load_average(),
                arms: &arms,
            };
            std::fs::write(path, serde_json::to_vec_pretty(&written)?)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        held(&arms)
    }

    /// One arm, once.
    async fn once(&self, position: usize, client: &Client) -> anyhow::Result<Report> {
        let arm = &self.arms[position];
        let target = Target {
            address: client.address,
            server: self.api_pid,
            beside: arm.pid,
            speaks: Speaks::Objects,
        };
        let requests = arm.requests(position, Variant::Compliant, client)?;
        let report = measure(&target, requests, &self.pace)
            .await
            .with_context(|| format!("measuring {}", arm.name))?;
        if let Some(error) = &report.error {
            bail!("{}: {error}", arm.name);
        }
        ensure!(
            report.allowed == report.requests,
            "{}: {} of {} compliant Deployments were not simply allowed",
            arm.name,
            report.requests - report.allowed,
            report.requests
        );
        Ok(report)
    }

    fn together(&self, rounds: Vec<Vec<Report>>, before: &Reported, after: &Reported) -> Vec<Measured> {
        let first = rounds.first().cloned().unwrap_or_default();
        let arms = self.arms.iter().zip(rounds);
        arms.map(|(arm, reports)| {
            let mut all: Vec<u32> = reports
                .iter()
                .flat_map(|report| report.latencies.iter().copied())
                .collect();
            all.sort_unstable();
            let added = |share: f64| {
                let pairs = first.iter().zip(&reports);
                Spread::of(pairs.map(|(first, own)| (f64::from(own.at(share)) - f64::from(first.at(share))) / 1e3))
            };
            let spread = |value: fn(&Report) -> f64| Spread::of(reports.iter().map(value));
            Measured {
                name: arm.name.clone(),
                p50: f64::from(percentile(&all, 0.5)) / 1e3,
                p95: f64::from(percentile(&all, 0.95)) / 1e3,
                p99: f64::from(percentile(&all, 0.99)) / 1e3,
                added_p50: added(0.5),
                added_p95: added(0.95),
                added_p99: added(0.99),
                webhook_cpu: arm.pid.map(|_| spread(|report| report.beside_cpu_us)),
                api_cpu: spread(|report| report.cpu_us),
                per_second: spread(|report| report.per_second).median,
                rss_mib: arm
                    .pid
                    .map(|_| spread(|report| report.beside_rss_kib as f64 / 1024.0).median),
                reported: arm
                    .webhook
                    .as_deref()
                    .map(|name| after.webhook(name).since(before.webhook(name))),
                rounds: reports,
            }
        })
        .collect()
    }

    fn print(&self, arms: &[Measured]) {
        println!("\n**{}**\n", self.question);
        println!(
            "| who agrees | p50 ms | p95 | p99 | added p50 ms (least–most) | added p95 | added p99 | CPU of the webhook per request, µs | of the API server | the call, as the API server has it, ms | failed open | requests/s | RSS MiB |"
        );
        println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
        for (position, arm) in arms.iter().enumerate() {
            let added = |spread: Spread| match position {
                0 => "–".to_owned(),
                _ => format!("{:.2} ({:.2}–{:.2})", spread.median, spread.least, spread.most),
            };
            let or_dash =
                |value: Option<f64>, digits: usize| value.map_or("–".to_owned(), |value| format!("{value:.digits$}"));
            println!(
                "| {} | {:.2} | {:.2} | {:.2} | {} | {} | {} | {} | {:.0} | {} | {} | {:.0} | {} |",
                arm.name,
                arm.p50,
                arm.p95,
                arm.p99,
                added(arm.added_p50),
                added(arm.added_p95),
                added(arm.added_p99),
                or_dash(arm.webhook_cpu.map(|spread| spread.median), 0),
                arm.api_cpu.median,
                or_dash(arm.reported.map(|reported| reported.seconds * 1e3 / reported.calls), 2),
                or_dash(arm.reported.map(|reported| reported.failed_open), 0),
                arm.per_second,
                or_dash(arm.rss_mib, 0),
            );
        }
    }
}

/// In which order that many arms are asked in a round: another first one each time, another successor of each as long as
/// there are any.
fn order(round: usize, arms: usize) -> Vec<usize> {
    fn common(one: usize, other: usize) -> usize {
        if other == 0 { one } else { common(other, one % other) }
    }
    let strides: Vec<usize> = (1..=arms).filter(|stride| common(*stride, arms) == 1).collect();
    let stride = strides[round % strides.len()];
    (0..arms).map(|turn| (round + turn * stride) % arms).collect()
}

/// Nothing may have gone in unseen, and every request must have been a call.
fn held(arms: &[Measured]) -> anyhow::Result<()> {
    for arm in arms {
        let Some(reported) = arm.reported else { continue };
        ensure!(
            reported.failed_open == 0.0,
            "{}: {} Deployments went in unseen",
            arm.name,
            reported.failed_open
        );
        let requests: usize = arm.rounds.iter().map(|report| report.requests).sum();
        ensure!(
            reported.calls >= requests as f64,
            "{}: {} calls for {requests} Deployments",
            arm.name,
            reported.calls
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::order;

    #[test]
    fn each_round_asks_every_arm_once() {
        for arms in 1..9 {
            for round in 0..20 {
                let mut asked = order(round, arms);
                asked.sort_unstable();
                assert_eq!(asked, (0..arms).collect::<Vec<_>>(), "round {round}");
            }
        }
    }

    #[test]
    fn no_arm_comes_always_after_the_same_other_one() {
        for arms in 3..9 {
            for arm in 0..arms {
                let before: BTreeSet<usize> = (0..10)
                    .filter_map(|round| {
                        let order = order(round, arms);
                        let turn = order.iter().position(|asked| *asked == arm)?;
                        order.get(turn.checked_sub(1)?).copied()
                    })
                    .collect();
                assert!(before.len() > 1, "{arm} of {arms} always follows {before:?}");
            }
        }
    }
}
