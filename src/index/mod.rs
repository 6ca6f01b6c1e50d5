//! The only state that is shared: who governs what. Writers swap a whole snapshot in; readers take it without a lock
//! and without waiting, and never write.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::{ArcSwap, Guard};

use crate::policy::{Mode, ModeWish, Persona, Personas};

/// Personas and namespaces as they were at one moment.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Namespace, then app name. Two levels, so that a look-up borrows both.
    personas: HashMap<String, HashMap<String, Arc<Personas>>>,
    namespaces: HashMap<String, ModeWish>,
    count: usize,
}

impl Snapshot {
    /// Builds a snapshot. Personas of one app are ordered by `metadata.name`, so that the same set always answers alike
    /// (contract 2.3 leaves the order open).
    pub fn build(
        personas: impl IntoIterator<Item = Arc<Persona>>,
        namespaces: impl IntoIterator<Item = (String, ModeWish)>,
    ) -> Snapshot {
        let mut lists: HashMap<String, HashMap<String, Vec<Arc<Persona>>>> = HashMap::new();
        let mut count = 0;
        for persona in personas {
            count += 1;
            let apps = lists.entry(persona.namespace.clone()).or_default();
            apps.entry(persona.app.clone()).or_default().push(persona);
        }
        let sorted = |mut list: Vec<Arc<Persona>>| -> Arc<Personas> {
            list.sort_by(|a, b| a.name.cmp(&b.name));
            list.into()
        };
        let personas = lists
            .into_iter()
            .map(|(namespace, apps)| {
                (
                    namespace,
                    apps.into_iter().map(|(app, list)| (app, sorted(list))).collect(),
                )
            })
            .collect();
        Snapshot {
            personas,
            namespaces: namespaces.into_iter().collect(),
            count,
        }
    }

    /// Every persona of that app there, empty when none. Exact and case-sensitive; an empty name finds nothing.
    pub fn find(&self, namespace: &str, app: &str) -> &Personas {
        if app.is_empty() {
            return &[];
        }
        self.personas
            .get(namespace)
            .and_then(|apps| apps.get(app))
            .map_or(&[], |list| list)
    }

    /// The namespace's label `dorgu.io/mode`.
    pub fn namespace_mode(&self, namespace: &str) -> &ModeWish {
        static UNSET: ModeWish = ModeWish::Unset;
        self.namespaces.get(namespace).unwrap_or(&UNSET)
    }

    /// The strictest annotation `dorgu.io/mode` among the personas of a namespace: for an object of which nothing but
    /// the namespace can be read. Looks at all of them.
    pub fn strictest_persona_mode(&self, namespace: &str) -> Mode {
        let apps = self.personas.get(namespace).into_iter().flat_map(HashMap::values);
        apps.flat_map(|personas| personas.iter())
            .map(|persona| persona.mode.or_stricter(Mode::Advisory))
            .max()
            .unwrap_or_default()
    }

    /// How many personas there are.
    pub fn persona_count(&self) -> usize {
        self.count
    }

    /// How many namespaces are known.
    pub fn namespace_count(&self) -> usize {
        self.namespaces.len()
    }
}

/// The current snapshot, and whether there has been one at all: an index that was never filled must not be answered
/// from, since empty would mean "nobody governs anything".
#[derive(Debug, Default)]
pub struct Index {
    current: ArcSwap<Snapshot>,
    synced: AtomicBool,
}

impl Index {
    /// What is known now. Cheap: one atomic load.
    pub fn load(&self) -> Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// Replaces everything at once.
    pub fn replace(&self, snapshot: Snapshot) {
        self.current.store(Arc::new(snapshot));
        self.synced.store(true, Ordering::Release);
    }

    /// Whether the index was ever filled.
    pub fn is_synced(&self) -> bool {
        self.synced.load(Ordering::Acquire)
    }
}
