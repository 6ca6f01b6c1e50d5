//! Defines the input of a decision: an object, the stored object that it replaces, and the personas that govern each of the
//! two.

use std::sync::Arc;

use super::exception::Exceptions;
use super::left::Left;
use super::level::PlatformRules;
use super::mode::ModeWish;
use super::persona::Persona;
use super::rules::Subject;
use super::strictest::Personas;
use super::workload::Workload;

/// An app name, the personas found under it, and the exceptions from what they demand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Governed<'a> {
    /// The name by which the personas were found.
    pub app: &'a str,
    /// They; empty when no persona governs the object.
    pub personas: Personas<'a>,
    /// The exceptions for the app and for the object.
    pub exceptions: Exceptions<'a>,
    /// Whether they are default personas, since none is of this app.
    pub by_default: bool,
    /// The default personas that govern beside those of the app.
    pub binding: Personas<'a>,
    /// Of a stored object: the narrowed personas that the new one leaves.
    pub left: Option<&'a Left>,
}

impl<'a> Governed<'a> {
    /// The default personas, where no other governs the object.
    pub(super) fn defaults(&self) -> &'a [Arc<Persona>] {
        match (self.by_default, self.personas.is_empty()) {
            (true, false) => self.personas.list(),
            (true, true) => self.binding.list(),
            (false, _) => &[],
        }
    }

    /// Whether no persona governs the object.
    pub fn is_empty(&self) -> bool {
        self.personas.is_empty() && self.binding.is_empty()
    }
}

impl Question<'_> {
    /// Whether the update leaves the object to the personas that governed it.
    pub fn keeps_personas(&self) -> bool {
        let old = self.old.as_ref().map(|old| old.governed);
        old.is_some_and(|old| old.app == self.governed.app && old.left.is_none())
    }
}

/// One create or update to decide on.
pub struct Question<'a> {
    /// Deployment or Scale.
    pub subject: Subject,
    /// The object as it would be stored.
    pub new: &'a Workload<'a>,
    /// Its personas.
    pub governed: Governed<'a>,
    /// The stored object, on an update.
    pub old: Option<Old<'a>>,
    /// The namespace's name.
    pub namespace: &'a str,
    /// The namespace's label `dorgu.io/mode`.
    pub namespace_mode: &'a ModeWish,
    /// The levels that the platform requires.
    pub platform: &'a PlatformRules,
}

/// The stored object of an update.
pub struct Old<'a> {
    /// Its personas.
    pub governed: Governed<'a>,
    /// Reads the rest of it. Called only when a finding needs it. `None`: it cannot be read, so it excuses nothing.
    pub workload: &'a dyn Fn() -> Option<Workload<'a>>,
}
