//! Two replicas: only the holder of the Lease looks and writes, and its successor writes nothing twice.

use std::time::{Duration, Instant};

use anyhow::ensure;
use dorgu::k8s::Timings;
use serde_json::json;

use super::{Companion, PATIENCE, hurried, install_crd, persona, rules, stored, until, worker};
use crate::bed::{Bed, Options, wait_until};

#[test]
fn a_successor_looks_at_everything_and_writes_nothing_twice() {
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    let bed = &bed;
    install_crd(bed);
    persona(bed, "main", "one");
    worker(bed, "worker-0");
    let mut rules = rules(&[]);
    let leases =
        json!({"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create", "get", "update"]});
    rules.as_array_mut().expect("a list").push(leases);
    let timings = Timings {
        lease: Duration::from_secs(3),
        renew: Duration::from_secs(2),
        retry: Duration::from_millis(500),
    };
    let first = Companion::elected(bed, &rules, hurried(), timings);
    until(bed, "main", "the first holder writes", |status| {
        status["phase"] == "Ready"
    });
    let second = Companion::elected(bed, &rules, hurried(), timings);
    first.until_looked(5.0);
    assert!(
        second.looks() < 0.5,
        "it looked {} times without the Lease",
        second.looks()
    );
    let before = stored(bed, "main").expect("there");

    drop(first);
    let died = Instant::now();
    wait_until(PATIENCE, "the successor has looked", || {
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
