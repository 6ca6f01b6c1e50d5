//! Real controllers and fake kubelets: nodes become ready by themselves, pods are scheduled.

use serde_json::{Value, json};

use super::{Companion, hurried, install_crd, persona, rules, until};
use crate::bed::{Bed, Needs, Options};

#[test]
fn a_deployment_that_rolls_out_is_used_room() {
    let options = Options {
        needs: Needs::Rollouts,
        ..Options::default()
    };
    let Some(bed) = Bed::start(&options) else { return };
    let bed = &bed;
    install_crd(bed);
    persona(bed, "main", "one");
    let _companion = Companion::start(bed, &rules(&[]), hurried());
    let (object, _) = until(bed, "main", "three nodes are ready", |status| {
        status["phase"] == "Ready" && status["resourceSummary"]["nodeCount"] == 3
    });
    let capacity = &object["status"]["nodes"][0]["capacity"];
    println!("a fake node: {capacity}");
    assert_ne!(capacity["cpu"], "0");
    let namespace = bed.namespace("used", &[]);
    let deployment = |replicas: u32| {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": namespace},
            "spec": {
                "replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{
                        "name": "web", "image": "registry.example.com/web:1",
                        "resources": {"requests": {"cpu": "250m", "memory": "64Mi"}},
                    }]},
                },
            },
        })
        .to_string()
    };
    let uses = |cpu: &'static str, pods: u32| {
        move |status: &Value| {
            let summary = &status["resourceSummary"];
            summary["usedCPU"] == cpu && summary["runningPods"] == pods
        }
    };
    bed.apply(&deployment(3)).expect_success();
    let (object, took) = until(bed, "main", "three pods are counted", uses("750m", 3));
    println!("a Deployment of three was counted after {took:?}");
    assert_eq!(object["status"]["resourceSummary"]["usedMemory"], "192Mi");
    bed.apply(&deployment(0)).expect_success();
    until(bed, "main", "none is counted any more", uses("0", 0));
}
