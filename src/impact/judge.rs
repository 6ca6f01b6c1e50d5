//! Judges one Deployment by one snapshot, as the webhook would judge its creation.

use super::{Found, Outcome, Settings, Verdict};
use crate::index::{Deployment, Snapshot};
use crate::policy::render::{FieldPath, Message};
use crate::policy::text::cut;
use crate::policy::{
    AttributedFinding, Decision, Governed, Joint, Question, RuleSet, Subject, Workload, decide, judge_unlabelled,
};

/// Longest text of a finding.
const MAX_MESSAGE: usize = 256;
/// Longest field of a finding.
const MAX_FIELD: usize = 512;

pub(super) struct Judge<'s> {
    snapshot: &'s Snapshot,
    settings: &'s Settings,
}

impl<'s> Judge<'s> {
    pub(super) fn new(snapshot: &'s Snapshot, settings: &'s Settings) -> Judge<'s> {
        Judge { snapshot, settings }
    }

    /// The personas that govern it.
    pub(super) fn governed<'a>(&'a self, deployment: &'a Deployment, place: &'a mut Option<Joint>) -> Governed<'a> {
        let (namespace, names) = (&*deployment.namespace, deployment.names());
        match self.settings.rulebook.set {
            RuleSet::Complete => self
                .snapshot
                .governed(namespace, names, deployment.object_labels(), place),
            RuleSet::Upstream => self.snapshot.governed_by_name(namespace, names),
        }
    }

    pub(super) fn verdict<'a>(
        &'a self,
        deployment: &'a Deployment,
        governed: Governed<'a>,
        workload: &'a Workload<'a>,
    ) -> Verdict {
        self.decision(deployment, governed, workload)
            .map_or(Verdict::Passed, |decision| verdict(&decision))
    }

    pub(super) fn outcome<'a>(
        &'a self,
        deployment: &'a Deployment,
        governed: Governed<'a>,
        workload: &'a Workload<'a>,
    ) -> Outcome {
        match self.decision(deployment, governed, workload) {
            None => Outcome {
                verdict: Verdict::Passed,
                denying: Vec::new(),
                count: 0,
            },
            Some(decision) => Outcome {
                verdict: verdict(&decision),
                denying: decision.refusals().iter().map(found).collect(),
                count: decision.refusing(),
            },
        }
    }

    /// The decision about a create; `None` where no persona governs it and nothing is found.
    fn decision<'a>(
        &'a self,
        deployment: &'a Deployment,
        governed: Governed<'a>,
        workload: &'a Workload<'a>,
    ) -> Option<Decision<'a>> {
        let Settings {
            rulebook,
            requires_label,
            now,
        } = *self.settings;
        let (namespace, name) = (&*deployment.namespace, &*deployment.name);
        let is_ungoverned = governed.is_empty();
        if is_ungoverned && !(requires_label && governed.app.is_empty()) {
            return None;
        }
        let question = Question {
            subject: Subject::Deployment,
            new: workload,
            governed: Governed {
                exceptions: self.snapshot.exceptions(namespace, governed.app, name, || now),
                ..governed
            },
            old: None,
            namespace,
            namespace_mode: self.snapshot.namespace_mode(namespace),
            platform: self.snapshot.platform(),
        };
        match is_ungoverned {
            true => judge_unlabelled(rulebook, &question),
            false => Some(decide(rulebook, &question)),
        }
    }
}

fn verdict(decision: &Decision<'_>) -> Verdict {
    match (decision.allows(), decision.warned()) {
        (false, _) => Verdict::Denied,
        (true, 1..) => Verdict::Warned,
        (true, 0) => Verdict::Passed,
    }
}

fn found(attributed: &AttributedFinding<'_>) -> Found {
    let finding = attributed.finding();
    Found {
        rule: finding.rule,
        persona: attributed.persona().to_owned(),
        field: cut(FieldPath(finding), MAX_FIELD),
        message: cut(Message(finding), MAX_MESSAGE),
    }
}
