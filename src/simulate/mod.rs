//! `dorgu persona simulate`: fills an index from lists of a cluster or from files, and reports which Deployments change
//! verdict when personas are applied. What changes is found by `impact`, as for the webhook of personas.

mod cluster;
mod files;
mod report;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

pub use cluster::{Missing, fill_from_cluster};
pub use files::{FileError, Objects, STDIN};

use crate::impact::{Bound, Change, Impact, Settings, impact};
use crate::index::{Change as Event, Index};
use crate::policy::Persona;
use crate::world::Deciding;

/// The namespaces whose objects matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All.
    All,
    /// These.
    In {
        /// The namespaces of the personas.
        namespaces: BTreeSet<String>,
        /// The namespace whose default personas govern them, too.
        platform: Option<String>,
    },
}

impl Reach {
    /// The namespaces whose objects matter for these personas.
    pub fn of(personas: &[Arc<Persona>], deciding: &Deciding) -> Reach {
        let platform = deciding.default_personas_namespace.as_deref();
        // One of them may be a default persona today and none tomorrow.
        if personas.iter().any(|persona| Some(&*persona.namespace) == platform) {
            return Reach::All;
        }
        Reach::In {
            namespaces: personas.iter().map(|persona| persona.namespace.clone()).collect(),
            platform: platform.map(str::to_owned),
        }
    }
}

/// Which Deployments of the index change verdict when these personas are applied together.
pub fn simulate(index: &Index, personas: &[Arc<Persona>], deciding: &Deciding) -> Impact {
    let changes: Vec<Change> = personas
        .iter()
        .map(|persona| Change::Put(Arc::clone(persona)))
        .collect();
    let settings = Settings {
        rulebook: deciding.rulebook,
        requires_label: deciding.requires_label,
        now: index.now(),
    };
    impact(&index.load(), &changes, &settings, &Bound::NONE)
}

/// Fills an index from manifests.
///
/// # Errors
/// Something cannot be read, or an object in it is invalid.
pub fn fill_from_files(index: &Index, paths: &[PathBuf], namespace: &str) -> Result<(), FileError> {
    let objects = Objects::read(paths, namespace)?;
    // Modes and levels first, as for every other source.
    index.namespaces(all(objects.namespaces));
    index.cluster_rules(all(objects.cluster_rules));
    index.deployments(all(objects.deployments));
    index.personas(all(objects.personas));
    index.exceptions(all(objects.exceptions));
    Ok(())
}

fn all<T>(objects: Vec<T>) -> Event<T> {
    Event::Replace {
        objects: objects.into_iter().map(Arc::new).collect(),
        kept: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
