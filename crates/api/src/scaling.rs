//! Defines the replica bounds and autoscaling targets that `spec.scaling` of an ApplicationPersona and
//! `spec.defaults.scaling` of a ClusterPersona have in common.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules;

/// How far an application may be scaled, and by what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::MIN_MAX.to_schema()))]
pub struct Scaling {
    /// Fewest replicas the Deployment may ask for. The webhook denies less (enforcing mode), for `kubectl scale` too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub min_replicas: Option<i32>,
    /// Most replicas the Deployment should ask for. The webhook warns above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_replicas: Option<i32>,
    /// Average CPU use to scale at, in percent of the request. Generators write it into an autoscaler; no check reads it.
    #[serde(rename = "targetCPU", default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub target_cpu: Option<i32>,
    /// Average memory use to scale at, in percent of the request. Generators write it into an autoscaler; no check
    /// reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub target_memory: Option<i32>,
    /// How eagerly an autoscaler should follow load. Generators read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "balanced"))]
    pub behavior: Option<Behavior>,
}

/// How eagerly to follow load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(transform = crate::crd::undescribed)]
pub enum Behavior {
    /// Late up, late down.
    Conservative,
    /// The autoscaler's own pace.
    Balanced,
    /// Early up.
    Aggressive,
}
