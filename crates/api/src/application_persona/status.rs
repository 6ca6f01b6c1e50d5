//! Defines `status` of an ApplicationPersona: what the operator observed. Only the operator writes it (contract 1.2 and 9).
//!
//! Some fields are declared although no code of ours fills them yet, because other clients read or write them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition;

/// What the operator last observed about the application.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationPersonaStatus {
    /// metadata.generation of the persona that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The one-word summary of health and validation that lists show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// When this status last changed, in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_updated: Option<Time>,
    /// Versions of the application that run or ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployments: Option<Deployments>,
    /// How well the Deployment runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthStatus>,
    /// How the Deployment compares with this persona.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<Validation>,
    /// What was learned from watching the application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learned: Option<Learned>,
    /// Changes that would help, for people to consider.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recommendations: Vec<Recommendation>,
    /// What ArgoCD says of the application, where ArgoCD is installed.
    #[serde(rename = "argoCD", default, skip_serializing_if = "Option::is_none")]
    pub argo_cd: Option<ArgoCd>,
    /// Number of incidents that are not resolved. Written by incident tools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_incidents: Option<i32>,
    /// When the latest incident was noticed, in UTC. Written by incident tools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_incident_time: Option<Time>,
    /// The state in the standard Kubernetes form; `kubectl wait` reads it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "condition::conditions")]
    pub conditions: Vec<Condition>,
}

/// One-word summaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::crd::undescribed)]
pub enum Phase {
    /// No Deployment carries the application's name yet.
    Pending,
    /// Healthy and within bounds.
    Active,
    /// Something is wrong.
    Degraded,
    /// Nothing runs.
    Failed,
}

impl Phase {
    /// All of them.
    pub const ALL: [Phase; 4] = [Phase::Pending, Phase::Active, Phase::Degraded, Phase::Failed];

    /// The word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Pending => "Pending",
            Phase::Active => "Active",
            Phase::Degraded => "Degraded",
            Phase::Failed => "Failed",
        }
    }

    /// Reads the word of the API.
    pub fn read(text: &str) -> Option<Phase> {
        Phase::ALL.into_iter().find(|phase| phase.as_str() == text)
    }
}

/// Versions of the application that run or ran.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deployments {
    /// Image of the first container of the Deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// Image of the last roll-out that succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_successful: Option<String>,
    /// Image of the last roll-out that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failed: Option<String>,
    /// Earlier roll-outs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<DeploymentRecord>,
}

/// One earlier roll-out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentRecord {
    /// Image or version that was rolled out.
    pub version: String,
    /// When it was rolled out, RFC 3339.
    pub timestamp: String,
    /// How it ended, free text.
    pub status: String,
    /// Who or what started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub triggered_by: Option<String>,
}

/// How well the Deployment runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthStatus {
    /// The one-word verdict on the Deployment's replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<HealthState>,
    /// When the verdict was formed, in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_check: Option<Time>,
    /// The verdict as a sentence, such as "2/3 replicas ready".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Containers that fail, with the reason Kubernetes gives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pod_failures: Vec<PodFailure>,
}

/// Verdicts on the Deployment's replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::crd::undescribed)]
pub enum HealthState {
    /// All replicas are ready.
    Healthy,
    /// Some replicas are ready.
    Degraded,
    /// No replica is ready.
    Unhealthy,
    /// It cannot be determined yet.
    Unknown,
}

/// One container that fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodFailure {
    /// Name of the Pod.
    pub pod_name: String,
    /// Name of the container in it.
    pub container: String,
    /// Kubernetes' word for the failure, such as CrashLoopBackOff.
    pub reason: String,
    /// Kubernetes' sentence for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// How the Deployment compares with the persona.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Validation {
    /// Whether no issue is an error. Absent means false: older operators leave it out then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed: Option<bool>,
    /// When the Deployment was last compared, in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_checked: Option<Time>,
    /// Since when no issue is an error, in UTC; absent while one is. A change of the persona's spec resets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clean_since: Option<Time>,
    /// What differs, in a fixed order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub issues: Vec<Issue>,
}

