//! Nodes of several kinds, created by hand, and pods of an add-on.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Companion, hurried, install_crd, node, persona, rules, until, worker};
use crate::bed::{Bed, Options};

#[test]
fn what_nodes_and_pods_say_is_in_the_status_of_every_cluster_persona() {
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    let bed = &bed;
    install_crd(bed);
    persona(bed, "main", "one");
    persona(bed, "second", "another");
    let options = dorgu::controllers::cluster::Options {
        interval: Duration::from_secs(3600),
        ..dorgu::controllers::cluster::Options::default()
    };
    let _companion = Companion::start(bed, &rules(&[]), options);
    let (empty, took) = until(bed, "main", "an empty cluster is told", |status| !status.is_null());
    println!("the first status came after {took:?}");
    assert_eq!(empty["status"]["phase"], "Discovering");
    assert_eq!(empty["status"]["platform"], "Unknown");
    assert_eq!(empty["status"]["kubernetesVersion"], "v1.36.3");
    assert_eq!(
        empty["status"]["namespaces"],
        json!({"total": 3, "active": 2, "withPersonas": 0})
    );
    assert_eq!(empty["status"]["applicationCount"], 0);
    assert_eq!(empty["status"]["addons"].as_array().map(Vec::len), Some(8));

    let control_plane = json!({
        "node-role.kubernetes.io/control-plane": "", "kubernetes.io/arch": "arm64", "eks.amazonaws.com/nodegroup": "a",
        "team": "platform",
    });
    let taints = json!([{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]);
    node(bed, "cp-0", &control_plane, "aws:///eu-west-1a/i-0", &taints, "True");
    node(
        bed,
        "worker-0",
        &json!({}),
        "aws:///eu-west-1a/i-1",
        &Value::Null,
        "False",
    );
    let two = |status: &Value| {
        status["nodes"][1]["capacity"]["cpu"] == "4"
            && status["nodes"][0]["ready"] == true
            && status["nodes"][0]["taints"]
                .as_array()
                .is_some_and(|taints| taints.len() == 1)
            && status["nodes"][1]["taints"].is_null()
    };
    for name in ["main", "second"] {
        let (object, _) = until(bed, name, "both nodes are there", two);
        let status = &object["status"];
        let amounts = json!({"cpu": "4", "memory": "16374256Ki", "pods": "110", "ephemeralStorage": "83873772Ki"});
        assert_eq!(
            status["nodes"],
            json!([
                {
                    "name": "cp-0", "role": "control-plane", "ready": true, "capacity": amounts, "allocatable": amounts,
                    "taints": ["node-role.kubernetes.io/control-plane=:NoSchedule"],
                    "labels": {"node-role.kubernetes.io/control-plane": "", "kubernetes.io/arch": "arm64"},
                    "kubeletVersion": "v1.36.3", "containerRuntime": "containerd://2.1.0",
                },
                {
                    "name": "worker-0", "role": "worker", "ready": false, "capacity": amounts, "allocatable": amounts,
                    "kubeletVersion": "v1.36.3", "containerRuntime": "containerd://2.1.0",
                },
            ])
        );
        assert_eq!(status["platform"], "EKS");
        assert_eq!(status["phase"], "Degraded");
        assert_eq!(status["resourceSummary"]["totalMemory"], "32748512Ki");
        assert_eq!(status["resourceSummary"]["totalPods"], 220);
        let healthy = &status["conditions"][1];
        assert_eq!(
            (&healthy["type"], &healthy["status"], &healthy["message"]),
            (&json!("Healthy"), &json!("False"), &json!("1/2 nodes ready"))
        );
        assert_eq!(healthy["observedGeneration"], object["metadata"]["generation"]);
    }

    argocd(bed);
    // A pod is no news by itself: the next look sees it, here because of a node.
    worker(bed, "worker-1");
    let (object, took) = until(bed, "main", "the third node is told", |status| {
        status["nodes"][2]["ready"] == true
    });
    println!("a node that joined was told after {took:?}");
    assert!(took < Duration::from_secs(20), "{took:?}");
    let status = &object["status"];
    let addon = json!({"name": "argocd", "type": "gitops", "namespace": "argocd", "installed": true, "healthy": true, "version": "v2.10.1"});
    assert_eq!(status["addons"][0], addon);
    let summary = &status["resourceSummary"];
    assert_eq!(
        (&summary["usedCPU"], &summary["usedMemory"]),
        (&json!("1200m"), &json!("1Gi"))
    );
    assert_eq!(summary["cpuUtilization"], "10%");
    assert_eq!(summary["runningPods"], 1);

    persona(bed, "main", "told anew");
    let (object, took) = until(bed, "main", "the new generation is observed", |status| {
        status["observedGeneration"] == 2
    });
    println!("another spec was observed after {took:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(object["metadata"]["generation"], 2);
}

/// Its server, on a node, running and ready.
fn argocd(bed: &Bed) {
    bed.kubectl(&["create", "namespace", "argocd"]).expect_success();
    let requests = json!({"cpu": "1200m", "memory": "1Gi"});
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "argocd-server-1", "namespace": "argocd", "labels": {"app.kubernetes.io/name": "argocd-server"}},
        "spec": {
            "nodeName": "worker-0",
            "containers": [{"name": "server", "image": "quay.io/argoproj/argocd:v2.10.1", "resources": {"requests": requests}}],
        },
    });
    bed.kubectl_in(&["create", "-f", "-"], &pod.to_string())
        .expect_success();
    let status =
        json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}).to_string();
    let patch = [
        "patch",
        "pod",
        "argocd-server-1",
        "--namespace=argocd",
        "--subresource=status",
        "--type=merge",
        "--patch",
        &status,
    ];
    bed.kubectl(&patch).expect_success();
}

