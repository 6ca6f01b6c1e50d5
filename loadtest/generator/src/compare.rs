//! Compares several servers under one load. All are started, then measured in turn, round after round, and each is compared
//! with the first of its own round. The machine may be busy with other work; what disturbs a round disturbs all of it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;

use crate::run::{Load, Report, run};

/// Which servers, and how often.
#[derive(Args)]
pub struct Comparison {
    /// `NAME=RECIPE KIND`: the first is what the others are compared with. RECIPE is run with `serve KIND PORT WORK`.
    #[arg(long = "server", required = true)]
    servers: Vec<String>,
    /// The folder that `prepare` wrote.
    #[arg(long)]
    work: PathBuf,
    /// How often each is measured.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// The question, for the heading and the file's name.
    #[arg(long)]
    question: String,
    /// Where the JSON goes.
    #[arg(long)]
    json: Option<PathBuf>,
    #[command(flatten)]
    load: Load,
}

/// A server that was started, ended when dropped.
struct Server {
    name: String,
    address: SocketAddr,
    process: Child,
    reports: Vec<Report>,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already, which is all that is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[derive(Serialize)]
struct Written<'a> {
    question: &'a str,
    load: String,
    load_average: String,
    servers: Vec<Measured<'a>>,
}

#[derive(Serialize)]
struct Measured<'a> {
    name: &'a str,
    cpu_ratio: Spread,
    p99_ratio: Spread,
    reports: &'a [Report],
}

/// The median of several rounds, between the least and the most.
#[derive(Clone, Copy, Serialize)]
pub struct Spread {
    pub least: f64,
    pub median: f64,
    pub most: f64,
}

impl Spread {
    pub fn of(values: impl IntoIterator<Item = f64>) -> Spread {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        Spread {
            least: at(0),
            median: at(values.len() / 2),
            most: at(values.len().saturating_sub(1)),
        }
    }
}

impl Comparison {
    pub fn run(&self) -> anyhow::Result<()> {
        let mut servers = Vec::new();
        for server in &self.servers {
            servers.push(self.start(server)?);
        }
        let runtime = crate::runtime()?;
        for _ in 0..self.rounds {
            for server in &mut servers {
                let report = runtime.block_on(run(server.address, server.process.id(), &self.load));
                server
                    .reports
                    .push(report.with_context(|| format!("measuring {}", server.name))?);
            }
        }
        self.print(&servers);
        if let Some(path) = &self.json {
            let written = Written {
                question: &self.question,
                load: format!("{:?}", self.load),
                load_average: load_average(),
                servers: servers.iter().map(|server| measured(server, &servers)).collect(),
            };
            std::fs::write(path, serde_json::to_vec_pretty(&written)?)?;
        }
        match servers
            .iter()
            .find(|server| server.reports.iter().any(|report| report.errors > 0))
        {
            Some(server) => {
                let error = server.reports.iter().find_map(|report| report.error.clone());
                bail!("{}: {}", server.name, error.unwrap_or_default())
            }
            None => Ok(()),
        }
    }

    fn start(&self, server: &str) -> anyhow::Result<Server> {
        let (name, recipe) = server.split_once('=').context("--server takes NAME=RECIPE KIND")?;
        let (recipe, kind) = recipe.split_once(' ').context("--server takes NAME=RECIPE KIND")?;
        // It was free a moment ago, and no other process takes ports here.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let work = std::path::absolute(&self.work)?;
        let process = std::process::Command::new(std::path::absolute(recipe)?)
            .args(["serve", kind, &port.to_string()])
            .arg(work)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(self.work.join(format!("{name}.log")))?)
            .spawn()
            .with_context(|| format!("cannot start {recipe}"))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut server = Server {
            name: name.to_owned(),
            address,
            process,
            reports: Vec::new(),
        };
        let patience = Instant::now() + Duration::from_secs(60);
        while std::net::TcpStream::connect(address).is_err() {
            if let Some(status) = server.process.try_wait()? {
                bail!("{name} ended ({status}); see {name}.log");
            }
            if Instant::now() > patience {
                bail!("{name} does not listen");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    fn print(&self, servers: &[Server]) {
        println!("\n## {}\n", self.question);
        println!(
            "| server | CPU of the server per request, µs | ratio (least–most) | requests/s | p50 µs | p99 µs | p99.9 µs | RSS MiB | errors |"
        );
        println!("|---|---|---|---|---|---|---|---|---|");
        for server in servers {
            let median = |value: fn(&Report) -> f64| Spread::of(server.reports.iter().map(value)).median;
            let ratio = measured(server, servers).cpu_ratio;
            let errors: usize = server.reports.iter().map(|report| report.errors).sum();
            println!(
                "| {} | {:.1} | {:.2} ({:.2}–{:.2}) | {:.0} | {:.0} | {:.0} | {:.0} | {:.1} | {errors} |",
                server.name,
                median(|report| report.cpu_us),
                ratio.median,
                ratio.least,
                ratio.most,
                median(|report| report.per_second),
                median(|report| f64::from(report.p50_us)),
                median(|report| f64::from(report.p99_us)),
                median(|report| f64::from(report.p999_us)),
                median(|report| report.rss_kib as f64 / 1024.0),
            );
        }
    }
}

/// What the machine is busy with besides.
pub fn load_average() -> String {
    let file = std::fs::read_to_string("/proc/loadavg");
    file.unwrap_or_default().trim().to_owned()
}

fn measured<'a>(server: &'a Server, servers: &'a [Server]) -> Measured<'a> {
    let ratio = |value: fn(&Report) -> f64| {
        let pairs = servers[0].reports.iter().zip(&server.reports);
        Spread::of(pairs.map(|(first, own)| value(own) / value(first)))
    };
    Measured {
        name: &server.name,
        cpu_ratio: ratio(|report| report.cpu_us),
        p99_ratio: ratio(|report| f64::from(report.p99_us)),
        reports: &server.reports,
    }
}
