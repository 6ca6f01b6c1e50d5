//! Personas that are there already: whether one of them governs a workload.

use std::sync::Arc;

use super::Workload;
use crate::api::ApplicationPersona;
use crate::index::{Index, Snapshot};
use crate::policy::{Matching, ObjectLabels, Persona, PlatformRules};

/// Personas that are there already.
#[derive(Debug)]
pub struct Existing(Index);

impl Existing {
    /// These.
    pub fn new<'p>(personas: impl IntoIterator<Item = &'p ApplicationPersona>, matching: Matching) -> Existing {
        let index = Index::new(matching, PlatformRules::default());
        let personas = personas.into_iter().map(|persona| Arc::new(Persona::parse(persona)));
        index.replace(Snapshot::build(personas, []));
        Existing(index)
    }

    /// The name of the persona that governs a workload; `None` where none does, or a default one.
    pub fn governor(&self, workload: &Workload) -> Option<String> {
        let snapshot = self.0.load();
        let labels = workload.labels_as_json();
        let mut place = None;
        let governed = snapshot.governed(
            &workload.namespace,
            workload.names(),
            ObjectLabels::Json(&labels),
            &mut place,
        );
        let first = governed.personas.list().first().filter(|_| !governed.by_default);
        first.map(|persona| persona.name.clone())
    }
}
