//! Defines the kind ClusterPersona, in which a platform team describes one cluster (contract 1.3, 1.4 and 9).
//!
//! This file defines `spec`, which people and command-line tools write. [`status`] defines what the operator discovered. A
//! cluster usually has one ClusterPersona, and may have several.

#![expect(
    clippy::duplicated_attributes,
    reason = "each printer column names its own type and path"
)]

pub mod status;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::levels::PlatformRule;
use super::resources::Resources;
use super::rules;
use super::scaling::Scaling;
pub use status::ClusterPersonaStatus;

/// What the cluster is for and what holds in it.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "dorgu.io",
    version = "v1",
    kind = "ClusterPersona",
    plural = "clusterpersonas",
    singular = "clusterpersona",
    shortname = "cpersona",
    category = "dorgu",
    status = "ClusterPersonaStatus",
    derive = "PartialEq",
    doc = "The written identity of one cluster: what it is for, which policies and conventions hold in it, and what the \
           operator discovered.",
    printcolumn(name = "Environment", type_ = "string", json_path = ".spec.environment"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Nodes", type_ = "integer", json_path = ".status.resourceSummary.nodeCount"),
    printcolumn(name = "Apps", type_ = "integer", json_path = ".status.applicationCount"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Platform", type_ = "string", json_path = ".status.platform", priority = 1),
    printcolumn(
        name = "Version",
        type_ = "string",
        json_path = ".status.kubernetesVersion",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterPersonaSpec {
    /// What people call the cluster. Sent to clients that follow cluster events.
    pub name: String,
    /// What the cluster is for, a sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Stage of delivery the cluster serves. Shown in lists and sent to clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "development"))]
    pub environment: Option<Environment>,
    /// What should hold for every workload. Written down for people and generators; no check enforces it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies: Option<ClusterPolicies>,
    /// How things are named and labelled. Written down for people and generators; no check enforces it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conventions: Option<Conventions>,
    /// What generators take where an application says nothing. No check reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defaults: Option<Defaults>,
    /// How much one namespace should use. Written down for people and generators; no check enforces it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_quotas: Option<ResourceQuotas>,
}

/// Stages of delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(transform = crate::crd::undescribed)]
pub enum Environment {
    /// Where things are tried.
    Development,
    /// Where things are proven.
    Staging,
    /// Where users are.
    Production,
    /// Where anything may break.
    Sandbox,
}

/// What should hold for every workload of the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterPolicies {
    /// How containers should be confined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<ClusterSecurity>,
    /// What traffic should be allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub networking: Option<ClusterNetworking>,
    /// Names of the frameworks the cluster must comply with, such as SOC2.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compliance: Vec<String>,
    /// How far tools that repair workloads may go. This operator repairs nothing; other tools read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_healing: Option<SelfHealing>,
    /// What happens at least to the findings of single rules, in every namespace. Of several ClusterPersonas the strictest
    /// counts; a flag of the process wins over all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["rule"]))]
    pub rules: Vec<PlatformRule>,
}

/// How containers of the cluster should be confined.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterSecurity {
    /// Whether containers should run as another user than root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub enforce_non_root: Option<bool>,
    /// Whether containers should mount their root filesystem read-only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub enforce_read_only_root: Option<bool>,
    /// Whether privileged containers are unwelcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub disallow_privileged: Option<bool>,
    /// Registries that images should come from; empty means any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_registries: Vec<String>,
    /// Level of the Pod Security Standards that namespaces should carry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "baseline"))]
    pub pod_security_standard: Option<PodSecurityStandard>,
}

/// Levels of the Pod Security Standards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(transform = crate::crd::undescribed)]
pub enum PodSecurityStandard {
    /// Anything goes.
    Privileged,
    /// No known way to escalate.
    Baseline,
    /// Current best practice.
    Restricted,
}

/// What traffic should be allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterNetworking {
    /// Whether incoming traffic should be denied unless something allows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub default_deny_ingress: Option<bool>,
    /// Whether outgoing traffic should be denied unless something allows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub default_deny_egress: Option<bool>,
    /// Address ranges outside the cluster that workloads may reach, in CIDR form.
    #[serde(rename = "allowedExternalCIDRs", default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_external_cidrs: Vec<String>,
}

/// How far tools that repair workloads may go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SelfHealing {
    /// Whether such tools should act at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub enabled: Option<bool>,
    /// What such tools may do on their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "propose"))]
    pub mode: Option<HealingMode>,
    /// How far such tools are trusted, from 0 (not at all) to 5 (fully).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 5), extend("default" = 2))]
    pub trust_level: Option<i32>,
    /// Most repairs of one application in an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = 5))]
    pub max_remediations_per_hour: Option<i32>,
    /// Namespaces that such tools leave alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude_namespaces: Vec<String>,
    /// What happens when a repair made things worse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Rollback>,
}

/// What a repairing tool may do on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(transform = crate::crd::undescribed)]
pub enum HealingMode {
    /// Look only.
    Observe,
    /// Suggest, and wait for a person.
    Propose,
    /// Act, within the trust level.
    AutoApprove,
}

/// What happens when a repair made things worse.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rollback {
    /// Whether such a repair is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub enabled: Option<bool>,
    /// How long to wait before judging a repair, as a Go duration such as 5m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check_after: Option<String>,
    /// How often taking back is tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0), extend("default" = 1))]
    pub max_retries: Option<i32>,
}

/// How things are named and labelled in the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Conventions {
    /// Pattern that names of resources should follow, free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub naming_pattern: Option<String>,
    /// Label keys that every resource should carry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required_labels: Vec<String>,
    /// Annotation keys that every resource should carry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required_annotations: Vec<String>,
    /// How names of namespaces should begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_prefix: Option<String>,
}

/// What generators take where an application says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Defaults {
    /// Namespace of new applications.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Registry that images are pushed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
    /// CPU and memory bounds of new applications.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Replica bounds of new applications.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Scaling>,
}

/// How much one namespace should use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceQuotas {
    /// Most Pods of one namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_pods_per_namespace: Option<i32>,
    /// Most CPU of one namespace, as a Kubernetes quantity in cores. Empty means not set.
    #[serde(rename = "maxCPUPerNamespace", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = rules::MAX_QUANTITY_LENGTH), extend("x-kubernetes-validations" = rules::QUANTITY.to_schema()))]
    pub max_cpu_per_namespace: Option<String>,
    /// Most memory of one namespace, as a Kubernetes quantity in bytes. Empty means not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = rules::MAX_QUANTITY_LENGTH), extend("x-kubernetes-validations" = rules::QUANTITY.to_schema()))]
    pub max_memory_per_namespace: Option<String>,
    /// Most PersistentVolumeClaims of one namespace.
    #[serde(rename = "maxPVCsPerNamespace", default, skip_serializing_if = "Option::is_none")]
    pub max_pvcs_per_namespace: Option<i32>,
}
