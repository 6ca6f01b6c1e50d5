//! Which rules the personas of suites demand, and whether tests have seen each violated and met.

use std::collections::BTreeMap;

use crate::policy::{Persona, PlatformRules, Rule, RuleSet, Severity};
use crate::report::ReportedFinding;

/// What a persona demands: a rule of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Demand {
    /// The persona, as NAMESPACE/NAME.
    pub persona: String,
    /// The rule.
    pub rule: Rule,
}

/// How many tests have seen each demand violated and met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage(BTreeMap<Demand, Seen>);

/// How many tests have seen a demand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The Deployment violated it, whether or not that counts.
    pub violated: usize,
    /// The Deployment is governed by the persona and met it.
    pub passed: usize,
}

impl Coverage {
    /// The demands of these personas, none of them seen.
    pub(super) fn of<'p>(
        personas: impl IntoIterator<Item = &'p Persona>,
        platform: &PlatformRules,
        set: RuleSet,
    ) -> Coverage {
        let mut all = Coverage::default();
        for persona in personas {
            let level = |rule: &Rule| Severity::of(platform.level(*rule, &persona.levels)).is_some();
            let demanded = |rule: &Rule| match set {
                RuleSet::Complete => demands(persona, *rule) && level(rule),
                RuleSet::Upstream => demands(persona, *rule) && is_upstream(*rule),
            };
            for rule in Rule::ALL.into_iter().filter(demanded) {
                let persona = full_name(persona);
                all.0.insert(Demand { persona, rule }, Seen::default());
            }
        }
        all
    }

    /// Records a Deployment: the personas that govern it, in full, and its findings. Several personas are compared as one, so a
    /// demand is met only where none of them has a finding of its rule.
    pub(super) fn record(&mut self, personas: &[String], findings: &[(String, &ReportedFinding)]) {
        for (demand, seen) in &mut self.0 {
            if !personas.contains(&demand.persona) {
                continue;
            }
            let of_rule = || findings.iter().filter(|(_, finding)| finding.rule == demand.rule);
            if of_rule().any(|(persona, _)| *persona == demand.persona) {
                seen.violated += 1;
            } else if of_rule().next().is_none() {
                seen.passed += 1;
            }
        }
    }

    /// Adds what another suite has seen. A persona of the same namespace and name is the same.
    pub(super) fn add(&mut self, other: &Coverage) {
        for (demand, seen) in &other.0 {
            let all = self.0.entry(demand.clone()).or_default();
            all.violated += seen.violated;
            all.passed += seen.passed;
        }
    }

    /// Every demand, by persona and in the order of rules.
    pub fn demands(&self) -> impl Iterator<Item = (&Demand, Seen)> {
        self.0.iter().map(|(demand, seen)| (demand, *seen))
    }
}

/// A persona, as NAMESPACE/NAME.
pub(super) fn full_name(persona: &Persona) -> String {
    format!("{}/{}", persona.namespace, persona.name)
}

/// Whether a persona demands anything by this rule. Rules about leaving an app, about personas and about modes have no demand of
/// one persona.
fn demands(persona: &Persona, rule: Rule) -> bool {
    let images = persona.images.as_deref();
    match rule {
        Rule::CpuLimitAbovePersona | Rule::CpuLimitMissing => persona.limits.cpu.is_some(),
        Rule::MemoryLimitAbovePersona | Rule::MemoryLimitMissing => persona.limits.memory.is_some(),
        Rule::RequestsMissing => persona.has_resources,
        Rule::ReplicasBelowMinimum => persona.min_replicas.is_some(),
        Rule::ReplicasAboveMaximum => persona.max_replicas.is_some(),
        Rule::LivenessProbeMissing | Rule::LivenessPathDiffers => persona.liveness_path.is_some(),
        Rule::ReadinessProbeMissing => persona.readiness_path.is_some(),
        Rule::RunAsNonRoot => persona.run_as_non_root,
        Rule::PrivilegeEscalation | Rule::PrivilegeEscalationUnset => persona.forbids_privilege_escalation,
        Rule::WritableRootFilesystem => persona.read_only_root_filesystem,
        Rule::ImageRegistryNotAllowed => images.is_some_and(|images| images.registries.is_some()),
        Rule::ImageTagLatest => images.is_some_and(|images| images.deny_latest),
        Rule::ImageDigestMissing => images.is_some_and(|images| images.require_digest),
        Rule::AppLabelRemoved
        | Rule::AppLabelChanged
        | Rule::AppLabelMissing
        | Rule::PersonaValueUnreadable
        | Rule::PersonaDuplicate
        | Rule::ModeUnknown
        | Rule::ObjectUnreadable => false,
    }
}

/// Whether upstream's answers have the rule.
fn is_upstream(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::CpuLimitAbovePersona
            | Rule::MemoryLimitAbovePersona
            | Rule::ReplicasBelowMinimum
            | Rule::ReplicasAboveMaximum
            | Rule::LivenessProbeMissing
            | Rule::ReadinessProbeMissing
            | Rule::RunAsNonRoot
            | Rule::PrivilegeEscalation
    )
}
