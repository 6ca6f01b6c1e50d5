//! What the index holds of each kind: no whole objects, only what an answer needs.

use std::sync::Arc;

use super::table::Keyed;
use crate::policy::{ModeWish, Persona, Personas};

/// A persona, and the version of the object that it was read from.
#[derive(Clone, Debug)]
pub struct StoredPersona {
    /// Changes whenever the object does, in whatever way its source tells versions apart; empty when it cannot.
    pub version: Box<str>,
    /// The persona.
    pub persona: Arc<Persona>,
}

impl Keyed for StoredPersona {
    fn key(&self) -> (&str, &str) {
        (&self.persona.namespace, &self.persona.name)
    }

    fn same(&self, other: &StoredPersona) -> bool {
        !self.version.is_empty() && self.version == other.version
    }
}

/// Everyone who governs one app of a namespace; never empty.
#[derive(Debug)]
pub(super) struct Governors {
    pub(super) personas: Box<Personas>,
}

impl Keyed for Governors {
    fn key(&self) -> (&str, &str) {
        self.personas
            .first()
            .map_or(("", ""), |first| (&first.namespace, &first.app))
    }

    fn same(&self, other: &Governors) -> bool {
        self.personas.len() == other.personas.len()
            && self
                .personas
                .iter()
                .zip(&other.personas)
                .all(|(here, there)| Arc::ptr_eq(here, there))
    }
}

/// A namespace, of which only metadata is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Its name.
    pub name: Box<str>,
    /// What the label `dorgu.io/mode` wishes.
    pub mode: ModeWish,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// Its uid, where that is of use: of `kube-system`, as which it tells one cluster from another. Empty elsewhere.
    pub uid: Box<str>,
}

impl Namespace {
    /// The namespace whose uid stands for the cluster's, which has none of its own.
    pub const OF_CLUSTER: &str = "kube-system";
}

impl Keyed for Namespace {
    fn key(&self) -> (&str, &str) {
        ("", &self.name)
    }

    fn same(&self, other: &Namespace) -> bool {
        self == other
    }
}

/// By what a Deployment names its app; a Scale of it carries none of this.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deployment {
    /// `metadata.namespace`.
    pub namespace: Box<str>,
    /// `metadata.name`.
    pub name: Box<str>,
    /// Its labels.
    pub labels: AppLabels,
    /// `spec.selector.matchLabels`; may be left empty where nobody asks for it.
    pub selected: AppLabels,
}

/// The labels that can name an app; empty where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppLabels {
    /// `app.kubernetes.io/name`.
    pub name: Box<str>,
    /// `app`.
    pub app: Box<str>,
}

impl Keyed for Deployment {
    fn key(&self) -> (&str, &str) {
        (&self.namespace, &self.name)
    }

    fn same(&self, other: &Deployment) -> bool {
        self == other
    }
}
