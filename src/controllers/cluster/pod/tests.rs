//! What a scheduler reserves for a pod, and which workload it belongs to.

use serde_json::{Value, json};

use super::Pod;
use crate::k8s::Decode;

fn pod(metadata: Value, spec: Value, status: Value) -> Pod {
    let mut object = json!({"metadata": {"namespace": "shop", "name": "p"}, "spec": spec, "status": status});
    for (key, value) in metadata.as_object().expect("an object") {
        object["metadata"][key] = value.clone();
    }
    Pod::decode(&object.to_string()).expect("a pod")
}

fn asking(cpu: &str, memory: &str) -> Value {
    json!({"resources": {"requests": {"cpu": cpu, "memory": memory}, "limits": {"cpu": "99"}}})
}

fn staying(mut container: Value) -> Value {
    container["restartPolicy"] = json!("Always");
    container
}

#[test]
fn requests_count_as_a_scheduler_counts_them() {
    for (spec, cpu, memory) in [
        (
            json!({"containers": [{}, {"resources": {}}, {"resources": {"requests": null}}]}),
            "0",
            "0",
        ),
        (
            json!({"containers": [asking("100m", "64Mi"), asking("1", "1Gi")]}),
            "1100m",
            "1088Mi",
        ),
        // An init container runs alone, so it counts only if it needs more than all later containers.
        (
            json!({"initContainers": [asking("500m", "2Gi"), asking("900m", "1Gi")], "containers": [asking("600m", "1Gi")]}),
            "900m",
            "2Gi",
        ),
        // A sidecar runs beside all containers that start after it.
        (
            json!({"initContainers": [staying(asking("100m", "10Mi")), asking("1", "1Mi")], "containers": [asking("200m", "100Mi")]}),
            "1100m",
            "110Mi",
        ),
        (
            json!({"initContainers": [asking("1", "1Mi"), staying(asking("100m", "10Mi"))], "containers": [asking("200m", "100Mi")]}),
            "1",
            "110Mi",
        ),
        // The pod level replaces all containers, for the resource that it names.
        (
            json!({"resources": {"requests": {"cpu": "2"}}, "containers": [asking("100m", "64Mi")]}),
            "2",
            "64Mi",
        ),
        (
            json!({"overhead": {"cpu": "250m", "memory": "120Mi"}, "containers": [asking("1", "8Mi")]}),
            "1250m",
            "128Mi",
        ),
        (json!({"containers": [asking("odd", "64Mi")]}), "0", "64Mi"),
    ] {
        let pod = pod(json!({}), spec.clone(), json!({}));
        assert_eq!(
            (pod.cpu.to_string().as_str(), pod.memory.to_string().as_str()),
            (cpu, memory),
            "{spec}"
        );
    }
}

#[test]
fn a_pod_is_its_workloads() {
    let owned = |kind: &str, name: &str, labels: Value| {
        let owners = json!([{"kind": "Node", "name": "x"}, {"kind": kind, "name": name, "controller": true}]);
        let pod = pod(
            json!({"ownerReferences": owners, "labels": labels}),
            json!({}),
            json!({}),
        );
        (pod.workload, pod.of_job)
    };
    let hash = json!({"pod-template-hash": "7d9f"});
    assert_eq!(
        owned("ReplicaSet", "istiod-7d9f", hash.clone()),
        ("istiod".to_owned(), false)
    );
    assert_eq!(owned("ReplicaSet", "by-hand", hash), ("by-hand".to_owned(), false));
    assert_eq!(
        owned("StatefulSet", "argocd-application-controller", json!(null)).0,
        "argocd-application-controller"
    );
    assert_eq!(owned("Job", "setup", json!({})), ("setup".to_owned(), true));
    assert_eq!(pod(json!({}), json!({}), json!({})).workload, "");
}

#[test]
fn only_a_running_pod_is_ready() {
    let state = |phase: &str, ready: &str| {
        let status = json!({"phase": phase, "conditions": [{"type": "Ready", "status": ready}]});
        let pod = pod(json!({}), json!({"nodeName": "n"}), status);
        (pod.running, pod.ready, pod.terminal, pod.scheduled)
    };
    assert_eq!(state("Running", "True"), (true, true, false, true));
    assert_eq!(state("Running", "False"), (true, false, false, true));
    assert_eq!(state("Failed", "True"), (false, false, true, true));
    assert_eq!(state("Succeeded", "False"), (false, false, true, true));
    assert_eq!(state("Pending", "False"), (false, false, false, true));
}
