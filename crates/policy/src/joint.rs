//! Some personas, with their joint demands where they are several.

use std::sync::Arc;

use super::persona::Persona;
use super::selector::{ObjectLabels, ReadLabels};
use super::strictest::{Personas, Strictest};

/// Personas in a list of their own.
#[derive(Debug, Default)]
pub struct Joint {
    list: Box<[Arc<Persona>]>,
    strictest: Option<Strictest>,
}

impl Joint {
    /// These personas, in the order of their names.
    pub fn of<'p>(personas: impl Iterator<Item = &'p Arc<Persona>>) -> Joint {
        let mut list: Vec<Arc<Persona>> = personas.cloned().collect();
        list.sort_by(|a, b| a.name.cmp(&b.name));
        Joint {
            strictest: (list.len() > 1).then(|| Strictest::compile(&list)),
            list: list.into(),
        }
    }

    /// The personas, as an object is judged by them.
    pub fn personas(&self) -> Personas<'_> {
        Personas::compiled(&self.list, self.strictest.as_ref())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl Personas<'_> {
    /// Those that govern an object with these labels; `None` where all do.
    pub fn narrowed(self, labels: ObjectLabels<'_>) -> Option<Joint> {
        if !self.is_narrowed() {
            return None;
        }
        let selectors = self.list().iter().filter_map(|persona| persona.selector.as_deref());
        let labels = ReadLabels::of(selectors, labels);
        let matching: Vec<&Arc<Persona>> = self.list().iter().filter(|persona| persona.selects(&labels)).collect();
        (matching.len() < self.list().len()).then(|| Joint::of(matching.into_iter()))
    }
}

impl Persona {
    /// Whether it governs, of the workloads of its app, one with these labels.
    pub fn governs(&self, labels: ObjectLabels<'_>) -> bool {
        let selector = self.selector.as_deref();
        selector.is_none_or(|selector| selector.matches(&ReadLabels::of(std::iter::once(selector), labels)))
    }

    pub(super) fn selects(&self, labels: &ReadLabels) -> bool {
        self.selector.as_ref().is_none_or(|selector| selector.matches(labels))
    }
}
