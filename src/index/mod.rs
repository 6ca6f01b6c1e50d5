//! The only state that is shared: who governs what. Readers take a snapshot without a lock and without waiting, and
//! never write; writers make the next snapshot beside it and swap the pointer.
//!
//! Start reading at [`Index::load`] for answering, at [`Change`] for filling. Knows no cluster and no file: both feed it
//! through the same three writers, one a kind.

mod entries;
mod table;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};

use crate::policy::{Mode, ModeWish, Persona, Personas};
use entries::Governors;
pub use entries::{AppLabels, Deployment, Namespace, StoredPersona};
use table::{Keyed, Table};

/// Personas, namespaces and Deployments as they were at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    personas: Table<StoredPersona>,
    /// The same personas by namespace and app, which is how they are asked for.
    governors: Table<Governors>,
    namespaces: Table<Namespace>,
    deployments: Table<Deployment>,
}

impl Snapshot {
    /// Builds a snapshot. Personas of one app are ordered by `metadata.name`, so that the same set always answers alike
    /// (contract 2.3 leaves the order open).
    pub fn build(
        personas: impl IntoIterator<Item = Arc<Persona>>,
        namespaces: impl IntoIterator<Item = (String, ModeWish)>,
    ) -> Snapshot {
        let stored = |persona| {
            Arc::new(StoredPersona {
                version: "".into(),
                persona,
            })
        };
        let namespace = |(name, mode): (String, ModeWish)| {
            Arc::new(Namespace {
                name: name.into(),
                mode,
                terminating: false,
                uid: Box::default(),
            })
        };
        let personas = Table::build(personas.into_iter().map(stored));
        Snapshot {
            governors: governors(&personas, &Table::default()),
            personas,
            namespaces: Table::build(namespaces.into_iter().map(namespace)),
            deployments: Table::default(),
        }
    }

    /// Every persona of that app there, empty when none. Exact and case-sensitive; an empty name finds nothing.
    pub fn find(&self, namespace: &str, app: &str) -> &Personas {
        if app.is_empty() {
            return &[];
        }
        self.governors
            .get(namespace, app)
            .map_or(&[], |governors| &governors.personas)
    }

    /// The namespace's label `dorgu.io/mode`.
    pub fn namespace_mode(&self, namespace: &str) -> &ModeWish {
        static UNSET: ModeWish = ModeWish::Unset;
        self.namespaces.get("", namespace).map_or(&UNSET, |found| &found.mode)
    }

    /// The strictest annotation `dorgu.io/mode` among the personas of a namespace: for an object of which nothing but
    /// the namespace can be read. Looks at all personas there are.
    pub fn strictest_persona_mode(&self, namespace: &str) -> Mode {
        let there = self.personas.iter().map(|stored| &stored.persona);
        there
            .filter(|persona| persona.namespace == namespace)
            .map(|persona| persona.mode.or_stricter(Mode::Advisory))
            .max()
            .unwrap_or_default()
    }

    /// By what that Deployment names its app; none when it is not known.
    pub fn deployment(&self, namespace: &str, name: &str) -> Option<&Deployment> {
        self.deployments.get(namespace, name).map(Arc::as_ref)
    }

    /// All personas, in no order.
    pub fn personas(&self) -> impl Iterator<Item = &Arc<Persona>> {
        self.personas.iter().map(|stored| &stored.persona)
    }

    /// All namespaces, in no order.
    pub fn namespaces(&self) -> impl Iterator<Item = &Namespace> {
        self.namespaces.iter().map(Arc::as_ref)
    }

    /// That namespace.
    pub fn namespace(&self, name: &str) -> Option<&Namespace> {
        self.namespaces.get("", name).map(Arc::as_ref)
    }

    /// How many objects of a kind there are.
    pub fn count(&self, kind: Kind) -> usize {
        match kind {
            Kind::Persona => self.personas.len(),
            Kind::Namespace => self.namespaces.len(),
            Kind::Deployment => self.deployments.len(),
        }
    }

    /// Makes the list of one app's personas right again after `persona` came, went or changed.
    fn regroup(&mut self, namespace: &str, app: &str, leaving: Option<&Persona>, coming: Option<&Arc<Persona>>) {
        let gone = |persona: &Arc<Persona>| leaving.is_some_and(|leaving| leaving.name == persona.name);
        let mut list: Vec<Arc<Persona>> = self.find(namespace, app).iter().filter(|p| !gone(p)).cloned().collect();
        list.extend(coming.cloned());
        if list.is_empty() {
            self.governors.remove(namespace, app);
        } else {
            self.governors.put(Arc::new(group(list)));
        }
    }
}

fn group(mut personas: Vec<Arc<Persona>>) -> Governors {
    personas.sort_by(|a, b| a.name.cmp(&b.name));
    Governors {
        personas: personas.into(),
    }
}

/// All personas by namespace and app; the lists of `before` that did not change stay.
fn governors(personas: &Table<StoredPersona>, before: &Table<Governors>) -> Table<Governors> {
    let mut lists: BTreeMap<(&str, &str), Vec<Arc<Persona>>> = BTreeMap::new();
    for stored in personas.iter() {
        let persona = &stored.persona;
        lists
            .entry((&persona.namespace, &persona.app))
            .or_default()
            .push(Arc::clone(persona));
    }
    Table::build(lists.into_values().map(|list| before.reuse(group(list))))
}

