//! Add-ons as their usual charts and manifests label them, and pods that only look like one.

use serde_json::{Value, json};

use super::Finds;
use crate::api::cluster_persona::status::Addon;
use crate::controllers::cluster::pod::Pod;
use crate::k8s::Decode;

fn pod(namespace: &str, name: &str, labels: Value, owner: (&str, &str), image: &str, ready: bool) -> Pod {
    let status = if ready { "True" } else { "False" };
    let object = json!({
        "metadata": {
            "namespace": namespace, "name": name, "labels": labels,
            "ownerReferences": [{"kind": owner.0, "name": owner.1, "controller": true}],
        },
        "spec": {"nodeName": "n", "containers": [{"name": "c", "image": image}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": status}]},
    });
    Pod::decode(&object.to_string()).expect("a pod")
}

fn found(pods: &[Pod]) -> Vec<Addon> {
    let mut finds = Finds::default();
    pods.iter().for_each(|pod| finds.count(pod));
    finds.addons()
}

/// `NAME VERSION healthy|unhealthy` of the installed ones.
fn installed(pods: &[Pod]) -> Vec<String> {
    let installed = found(pods).into_iter().filter(|addon| addon.installed);
    installed
        .map(|addon| {
            let healthy = if addon.healthy == Some(true) {
                "healthy"
            } else {
                "unhealthy"
            };
            format!("{} {} {healthy}", addon.name, addon.version.unwrap_or_default())
        })
        .collect()
}

#[test]
fn all_are_reported_in_their_order_even_where_there_is_none() {
    let addons = serde_json::to_value(found(&[])).expect("JSON");
    let addon = |name: &str, namespace: &str, kind: &str| json!({"name": name, "namespace": namespace, "type": kind, "installed": false});
    let all = json!([
        addon("argocd", "argocd", "gitops"),
        addon("prometheus", "monitoring", "monitoring"),
        addon("grafana", "monitoring", "monitoring"),
        addon("cert-manager", "cert-manager", "cert-management"),
        addon("ingress-nginx-controller", "ingress-nginx", "ingress"),
        addon("external-secrets", "external-secrets", "secrets"),
        addon("istiod", "istio-system", "service-mesh"),
        addon("openobserve", "openobserve", "monitoring"),
    ]);
    assert_eq!(addons, all);
}

#[test]
fn each_is_known_by_the_labels_of_its_usual_installation() {
    let name = |name: &str| json!({"app.kubernetes.io/name": name});
    let part =
        |name: &str, component: &str| json!({"app.kubernetes.io/name": name, "app.kubernetes.io/component": component});
    for (pod, told) in [
        (
            pod(
                "argocd",
                "a",
                name("argocd-server"),
                ("ReplicaSet", "r"),
                "quay.io/argoproj/argocd:v2.9.3",
                true,
            ),
            "argocd v2.9.3 healthy",
        ),
        (
            pod(
                "argocd",
                "a-0",
                name("argocd-application-controller"),
                ("StatefulSet", "r"),
                "argocd:v2.9.3",
                true,
            ),
            "argocd v2.9.3 healthy",
        ),
        (
            pod(
                "monitoring",
                "prometheus-k8s-0",
                part("prometheus", "prometheus"),
                ("StatefulSet", "prometheus-k8s"),
                "quay.io/prometheus/prometheus:v2.50.0",
                true,
            ),
            "prometheus v2.50.0 healthy",
        ),
        (
            pod(
                "monitoring",
                "p",
                part("prometheus", "server"),
                ("ReplicaSet", "mine-prometheus-server-1"),
                "p:v3",
                false,
            ),
            "prometheus v3 unhealthy",
        ),
        (
            pod(
                "monitoring",
                "p",
                json!({"app": "prometheus", "component": "server"}),
                ("ReplicaSet", "r"),
                "p:v1",
                true,
            ),
            "prometheus v1 healthy",
        ),
        (
            pod(
                "monitoring",
                "p",
                json!({"pod-template-hash": "5c"}),
                ("ReplicaSet", "prometheus-server-5c"),
                "p:v1",
                true,
            ),
            "prometheus v1 healthy",
        ),
        (
            pod(
                "monitoring",
                "g",
                name("grafana"),
                ("ReplicaSet", "r"),
                "grafana/grafana:10.4.1",
                true,
            ),
            "grafana 10.4.1 healthy",
        ),
        (
            pod(
                "cert-manager",
                "c",
                json!({"app": "cert-manager", "app.kubernetes.io/name": "cert-manager", "app.kubernetes.io/component": "controller", "app.kubernetes.io/version": "v1.14.4"}),
                ("ReplicaSet", "r"),
                "c:x",
                true,
            ),
            "cert-manager v1.14.4 healthy",
        ),
        (
            pod(
                "ingress-nginx",
                "i",
                part("ingress-nginx", "controller"),
                ("DaemonSet", "i"),
                "registry.k8s.io/ingress-nginx/controller:v1.10.0@sha256:00",
                true,
            ),
            "ingress-nginx-controller v1.10.0 healthy",
        ),
        (
            pod(
                "external-secrets",
                "e",
                json!({"app.kubernetes.io/name": "external-secrets", "helm.sh/chart": "external-secrets-0.9.13"}),
                ("ReplicaSet", "r"),
                "e",
                true,
            ),
            "external-secrets 0.9.13 healthy",
        ),
        (
            pod(
                "istio-system",
                "i",
                json!({"app": "istiod", "istio": "pilot"}),
                ("ReplicaSet", "istiod-1-20-5c"),
                "docker.io/istio/pilot:1.20.3",
                true,
            ),
            "istiod 1.20.3 healthy",
        ),
        (
            pod(
                "openobserve",
                "o-0",
                name("openobserve-standalone"),
                ("StatefulSet", "o"),
                "o2:v0.8",
                true,
            ),
            "openobserve v0.8 healthy",
        ),
    ] {
        assert_eq!(installed(std::slice::from_ref(&pod)), [told], "{pod:?}");
    }
}

#[test]
fn a_name_that_merely_contains_one_finds_nothing() {
    let name = |name: &str| json!({"app.kubernetes.io/name": name});
    let part =
        |name: &str, component: &str| json!({"app.kubernetes.io/name": name, "app.kubernetes.io/component": component});
    let set = |name| ("ReplicaSet", name);
    let pods = [
        pod(
            "monitoring",
            "kube-prometheus-stack-kube-state-metrics-1",
            name("kube-state-metrics"),
            set("kube-prometheus-stack-kube-state-metrics-1"),
            "k:1",
            true,
        ),
        pod(
            "monitoring",
            "prometheus-node-exporter-x",
            name("prometheus-node-exporter"),
            ("DaemonSet", "prometheus-node-exporter"),
            "n:1",
            true,
        ),
        pod(
            "monitoring",
            "prometheus-alertmanager-0",
            json!({"app": "prometheus", "component": "alertmanager"}),
            ("StatefulSet", "prometheus-alertmanager"),
            "a:1",
            true,
        ),
        pod(
            "cert-manager",
            "cert-manager-webhook-1",
            part("webhook", "webhook"),
            set("cert-manager-webhook-1"),
            "w:1",
            true,
        ),
        pod(
            "ingress-nginx",
            "ingress-nginx-admission-create-x",
            part("ingress-nginx", "admission-webhook"),
            ("Job", "ingress-nginx-admission-create"),
            "j:1",
            true,
        ),
        pod(
            "external-secrets",
            "external-secrets-webhook-1",
            name("external-secrets-webhook"),
            set("external-secrets-webhook-1"),
            "w:1",
            true,
        ),
        pod(
            "argocd",
            "argocd-redis-1",
            name("argocd-redis"),
            set("argocd-redis-1"),
            "redis:7",
            true,
        ),
        pod("elsewhere", "grafana-1", name("grafana"), set("grafana-1"), "g:1", true),
        pod(
            "argocd",
            "argocd-server",
            name("argocd-server"),
            ("Job", "argocd-server"),
            "g:1",
            true,
        ),
    ];
    assert_eq!(installed(&pods), Vec::<String>::new());
    let grafana = pod(
        "monitoring",
        "kube-prometheus-stack-grafana-1",
        name("grafana"),
        set("kube-prometheus-stack-grafana-1"),
        "grafana:10.1.0",
        true,
    );
    assert_eq!(installed(&[grafana]), ["grafana 10.1.0 healthy"]);
}

#[test]
fn of_many_pods_the_same_one_speaks_whatever_their_order() {
    let labels = json!({"app.kubernetes.io/name": "argocd-server"});
    let of = |name: &str, image: &str, ready| pod("argocd", name, labels.clone(), ("ReplicaSet", "r"), image, ready);
    let mut pods = vec![of("a", "s:v1", false), of("b", "s:v2", true), of("c", "s:v3", true)];
    let controller = json!({"app.kubernetes.io/name": "argocd-application-controller"});
    pods.push(pod("argocd", "0", controller, ("StatefulSet", "r"), "c:v9", true));
    for turn in 0..pods.len() {
        pods.rotate_left(1);
        assert_eq!(installed(&pods), ["argocd v2 healthy"], "turn {turn}");
    }
    // An evicted pod stays as Failed and is ignored.
    let mut evicted = of("0", "s:v0", true);
    (evicted.terminal, evicted.ready) = (true, false);
    pods.push(evicted);
    assert_eq!(installed(&pods), ["argocd v2 healthy"]);
}
