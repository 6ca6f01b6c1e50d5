//! Defines the kind PersonaException, with which a platform tolerates findings of an app for a limited time.
//!
//! This file defines `spec`, which the platform's people write, and `status`, which the operator writes.

#![expect(
    clippy::duplicated_attributes,
    reason = "each printer column names its own type and path"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition;
use super::levels::RuleName;
use super::rules;

/// Which findings are tolerated, why, and until when.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "dorgu.io",
    version = "v1",
    kind = "PersonaException",
    plural = "personaexceptions",
    singular = "personaexception",
    shortname = "pexc",
    category = "dorgu",
    namespaced,
    status = "PersonaExceptionStatus",
    derive = "PartialEq",
    doc = "An exception that the platform has granted: for a limited time, findings of some rules deny nothing.",
    printcolumn(name = "App", type_ = "string", json_path = ".spec.app"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Findings", type_ = "integer", json_path = ".status.findings"),
    printcolumn(name = "Expires", type_ = "string", json_path = ".spec.expires"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Workload", type_ = "string", json_path = ".spec.workload.name", priority = 1),
    printcolumn(name = "Owner", type_ = "string", json_path = ".spec.owner", priority = 1),
    printcolumn(name = "Ticket", type_ = "string", json_path = ".spec.ticket", priority = 1),
    printcolumn(name = "Reason", type_ = "string", json_path = ".spec.reason", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    rules::ONE_TARGET.to_entry(), rules::STARTS_BEFORE_EXPIRES.to_entry(),
]))]
pub struct PersonaExceptionSpec {
    /// The app whose workloads are excepted: spec.name of its personas. Set either this or workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub app: Option<String>,
    /// The one workload that is excepted. Set either this or app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<WorkloadReference>,
    /// The rules whose findings are tolerated; at least one.
    #[schemars(length(min = 1, max = 32))]
    pub rules: Vec<RuleName>,
    /// The containers whose findings are tolerated, by name. Without them, findings about the whole workload are, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 63)))]
    pub containers: Vec<String>,
    /// Why the finding is tolerated, in 20 characters or more.
    #[schemars(length(min = 20, max = 1024))]
    pub reason: String,
    /// The person or team that is responsible for it.
    #[schemars(length(min = 1, max = 256))]
    pub owner: String,
    /// Where the work that ends it is tracked, usually a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub ticket: Option<String>,
    /// When it begins, in UTC. Without it, when it was created; in files it is required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<Time>,
    /// When it ends, in UTC. One that is longer than the platform allows (--exception-max) covers nothing.
    pub expires: Time,
}

/// A workload of the exception's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadReference {
    /// The kind of the workload.
    pub kind: WorkloadKind,
    /// The name of the workload.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// Kinds of workloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::crd::undescribed)]
pub enum WorkloadKind {
    /// A Deployment.
    Deployment,
}

/// What the operator observed of an exception.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PersonaExceptionStatus {
    /// metadata.generation of the exception that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Whether it covers findings now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<ExceptionPhase>,
    /// How many findings it covers now or, once it has expired, stand there without cover.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<i64>,
    /// The state in the standard Kubernetes form; `kubectl wait` reads it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "condition::conditions")]
    pub conditions: Vec<Condition>,
}

/// Whether an exception covers findings at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::crd::undescribed)]
pub enum ExceptionPhase {
    /// It has not begun.
    Pending,
    /// It covers findings.
    Active,
    /// It has ended.
    Expired,
    /// It is longer than the platform allows, and covers nothing.
    Invalid,
}

impl ExceptionPhase {
    /// The word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            ExceptionPhase::Pending => "Pending",
            ExceptionPhase::Active => "Active",
            ExceptionPhase::Expired => "Expired",
            ExceptionPhase::Invalid => "Invalid",
        }
    }
}