/// The kinds the index holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// ApplicationPersona.
    Persona,
    /// Namespace.
    Namespace,
    /// Deployment.
    Deployment,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 3] = [Kind::Persona, Kind::Namespace, Kind::Deployment];

    /// The kind's name in the API, as metrics say it.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Persona => "ApplicationPersona",
            Kind::Namespace => "Namespace",
            Kind::Deployment => "Deployment",
        }
    }
}

/// What a source says of one kind.
#[derive(Clone, Debug)]
pub enum Change<T> {
    /// This object is new or different.
    Put(T),
    /// This object is gone.
    Remove {
        /// Its namespace; empty where it has none.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// These are all there are. What is not among them is gone, unless it is in `kept`.
    Replace {
        /// The objects.
        objects: Vec<T>,
        /// Namespace and name of those that are there and cannot be read: the last version that could be stays.
        kept: Vec<(String, String)>,
    },
}

/// The current snapshot, and which kinds were ever filled: what was not must not be answered from, since empty would
/// mean "nobody governs anything".
#[derive(Debug, Default)]
pub struct Index {
    current: ArcSwap<Snapshot>,
    /// Writers take turns; readers do not know of it.
    writing: Mutex<()>,
    synced: [AtomicBool; Kind::ALL.len()],
}

impl Index {
    /// What is known now. Cheap: one atomic load.
    pub fn load(&self) -> Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// Replaces everything at once.
    pub fn replace(&self, snapshot: Snapshot) {
        self.publish(|current| *current = snapshot);
        for kind in Kind::ALL {
            self.sync(kind);
        }
    }

    /// Whether every kind was filled.
    pub fn is_synced(&self) -> bool {
        Kind::ALL.into_iter().all(|kind| self.has(kind))
    }

    /// Whether this kind was filled.
    pub fn has(&self, kind: Kind) -> bool {
        self.synced[kind as usize].load(Ordering::Acquire)
    }

    /// Takes up what happened to personas.
    pub fn personas(&self, change: Change<StoredPersona>) {
        match change {
            Change::Put(stored) => self.publish(|now| {
                let (namespace, name) = stored.key();
                let before = now.personas.get(namespace, name).cloned();
                if before.as_ref().is_some_and(|before| before.same(&stored)) {
                    return;
                }
                let before = before.as_deref().map(|before| &*before.persona);
                let persona = Arc::clone(&stored.persona);
                if let Some(moved) = before.filter(|before| before.app != persona.app) {
                    now.regroup(&persona.namespace, &moved.app, Some(moved), None);
                }
                let stayed = before.filter(|before| before.app == persona.app);
                now.regroup(&persona.namespace, &persona.app, stayed, Some(&persona));
                now.personas.put(Arc::new(stored));
            }),
            Change::Remove { namespace, name } => self.publish(|now| {
                let Some(before) = now.personas.get(&namespace, &name).cloned() else {
                    return;
                };
                now.regroup(&namespace, &before.persona.app, Some(&before.persona), None);
                now.personas.remove(&namespace, &name);
            }),
            Change::Replace { objects, kept } => {
                // Built aside: only the swap takes the writers' turn, and only we write this kind.
                let before = Snapshot::clone(&self.load());
                let personas = relisted(&before.personas, objects, &kept);
                let governors = governors(&personas, &before.governors);
                self.publish(|now| {
                    now.personas = personas;
                    now.governors = governors;
                });
                self.sync(Kind::Persona);
            }
        }
    }

    /// Takes up what happened to namespaces.
    pub fn namespaces(&self, change: Change<Namespace>) {
        self.rows(Kind::Namespace, change, |snapshot| &mut snapshot.namespaces);
    }

    /// Takes up what happened to Deployments.
    pub fn deployments(&self, change: Change<Deployment>) {
        self.rows(Kind::Deployment, change, |snapshot| &mut snapshot.deployments);
    }

    fn rows<V: Keyed>(&self, kind: Kind, change: Change<V>, table: impl Fn(&mut Snapshot) -> &mut Table<V>) {
        match change {
            Change::Put(object) => {
                self.publish(|now| {
                    let table = table(now);
                    let (namespace, name) = object.key();
                    if !table.get(namespace, name).is_some_and(|there| there.same(&object)) {
                        table.put(Arc::new(object));
                    }
                });
            }
            Change::Remove { namespace, name } => self.publish(|now| {
                table(now).remove(&namespace, &name);
            }),
            Change::Replace { objects, kept } => {
                let mut before = Snapshot::clone(&self.load());
                let rows = relisted(table(&mut before), objects, &kept);
                self.publish(|now| *table(now) = rows);
                self.sync(kind);
            }
        }
    }

    /// Makes the next snapshot from the current one. Each kind has one writer, so what a writer knows of its own kind
    /// is never outdated; the lock is for what the other kinds publish meanwhile.
    fn publish(&self, change: impl FnOnce(&mut Snapshot)) {
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Snapshot::clone(&self.current.load());
        change(&mut next);
        self.current.store(Arc::new(next));
    }

    fn sync(&self, kind: Kind) {
        self.synced[kind as usize].store(true, Ordering::Release);
    }
}

/// The table after a relist: unchanged entries keep their `Arc`.
fn relisted<V: Keyed>(before: &Table<V>, objects: Vec<V>, kept: &[(String, String)]) -> Table<V> {
    let kept = kept
        .iter()
        .filter_map(|(namespace, name)| before.get(namespace, name).cloned());
    Table::build(kept.chain(objects.into_iter().map(|object| before.reuse(object))))
}

#[cfg(test)]
mod tests;
