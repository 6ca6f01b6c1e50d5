//! The ratchet: an error that the stored object already has, at least as severe, does not deny an update.
//!
//! It compares replicas, and what a container can do (`power`) rather than the fields: a setting that moves to another field, another level or
//! another list is not new as long as the container can do no more than before.

use std::cell::OnceCell;

use super::finding::{ContainerRef, Fact, Finding, Place, Severity};
use super::power::{Power, Powers};
use super::question::Question;
use super::security_context::{EffectiveSecurityContext, Silence};
use super::workload::{Container, PodSpec, Workload};

/// The stored object of a question: read when the first finding needs it, and kept for the other personas.
pub(super) type Stored<'a> = OnceCell<Option<Workload<'a>>>;

/// Compares the new object of a question with the stored one.
pub(super) struct Ratchet<'q, 'a> {
    question: &'q Question<'a>,
    stored: &'q Stored<'a>,
    before: OnceCell<Option<Before<'q>>>,
}

impl<'q, 'a> Ratchet<'q, 'a> {
    pub(super) fn new(question: &'q Question<'a>, stored: &'q Stored<'a>) -> Self {
        Ratchet {
            question,
            stored,
            before: OnceCell::new(),
        }
    }

    /// Whether the finding is an old error. Without a readable stored object nothing is old. A finding about several containers
    /// keeps those for which it is new.
    pub(super) fn excuses(&self, finding: &mut Finding<'a>) -> bool {
        if finding.severity() != Severity::Error {
            return false;
        }
        let before = self.before.get_or_init(|| self.read());
        before.as_ref().is_some_and(|before| self.had(before, finding))
    }

    fn read(&self) -> Option<Before<'q>> {
        let old = self.question.old.as_ref()?;
        let stored = self.stored.get_or_init(|| (old.workload)()).as_ref()?;
        if stored.spec.template.spec.has_overlong_name() {
            return None;
        }
        Some(Before {
            replicas: self.question.subject.replicas(stored),
            powers: Powers::of(&stored.spec.template.spec),
        })
    }

    fn pod(&self) -> &'a PodSpec<'a> {
        &self.question.new.spec.template.spec
    }

    fn had(&self, before: &Before<'q>, finding: &mut Finding<'a>) -> bool {
        match (finding.place, &mut finding.fact) {
            (_, Fact::Replicas { observed, .. }) => *observed >= before.replicas,
            (_, Fact::NonRootNotDemanded { containers, .. }) => {
                // They are named in their order, so one walk finds them all.
                let is_new = || {
                    let mut all = self.pod().all_containers();
                    move |name: &&str| {
                        let named = all.find(|(container, _)| container.name == *name);
                        named.is_some_and(|(container, spec)| !self.had_user(before, container, spec))
                    }
                };
                let is_old = !containers.iter().any(is_new());
                if !is_old {
                    containers.retain(is_new());
                }
                is_old
            }
            (Place::Container(container, _), Fact::RunsAsRoot { .. }) => {
                let spec = self.pod().container(container);
                spec.is_some_and(|spec| self.had_user(before, container, spec))
            }
            (Place::Container(container, _), Fact::Escalation(how)) => {
                before.powers.include(container, &Power::from(*how))
            }
            _ => false,
        }
    }

    /// Whether the container's user allows nothing new.
    fn had_user(&self, before: &Before<'q>, container: ContainerRef<'a>, spec: &Container<'a>) -> bool {
        let effective = EffectiveSecurityContext::new(self.pod(), spec);
        let mut powers = effective.powers_of_user(Silence::Passes);
        powers.all(|power| before.powers.include(container, &power))
    }
}

/// The stored object as far as it can excuse anything.
struct Before<'q> {
    replicas: i32,
    powers: Powers<'q>,
}

#[cfg(test)]
mod tests;
