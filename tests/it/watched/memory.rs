//! The memory for a large cluster: at rest, the peak, and while everything is listed again.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};

use super::many::store;
use super::{account, install_crds};
use crate::bed::{Bed, Dorgu, Options, wait_until};

/// How long after its readiness a process is at rest.
const REST: Duration = Duration::from_secs(10);
/// How long an API server may take to have so much ready again.
const TIMEOUT: Duration = Duration::from_secs(300);

/// A persona with all that people write, as the load test has it.
fn persona(namespace: &str, number: usize) -> Value {
    let name = format!("app-{number:05}");
    json!({
        "apiVersion": "dorgu.io/v1", "kind": "ApplicationPersona",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "name": name, "type": "api", "tier": "standard",
            "ownership": {"team": "team-0001", "oncall": "#team-0001-oncall"},
            "resources": {
                "requests": {"cpu": "100m", "memory": "128Mi"},
                "limits": {"cpu": "500m", "memory": "512Mi"},
            },
            "scaling": {"minReplicas": 2, "maxReplicas": 6},
            "health": {"livenessPath": "/live", "readinessPath": "/ready", "port": 8080},
            "policies": {"security": {
                "runAsNonRoot": true, "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false,
            }},
        },
    })
}

/// Resident now, and at most since [`forget_peak`], in KiB.
fn resident(dorgu: &Dorgu) -> (u64, u64) {
    let process = procfs::process::Process::new(i32::try_from(dorgu.pid()).expect("a pid"));
    let status = process.and_then(|process| process.status()).expect("it runs");
    (status.vmrss.expect("memory"), status.vmhwm.expect("memory"))
}

fn forget_peak(dorgu: &Dorgu) {
    std::fs::write(format!("/proc/{}/clear_refs", dorgu.pid()), "5").expect("a process of ours");
}

fn mib(kib: u64) -> String {
    format!(
        "{:.1}",
        f64::from(u32::try_from(kib).expect("less than 4 TiB")) / 1024.0
    )
}

/// Waits until the process knows that many personas, and watches them.
fn until_watched(dorgu: &Dorgu, personas: usize) {
    let watched = wait_until(TIMEOUT, "the personas are watched", || {
        let probe = format!("{}/readyz?verbose", dorgu.probes_url());
        let (status, text) = super::run(crate::https::get(&probe))?;
        let known = text.contains(&format!("objects: {personas}"));
        ensure!(status == 200 && known && !text.contains("watch error"), "{text}");
        Ok(())
    });
    watched.unwrap_or_else(|error| panic!("{error:#}; it said:\n{}", dorgu.lines().join("\n")));
}

/// Writing them takes minutes, so it is asked for: `DORGU_LONG=1`, `DORGU_PERSONAS` (10,000) says how many, and
/// `DORGU_PROGRAM` which build: resident memory is worth knowing of a released one. `loadtest/memory` does all that.
#[test]
fn a_cluster_that_is_listed_again_takes_hardly_more_than_at_rest() {
    if std::env::var_os("DORGU_LONG").is_none() {
        println!("only with DORGU_LONG=1");
        return;
    }
    let personas = std::env::var("DORGU_PERSONAS").map_or(10_000, |count| count.parse().expect("a number"));
    let options = Options {
        // Left alone it waits a minute for watches to end by themselves before it ends.
        api_server_flags: vec!["--shutdown-watch-termination-grace-period=1s".to_owned()],
        ..Options::default()
    };
    let Some(mut bed) = Bed::start(&options) else {
        return;
    };
    install_crds(&bed);
    let namespace = bed.namespace("memory", &[("dorgu.io/validate", "true")]);
    store(&bed, &namespace, personas, |number| persona(&namespace, number));
    let folder = tempfile::TempDir::new().expect("a folder");
    let kubeconfig = account(&bed, &bed.api_url(), &namespace, folder.path());

    let started = Instant::now();
    // A replica that follows: the leader would repeatedly be denied its writes.
    let dorgu = Dorgu::with_cluster(&kubeconfig, &["--leader-elect"]);
    until_watched(&dorgu, personas);
    let ready = started.elapsed();
    std::thread::sleep(REST);
    let (rest, peak) = resident(&dorgu);

    // It comes back without the history that a watch needs, so everything is listed again.
    forget_peak(&dorgu);
    bed.restart();
    let refused = wait_until(TIMEOUT, "it cannot go on where it was", || {
        // The API server has forgotten, or does not know yet who may watch; either makes a list necessary.
        let said = dorgu.lines();
        let of_personas = said.iter().filter(|line| line.contains("\"applicationpersonas\""));
        let mut refused = of_personas.filter(|line| line.contains("resource version") || line.contains("cannot watch"));
        ensure!(refused.next().is_some(), "it said:\n{}", said.join("\n"));
        Ok(())
    });
    refused.unwrap_or_else(|error| panic!("{error:#}"));
    until_watched(&dorgu, personas);
    std::thread::sleep(REST);
    let (after, relisted) = resident(&dorgu);
    println!(
        "| cluster, {personas} | {} | {} | {} | {} | | {} |",
        mib(rest),
        mib(peak),
        mib(relisted),
        mib(after),
        ready.as_millis()
    );
    if let Some(results) = std::env::var_os("DORGU_RESULTS") {
        let result = json!({
            "mode": "cluster", "personas": personas, "ready_ms": u64::try_from(ready.as_millis()).expect("not ages"),
            "rest_kib": rest, "peak_kib": peak, "again_peak_kib": relisted, "again_rest_kib": after,
        });
        std::fs::write(Path::new(&results), result.to_string()).expect("written");
    }
    assert!(
        relisted * 10 <= rest * 13,
        "{} MiB at most while {} at rest",
        mib(relisted),
        mib(rest)
    );
    assert!(
        after * 10 <= rest * 12,
        "{} MiB stay after a list, {} before",
        mib(after),
        mib(rest)
    );
}
