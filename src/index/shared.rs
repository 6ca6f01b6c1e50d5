//! The joint demands of the personas of an app, for every app that has several. Most apps have one persona and no entry here.

use std::sync::Arc;

use super::Snapshot;
use super::table::{Keyed, Table};
use crate::policy::{Persona, Strictest};

/// The personas of one app, compiled into one.
#[derive(Debug)]
pub(super) struct Shared {
    /// One of them, which names the app.
    first: Arc<Persona>,
    pub(super) strictest: Strictest,
}

impl Shared {
    /// Compiles the personas of one app; `None` for fewer than two.
    pub(super) fn of(personas: &[Arc<Persona>]) -> Option<Arc<Shared>> {
        let [first, _, ..] = personas else { return None };
        Some(Arc::new(Shared {
            first: Arc::clone(first),
            strictest: Strictest::compile(personas),
        }))
    }

    /// Compiles those of all apps.
    pub(super) fn all(governors: &Table<Persona>) -> Table<Shared> {
        Table::build(governors.by_key().filter_map(Shared::of))
    }
}

impl Keyed for Shared {
    fn key(&self) -> (&str, &str) {
        (&self.first.namespace, &self.first.app)
    }

    /// Unused: it is compiled again whenever a persona of the app changes.
    fn same(&self, other: &Shared) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Snapshot {
    /// Adds a persona to the list of its app, and updates the joint demands.
    pub(super) fn govern(&mut self, persona: &Arc<Persona>) {
        self.governors.put(Arc::clone(persona));
        self.share(&persona.namespace, &persona.app);
    }

    /// Removes a persona from it.
    pub(super) fn release(&mut self, persona: &Persona) {
        self.governors.remove(&persona.namespace, &persona.app, &persona.name);
        self.share(&persona.namespace, &persona.app);
    }

    fn share(&mut self, namespace: &str, app: &str) {
        match Shared::of(self.governors.all(namespace, app)) {
            Some(shared) => self.shared.put(shared),
            None => drop(self.shared.remove(namespace, app, "")),
        }
    }
}
