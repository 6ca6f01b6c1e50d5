//! Sends Deployments that must be denied through a real API server with `failurePolicy: Ignore`, while everything around the
//! webhook fails, and counts what was admitted. docs/endurance.md says how to read it.
//!
//! The short form runs with the other tests. `loadtest/endurance` runs the long one, of dorgu and of its peers, by these
//! variables: `DORGU_ENDURANCE_CANARIES`, `DORGU_ENDURANCE_PEER`, `DORGU_ENDURANCE_RESULT`.

mod beside;
mod canaries;
mod churn;
mod crowded;
mod fleet;
mod ledger;
mod many_items;
mod ours;
mod overload;
mod peers;
mod process;
mod recipes;
mod report;
mod stalled;
mod storm;
mod strangers;
mod stuck_log;
mod unseen;
mod worst;

use std::path::PathBuf;
use std::time::Duration;

use fleet::Fleet;
use ours::Ours;
use peers::Peers;
use storm::{Plan, api_server_flags, assert_enough_was_tried, assert_nothing_got_by, storm};

use crate::bed::{Audit, Options};

/// Of the short form.
const CANARIES: usize = 2_000;

/// Around the timers at which servers close idle connections: two seconds (kubert), thirty (hyper's default), ninety
/// (Go's, at which the API server itself closes).
const SILENCES: [&[u64]; 3] = [&[2, 2, 2, 30], &[2, 2, 2, 30, 30], &[2, 2, 2, 90]];

/// A thread for load, which continues whatever the test waits for.
fn thread_of_its_own() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
}

impl Plan {
    /// The short form, or what the variables ask for.
    fn of_environment() -> Plan {
        let canaries = variable("DORGU_ENDURANCE_CANARIES");
        let seconds = |gaps: &[u64]| gaps.iter().copied().map(Duration::from_secs).collect();
        let gaps = match canaries {
            Some(_) => SILENCES.map(seconds).into(),
            None => vec![seconds(&[2])],
        };
        Plan {
            canaries: canaries.unwrap_or(CANARIES),
            rate: 100,
            writes: 40,
            gaps,
        }
    }
}

fn variable<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    let value = text.parse().ok();
    Some(value.unwrap_or_else(|| panic!("{name}='{text}' cannot be read")))
}

#[test]
fn nothing_gets_by_while_everything_breaks() {
    let plan = Plan::of_environment();
    let peer: Option<String> = variable("DORGU_ENDURANCE_PEER");
    let result: Option<PathBuf> = variable("DORGU_ENDURANCE_RESULT");
    let audit = Audit::of_created("apps", "deployments");
    let options = Options {
        api_server_flags: api_server_flags(&audit),
        ..Options::default()
    };
    let started: Option<Box<dyn Fleet>> = match &peer {
        Some(peer) => Peers::start(peer, &options).map(|peers| Box::new(peers) as Box<dyn Fleet>),
        None => Ours::start(&options).map(|ours| Box::new(ours) as Box<dyn Fleet>),
    };
    let Some(mut fleet) = started else { return };
    let report = storm(fleet.as_mut(), audit, &plan);
    let who = peer.as_deref().unwrap_or("dorgu");
    println!("\n{who}:\n\n{report}");
    if let Some(file) = result {
        report.write(who, &file).expect("written");
    }
    assert_enough_was_tried(&report, &plan);
    // What gets by a peer is what it is asked for, and no failure of ours.
    if peer.is_none() {
        assert_nothing_got_by(&report, fleet.as_ref());
    }
}
