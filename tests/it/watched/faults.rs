//! Missing kinds and rights, invalid objects, an unreachable API server: the process never exits and never guesses.

use std::fs;

use anyhow::ensure;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Stage, TIMEOUT, ask, crds, install_crds, run};
use crate::bed::{Bed, Dorgu, Options, wait_until, write_kubeconfig};

const BREACH: &str = "replicas (1) below persona minimum (2)";

/// The value of a sample.
fn sample(metrics: &str, name: &str) -> f64 {
    let line = metrics.lines().find(|line| line.starts_with(name));
    let line = line.unwrap_or_else(|| panic!("no {name} in\n{metrics}"));
    line.rsplit(' ').next().expect("a value").parse().expect("a number")
}

#[test]
fn without_its_api_server_it_stays_and_asks_to_be_asked_again() {
    let folder = TempDir::new().expect("a folder");
    let kubeconfig = folder.path().join("kubeconfig");
    // Nothing listens on port 1. Its CA is never needed.
    let ca = folder.path().join("ca.crt");
    let own = rcgen::generate_simple_self_signed(["nobody".to_owned()]).expect("a certificate");
    fs::write(&ca, own.cert.pem()).expect("written");
    write_kubeconfig(&kubeconfig, "https://127.0.0.1:1", &ca, "none").expect("written");
    let mut dorgu = Dorgu::with_cluster(&kubeconfig, &[]);
    let answer = ask(&dorgu, "shop", "orders");
    assert_eq!(answer.status(), 503, "{}", answer.body());
    assert_eq!(answer.headers()["retry-after"], "1");
    // Each kind is watched for itself, so each says so for itself.
    for kind in ["applicationpersonas", "namespaces", "deployments"] {
        dorgu.wait_for_line(&format!("that it cannot watch {kind}"), |line| {
            line.contains("Cannot watch") && line.contains(kind)
        });
    }
    let probe = format!("{}/readyz?verbose", dorgu.probes_url());
    let (status, text) = run(crate::https::get(&probe)).expect("an answer");
    assert_eq!(status, 503);
    for kind in ["personas", "namespaces", "deployments"] {
        assert!(text.contains(&format!("[-]{kind} failed: not synced: ")), "{text}");
    }
    assert!(text.contains("[+]certificate ok"), "{text}");
    let metrics = run(crate::https::get(&dorgu.metrics_url())).expect("an answer").1;
    assert!(sample(&metrics, "dorgu_cache_synced{kind=\"Namespace\"}") < 0.5);
    let tried = sample(&metrics, "dorgu_watch_errors_total{kind=\"Namespace\"}");
    assert!((1.0..20.0).contains(&tried), "tried {tried} times in a moment");
    assert!(dorgu.stop().success(), "and it still drains");
}

