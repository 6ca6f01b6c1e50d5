//! What the personas of an app demand together, for every app that has several: most have one, of which nothing is kept
//! twice.

use std::sync::Arc;

use super::table::{Keyed, Table};
use crate::policy::{Persona, Strictest};

/// The personas of one app as they are judged together.
#[derive(Debug)]
pub(super) struct Shared {
    /// Names the app.
    first: Arc<Persona>,
    pub(super) strictest: Strictest,
}

impl Shared {
    /// Of the personas of one app; none where nothing is shared.
    pub(super) fn of(personas: &[Arc<Persona>]) -> Option<Arc<Shared>> {
        let [first, _, ..] = personas else { return None };
        Some(Arc::new(Shared {
            first: Arc::clone(first),
            strictest: Strictest::compile(personas),
        }))
    }

    /// Of all apps.
    pub(super) fn all(governors: &Table<Persona>) -> Table<Shared> {
        Table::build(governors.by_key().filter_map(Shared::of))
    }
}

impl Keyed for Shared {
    fn key(&self) -> (&str, &str) {
        (&self.first.namespace, &self.first.app)
    }

    /// Never asked: it is compiled again whenever a persona of the app changes.
    fn same(&self, other: &Shared) -> bool {
        std::ptr::eq(self, other)
    }
}
