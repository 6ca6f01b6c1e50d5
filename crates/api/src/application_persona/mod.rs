//! Defines the kind ApplicationPersona, with which a platform team states its demands on one application (contract 1.1, 1.2
//! and 9).
//!
//! This file defines `spec`, which people and command-line tools write. [`status`] defines what the operator observed.

#![expect(
    clippy::duplicated_attributes,
    reason = "each printer column names its own type and path"
)]

pub mod status;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::levels::RuleLevel;
use super::resources::Resources;
use super::rules;
use super::scaling::Scaling;
use super::selector::{self, LabelSelector};
pub use status::ApplicationPersonaStatus;

/// What the application is and what every Deployment of it must respect.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "dorgu.io",
    version = "v1",
    kind = "ApplicationPersona",
    plural = "applicationpersonas",
    singular = "applicationpersona",
    shortname = "persona",
    category = "dorgu",
    namespaced,
    status = "ApplicationPersonaStatus",
    derive = "PartialEq",
    doc = "The written identity of one application: what it is, who owns it, and the limits that its Deployment \
           must meet.",
    selectable = ".spec.name",
    selectable = ".spec.tier",
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.type"),
    printcolumn(name = "Tier", type_ = "string", json_path = ".spec.tier"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Health", type_ = "string", json_path = ".status.health.status"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Application", type_ = "string", json_path = ".spec.name", priority = 1),
    printcolumn(
        name = "Passed",
        type_ = "boolean",
        json_path = ".status.validation.passed",
        priority = 1
    ),
    printcolumn(
        name = "Enforceable",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="ReadyToEnforce")].status"#,
        priority = 1
    ),
    printcolumn(name = "Team", type_ = "string", json_path = ".spec.ownership.team", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::NARROWED_DEFAULT.to_schema()))]
pub struct ApplicationPersonaSpec {
    /// The application's name. A persona governs the Deployments of its namespace whose label app.kubernetes.io/name
    /// says exactly this; ArgoCD Applications are joined by it too. "*" makes it a default persona, which governs the apps of
    /// its namespace that have no persona of their own.
    pub name: String,
    /// Narrows the persona to some workloads of its application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "selector::schema")]
    pub selector: Option<LabelSelector>,
    /// Version of the persona format, free text; the CLI writes "1". No check reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What sort of workload the application is. Shown in lists and read by generators; no check reads it.
    #[serde(rename = "type")]
    pub workload_type: WorkloadType,
    /// How much an outage matters. Shown in lists and read by people who decide on alerts; no check reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "standard"))]
    pub tier: Option<Tier>,
    /// What the application is made of, for people and generators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub technical: Option<Technical>,
    /// CPU and memory bounds. The mere presence of this object makes checks look for resource requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Replica bounds and autoscaling targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Scaling>,
    /// Where the application answers probes. A path that is set makes checks look for the probe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// What the application needs to run. Advice to people and generators; no check reads it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<Dependency>,
    /// Ports and outside access. Generators write Services and Ingresses from it; no check reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub networking: Option<Networking>,
    /// Who to talk to. Shown to people; no check reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ownership: Option<Ownership>,
    /// What Deployments of the application must respect besides size. An empty object enforces nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies: Option<Policies>,
}

/// Sorts of workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(transform = crate::crd::undescribed)]
pub enum WorkloadType {
    /// Answers requests of programs.
    Api,
    /// Answers requests of browsers.
    Web,
    /// Takes work from a queue.
    Worker,
    /// Runs on a schedule.
    Cron,
    /// Runs on every node.
    Daemon,
}

/// How much an outage matters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(transform = crate::crd::undescribed)]
pub enum Tier {
    /// Someone is woken up.
    Critical,
    /// Someone reacts the next morning.
    #[default]
    Standard,
    /// No one is promised anything.
    BestEffort,
}

impl Tier {
    /// All of them, the weightiest first.
    pub const ALL: [Tier; 3] = [Tier::Critical, Tier::Standard, Tier::BestEffort];

    /// The word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Tier::Critical => "critical",
            Tier::Standard => "standard",
            Tier::BestEffort => "best-effort",
        }
    }
}

/// What the application is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Technical {
    /// Programming language, free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Framework the application is built on, free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub framework: Option<String>,
    /// What the application does, a sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// Where the application answers probes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// HTTP path of the liveness probe. When set, every app container must have a liveness probe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liveness_path: Option<String>,
    /// HTTP path of the readiness probe. When set, every app container must have a readiness probe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readiness_path: Option<String>,
    /// TCP port that the probes ask. Generators read it; no check does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
    /// How long the application may take to start, as a Go duration such as 30s. Generators read it; no check does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "30s"))]
    pub startup_grace_period: Option<String>,
}

