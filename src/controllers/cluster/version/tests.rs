//! Labels win over the chart and the chart over the image. What cannot be a version is ignored.

use super::of;

#[test]
fn the_version_is_told_by_the_best_source_there_is() {
    let digest = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    for (label, chart, image, version) in [
        ("v2.10.1", "argo-cd-6.0.0", "quay.io/argoproj/argocd:v2.9.0", "v2.10.1"),
        ("", "cert-manager-v1.14.4", "quay.io/jetstack/c:v1", "v1.14.4"),
        ("", "kube-prometheus-stack-56.6.2", "", "56.6.2"),
        ("", "k8s-2048-game-1.2.3", "", "1.2.3"),
        ("", "istiod-1.24.0-rc.1_build", "", "1.24.0-rc.1_build"),
        ("", "no-version", "app:3", "3"),
        ("", "", "grafana/grafana:10.4.1", "10.4.1"),
        ("", "", "registry.example.com:5000/team/app", "unknown"),
        ("", "", "registry.example.com:5000/team/app:1.2", "1.2"),
        ("", "", &format!("quay.io/team/app:1.2@{digest}"), "1.2"),
        ("", "", &format!("quay.io/team/app@{digest}"), "unknown"),
        ("", "", "app:latest", "unknown"),
        ("", "", "app:3f786850e387", "unknown"),
        ("", "", "app:3f786850e387550fdab836ed7e6dc881de23001b", "unknown"),
        ("", "", "app:20240115123456", "20240115123456"),
        ("", "", "app:", "unknown"),
        ("", "", "", "unknown"),
    ] {
        assert_eq!(of(label, chart, image), version, "{label} {chart} {image}");
    }
}
