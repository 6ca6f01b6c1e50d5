//! `kubectl apply` of an ApplicationPersona prints what it would do to running Deployments, and never fails for it.

mod beside;

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};

use super::{Stage, TIMEOUT};
use crate::bed::{Bed, Needs, Output, Registration, wait_until};

/// A stage to which personas are sent, too, with Deployments of one replica each.
fn stage<'b>(bed: &'b Bed, prefix: &str, names: &[&str]) -> Stage<'b> {
    let stage = Stage::new(bed, prefix, &["--webhook-mode=enforcing"]);
    for name in names {
        bed.apply(&stage.deployment(name, Some("orders"), 1).to_string())
            .expect_success();
    }
    bed.register(&Registration {
        personas: true,
        ..stage.registration()
    });
    stage
}

fn apply(stage: &Stage<'_>, persona: &Value) -> Output {
    let answer = stage.bed.apply(&persona.to_string());
    assert!(answer.succeeded(), "{answer}");
    answer
}

/// Applies it as a dry run until kubectl prints these words: watches may be a moment behind.
fn until_warned(stage: &Stage<'_>, persona: &Value, words: &str) -> Vec<String> {
    let text = persona.to_string();
    let warned = wait_until(TIMEOUT, "kubectl prints the warning", || {
        let answer = stage.bed.kubectl_in(&["apply", "--dry-run=server", "-f", "-"], &text);
        ensure!(answer.succeeded() && answer.stderr.contains(words), "{answer}");
        Ok(answer.warnings().into_iter().map(|line| line.to_string()).collect())
    });
    warned.unwrap_or_else(|error| panic!("{error:#}; it said:\n{}", stage.dorgu.lines().join("\n")))
}

#[test]
fn kubectl_apply_of_a_persona_prints_what_it_would_do_to_running_deployments() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let stage = stage(bed, "advised", &["a", "b", "c"]);
    let strict = stage.persona("orders", 2);
    let warnings = until_warned(&stage, &strict, "3 of 3 would be denied: 'a', 'b', 'c'");
    let denied = "Deployment 'a' would be denied: replicas (1) below persona minimum (2)";
    assert!(warnings.iter().any(|line| line == denied), "{warnings:?}");
    // The persona is stored, and the webhook then does what was said.
    apply(&stage, &strict);
    stage.until_told("orders", "Deployment violates", true);

    // Another persona of the app, and a value that means nothing.
    let mut odd = stage.persona("more", 1);
    odd["spec"]["name"] = json!("orders");
    odd["spec"]["resources"] = json!({"limits": {"memory": "512m"}});
    let shared = "spec.name 'orders' is also that of ApplicationPersona 'orders'; all apply";
    let warnings = until_warned(&stage, &odd, shared);
    assert!(
        warnings
            .iter()
            .any(|line| line.contains("'512m' is no whole number of bytes")),
        "{warnings:?}"
    );
    // A change of metadata alone says nothing.
    let label = stage.kubectl(&["label", "applicationpersona", "orders", "team=x"]);
    assert!(label.succeeded() && label.warnings().is_empty(), "{label}");
    let metrics = stage.metrics();
    assert!(
        metrics.contains("dorgu_persona_reviews_total{result=\"silent\"} 1\n"),
        "{metrics}"
    );
}

#[test]
fn while_dorgu_is_down_personas_are_written() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let mut stage = stage(bed, "unadvised", &["a"]);
    let strict = stage.persona("orders", 2);
    until_warned(&stage, &strict, "1 of 1 would be denied");
    stage.dorgu.signal("TERM");
    stage.dorgu.wait();
    let started = Instant::now();
    let written = apply(&stage, &strict);
    assert!(written.warnings().is_empty(), "{written}");
    let took = started.elapsed();
    println!("a persona was written in {took:?} without dorgu");
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn a_process_with_the_webhook_for_personas_switched_off_serves_none() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let stage = Stage::new(bed, "switched-off", &["--persona-webhook=false"]);
    let url = stage
        .dorgu
        .webhook_url()
        .replace("/validate-deployment", "/validate-persona");
    let answer = super::run(crate::https::post_whole(&url, &stage.dorgu.ca_pem(), "{}")).expect("an answer");
    assert_eq!(answer.status(), 404);
    assert!(!stage.metrics().contains("dorgu_persona_reviews"));
}