/// One thing the application needs to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Dependency {
    /// What the application calls it.
    pub name: String,
    /// What sort of thing it is.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub dependency_type: Option<DependencyType>,
    /// Whether the application cannot run without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub required: Option<bool>,
    /// How to check its health: a URL or a command, free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<String>,
}

/// Sorts of dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(transform = crate::crd::undescribed)]
pub enum DependencyType {
    /// Keeps data.
    Database,
    /// Keeps data that may be lost.
    Cache,
    /// Carries messages.
    Queue,
    /// Another application of ours.
    Service,
    /// Someone else's service.
    External,
}

/// Ports and outside access.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Networking {
    /// Ports the application listens on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<Port>,
    /// Access from outside the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress: Option<Ingress>,
}

/// One port the application listens on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Port {
    /// Number of the port.
    pub port: i32,
    /// Transport protocol, usually TCP or UDP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "TCP"))]
    pub protocol: Option<String>,
    /// What the port is for, such as http or metrics; generators name the Service port after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
}

/// Access from outside the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ingress {
    /// Whether an Ingress should exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Host name that leads to the application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// URL paths that lead to the application.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Whether the host is served over HTTPS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_enabled: Option<bool>,
}

/// Who to talk to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ownership {
    /// Team that runs the application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// Person or address that answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Where its source lives, usually a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Who is called when it fails: a rota, a channel or a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oncall: Option<String>,
    /// What to do when it fails, usually a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
}

/// What Deployments of the application must respect besides size.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Policies {
    /// How containers must be confined. An empty object turns all three defaults on; leave it out to check nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<Security>,
    /// Which images containers may run. An empty object checks nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<Images>,
    /// How new versions should be rolled out. Generators read it; no check does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<DeploymentPolicy>,
    /// When and how the application may be disturbed. Advice to people; no check reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<Maintenance>,
    /// What happens to the findings of single rules: deny, warn, audit or off. It raises any rule, and lowers those that the
    /// platform does not name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["rule"]))]
    pub rules: Vec<RuleLevel>,
    /// Of a default persona (name "*"): it also governs apps that have a persona of their own, beside that persona. The strictest
    /// of each limit counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<bool>,
}

/// How containers must be confined.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Security {
    /// When true, containers must be made to run as another user than root. An error otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub run_as_non_root: Option<bool>,
    /// When true, containers should mount their root filesystem read-only. A warning otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub read_only_root_filesystem: Option<bool>,
    /// When false, containers must not be able to gain privileges. An error otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub allow_privilege_escalation: Option<bool>,
    /// Whether the image, left to itself, starts as root: what the CLI found in the Dockerfile. No check reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_runs_as_root: Option<bool>,
    /// User id that generators give to the container of an image that would start as root, usually 65534. No check
    /// reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_as_user: Option<i64>,
}

/// Which images containers may run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Images {
    /// Registries, namespaces and repositories from which images may come, such as ghcr.io, ghcr.io/acme or docker.io/library. Each
    /// allows everything below it. An image from elsewhere is an error; an empty list allows all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub registries: Vec<String>,
    /// When true, images should have another tag than latest, or a digest. A warning otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deny_latest: Option<bool>,
    /// When true, images should have a digest. A warning otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require_digest: Option<bool>,
}

/// How new versions should be rolled out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentPolicy {
    /// Way of replacing the old version by the new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "RollingUpdate"))]
    pub strategy: Option<Strategy>,
    /// Pods above the wanted number during a roll-out: a count, or a share such as 25%.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "25%"))]
    pub max_surge: Option<String>,
    /// Pods that may be missing during a roll-out: a count, or a share such as 25%.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "25%"))]
    pub max_unavailable: Option<String>,
}

/// Ways of replacing one version by the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::crd::undescribed)]
pub enum Strategy {
    /// A few Pods at a time.
    RollingUpdate,
    /// All down, then all up.
    Recreate,
    /// Two full sets and a switch.
    BlueGreen,
    /// A small share first.
    Canary,
}

/// When and how the application may be disturbed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Maintenance {
    /// When maintenance is welcome, free text such as "Sun 02:00-04:00 UTC".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
    /// Whether the application may be restarted without asking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub auto_restart: Option<bool>,
}
