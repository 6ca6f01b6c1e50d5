//! Judges one object as the webhook does, by the same index and the same decision, and keeps every finding. Pure.

use super::stored::Stored;
use crate::index::Snapshot;
use crate::policy::question::{Governed, Old, Question};
use crate::policy::workload::{Metadata, Workload};
use crate::policy::{
    Decision, Joint, Left, Moment, Names, ObjectLabels, RuleSet, Rulebook, Subject, decide_all, judge_unlabelled,
};
use crate::world::Deciding;

/// What objects are judged by.
#[derive(Clone, Copy)]
pub struct Judge<'w> {
    /// Personas, namespaces, exceptions, and the levels that the platform requires.
    pub index: &'w Snapshot,
    /// The rules, and the mode of the process.
    pub rulebook: Rulebook,
    /// Whether a Deployment without the app label is a finding.
    pub requires_label: bool,
    /// When it is judged, for exceptions.
    pub at: Moment,
}

/// The result for one object.
#[derive(Debug)]
pub enum Judgement<'d, 'a> {
    /// No persona governs it, and nothing requires one.
    Ungoverned,
    /// The decision, with all findings.
    Decided(&'d Decision<'a>),
}

impl<'w> Judge<'w> {
    /// A judge by these settings.
    pub fn of(deciding: &Deciding, index: &'w Snapshot, at: Moment) -> Judge<'w> {
        Judge {
            index,
            rulebook: deciding.rulebook,
            requires_label: deciding.requires_label,
            at,
        }
    }

    /// Judges an object, as an update of the old one where there is one. `take` gets the result and the object that was judged.
    ///
    /// # Errors
    /// The object cannot be read: an API server would refuse it.
    pub fn judge<R>(
        &self,
        new: &Stored,
        old: Option<&Stored>,
        take: impl FnOnce(Judgement<'_, '_>, &Workload<'_>) -> R,
    ) -> Result<R, String> {
        let object = read(&new.json)?;
        // An old object that cannot be read excuses nothing.
        let stored = old.and_then(|old| Some((old, read(&old.json).ok()?)));
        let namespace = new.namespace.as_str();
        let labels = ObjectLabels::Json(&new.labels);
        let (mut narrowed, mut narrowed_before) = (None, None);
        let governed = self.governed(namespace, &object.metadata, &object, labels, &mut narrowed);
        let left;
        let read_stored = || old.and_then(|old| read(&old.json).ok());
        let question_of_old = match &stored {
            None => None,
            Some((old, stored)) => {
                let old_labels = ObjectLabels::Json(&old.labels);
                // A selector cannot change, so that of the new object is valid for both.
                let before = self.governed(namespace, &stored.metadata, &object, old_labels, &mut narrowed_before);
                left = Left::between((before, old_labels), (governed, labels));
                let governed = Governed {
                    left: left.as_ref(),
                    exceptions: self.exceptions(namespace, before, &new.name),
                    ..before
                };
                Some(Old {
                    governed,
                    workload: &read_stored,
                })
            }
        };
        let was_governed = question_of_old
            .as_ref()
            .is_some_and(|old| !old.governed.is_empty() && !old.governed.by_default);
        let sticky = was_governed && self.rulebook.set == RuleSet::Complete;
        let is_ungoverned = governed.is_empty() && !sticky;
        let question = Question {
            subject: Subject::Deployment,
            new: &object,
            governed: Governed {
                exceptions: self.exceptions(namespace, governed, &new.name),
                ..governed
            },
            old: question_of_old,
            namespace,
            namespace_mode: self.index.namespace_mode(namespace),
            platform: self.index.platform(),
        };
        let decision = match is_ungoverned {
            false => Some(decide_all(self.rulebook, &question)),
            true if self.requires_label && governed.app.is_empty() => judge_unlabelled(self.rulebook, &question),
            true => None,
        };
        Ok(match &decision {
            Some(decision) => take(Judgement::Decided(decision), &object),
            None => take(Judgement::Ungoverned, &object),
        })
    }

    fn exceptions<'s>(&'s self, namespace: &str, governed: Governed<'_>, name: &str) -> crate::policy::Exceptions<'s> {
        self.index.exceptions(namespace, governed.app, name, || self.at)
    }

    fn governed<'s>(
        &'s self,
        namespace: &str,
        metadata: &'s Metadata<'s>,
        object: &'s Workload<'s>,
        labels: ObjectLabels<'_>,
        place: &'s mut Option<Joint>,
    ) -> Governed<'s> {
        let required = &object.spec.selector.match_labels;
        let names = Names {
            label: metadata.labels.name.as_str(),
            app: metadata.labels.app.as_str(),
            name: metadata.name.as_str(),
            selected_label: required.name.as_str(),
            selected_app: required.app.as_str(),
        };
        match self.rulebook.set {
            RuleSet::Complete => self.index.governed(namespace, names, labels, place),
            RuleSet::Upstream => self.index.governed_by_name(namespace, names),
        }
    }
}

fn read(json: &str) -> Result<Workload<'_>, String> {
    serde_json::from_str(json).map_err(|error| {
        let said = error.to_string();
        // The place in a text that no user sees.
        let (reason, _) = said.rsplit_once(" at line ").unwrap_or((&said, ""));
        format!("the API server would refuse it: {reason}")
    })
}
