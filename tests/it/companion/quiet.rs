//! When nothing happens, nothing is read and nothing is written, counted by the API server itself.

use std::time::{Duration, Instant};

use super::{Stage, TIMEOUT, install_crds};
use crate::bed::{Bed, Options, wait_until};

const PERSONAS: usize = 1_000;

/// For how long nothing happens; longer with `DORGU_LONG=1`.
fn nothing_happens() -> Duration {
    let long = std::env::var_os("DORGU_LONG").is_some();
    Duration::from_secs(if long { 300 } else { 120 })
}

/// Requests for our kinds by verb, and Deployments listed: `(writes, lists)`.
fn requests(bed: &Bed) -> (f64, f64) {
    let metrics = bed.kubectl(&["get", "--raw=/metrics"]).expect_success();
    let of_ours = metrics.lines().filter(|line| {
        line.starts_with("apiserver_request_total{")
            && (line.contains("resource=\"applicationpersonas\"") || line.contains("resource=\"deployments\""))
    });
    let (mut writes, mut lists) = (0.0, 0.0);
    for line in of_ours {
        let count: f64 = line.rsplit(' ').next().expect("a value").parse().expect("a number");
        if line.contains("verb=\"LIST\"") {
            lists += count;
        } else if !line.contains("verb=\"WATCH\"") && !line.contains("verb=\"GET\"") {
            writes += count;
        }
    }
    (writes, lists)
}

/// Waits until every persona of the namespace has its first status.
pub(super) fn until_all_told(stage: &Stage<'_>, personas: usize) -> Duration {
    let started = Instant::now();
    let path = format!("/apis/dorgu.io/v1/namespaces/{}/applicationpersonas", stage.namespace);
    wait_until(TIMEOUT * 3, "every persona has a status", || {
        let list = stage.get(&path);
        let told = list["items"].as_array().into_iter().flatten();
        let told = told.filter(|item| item["status"]["phase"].is_string()).count();
        anyhow::ensure!(told == personas, "{told} of {personas}");
        Ok(())
    })
    .unwrap_or_else(|error| panic!("{error:#}; it said:\n{}", stage.dorgu.lines().join("\n")));
    started.elapsed()
}

/// Asserts that for this long neither our kinds nor Deployments are listed or written.
pub(super) fn assert_quiet(bed: &Bed, time: Duration) {
    let before = requests(bed);
    // The condition waited for is that nothing happens.
    std::thread::sleep(time);
    let after = requests(bed);
    assert_eq!(
        after, before,
        "(writes, lists) after {time:?} in which nothing happened"
    );
}

#[test]
fn a_quiet_cluster_is_neither_read_nor_written() {
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    install_crds(&bed);
    // It is reconciled repeatedly in what follows.
    let stage = Stage::new(&bed, "quiet", &["--requeue-interval=20s"]);
    stage.store(PERSONAS, |number| {
        let app = format!("app{number}");
        let mut objects = vec![(super::PERSONAS.0, super::PERSONAS.1, stage.persona(&app))];
        let mut add = |prefix: &str, replicas: u32| {
            let deployment = stage.deployment(&format!("{prefix}{number}"), &app, replicas);
            objects.push((super::DEPLOYMENTS.0, super::DEPLOYMENTS.1, deployment));
        };
        // Some have none, some have two, some are violated.
        if number % 3 > 0 {
            add("d", u32::from(number % 5 > 0) * 3);
        }
        if number % 7 == 2 {
            add("e", 3);
        }
        objects
    });
    until_all_told(&stage, PERSONAS);
    // The last Deployment may have come after the last status; that no write is under way can only be waited out.
    std::thread::sleep(Duration::from_secs(3));
    let before = looks(&stage);
    assert_quiet(&bed, nothing_happens());
    let looked = looks(&stage) - before;
    println!(
        "quiet for {:?}: no write and no list, {looked} looks",
        nothing_happens()
    );
    assert!(
        looked > PERSONAS as f64 * 4.0,
        "they were looked at all the while: {looked}"
    );
}

/// How often a persona was reconciled.
fn looks(stage: &Stage<'_>) -> f64 {
    let metrics = stage.metrics();
    let looked = "dorgu_reconcile_total{controller=\"applicationpersona\",result=\"success\"}";
    let line = metrics.lines().find(|line| line.starts_with(looked)).expect("looks");
    line.rsplit(' ').next().expect("a value").parse().expect("a number")
}
