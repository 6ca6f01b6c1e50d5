//! Denials in a namespace that enforces, although the process, as shipped, is advisory.

use anyhow::ensure;
use serde_json::{Value, json};

use super::{Installed, TIMEOUT};
use crate::bed::{Addresses, Options, wait_until};

const SHOP: &str = "shop";

fn objects() -> Value {
    let labels = json!({"dorgu.io/validate": "true", "dorgu.io/mode": "enforcing"});
    let persona = json!({
        "apiVersion": "dorgu.io/v1", "kind": "ApplicationPersona",
        "metadata": {"name": "orders", "namespace": SHOP},
        "spec": {"name": "orders", "type": "api", "scaling": {"minReplicas": 2}},
    });
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SHOP, "labels": labels}});
    json!({"apiVersion": "v1", "kind": "List", "items": [namespace, persona]})
}

fn deployment(replicas: u32) -> String {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "front", "namespace": SHOP, "labels": {"app.kubernetes.io/name": "orders"}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"pods-of": "front"}},
            "template": {
                "metadata": {"labels": {"pods-of": "front"}},
                "spec": {"containers": [{"name": "api", "image": "registry.example.com/orders:1"}]},
            },
        },
    })
    .to_string()
}

#[test]
fn a_namespace_that_enforces_refuses_breaches_scales_and_the_way_out_of_the_persona() {
    let Some(mut installed) = Installed::new(&Options::default()) else {
        return;
    };
    installed.run_pod(Addresses::OfItsOwn);
    installed.run_pod(Addresses::OfItsOwn);
    let bed = &installed.bed;
    bed.apply(&objects().to_string()).expect_success();
    let refused = wait_until(TIMEOUT, "a breach is refused", || {
        let applied = bed.kubectl_in(&["create", "--dry-run=server", "-f", "-"], &deployment(1));
        ensure!(!applied.succeeded(), "{applied}");
        Ok(applied.to_string())
    });
    let refused = refused.unwrap_or_else(|error| panic!("{error:#}\n{}", installed.said()));
    assert!(refused.contains("replicas (1) below persona minimum (2)"), "{refused}");

    // The Deployment reaches both pods' index moments after it was stored.
    bed.apply(&deployment(3)).expect_success();
    let kubectl = |args: &[&str]| bed.kubectl(&[&["--namespace", SHOP], args].concat());
    let scale = |replicas: &str| kubectl(&["scale", "deployment", "front", replicas]);
    let refused = scale("--replicas=1").expect_failure();
    assert!(refused.contains("replicas (1) below persona minimum (2)"), "{refused}");
    let command = refused
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("kubectl scale"));
    let command = command.unwrap_or_else(|| panic!("no command that would pass in:\n{refused}"));
    let words: Vec<&str> = command.split_whitespace().skip(1).collect();
    bed.kubectl(&words).expect_success();

    let refused = kubectl(&["label", "deployment", "front", "app.kubernetes.io/name-"]).expect_failure();
    assert!(refused.contains("label app.kubernetes.io/name removed"), "{refused}");
    let unseen = bed.metric("apiserver_admission_webhook_fail_open_count");
    assert!(
        unseen < 0.5,
        "{unseen} reviews were let through unseen\n{}",
        installed.said()
    );
}