#[test]
fn a_fact_that_may_not_be_seen_is_named_and_everything_else_is_told() {
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    let bed = &bed;
    install_crd(bed);
    persona(bed, "main", "one");
    worker(bed, "worker-0");
    let mut rules = rules(&[]);
    // Without pods.
    rules.as_array_mut().expect("a list").pop();
    let _companion = Companion::start(bed, &rules, hurried());
    let (object, _) = until(bed, "main", "what can be seen is told", |status| {
        status["phase"] == "Ready"
    });
    let status = &object["status"];
    let discovered = &status["conditions"][0];
    assert_eq!(
        (&discovered["status"], &discovered["reason"]),
        (&json!("False"), &json!("DiscoveryIncomplete"))
    );
    let message = discovered["message"].as_str().expect("a message");
    assert!(message.contains("pods (pods is forbidden"), "{message}");
    assert_eq!(status["resourceSummary"]["nodeCount"], 1);
    assert!(
        status["resourceSummary"]["runningPods"].is_null() && status["addons"].is_null(),
        "{status}"
    );
}

#[test]
fn more_pods_than_fit_a_page_are_each_counted_once() {
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    let bed = &bed;
    install_crd(bed);
    persona(bed, "main", "one");
    worker(bed, "worker-0");
    let namespace = bed.namespace("many", &[]);
    let pod = |number: usize| {
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("pod-{number:04}"), "namespace": namespace},
            "spec": {
                "nodeName": "worker-0",
                "containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}}}],
            },
        })
    };
    // A page has 500.
    let pods: Vec<Value> = (0..501).map(pod).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": pods});
    bed.kubectl_in(&["create", "-f", "-"], &list.to_string())
        .expect_success();
    let _companion = Companion::start(bed, &rules(&[]), hurried());
    let (object, took) = until(bed, "main", "all pods are counted", |status| !status.is_null());
    println!("501 pods: status after {took:?}");
    let summary = &object["status"]["resourceSummary"];
    assert_eq!(
        (&summary["usedCPU"], &summary["usedMemory"], &summary["cpuUtilization"]),
        (&json!("501m"), &json!("501Mi"), &json!("12%"))
    );
}
