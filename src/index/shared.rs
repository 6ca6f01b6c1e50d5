//! Joins the personas of an app for each app that has several ([`Strictest`]). Most apps have one persona and no entry here.

use std::sync::Arc;

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
