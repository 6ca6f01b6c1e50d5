//! Defines the CPU and memory bounds that `spec.resources` of an ApplicationPersona and `spec.defaults.resources` of a
//! ClusterPersona have in common.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules;

/// CPU and memory bounds of an application's containers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// What a container should request from the scheduler. Advice to people and generators; no check compares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<ResourceValues>,
    /// The most that the limits of each container may be. The webhook and `status.validation` compare against it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<ResourceValues>,
    /// A named size class that generators turn into numbers. No check reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
}

/// An amount of CPU and one of memory, as Kubernetes quantities.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceValues {
    /// CPU time as a Kubernetes quantity in cores: `500m` is half a core. Empty means not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = rules::MAX_QUANTITY_LENGTH), extend("x-kubernetes-validations" = rules::QUANTITY.to_schema()))]
    pub cpu: Option<String>,
    /// Memory as a Kubernetes quantity in bytes: `512Mi`, `1G`. Empty means not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = rules::MAX_QUANTITY_LENGTH), extend("x-kubernetes-validations" = rules::QUANTITY.to_schema()))]
    pub memory: Option<String>,
}

/// Size classes a generator knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(transform = crate::crd::undescribed)]
pub enum Profile {
    /// As little as runs.
    Minimal,
    /// The usual web service.
    Standard,
    /// More CPU than usual.
    ComputeHeavy,
    /// More memory than usual.
    MemoryHeavy,
}
