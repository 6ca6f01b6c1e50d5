//! A persona becomes ready to be enforced when the time has come, and not a write before.

use std::time::Duration;

use anyhow::ensure;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Stage, TIMEOUT};
use crate::bed::{Bed, Options, wait_until};

/// `--ready-after`, long before the interval after which everything is reconciled.
const READY_AFTER: SignedDuration = SignedDuration::from_secs(6);

fn condition(persona: &Value) -> Option<&Value> {
    let conditions = persona["status"]["conditions"].as_array()?;
    conditions
        .iter()
        .find(|condition| condition["type"] == "ReadyToEnforce")
}

/// Waits until the condition has this status and reason.
fn until(stage: &Stage<'_>, status: &str, reason: &str) -> Value {
    let seen = wait_until(TIMEOUT, "the condition is as expected", || {
        let persona = stage.persona_of("orders");
        let found = condition(&persona).cloned().unwrap_or_default();
        ensure!(found["status"] == status && found["reason"] == reason, "{found:#}");
        Ok(persona)
    });
    seen.unwrap_or_else(|error| panic!("{error:#}; it said:\n{}", stage.dorgu.lines().join("\n")))
}

fn time(text: &Value) -> Timestamp {
    text.as_str().expect("a text").parse().expect("a time")
}

#[test]
fn a_persona_is_ready_when_nothing_was_denied_for_long_enough_and_names_what_would_be() {
    // A separate bed: the processes of other tests, which no Lease restrains, would write the status, too.
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    let stage = Stage::new(&bed, "ready", &["--ready-after=6s", "--requeue-interval=10m"]);
    bed.apply(&stage.persona("orders").to_string()).expect_success();
    let persona = until(&stage, "Unknown", "NoDeployment");
    assert!(persona["status"]["validation"].get("cleanSince").is_none());

    bed.apply(&stage.deployment("web", "orders", 1).to_string())
        .expect_success();
    let persona = until(&stage, "False", "WouldDeny");
    assert_eq!(
        condition(&persona).expect("it")["message"],
        "1 would be denied: spec.replicas: Deployment replicas (1) below persona minimum (2). Set replicas to at least 2"
    );

    stage
        .kubectl(&["scale", "deployment", "web", "--replicas=3"])
        .expect_success();
    let recent = until(&stage, "False", "TooRecent");
    let since = time(&recent["status"]["validation"]["cleanSince"]);
    let ready = until(&stage, "True", "NothingToDeny");
    assert_eq!(time(&ready["status"]["validation"]["cleanSince"]), since);
    let waited = time(&condition(&ready).expect("it")["lastTransitionTime"]).duration_since(since);
    println!("ready {waited:#} after the last finding went");
    assert!(
        READY_AFTER <= waited && waited < READY_AFTER + SignedDuration::from_secs(5),
        "{waited:#}"
    );
    let wide = stage
        .kubectl(&["get", "persona", "orders", "--output=wide"])
        .expect_success();
    assert!(wide.contains("ENFORCEABLE"), "{wide}");

    // Nothing is written that did not change.
    let version = |persona: &Value| persona["metadata"]["resourceVersion"].clone();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(version(&stage.persona_of("orders")), version(&ready));

    // The command of the message; the condition goes, since the persona is enforced.
    let message = condition(&ready).expect("it")["message"]
        .as_str()
        .expect("a text")
        .to_owned();
    let (_, command) = message.split_once("to enforce: kubectl ").expect("a command");
    bed.kubectl(&command.split(' ').collect::<Vec<_>>()).expect_success();
    wait_until(TIMEOUT, "the condition goes", || {
        let persona = stage.persona_of("orders");
        ensure!(condition(&persona).is_none(), "{persona:#}");
        Ok(())
    })
    .expect("an enforced persona has no such condition");
}
