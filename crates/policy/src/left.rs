//! Finds the narrowed personas that an update leaves by a change of labels.
//!
//! A label that a selector reads is like the label that names the app: it must be no way out. A workload that comes under
//! another persona instead has moved, and is judged by both.

use std::collections::BTreeMap;
use std::sync::Arc;

use dorgu_api::labels::APP_NAME;

use super::joint::Joint;
use super::mode::{Mode, ModeWish};
use super::persona::Persona;
use super::question::Governed;
use super::selector::{ObjectLabels, ReadLabels};
use super::strictest::Personas;

/// The personas that governed the stored object, and whose selectors the new one does not match.
#[derive(Debug)]
pub struct Left {
    joint: Joint,
    /// Empty where the object comes under another persona instead.
    changes: Box<[ChangedLabel]>,
}

/// A label that a selector reads, changed so that the selector no longer matches.
#[derive(Debug)]
pub(super) struct ChangedLabel {
    pub(super) key: Box<str>,
    /// Its value; absent where there was no such label.
    pub(super) before: Option<Box<str>>,
    pub(super) now: Option<Box<str>>,
    /// The first of the personas that were left because of it.
    persona: Arc<Persona>,
    /// The first of them that asks to be enforced.
    enforcing: Option<Arc<Persona>>,
}

impl ChangedLabel {
    /// The first persona in the strictest mode of those that were left because of it. `effective` is the mode that a persona's
    /// wish leads to.
    pub(super) fn persona(&self, effective: impl Fn(&ModeWish) -> Mode) -> &Persona {
        let enforcing = self.enforcing.as_deref();
        let is_stricter = |other: &&Persona| effective(&other.mode) > effective(&self.persona.mode);
        enforcing.filter(is_stricter).unwrap_or(&self.persona)
    }
}

impl Left {
    /// Compares the personas of a stored object, with its labels, with those of the new one; `None` where none was left, which
    /// is known without labels unless a selector was among them.
    pub fn between(
        (stored, labels_before): (Governed<'_>, ObjectLabels<'_>),
        (new, labels_now): (Governed<'_>, ObjectLabels<'_>),
    ) -> Option<Left> {
        if stored.by_default || !stored.personas.is_narrowed() {
            return None;
        }
        let before = stored.personas.list();
        let selectors = || before.iter().filter_map(|persona| persona.selector.as_deref());
        let now = ReadLabels::of(selectors(), labels_now);
        let left: Vec<&Arc<Persona>> = before.iter().filter(|persona| !persona.selects(&now)).collect();
        if left.is_empty() {
            return None;
        }
        // Both lists are in the order of names, which are unique in a namespace.
        let is_new = |persona: &Arc<Persona>| before.binary_search_by(|known| known.name.cmp(&persona.name)).is_err();
        let comes_under_another = !new.by_default && new.personas.iter().any(is_new);
        let changes = match comes_under_another {
            true => Vec::new(),
            false => {
                let mut changes = changes(&left, &ReadLabels::of(selectors(), labels_before), &now);
                // A finding of its own says that the app's label has changed.
                changes.retain(|change| stored.app == new.app || &*change.key != APP_NAME);
                changes
            }
        };
        Some(Left {
            joint: Joint::of(left.into_iter()),
            changes: changes.into(),
        })
    }

    /// The personas that were left.
    pub(super) fn personas(&self) -> Personas<'_> {
        self.joint.personas()
    }

    /// What has to be undone for them to govern the object.
    pub(super) fn changes(&self) -> &[ChangedLabel] {
        &self.changes
    }
}

/// Each label once. Undoing all of them satisfies every selector again: what else one reads satisfies it as it is.
fn changes(left: &[&Arc<Persona>], before: &ReadLabels, now: &ReadLabels) -> Vec<ChangedLabel> {
    let mut found: BTreeMap<&str, ChangedLabel> = BTreeMap::new();
    for persona in left {
        for key in persona.selector.iter().flat_map(|selector| selector.unmet(now)) {
            let changed = found.entry(key).or_insert_with(|| ChangedLabel {
                key: key.into(),
                before: before.get(key).map(Into::into),
                now: now.get(key).map(Into::into),
                persona: Arc::clone(persona),
                enforcing: None,
            });
            if changed.enforcing.is_none() && persona.mode == ModeWish::Set(Mode::Enforcing) {
                changed.enforcing = Some(Arc::clone(persona));
            }
        }
    }
    found.into_values().collect()
}

#[cfg(test)]
mod tests;
