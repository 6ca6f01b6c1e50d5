//! Reads one node into the fields of the status (contract 4.2). Only these fields and the platforms that the node indicates
//! are kept in memory.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::platform::Platform;
use crate::api::cluster_persona::status::{Node, NodeResources};
use crate::k8s::{Decode, Unreadable, from_json};
use crate::policy::quantity::Quantity;

/// A node, and the platforms that it indicates.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SeenNode {
    /// As status shows it.
    pub(super) node: Node,
    /// By any label, shown or not.
    pub(super) by_label: Option<Platform>,
    /// By `spec.providerID`.
    pub(super) by_provider: Option<Platform>,
}

#[derive(Deserialize)]
struct NodeObject {
    metadata: NodeMetadata,
    #[serde(default)]
    spec: NodeSpec,
    #[serde(default)]
    status: NodeStatus,
}

#[derive(Deserialize)]
struct NodeMetadata {
    name: String,
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Default, Deserialize)]
struct NodeSpec {
    #[serde(rename = "providerID")]
    provider_id: Option<String>,
    taints: Option<Vec<Taint>>,
}

#[derive(Deserialize)]
struct Taint {
    key: String,
    value: Option<String>,
    effect: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NodeStatus {
    capacity: Option<NodeAmounts>,
    allocatable: Option<NodeAmounts>,
    conditions: Option<Vec<NodeCondition>>,
    node_info: Option<NodeInfo>,
}

/// Quantities as an API server writes them: always text.
#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct NodeAmounts {
    cpu: Option<String>,
    memory: Option<String>,
    pods: Option<String>,
    ephemeral_storage: Option<String>,
}

#[derive(Deserialize)]
struct NodeCondition {
    r#type: String,
    status: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NodeInfo {
    kubelet_version: Option<String>,
    container_runtime_version: Option<String>,
}

impl Decode for SeenNode {
    fn decode(json: &str) -> Result<SeenNode, Unreadable> {
        let NodeObject { metadata, spec, status } = from_json(json)?;
        let labels = metadata.labels.unwrap_or_default();
        let info = status.node_info.unwrap_or_default();
        let conditions = status.conditions.unwrap_or_default();
        let mut taints: Vec<String> = spec.taints.unwrap_or_default().iter().map(Taint::told).collect();
        // Their order has no meaning, and a controller may change it.
        taints.sort_unstable();
        Ok(SeenNode {
            by_label: Platform::by_labels(labels.keys().map(String::as_str)),
            by_provider: spec.provider_id.as_deref().and_then(Platform::by_provider_id),
            node: Node {
                name: metadata.name,
                role: Some(role(&labels).to_owned()),
                ready: conditions
                    .iter()
                    .any(|condition| condition.r#type == "Ready" && condition.status == "True"),
                capacity: Some(status.capacity.unwrap_or_default().canonical()),
                allocatable: Some(status.allocatable.unwrap_or_default().canonical()),
                taints,
                labels: labels.into_iter().filter(|(key, _)| is_shown(key)).collect(),
                kubelet_version: info.kubelet_version,
                container_runtime: info.container_runtime_version,
            },
        })
    }
}

impl Taint {
    fn told(&self) -> String {
        format!(
            "{}={}:{}",
            self.key,
            self.value.as_deref().unwrap_or_default(),
            self.effect
        )
    }
}

impl NodeAmounts {
    /// Quantities in canonical form. A missing or invalid one counts as absent.
    fn canonical(self) -> NodeResources {
        let canonical = |amount: Option<String>| {
            let read = amount.and_then(|text| Quantity::parse(&text).ok());
            Some(read.map_or_else(|| "0".to_owned(), |quantity| quantity.to_string()))
        };
        NodeResources {
            cpu: canonical(self.cpu),
            memory: canonical(self.memory),
            pods: canonical(self.pods),
            ephemeral_storage: canonical(self.ephemeral_storage),
        }
    }
}

fn role(labels: &BTreeMap<String, String>) -> &'static str {
    let control_plane = ["control-plane", "master"]
        .iter()
        .any(|role| labels.contains_key(&format!("node-role.kubernetes.io/{role}")));
    if control_plane { "control-plane" } else { "worker" }
}

/// The labels that status shows.
fn is_shown(key: &str) -> bool {
    const PREFIXES: [&str; 5] = [
        "node.kubernetes.io/",
        "topology.kubernetes.io/",
        "kubernetes.io/arch",
        "kubernetes.io/os",
        "node-role.kubernetes.io/",
    ];
    PREFIXES.iter().any(|prefix| key.starts_with(prefix)) || key.contains("role")
}
