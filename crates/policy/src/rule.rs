//! Lists all rules, with the name, the severity and the paragraph of each.

/// All rules. Their names are stable: they appear in answers, metrics, reports and docs.
///
/// The order of the variants is the order in which findings of one container are reported (contract 2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    missing_docs,
    reason = "docs/rules.md has a section on each; the contract rows stand beside the variants"
)]
pub enum Rule {
    CpuLimitAbovePersona,    // W1, R1
    MemoryLimitAbovePersona, // W2, R2
    CpuLimitMissing,
    MemoryLimitMissing,
    RequestsMissing,       // R3
    ReplicasBelowMinimum,  // E1, R4
    ReplicasAboveMaximum,  // W3, R5
    LivenessProbeMissing,  // W4, R6
    LivenessPathDiffers,   // R7
    ReadinessProbeMissing, // W5, R8
    RunAsNonRoot,          // E2, R9
    PrivilegeEscalation,   // E3, R11
    PrivilegeEscalationUnset,
    WritableRootFilesystem, // R10
    ImageRegistryNotAllowed,
    ImageTagLatest,
    ImageDigestMissing,
    AppLabelRemoved,
    AppLabelChanged,
    AppLabelMissing,
    PersonaValueUnreadable,
    PersonaDuplicate,
    ModeUnknown,
    ObjectUnreadable,
}

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Reported in status and by the command line only.
    Info,
    /// Reported as a warning in every mode.
    Warning,
    /// Denies the request where its persona enforces; reported as a warning elsewhere.
    Error,
}

impl Severity {
    /// All of them, the mildest first.
    pub const ALL: [Severity; 3] = [Severity::Info, Severity::Warning, Severity::Error];

    /// The word used in status, metrics and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

impl Rule {
    /// All rules, in the order of the contract.
    pub const ALL: [Rule; 24] = [
        Rule::CpuLimitAbovePersona,
        Rule::MemoryLimitAbovePersona,
        Rule::CpuLimitMissing,
        Rule::MemoryLimitMissing,
        Rule::RequestsMissing,
        Rule::ReplicasBelowMinimum,
        Rule::ReplicasAboveMaximum,
        Rule::LivenessProbeMissing,
        Rule::LivenessPathDiffers,
        Rule::ReadinessProbeMissing,
        Rule::RunAsNonRoot,
        Rule::PrivilegeEscalation,
        Rule::PrivilegeEscalationUnset,
        Rule::WritableRootFilesystem,
        Rule::ImageRegistryNotAllowed,
        Rule::ImageTagLatest,
        Rule::ImageDigestMissing,
        Rule::AppLabelRemoved,
        Rule::AppLabelChanged,
        Rule::AppLabelMissing,
        Rule::PersonaValueUnreadable,
        Rule::PersonaDuplicate,
        Rule::ModeUnknown,
        Rule::ObjectUnreadable,
    ];

    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Rule::CpuLimitAbovePersona => "cpu-limit-above-persona",
            Rule::MemoryLimitAbovePersona => "memory-limit-above-persona",
            Rule::CpuLimitMissing => "cpu-limit-missing",
            Rule::MemoryLimitMissing => "memory-limit-missing",
            Rule::RequestsMissing => "requests-missing",
            Rule::ReplicasBelowMinimum => "replicas-below-minimum",
            Rule::ReplicasAboveMaximum => "replicas-above-maximum",
            Rule::LivenessProbeMissing => "liveness-probe-missing",
            Rule::LivenessPathDiffers => "liveness-path-differs",
            Rule::ReadinessProbeMissing => "readiness-probe-missing",
            Rule::RunAsNonRoot => "run-as-non-root",
            Rule::PrivilegeEscalation => "privilege-escalation",
            Rule::PrivilegeEscalationUnset => "privilege-escalation-unset",
            Rule::WritableRootFilesystem => "writable-root-filesystem",
            Rule::ImageRegistryNotAllowed => "image-registry-not-allowed",
            Rule::ImageTagLatest => "image-tag-latest",
            Rule::ImageDigestMissing => "image-digest-missing",
            Rule::AppLabelRemoved => "app-label-removed",
            Rule::AppLabelChanged => "app-label-changed",
            Rule::AppLabelMissing => "app-label-missing",
            Rule::PersonaValueUnreadable => "persona-value-unreadable",
            Rule::PersonaDuplicate => "persona-duplicate",
            Rule::ModeUnknown => "mode-unknown",
            Rule::ObjectUnreadable => "object-unreadable",
        }
    }

    /// The rule of that name.
    pub fn by_name(name: &str) -> Option<Rule> {
        Rule::ALL.into_iter().find(|rule| rule.name() == name)
    }

    /// The name that is most like a mistyped one.
    pub fn most_like(name: &str, rules: impl IntoIterator<Item = Rule>) -> &'static str {
        let likeness = |rule: &Rule| strsim::jaro(rule.name(), name);
        let nearest = rules.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        nearest.map_or("", Rule::name)
    }

    /// The severity of this rule's findings.
    pub fn severity(self) -> Severity {
        match self {
            Rule::ReplicasBelowMinimum
            | Rule::RunAsNonRoot
            | Rule::PrivilegeEscalation
            | Rule::ImageRegistryNotAllowed
            | Rule::AppLabelRemoved
            | Rule::AppLabelChanged => Severity::Error,
            Rule::LivenessPathDiffers => Severity::Info,
            _ => Severity::Warning,
        }
    }

    /// The paragraph of the answer that a finding belongs to. Errors are listed separately, so only warnings are interleaved
    /// here. Contract 2.4: per container the limits, then replicas, then per container the probes; ours follow.
    pub(super) fn paragraph(self) -> u8 {
        match self {
            Rule::CpuLimitAbovePersona
            | Rule::MemoryLimitAbovePersona
            | Rule::CpuLimitMissing
            | Rule::MemoryLimitMissing
            | Rule::RequestsMissing => 0,
            Rule::ReplicasBelowMinimum | Rule::ReplicasAboveMaximum => 1,
            Rule::LivenessProbeMissing | Rule::LivenessPathDiffers | Rule::ReadinessProbeMissing => 2,
            Rule::RunAsNonRoot => 3,
            Rule::PrivilegeEscalation | Rule::PrivilegeEscalationUnset | Rule::WritableRootFilesystem => 4,
            Rule::ImageRegistryNotAllowed | Rule::ImageTagLatest | Rule::ImageDigestMissing => 5,
            Rule::AppLabelRemoved | Rule::AppLabelChanged | Rule::AppLabelMissing => 6,
            Rule::PersonaValueUnreadable => 7,
            Rule::PersonaDuplicate => 8,
            Rule::ModeUnknown => 9,
            Rule::ObjectUnreadable => 10,
        }
    }
}

/// Some of the rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Rules(u32);

impl Rules {
    pub(super) const ALL: Rules = Rules(u32::MAX);
    pub(super) const NONE: Rules = Rules(0);

    pub(super) fn contains(self, rule: Rule) -> bool {
        self.0 & (1 << rule as u32) != 0
    }

    #[must_use]
    pub(super) fn with(self, rule: Rule) -> Rules {
        self.union(Rules(1 << rule as u32))
    }

    /// All that are in either.
    #[must_use]
    pub(super) fn union(self, other: Rules) -> Rules {
        Rules(self.0 | other.0)
    }
}
