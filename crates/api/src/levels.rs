//! Defines the levels of a rule, as a platform and a persona write them. The level decides whether a finding denies, warns,
//! is only recorded, or is dropped.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to the findings of a rule. Ordered by strictness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(transform = crate::crd::undescribed)]
pub enum Level {
    /// Nothing.
    Off,
    /// Recorded in status, metrics and audit annotations.
    Audit,
    /// Reported as a warning.
    Warn,
    /// Denies the request where it is enforced; reported as a warning elsewhere.
    Deny,
}

impl Level {
    /// All of them, the mildest first.
    pub const ALL: [Level; 4] = [Level::Off, Level::Audit, Level::Warn, Level::Deny];

    /// The level with this word.
    pub fn by_name(name: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.as_str() == name)
    }

    /// The word of the API and of flags.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Off => "off",
            Level::Audit => "audit",
            Level::Warn => "warn",
            Level::Deny => "deny",
        }
    }
}

/// A rule whose level can be set, by its stable name. The others concern the label that names the app, or personas and modes
/// themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(transform = crate::crd::undescribed)]
#[expect(missing_docs, reason = "docs/rules.md has a section on each")]
pub enum RuleName {
    CpuLimitAbovePersona,
    MemoryLimitAbovePersona,
    CpuLimitMissing,
    MemoryLimitMissing,
    RequestsMissing,
    ReplicasBelowMinimum,
    ReplicasAboveMaximum,
    LivenessProbeMissing,
    LivenessPathDiffers,
    ReadinessProbeMissing,
    RunAsNonRoot,
    PrivilegeEscalation,
    PrivilegeEscalationUnset,
    WritableRootFilesystem,
    ImageRegistryNotAllowed,
    ImageTagLatest,
    ImageDigestMissing,
    AppLabelMissing,
}

/// The level of one rule, in a persona.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuleLevel {
    /// Name of the rule.
    pub rule: RuleName,
    /// What happens to its findings. A rule that the platform names is only raised.
    pub level: Level,
}

/// What a platform says about one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformRule {
    /// Name of the rule.
    pub rule: RuleName,
    /// What happens to its findings at least. Without it, the level that is built in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// When true, no exception covers this rule, and no persona lowers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked: Option<bool>,
}

/// The `spec` of a ClusterPersona of which only the platform's rules must be valid.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ClusterRulesSpec {
    policies: Option<ClusterRulesPolicies>,
}

#[derive(Debug, Clone, Deserialize)]
struct ClusterRulesPolicies {
    #[serde(default)]
    rules: Vec<PlatformRule>,
}

impl ClusterRulesSpec {
    /// `policies.rules`.
    pub fn into_rules(self) -> Vec<PlatformRule> {
        self.policies.map(|policies| policies.rules).unwrap_or_default()
    }
}
