//! Defines `status` of a ClusterPersona: what the operator discovered. Only the operator writes it (contract 1.4 and 9).
//!
//! The schema does not validate quantities in the status. An API server rejects a status write as a whole when one value is
//! invalid, so a single odd quantity in the cluster would prevent every update.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition;

/// What the operator last discovered about the cluster.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterPersonaStatus {
    /// metadata.generation of the persona that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The one-word summary that lists show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<ClusterPhase>,
    /// When the cluster was last discovered, in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_discovery: Option<Time>,
    /// Nodes of the cluster, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<Node>,
    /// Sums over all nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_summary: Option<ResourceSummary>,
    /// Well-known add-ons, installed or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addons: Vec<Addon>,
    /// Numbers of namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<Namespaces>,
    /// Version of the API server, such as v1.32.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes_version: Option<String>,
    /// Where the cluster runs, such as EKS, GKE, Kind or Generic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Number of ApplicationPersonas in the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_count: Option<i32>,
    /// The state in the standard Kubernetes form; `kubectl wait` reads it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "condition::conditions")]
    pub conditions: Vec<Condition>,
}

/// One-word summaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::crd::undescribed)]
pub enum ClusterPhase {
    /// No node was seen yet.
    Discovering,
    /// All nodes are ready.
    Ready,
    /// Some node is not ready.
    Degraded,
    /// It cannot be determined.
    Unknown,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// Name of the node.
    pub name: String,
    /// What the node is for: control-plane or worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Whether the node's condition Ready is True.
    pub ready: bool,
    /// What the node has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<NodeResources>,
    /// What of it Pods may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocatable: Option<NodeResources>,
    /// Taints in the form key=value:Effect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taints: Vec<String>,
    /// The labels that indicate platform, location and role.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Version of the kubelet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubelet_version: Option<String>,
    /// Container runtime and its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_runtime: Option<String>,
}

/// Amounts on one node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeResources {
    /// CPU as a Kubernetes quantity in cores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// Memory as a Kubernetes quantity in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// Number of Pods, as a Kubernetes quantity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pods: Option<String>,
    /// Local disk for Pods, as a Kubernetes quantity in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ephemeral_storage: Option<String>,
}

/// Sums over all nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceSummary {
    /// CPU that the nodes have, as a Kubernetes quantity in cores.
    #[serde(rename = "totalCPU", default, skip_serializing_if = "Option::is_none")]
    pub total_cpu: Option<String>,
    /// Memory that the nodes have, as a Kubernetes quantity in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_memory: Option<String>,
    /// CPU that Pods may use, as a Kubernetes quantity in cores.
    #[serde(rename = "allocatableCPU", default, skip_serializing_if = "Option::is_none")]
    pub allocatable_cpu: Option<String>,
    /// Memory that Pods may use, as a Kubernetes quantity in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocatable_memory: Option<String>,
    /// CPU that running Pods request, as a Kubernetes quantity in cores.
    #[serde(rename = "usedCPU", default, skip_serializing_if = "Option::is_none")]
    pub used_cpu: Option<String>,
    /// Memory that running Pods request, as a Kubernetes quantity in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_memory: Option<String>,
    /// Used CPU in percent of allocatable, with the percent sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_utilization: Option<String>,
    /// Used memory in percent of allocatable, with the percent sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_utilization: Option<String>,
    /// Number of Pods that the nodes have room for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_pods: Option<i32>,
    /// Number of Pods that run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_pods: Option<i32>,
    /// Number of nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_count: Option<i32>,
}

/// One well-known add-on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Addon {
    /// Name of the add-on.
    pub name: String,
    /// What it is for.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub addon_type: Option<AddonType>,
    /// Whether it was found.
    pub installed: bool,
    /// Version that was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Namespace it was looked for in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Whether it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy: Option<bool>,
}

/// What an add-on is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(transform = crate::crd::undescribed)]
pub enum AddonType {
    /// Delivery from Git.
    Gitops,
    /// Metrics.
    Monitoring,
    /// Logs.
    Logging,
    /// Traffic into the cluster.
    Ingress,
    /// Traffic within the cluster.
    ServiceMesh,
    /// Secrets.
    Secrets,
    /// Certificates.
    CertManagement,
    /// Databases.
    Database,
    /// Anything else.
    Other,
}

/// Numbers of namespaces.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Namespaces {
    /// All namespaces.
    pub total: i32,
    /// Those in phase Active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<i32>,
    /// Those that hold an ApplicationPersona.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with_personas: Option<i32>,
}