/// One difference between Deployment and persona.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Issue {
    /// How bad it is: an error would be denied in enforcing mode.
    pub severity: IssueSeverity,
    /// Field of the Deployment that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What differs, a sentence.
    pub message: String,
    /// What to do about it, a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

/// How bad an issue is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(transform = crate::crd::undescribed)]
pub enum IssueSeverity {
    /// Refused in enforcing mode.
    Error,
    /// Never refused.
    Warning,
    /// Worth knowing.
    Info,
}

/// What was learned from watching the application.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Learned {
    /// How much the application really uses, measured by Prometheus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_baseline: Option<ResourceBaseline>,
    /// Number of incidents so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident_count: Option<i32>,
    /// The latest incident, free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_incident: Option<String>,
    /// Habits noticed in the application.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patterns: Vec<Pattern>,
}

/// How much the application really uses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceBaseline {
    /// CPU used on average, in millicores with the suffix m.
    #[serde(rename = "avgCPU", default, skip_serializing_if = "Option::is_none")]
    pub avg_cpu: Option<String>,
    /// Memory used on average, with the suffix Mi or Gi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avg_memory: Option<String>,
    /// Most CPU used in the last hour, in millicores with the suffix m.
    #[serde(rename = "peakCPU", default, skip_serializing_if = "Option::is_none")]
    pub peak_cpu: Option<String>,
    /// Most memory used in the last hour, with the suffix Mi or Gi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory: Option<String>,
}

/// One habit noticed in the application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pattern {
    /// What sort of habit it is, free text.
    #[serde(rename = "type")]
    pub pattern_type: String,
    /// The habit as a sentence.
    pub description: String,
    /// How sure the observer is, a text between "0" and "1" such as "0.92".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<String>,
}

/// One change that would help.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Recommendation {
    /// What the change is about.
    #[serde(rename = "type")]
    pub recommendation_type: RecommendationType,
    /// How soon it is worth doing.
    pub priority: Priority,
    /// Why it would help, a sentence.
    pub message: String,
    /// What to do, a sentence or a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
}

/// What a recommendation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(transform = crate::crd::undescribed)]
pub enum RecommendationType {
    /// CPU and memory.
    Resource,
    /// Replicas.
    Scaling,
    /// Confinement.
    Security,
    /// Money.
    Cost,
    /// Speed.
    Performance,
}

/// How soon a recommendation is worth doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(transform = crate::crd::undescribed)]
pub enum Priority {
    /// Now.
    High,
    /// Soon.
    Medium,
    /// Some day.
    Low,
}

/// What ArgoCD reports about the application.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArgoCd {
    /// Whether the cluster matches Git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync_status: Option<SyncStatus>,
    /// Health of the application as ArgoCD reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_status: Option<ArgoHealth>,
    /// When ArgoCD last finished a sync, in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sync_time: Option<Time>,
    /// Git revision that ArgoCD compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Name of the ArgoCD Application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_name: Option<String>,
    /// Namespace of the ArgoCD Application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_namespace: Option<String>,
}

/// ArgoCD's words for "as in Git".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::crd::undescribed)]
pub enum SyncStatus {
    /// The cluster matches Git.
    Synced,
    /// The cluster differs from Git.
    OutOfSync,
    /// ArgoCD does not know, or reports a value that we do not know.
    Unknown,
}

/// ArgoCD's words for health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::crd::undescribed)]
pub enum ArgoHealth {
    /// Everything is healthy.
    Healthy,
    /// Something failed.
    Degraded,
    /// In progress.
    Progressing,
    /// Paused on purpose.
    Suspended,
    /// Not in the cluster.
    Missing,
    /// ArgoCD does not know, or reports a value that we do not know.
    Unknown,
}
