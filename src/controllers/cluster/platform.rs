//! Derives the platform of a cluster from labels and provider IDs of its nodes (contract 4.4). All labels count, also those
//! that the status leaves out.

use std::sync::Arc;

use super::node::SeenNode;

/// In the order of the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Platform {
    Eks,
    Gke,
    Aks,
    OpenShift,
    Minikube,
    Kind,
    K3s,
}

/// A part of a label key that indicates the platform.
const LABELS: [(&str, Platform); 7] = [
    ("eks.amazonaws.com", Platform::Eks),
    ("cloud.google.com/gke", Platform::Gke),
    ("kubernetes.azure.com", Platform::Aks),
    ("node.openshift.io", Platform::OpenShift),
    ("minikube.k8s.io", Platform::Minikube),
    ("kind.x-k8s.io", Platform::Kind),
    ("k3s.io", Platform::K3s),
];

/// The prefix of a provider ID that indicates the platform.
const PROVIDERS: [(&str, Platform); 5] = [
    ("aws://", Platform::Eks),
    ("gce://", Platform::Gke),
    ("azure://", Platform::Aks),
    ("kind://", Platform::Kind),
    ("k3s://", Platform::K3s),
];

impl Platform {
    fn as_str(self) -> &'static str {
        match self {
            Platform::Eks => "EKS",
            Platform::Gke => "GKE",
            Platform::Aks => "AKS",
            Platform::OpenShift => "OpenShift",
            Platform::Minikube => "Minikube",
            Platform::Kind => "Kind",
            Platform::K3s => "K3s",
        }
    }

    /// By the keys of a node's labels.
    pub(super) fn by_labels<'a>(keys: impl Iterator<Item = &'a str>) -> Option<Platform> {
        let of = |key: &str| LABELS.iter().find(|(part, _)| key.contains(part));
        keys.filter_map(of).map(|(_, platform)| *platform).min()
    }

    /// By a node's `spec.providerID`.
    pub(super) fn by_provider_id(id: &str) -> Option<Platform> {
        PROVIDERS
            .iter()
            .find(|(start, _)| id.starts_with(start))
            .map(|(_, platform)| *platform)
    }
}

/// The platform in the status: any node's label first, then the first provider ID that indicates one.
pub(super) fn platform(nodes: &[Arc<SeenNode>]) -> &'static str {
    if nodes.is_empty() {
        return "Unknown";
    }
    let by_label = nodes.iter().filter_map(|node| node.by_label).min();
    by_label
        .or_else(|| nodes.iter().find_map(|node| node.by_provider))
        .map_or("Generic", Platform::as_str)
}
