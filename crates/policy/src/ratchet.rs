//! The ratchet excuses a finding of an update if the stored object has the same problem, at least as severe. An excused
//! finding does not deny. docs/rules.md has the order of each rule as a table.
//!
//! The ratchet does not compare fields. It compares replicas, what a container can do (`power`), and the limits, requests,
//! probes, root filesystem and image that a container has (`stored`). So a setting may move to another field, to the pod, or to
//! another list, as long as the container can do no more than before.

mod stored;

use std::cell::OnceCell;

use super::finding::{ContainerRef, Fact, Finding, Place, Rule};
use super::image::{self, Reference};
use super::power::Power;
use super::question::Question;
use super::security_context::{EffectiveSecurityContext, Silence};
use super::workload::{Container, PodSpec, Workload};
use stored::Before;

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

    /// Whether the finding is old. Without a readable stored object nothing is old. A finding about several containers keeps
    /// those for which it is new.
    pub(super) fn excuses(&self, finding: &mut Finding<'a>) -> bool {
        let before = self.before.get_or_init(|| self.read());
        before.as_ref().is_some_and(|before| self.had(before, finding))
    }

    fn read(&self) -> Option<Before<'q>> {
        let old = self.question.old.as_ref()?;
        let stored = self.stored.get_or_init(|| (old.workload)()).as_ref()?;
        let pod = &stored.spec.template.spec;
        if pod.has_overlong_name() {
            return None;
        }
        Some(Before {
            replicas: self.question.subject.replicas(stored),
            pod,
            powers: OnceCell::new(),
            containers: OnceCell::new(),
        })
    }

    fn pod(&self) -> &'a PodSpec<'a> {
        &self.question.new.spec.template.spec
    }

    fn had(&self, before: &Before<'q>, finding: &mut Finding<'a>) -> bool {
        match (finding.place, &mut finding.fact) {
            (_, Fact::Replicas { observed, .. }) => match finding.rule {
                Rule::ReplicasAboveMaximum => *observed <= before.replicas,
                _ => *observed >= before.replicas,
            },
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
                before.powers().include(container, &Power::from(*how))
            }
            (Place::Container(container, _), Fact::EscalationUnset) => {
                before.powers().include(container, &Power::Escalation)
            }
            (Place::Pod(_), Fact::PodLimitAbove { observed, .. }) => before.had_pod_limit(finding.rule, observed),
            (Place::Container(container, _), Fact::LimitAbove { observed, .. }) => {
                before.had_limit(finding.rule, container, Some(observed))
            }
            (Place::Container(container, _), Fact::LimitMissing { .. }) => {
                let of_pod = stored::limit(finding.rule, &self.pod().resources);
                before.had_limit(finding.rule, container, of_pod)
            }
            (Place::Container(container, _), Fact::RequestsMissing { .. }) => before.had_no_requests(container),
            (Place::Container(container, _), Fact::WritableRoot { .. }) => before.had_writable_root(container),
            (Place::Container(container, _), Fact::ProbeMissing { .. }) => before.had_no_probe(finding.rule, container),
            (Place::Container(container, _), Fact::PathDiffers { observed, .. }) => {
                before.had_liveness_path(container, observed)
            }
            (Place::Container(container, _), Fact::ImageNotAllowed { image, .. }) => {
                before.had_image(container, |before| image::is_from_the_same(before, image))
            }
            (Place::Container(container, _), Fact::ImageLatest { image }) => before.had_image(container, |before| {
                before == *image || Reference::parse(before).is_some_and(|before| before.is_latest())
            }),
            (Place::Container(container, _), Fact::DigestMissing { image }) => before.had_image(container, |before| {
                before == *image || Reference::parse(before).is_some_and(|before| before.digest().is_none())
            }),
            // About the label that names the app, about personas and about modes.
            _ => false,
        }
    }

    /// Whether the container's user allows nothing new.
    fn had_user(&self, before: &Before<'q>, container: ContainerRef<'a>, spec: &Container<'a>) -> bool {
        let effective = EffectiveSecurityContext::new(self.pod(), spec);
        let mut powers = effective.powers_of_user(Silence::Passes);
        powers.all(|power| before.powers().include(container, &power))
    }
}

#[cfg(test)]
mod tests;
