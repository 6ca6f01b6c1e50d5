//! Nodes of several kinds: how each is reported, and which platform it indicates.

use std::sync::Arc;

use serde_json::{Value, json};

use super::node;
use crate::controllers::cluster::node::SeenNode;
use crate::controllers::cluster::platform::platform;

fn labelled(labels: Value, provider: Option<&str>) -> Arc<SeenNode> {
    node(&json!({"metadata": {"name": "n", "labels": labels}, "spec": {"providerID": provider}}))
}

#[test]
fn the_platform_is_told_by_any_label_and_then_by_provider_ids() {
    let none = || json!({});
    for (nodes, name) in [
        (vec![], "Unknown"),
        (vec![labelled(none(), None)], "Generic"),
        (
            vec![labelled(json!({"kubernetes.io/os": "linux"}), Some("openstack:///1"))],
            "Generic",
        ),
        (
            vec![labelled(
                json!({"eks.amazonaws.com/nodegroup": "a"}),
                Some("aws:///eu-west-1a/i-0"),
            )],
            "EKS",
        ),
        (
            vec![labelled(
                json!({"alpha.eksctl.io/cluster-name": "a"}),
                Some("aws:///eu-west-1a/i-0"),
            )],
            "EKS",
        ),
        (
            vec![labelled(
                json!({"cloud.google.com/gke-nodepool": "a"}),
                Some("gce://p/z/n"),
            )],
            "GKE",
        ),
        (vec![labelled(none(), Some("gce://project/zone/name"))], "GKE"),
        (
            vec![labelled(json!({"kubernetes.azure.com/cluster": "a"}), None)],
            "AKS",
        ),
        (vec![labelled(none(), Some("azure:///subscriptions/s"))], "AKS"),
        (
            vec![labelled(
                json!({"node.openshift.io/os_id": "rhcos"}),
                Some("aws:///eu-west-1a/i-0"),
            )],
            "OpenShift",
        ),
        (
            vec![labelled(json!({"minikube.k8s.io/name": "minikube"}), None)],
            "Minikube",
        ),
        (vec![labelled(json!({"kind.x-k8s.io/cluster": "kind"}), None)], "Kind"),
        (
            vec![labelled(none(), Some("kind://docker/kind/kind-control-plane"))],
            "Kind",
        ),
        (
            vec![labelled(json!({"svccontroller.k3s.io/enablelb": "true"}), None)],
            "K3s",
        ),
        (vec![labelled(none(), Some("k3s://server-0"))], "K3s"),
        // One node out of many is enough. The order of the list decides, not the order of the nodes.
        (
            vec![
                labelled(none(), None),
                labelled(json!({"minikube.k8s.io/name": "m"}), None),
                labelled(none(), Some("aws:///z/i")),
            ],
            "Minikube",
        ),
        (
            vec![
                labelled(json!({"k3s.io/x": ""}), None),
                labelled(json!({"eks.amazonaws.com/x": ""}), None),
            ],
            "EKS",
        ),
        (vec![labelled(none(), None), labelled(none(), Some("k3s://b"))], "K3s"),
    ] {
        assert_eq!(platform(&nodes), name, "{nodes:?}");
    }
}

#[test]
fn all_that_status_says_of_a_node() {
    let seen = node(&json!({
        "metadata": {"name": "cp-0", "labels": {
            "kubernetes.io/arch": "arm64", "kubernetes.io/os": "linux", "kubernetes.io/hostname": "cp-0",
            "node-role.kubernetes.io/control-plane": "", "node.kubernetes.io/instance-type": "m7g.large",
            "topology.kubernetes.io/zone": "eu-west-1a", "beta.kubernetes.io/arch": "arm64",
            "kubernetes.azure.com/role": "agent", "team": "platform",
        }},
        "spec": {"taints": [
            {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"},
            {"key": "dedicated", "value": "db", "effect": "NoExecute"},
        ]},
        "status": {
            "capacity": {"cpu": "2", "memory": "8036848Ki", "pods": "29", "ephemeral-storage": "83873772Ki", "hugepages-1Gi": "0"},
            "allocatable": {"cpu": "1930m", "memory": "7533040Ki", "ephemeral-storage": "76224326324"},
            "conditions": [{"type": "Ready", "status": "True"}],
            "nodeInfo": {"kubeletVersion": "v1.32.1", "containerRuntimeVersion": "containerd://1.7.24", "architecture": "arm64"},
        },
    }));
    let told = json!({
        "name": "cp-0", "role": "control-plane", "ready": true,
        "capacity": {"cpu": "2", "memory": "8036848Ki", "pods": "29", "ephemeralStorage": "83873772Ki"},
        "allocatable": {"cpu": "1930m", "memory": "7533040Ki", "pods": "0", "ephemeralStorage": "76224326324"},
        "taints": ["dedicated=db:NoExecute", "node-role.kubernetes.io/control-plane=:NoSchedule"],
        "labels": {
            "kubernetes.io/arch": "arm64", "kubernetes.io/os": "linux", "node-role.kubernetes.io/control-plane": "",
            "node.kubernetes.io/instance-type": "m7g.large", "topology.kubernetes.io/zone": "eu-west-1a",
            "kubernetes.azure.com/role": "agent",
        },
        "kubeletVersion": "v1.32.1", "containerRuntime": "containerd://1.7.24",
    });
    assert_eq!(serde_json::to_value(&seen.node).expect("JSON"), told);
}

#[test]
fn a_node_that_has_just_registered_says_little() {
    for object in [
        json!({"metadata": {"name": "new"}}),
        json!({"metadata": {"name": "new", "labels": null}, "spec": {"taints": null, "providerID": null}, "status": {"capacity": null, "conditions": null}}),
    ] {
        let nothing = json!({"cpu": "0", "memory": "0", "pods": "0", "ephemeralStorage": "0"});
        let told =
            json!({"name": "new", "role": "worker", "ready": false, "capacity": nothing, "allocatable": nothing});
        assert_eq!(
            serde_json::to_value(&node(&object).node).expect("JSON"),
            told,
            "{object}"
        );
    }
}

#[test]
fn roles_and_readiness() {
    let role = |label: &str| {
        let mut labels = json!({});
        labels[label] = json!("");
        labelled(labels, None).node.role.clone().expect("a role")
    };
    assert_eq!(role("node-role.kubernetes.io/control-plane"), "control-plane");
    assert_eq!(role("node-role.kubernetes.io/master"), "control-plane");
    assert_eq!(role("node-role.kubernetes.io/infra"), "worker");
    let ready = |conditions: Value| {
        node(&json!({"metadata": {"name": "n"}, "status": {"conditions": conditions}}))
            .node
            .ready
    };
    assert!(ready(json!([{"type": "Ready", "status": "True"}])));
    assert!(!ready(json!([{"type": "Ready", "status": "Unknown"}])));
    assert!(!ready(json!([{"type": "DiskPressure", "status": "True"}])));
}

#[test]
fn an_odd_node_is_told_by_its_field() {
    let odd = json!({"metadata": {"name": "n"}, "spec": {"taints": {}}});
    let reason = <SeenNode as crate::k8s::Decode>::decode(&odd.to_string()).expect_err("unreadable");
    assert!(reason.as_str().contains("spec.taints"), "{reason}");
}
