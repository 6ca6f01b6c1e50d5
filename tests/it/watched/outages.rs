//! The control plane goes down and comes back. No process exits, none retries in a tight loop, and the next verdict is right.
//!
//! Seconds here, as long as in the field with `DORGU_LONG=1`.

use std::time::{Duration, Instant};

use anyhow::ensure;

use super::{Stage, ask, install_crds, run};
use crate::bed::{Bed, Dorgu, Options, wait_until};

/// From the return of the API server to the new verdict: the longest pause between two tries, and a busy machine.
const BACK: Duration = Duration::from_secs(30);

fn long() -> bool {
    std::env::var_os("DORGU_LONG").is_some()
}

/// Processor time that the process has used.
fn cpu(dorgu: &Dorgu) -> Duration {
    let process = procfs::process::Process::new(i32::try_from(dorgu.pid()).expect("a pid"));
    let stat = process.and_then(|process| process.stat()).expect("it runs");
    let ticks = stat.utime + stat.stime;
    Duration::from_secs_f64(f64::from(u32::try_from(ticks).expect("not that many")) / 100.0)
}

/// A bed whose API server can be stopped at once, and a process that enforces two replicas of `orders` there.
fn enforced() -> Option<(Bed, Dorgu, tempfile::TempDir, String)> {
    let options = Options {
        // Left alone it waits a minute for watches to end by themselves before it ends.
        api_server_flags: vec!["--shutdown-watch-termination-grace-period=1s".to_owned()],
        ..Options::default()
    };
    let bed = Bed::start(&options)?;
    install_crds(&bed);
    let stage = Stage::unready(&bed, "outage", &["--webhook-mode=enforcing"]);
    stage.until_ready();
    bed.apply(&persona(&stage.namespace, 2)).expect_success();
    stage.until_told("orders", "minimum (2)", true);
    let namespace = stage.namespace.clone();
    let (dorgu, folder) = stage.apart();
    Some((bed, dorgu, folder, namespace))
}

fn persona(namespace: &str, minimum: u32) -> String {
    let spec = serde_json::json!({"name": "orders", "type": "api", "scaling": {"minReplicas": minimum}});
    serde_json::json!({
        "apiVersion": "dorgu.io/v1", "kind": "ApplicationPersona",
        "metadata": {"name": "orders", "namespace": namespace}, "spec": spec,
    })
    .to_string()
}

/// Waits until the process judges by this minimum.
fn until_judged(dorgu: &Dorgu, namespace: &str, minimum: u32) -> Duration {
    let started = Instant::now();
    wait_until(BACK, "the verdict changes", || {
        let answer = ask(dorgu, namespace, "orders");
        let words = format!("below persona minimum ({minimum})");
        ensure!(answer.body().contains(&words), "{}", answer.body());
        Ok(())
    })
    .unwrap_or_else(|error| panic!("{error:#}; it said:\n{}", dorgu.lines().join("\n")));
    started.elapsed()
}

#[test]
fn an_api_server_that_is_away_for_long_is_found_again_within_seconds() {
    let Some((mut bed, dorgu, _folder, namespace)) = enforced() else {
        return;
    };
    let away = Duration::from_secs(if long() { 60 } else { 8 });
    bed.stop_api_server();
    let (gone, before) = (Instant::now(), cpu(&dorgu));
    // Known objects stay valid, however long it lasts.
    let mut asked = 0;
    while gone.elapsed() < away {
        let answer = ask(&dorgu, &namespace, "orders");
        assert!(answer.body().contains("minimum (2)"), "{}", answer.body());
        asked += 1;
        // Paced, so that the time it takes is its own and not that of our questions.
        std::thread::sleep(Duration::from_millis(200));
    }
    let used = cpu(&dorgu) - before;
    bed.start_api_server();
    bed.apply(&persona(&namespace, 3)).expect_success();
    let back = until_judged(&dorgu, &namespace, 3);
    println!("away for {away:?}: {asked} answers, {used:?} of processor time; right again {back:?} after the change");
    // A handshake for each question, and a try every few seconds; a loop that does not rest takes all there is.
    assert!(used < away / 4, "{used:?} in {away:?}");
    let probe = run(crate::https::get(&format!("{}/readyz?verbose", dorgu.probes_url()))).expect("an answer");
    assert_eq!(probe.0, 200, "{}", probe.1);
}

#[test]
fn an_etcd_that_crashes_and_comes_back_costs_nothing() {
    let Some((mut bed, dorgu, _folder, namespace)) = enforced() else {
        return;
    };
    for minimum in 3..6 {
        bed.restart_etcd();
        let during = ask(&dorgu, &namespace, "orders");
        assert_eq!(during.status(), 200, "{}", during.body());
        bed.apply(&persona(&namespace, minimum)).expect_success();
        let took = until_judged(&dorgu, &namespace, minimum);
        println!("etcd restarted: right {took:?} after the change");
    }
}
