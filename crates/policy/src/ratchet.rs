//! What an update may keep: an error that the stored object already had, no better than now, does not refuse.

use std::collections::HashMap;

use super::compare::FindingSubject;
use super::decision::Question;
use super::finding::{Finding, Severity};
use super::rules::{self, Context};
use super::workload::Workload;

/// The stored object of a question, read when the first finding makes it matter and kept for the other personas.
pub(super) struct Ratchet<'q, 'a> {
    question: &'q Question<'a>,
    stored: Option<Option<Workload<'a>>>,
}

impl<'q, 'a> Ratchet<'q, 'a> {
    pub(super) fn new(question: &'q Question<'a>) -> Self {
        Ratchet { question, stored: None }
    }

    /// For each finding, whether it is an old error; empty where none is. Nothing is old without a stored object that can
    /// be read.
    pub(super) fn excuses(&mut self, findings: &[Finding<'_>], context: &Context<'_>) -> Vec<bool> {
        let has_error = findings.iter().any(is_error);
        let (Some(old), true) = (&self.question.old, has_error) else {
            return Vec::new();
        };
        match self.stored.get_or_insert_with(|| (old.workload)()) {
            Some(stored) => excused(findings, stored, context),
            None => Vec::new(),
        }
    }
}

/// Both objects are judged by today's persona.
fn excused(findings: &[Finding<'_>], stored: &Workload<'_>, context: &Context<'_>) -> Vec<bool> {
    let mut before = Vec::new();
    let context = Context {
        set: context.set,
        surface: context.surface,
        subject: context.subject,
        workload: stored,
        persona: context.persona,
    };
    rules::judge(&context, &mut before);
    // Of two on one subject (containers that share a name) the worse one excuses more.
    let mut worst: HashMap<FindingSubject<'_>, &Finding<'_>> = HashMap::new();
    for old in before.iter().filter(|old| is_error(old)) {
        let kept = worst.entry(old.subject()).or_insert(old);
        if old.is_worse_than(kept) {
            *kept = old;
        }
    }
    let had = |finding: &Finding<'_>| {
        let old = worst.get(&finding.subject());
        old.is_some_and(|old| !finding.is_worse_than(old))
    };
    findings
        .iter()
        .map(|finding| is_error(finding) && had(finding))
        .collect()
}

fn is_error(finding: &Finding<'_>) -> bool {
    finding.severity() == Severity::Error
}
