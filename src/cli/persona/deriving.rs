//! Derives personas from workloads, and prints what people should know about them.

use std::collections::BTreeSet;

use clap::Args;

use super::failure::Failure;
use super::format::as_yaml;
use crate::api::ApplicationPersona;
use crate::cli::{complain, values};
use crate::personas::derive::{Autoscaler, Existing, Note, Origin, Workload, derive, groups};
use crate::policy::Matching;

/// How personas are derived.
#[derive(Debug, Args)]
pub(super) struct Deriving {
    /// How the operator finds personas: label or chain, as its flag --match.
    #[arg(long = "match", value_name = "HOW", env = "DORGU_MATCH", default_value = "label", value_parser = values::matching)]
    pub(super) matching: Matching,
    /// Make up limits that containers lack: twice the request, else 500m and 512Mi.
    #[arg(long)]
    invent_limits: bool,
}

impl Deriving {
    /// A persona for each workload that `is_wanted` and that no existing persona governs.
    pub(super) fn derive(
        &self,
        workloads: &[Workload],
        autoscalers: &[Autoscaler],
        existing: &Existing,
        origin: Origin,
        is_wanted: impl Fn(&Workload) -> bool,
    ) -> Vec<ApplicationPersona> {
        let mut personas = Vec::new();
        let mut notes: Vec<Note> = Vec::new();
        for workload in workloads.iter().filter(|workload| is_wanted(workload)) {
            if let Some(persona) = existing.governor(workload) {
                complain(&format!(
                    "deployment/{} is left out: applicationpersona/{persona} governs it already",
                    workload.name
                ));
            }
        }
        let namespaces: BTreeSet<&str> = workloads.iter().map(|workload| workload.namespace.as_str()).collect();
        for namespace in namespaces {
            let of_it = workloads.iter().filter(|workload| workload.namespace == namespace);
            let of_it: Vec<Workload> = of_it.cloned().collect();
            let is_governed = |workload: &Workload| existing.governor(workload).is_some();
            for group in groups(&of_it, &is_wanted, is_governed, self.matching) {
                if let Some((persona, more)) = derive(&group, autoscalers, origin, self.invent_limits) {
                    personas.push(persona);
                    notes.extend(more);
                }
            }
        }
        for Note { workload, text, .. } in &notes {
            complain(&format!("deployment/{workload}: {text}"));
        }
        let invented: BTreeSet<&str> = notes
            .iter()
            .filter(|note| note.is_invention)
            .map(|note| note.workload.as_str())
            .collect();
        if !invented.is_empty() {
            let names: Vec<&str> = invented.into_iter().collect();
            complain(&format!("limits were invented for {}; check them", names.join(", ")));
        }
        personas
    }
}

/// Personas as one text of several documents.
pub(super) fn documents(personas: &[ApplicationPersona]) -> Result<String, Failure> {
    let documents: anyhow::Result<Vec<String>> = personas.iter().map(as_yaml).collect();
    Ok(documents?.join("---\n"))
}
