//! Holds the default personas: those with `spec.name: "*"`, which govern apps without a persona of their own. A binding one
//! also governs beside an app's own personas.
//!
//! The default personas of one namespace, the platform's, also govern other namespaces. Those of a namespace itself come
//! first: the platform's govern only where the namespace has none, except those that are binding.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::policy::{Joint, Persona, Personas};

/// The default personas for the apps of one namespace.
#[derive(Debug, Default)]
struct OfNamespace {
    /// They govern apps that have no persona of their own: the namespace's, where it has any.
    without: Joint,
    /// They govern beside the personas of an app.
    beside: Joint,
    /// They govern beside `without`: those of the platform that are binding.
    beside_defaults: Joint,
}

/// The default personas of all namespaces. Compiled again whenever one of them changes: there are few, at most some for each
/// namespace.
#[derive(Debug, Default)]
pub(super) struct Defaults {
    /// By namespace and name.
    all: BTreeMap<(String, String), Arc<Persona>>,
    namespaces: HashMap<String, OfNamespace>,
    /// For the apps of namespaces that have no default personas.
    elsewhere: OfNamespace,
    /// The namespace whose default personas also govern others.
    platform: Option<Box<str>>,
}

impl Defaults {
    /// None yet. Those of the namespace `platform` will also govern others.
    pub(super) fn of_platform(platform: Option<&str>) -> Defaults {
        Defaults {
            platform: platform.map(Into::into),
            ..Defaults::default()
        }
    }

    /// The namespace whose default personas also govern others.
    pub(super) fn platform(&self) -> Option<&str> {
        self.platform.as_deref()
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether this namespace has some.
    pub(super) fn are_in(&self, namespace: &str) -> bool {
        self.namespaces.contains_key(namespace)
    }

    /// The same with other personas: of those that are no default personas none is taken.
    pub(super) fn with_all<'p>(&self, personas: impl Iterator<Item = &'p Arc<Persona>>) -> Defaults {
        let defaults = personas.filter(|persona| persona.is_default());
        self.compiled(defaults.map(|persona| (key(persona), Arc::clone(persona))).collect())
    }

    /// The same with this persona, new or changed.
    pub(super) fn with(&self, persona: &Arc<Persona>) -> Defaults {
        let mut all = self.all.clone();
        all.insert(key(persona), Arc::clone(persona));
        self.compiled(all)
    }

    /// The same without it.
    pub(super) fn without(&self, persona: &Persona) -> Defaults {
        let mut all = self.all.clone();
        all.remove(&key(persona));
        self.compiled(all)
    }

    fn compiled(&self, all: BTreeMap<(String, String), Arc<Persona>>) -> Defaults {
        let of_platform: Vec<Arc<Persona>> = all
            .values()
            .filter(|persona| Some(&*persona.namespace) == self.platform.as_deref())
            .map(|persona| Arc::new(persona.for_other_namespaces()))
            .collect();
        let is_binding = |persona: &&Arc<Persona>| persona.is_binding;
        let binding = || of_platform.iter().filter(is_binding);
        let mut by_namespace: HashMap<&str, Vec<&Arc<Persona>>> = HashMap::new();
        for persona in all.values() {
            by_namespace.entry(&persona.namespace).or_default().push(persona);
        }
        let namespaces = by_namespace.into_iter().map(|(namespace, own)| {
            let own = || own.iter().copied();
            let is_platform = Some(namespace) == self.platform.as_deref();
            let from_platform = || binding().filter(|_| !is_platform);
            let of_namespace = OfNamespace {
                without: Joint::of(own()),
                beside: Joint::of(own().filter(is_binding).chain(from_platform())),
                beside_defaults: Joint::of(from_platform()),
            };
            (namespace.to_owned(), of_namespace)
        });
        Defaults {
            namespaces: namespaces.collect(),
            elsewhere: OfNamespace {
                without: Joint::of(of_platform.iter()),
                beside: Joint::of(binding()),
                ..OfNamespace::default()
            },
            all,
            platform: self.platform.clone(),
        }
    }

    fn of(&self, namespace: &str) -> &OfNamespace {
        self.namespaces.get(namespace).unwrap_or(&self.elsewhere)
    }

    /// The namespace's own default personas, by name.
    pub(super) fn own(&self, namespace: &str) -> Personas<'_> {
        let found = self.namespaces.get(namespace);
        found.map(|found| found.without.personas()).unwrap_or_default()
    }

    /// Those that govern an app of this namespace that has no persona of its own, and those that govern beside them.
    pub(super) fn without_own(&self, namespace: &str) -> (Personas<'_>, Personas<'_>) {
        let found = self.of(namespace);
        (found.without.personas(), found.beside_defaults.personas())
    }

    /// Those that govern beside the personas of an app.
    pub(super) fn beside_own(&self, namespace: &str) -> Personas<'_> {
        self.of(namespace).beside.personas()
    }
}

fn key(persona: &Persona) -> (String, String) {
    (persona.namespace.clone(), persona.name.clone())
}

#[cfg(test)]
mod tests;
