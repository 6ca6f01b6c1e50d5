//! Two replicas: only the holder of the Lease reads and writes, and its successor writes nothing twice.

use std::time::{Duration, Instant};

use anyhow::ensure;
use dorgu::k8s::Timings;
use serde_json::{Value, json};

use super::first::watches;
use super::{Companion, TIMEOUT, hurried, install_crd, persona, rules, stored, until, worker};
use crate::bed::{Bed, Options, wait_until};

/// Quicker than client-go, in the same proportions.
const TIMINGS: Timings = Timings {
    lease: Duration::from_secs(3),
    renew: Duration::from_secs(2),
    retry: Duration::from_millis(500),
};

/// Also what an election takes.
fn elected_rules() -> Value {
    let mut rules = rules(&[]);
    let leases =
        json!({"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create", "get", "update"]});
    rules.as_array_mut().expect("a list").push(leases);
    rules
}

#[test]
fn a_successor_looks_at_everything_and_writes_nothing_twice() {
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    let bed = &bed;
    install_crd(bed);
    persona(bed, "main", "one");
    worker(bed, "worker-0");
    let first = Companion::elected(bed, &elected_rules(), hurried(), TIMINGS);
    until(bed, "main", "the first holder writes", |status| {
        status["phase"] == "Ready"
    });
    let second = Companion::elected(bed, &elected_rules(), hurried(), TIMINGS);
    first.until_looked(5.0);
    assert!(
        second.looks() < 0.5,
        "it looked {} times without the Lease",
        second.looks()
    );
    let before = stored(bed, "main").expect("there");

    drop(first);
    let died = Instant::now();
    wait_until(TIMEOUT, "the successor has looked", || {
        ensure!(second.looks() > 0.5, "it has not");
        Ok(())
    })
    .expect("a successor");
    println!("the successor had looked {:?} after the holder died", died.elapsed());
    second.until_looked(2.0);
    let after = stored(bed, "main").expect("there");
    assert_eq!(
        after["metadata"]["resourceVersion"],
        before["metadata"]["resourceVersion"]
    );
    assert!(second.writes() < 0.5, "{} writes", second.writes());
    worker(bed, "worker-1");
    until(bed, "main", "the successor writes what is new", |status| {
        status["resourceSummary"]["nodeCount"] == 2
    });
}

#[test]
fn whoever_has_lost_the_lease_neither_watches_nor_writes() {
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    let bed = &bed;
    install_crd(bed);
    persona(bed, "main", "one");
    worker(bed, "worker-0");
    let companion = Companion::elected(bed, &elected_rules(), hurried(), TIMINGS);
    let (before, _) = until(bed, "main", "the holder writes", |status| status["phase"] == "Ready");
    wait_until(TIMEOUT, "it watches", || {
        ensure!(watches(bed) > 0.5, "no watch");
        Ok(())
    })
    .expect("watches");

    hand_over(bed, "somebody-else", 3600);
    wait_until(TIMEOUT, "its watches have ended", || {
        let watches = watches(bed);
        ensure!(watches < 0.5, "{watches} watches");
        Ok(())
    })
    .expect("none");
    let (looks, writes) = (companion.looks(), companion.writes());
    worker(bed, "worker-1");
    let after = stored(bed, "main").expect("there");
    assert_eq!(
        after["metadata"]["resourceVersion"],
        before["metadata"]["resourceVersion"]
    );
    assert!(
        (companion.looks() - looks).abs() < 0.5,
        "it has looked without the Lease"
    );

    hand_over(bed, "", 1);
    until(bed, "main", "it holds again and writes what is new", |status| {
        status["resourceSummary"]["nodeCount"] == 2
    });
    assert!(companion.writes() > writes, "it was us");
}

fn hand_over(bed: &Bed, holder: &str, seconds: u32) {
    let spec = json!({"spec": {"holderIdentity": holder, "leaseDurationSeconds": seconds}}).to_string();
    let lease = dorgu::api::names::LEASE;
    let patch = [
        "patch",
        "lease",
        lease,
        "--namespace=default",
        "--type=merge",
        "--patch",
        &spec,
    ];
    bed.kubectl(&patch).expect_success();
}
