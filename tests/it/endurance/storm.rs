//! Everything that happens to a webhook in months, in minutes: one fault after the other, repeatedly, until enough canaries
//! have their verdict.

use std::time::{Duration, Instant};

use anyhow::ensure;

use super::canaries::{Canaries, Target, said};
use super::churn::Churn;
use super::fleet::{Fleet, SHOP};
use super::report::Report;
use super::unseen::Unseen;
use crate::bed::{Audit, Bed, wait_until};

/// How long the first denial may take on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Canaries after each trouble before the next: what it left behind shows in its own row.
const AFTERMATH: usize = 100;

/// How much of it.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Canaries that shall have their verdict, at least.
    pub(super) canaries: usize,
    /// Canaries a second.
    pub(super) rate: u32,
    /// Personas written a second.
    pub(super) writes: u32,
    /// The silences of each round, taken in turn.
    pub(super) gaps: Vec<Vec<Duration>>,
}

/// What can happen, in the order in which it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Replaced,
    Leaf,
    Authority,
    Cut,
    ApiServer,
    Etcd,
    Silence,
}

const ROUND: [Trouble; 7] = [
    Trouble::Replaced,
    Trouble::Leaf,
    Trouble::Authority,
    Trouble::Cut,
    Trouble::ApiServer,
    Trouble::Etcd,
    Trouble::Silence,
];

impl Trouble {
    fn name(self) -> &'static str {
        match self {
            Trouble::Replaced => "both replicas replaced in turn",
            Trouble::Leaf => "leaf rotated",
            Trouble::Authority => "CA and leaf rotated",
            Trouble::Cut => "watches cut",
            Trouble::ApiServer => "API server stopped",
            Trouble::Etcd => "etcd killed",
            Trouble::Silence => "silence, then a burst",
        }
    }
}

/// The flags that a bed needs for it.
pub(super) fn api_server_flags(audit: &Audit) -> Vec<String> {
    let mut flags = audit.flags();
    // Left alone it waits a minute for watches to end by themselves before it ends.
    flags.push("--shutdown-watch-termination-grace-period=1s".to_owned());
    flags
}

/// Runs it on a bed that was started with these flags.
pub(super) fn storm(fleet: &mut dyn Fleet, audit: Audit, plan: &Plan) -> Report {
    let (canary, words) = (fleet.canary(), fleet.words());
    until_refused(fleet.bed(), &canary, words);
    let mut unseen = Unseen::begin(fleet.bed(), audit);
    let began = Instant::now();
    let target = Target::of(fleet.bed(), SHOP, canary.clone(), words);
    let canaries = Canaries::start(target, plan.rate, "calm");
    let personas = fleet.personas();
    let churn = (!personas.is_empty()).then(|| {
        let target = Target::of(fleet.bed(), SHOP, canary, words);
        Churn::start(target, personas, plan.writes)
    });
    canaries.until_more(AFTERMATH);
    for round in 0.. {
        for trouble in ROUND {
            happen(trouble, round, fleet, &canaries, &mut unseen, plan);
            canaries.until_more(AFTERMATH);
            if round > 0 && canaries.ledger().verdicts() >= plan.canaries {
                break;
            }
        }
        let so_far = canaries.ledger().verdicts();
        println!("round {}: {so_far} canaries have their verdict", round + 1);
        if so_far >= plan.canaries {
            break;
        }
        canaries.begin("calm");
        // Short forms have their troubles behind them; the long one has its calm, too.
        canaries.until_more(AFTERMATH);
    }
    let told = churn.map(Churn::stop);
    let ledger = canaries.stop();
    if ledger.leaks() > 0 {
        println!("{}", fleet.said());
    }
    Report {
        sum: unseen.sum(fleet.bed()),
        ledger,
        written: told.map(|told| told.written),
        took: began.elapsed(),
    }
}

fn happen(
    trouble: Trouble,
    round: usize,
    fleet: &mut dyn Fleet,
    canaries: &Canaries,
    unseen: &mut Unseen,
    plan: &Plan,
) {
    if trouble == Trouble::Cut && fleet.personas().is_empty() {
        return;
    }
    canaries.begin(trouble.name());
    match trouble {
        Trouble::Replaced => fleet.replace_in_turn(),
        Trouble::Leaf => fleet.rotate_leaf(),
        Trouble::Authority => fleet.rotate_ca(),
        Trouble::Cut => fleet.cut_watches(),
        Trouble::ApiServer => {
            let bed = fleet.bed();
            unseen.will_stop(bed);
            bed.stop_api_server();
            canaries.begin_unready("API server starting, not ready yet");
            unseen.will_start();
            bed.start_api_server();
            unseen.is_ready();
            canaries.begin("API server back");
        }
        Trouble::Etcd => fleet.bed().restart_etcd(),
        Trouble::Silence => {
            if let Some(gaps) = plan.gaps.get(round % plan.gaps.len().max(1)) {
                canaries.fall_silent(gaps);
            }
        }
    }
    println!("{}: {}", trouble.name(), canaries.ledger().verdicts());
}

/// Waits until the API server asks the webhook, and the webhook refuses.
fn until_refused(bed: &Bed, canary: &str, words: &str) {
    let refused = wait_until(TIMEOUT, "the first canary is refused", || {
        let create = ["create", "--namespace", SHOP, "--dry-run=server", "-f", "-"];
        let answer = bed.kubectl_in(&create, canary);
        ensure!(!answer.succeeded() && answer.stderr.contains(words), "{answer}");
        Ok(())
    });
    refused.unwrap_or_else(|error| panic!("{error:#}"));
}

/// A storm in which nothing was tried would prove nothing.
pub(super) fn assert_enough_was_tried(report: &Report, plan: &Plan) {
    let ledger = &report.ledger;
    assert!(ledger.verdicts() >= plan.canaries, "{ledger}");
    for row in ledger.rows() {
        let tried = row.refused + row.leaks > 0 || row.unready;
        assert!(tried, "nothing was tried in '{}'\n{ledger}", row.trouble);
    }
}

/// What must hold of a webhook that lets nothing by: no leak that a client saw, and none that only the API server knows of.
pub(super) fn assert_nothing_got_by(report: &Report, fleet: &dyn Fleet) {
    let (ledger, sum) = (&report.ledger, report.sum);
    // The counter does not know when; what an API server did before it was ready is in it, too.
    let counted = sum
        .counter
        .saturating_sub(u64::try_from(sum.audited_early).unwrap_or(u64::MAX));
    assert_eq!(
        (ledger.leaks(), sum.audited, counted),
        (0, 0, 0),
        "{sum:?}\n{}\n{}",
        said(ledger),
        fleet.said()
    );
}