#[test]
fn crds_that_come_late_are_waited_for_and_a_restarted_api_server_is_found_again() {
    let options = Options {
        // Left alone it waits a minute for watches to end by themselves before it ends.
        api_server_flags: vec!["--shutdown-watch-termination-grace-period=1s".to_owned()],
        ..Options::default()
    };
    let Some(mut bed) = Bed::start(&options) else {
        return;
    };
    let bed_now = &bed;
    let stage = Stage::unready(bed_now, "late", &["--webhook-mode=enforcing"]);
    wait_until(TIMEOUT, "the other two kinds are known", || {
        let (status, text) = stage.readyz();
        ensure!(status == 503, "ready without personas: {text}");
        ensure!(
            text.contains("[+]namespaces ok: synced") && text.contains("[+]deployments ok: synced"),
            "{text}"
        );
        ensure!(
            text.contains("[-]personas failed: not synced: the API server knows no applicationpersonas"),
            "{text}"
        );
        Ok(())
    })
    .expect("told");
    let early = stage.ask_whole("orders");
    assert_eq!(
        early.status(),
        503,
        "no persona is known, which is not the same as none: {}",
        early.body()
    );
    install_crds(bed_now);
    stage.until_ready();
    // Seconds between two tries; far fewer than a loop that never rests would have made.
    let tried = sample(
        &stage.metrics(),
        "dorgu_watch_errors_total{kind=\"ApplicationPersona\"}",
    );
    assert!((1.0..30.0).contains(&tried), "tried {tried} times");
    bed_now.apply(&stage.persona("orders", 2).to_string()).expect_success();
    stage.until_told("orders", BREACH, true);

    // What outlives the bed's restart: the process, its folder, and the namespace's name.
    let namespace = stage.namespace.clone();
    let persona = stage.persona("orders", 3);
    let (dorgu, folder) = stage.apart();
    bed.stop_api_server();
    let (status, text) = wait_until(TIMEOUT, "the loss is told", || {
        let probe = format!("{}/readyz?verbose", dorgu.probes_url());
        let (status, text) = run(crate::https::get(&probe))?;
        ensure!(text.matches("watch error").count() == 5, "{text}");
        Ok((status, text))
    })
    .expect("told");
    assert_eq!(status, 200, "what is known goes on being used: {text}");
    let during = ask(&dorgu, &namespace, "orders");
    assert!(during.body().contains(BREACH), "{}", during.body());

    bed.start_api_server();
    bed.apply(&persona.to_string()).expect_success();
    wait_until(TIMEOUT, "the verdict changes", || {
        let answer = ask(&dorgu, &namespace, "orders");
        ensure!(answer.body().contains("below persona minimum (3)"), "{}", answer.body());
        Ok(())
    })
    .unwrap_or_else(|error| panic!("{error:#}; it said:\n{}", dorgu.lines().join("\n")));
    drop(folder);
}

#[test]
fn a_persona_that_cannot_be_read_costs_only_itself() {
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    // A foreign schema, which accepts anything.
    let file = crds().join("dorgu.io_applicationpersonas.yaml");
    let text = fs::read_to_string(file).expect("the CRD");
    let mut crd: Value = serde_saphyr::from_str(&text).expect("YAML");
    for version in crd["spec"]["versions"].as_array_mut().expect("versions") {
        version["schema"]["openAPIV3Schema"] = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        version.as_object_mut().expect("a version").remove("selectableFields");
    }
    bed.apply(&crd.to_string()).expect_success();
    let name = "crd/applicationpersonas.dorgu.io";
    bed.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", name])
        .expect_success();

    let stage = Stage::unready(&bed, "odd", &["--webhook-mode=enforcing"]);
    stage.until_ready();
    bed.apply(&stage.persona("orders", 2).to_string()).expect_success();
    stage.until_told("orders", BREACH, true);
    // It was good and is broken now; another was never good.
    let mut odd = stage.persona("orders", 2);
    odd["spec"]["scaling"]["minReplicas"] = json!("two");
    bed.apply(&odd.to_string()).expect_success();
    odd["metadata"]["name"] = json!("never");
    bed.apply(&odd.to_string()).expect_success();
    bed.apply(&stage.persona("payments", 2).to_string()).expect_success();
    stage.until_told("payments", BREACH, true);
    assert!(
        stage.ask("orders").contains(BREACH),
        "the last good version still counts"
    );
    let name = "dorgu_watch_unreadable_total{kind=\"ApplicationPersona\"}";
    assert!((sample(&stage.metrics(), name) - 2.0).abs() < 0.5);
    stage.dorgu.wait_for_line("the field", |line| {
        line.contains("Cannot read an object") && line.contains("spec.scaling.minReplicas")
    });

    // A process that starts now gets both in the list.
    let second = Stage::unready(&bed, "second", &[]);
    second.until_ready();
    let asked = ask(&second.dorgu, &stage.namespace, "payments");
    assert!(asked.body().contains(BREACH), "{}", asked.body());
}
