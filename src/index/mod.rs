//! The only shared state: which persona governs which app. Readers take a snapshot without a lock and without waiting, and
//! never write. Writers build the next snapshot beside it and swap the pointer.
//!
//! Start reading at [`Index::load`] for queries, at [`Change`] for updates. The index knows neither the cluster nor files: both
//! feed it through the same three writers, one for each kind.

mod arrivals;
mod basis;
mod entries;
mod shared;
mod table;
mod tally;
mod touched;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};

use crate::policy::{Mode, ModeWish, Persona, Personas};
use arrivals::Arrivals;
pub use arrivals::{Arrival, MAX_WAITING};
pub use basis::Basis;
use entries::Claimants;
pub use entries::{AppLabels, Deployment, Namespace, Rung, Running, StatusFingerprint, StoredPersona};
use shared::Shared;
use table::{Keyed, Table};
pub use tally::Tally;
pub use touched::AppKey;
use touched::Touched;

/// Personas, namespaces and Deployments as they were at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    personas: Table<StoredPersona>,
    tally: Tally,
    /// The same personas by namespace and app, as reviews search for them.
    governors: Table<Persona>,
    /// The joint demands of the personas of an app, where there are several.
    shared: Table<Shared>,
    namespaces: Table<Namespace>,
    deployments: Table<Deployment>,
    /// The same Deployments by namespace and by each app they may belong to.
    claimants: Table<Claimants>,
}

impl Snapshot {
    /// Builds a snapshot. Personas of one app are ordered by `metadata.name`, so that the same set always gives the same answer
    /// (contract 2.3 leaves the order open).
    pub fn build(
        personas: impl IntoIterator<Item = Arc<Persona>>,
        namespaces: impl IntoIterator<Item = (String, ModeWish)>,
    ) -> Snapshot {
        let stored = |persona| {
            Arc::new(StoredPersona {
                version: 0,
                generation: 0,
                status: None,
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
        let governors = governors(&personas);
        Snapshot {
            shared: Shared::all(&governors),
            governors,
            tally: Tally::of(personas.iter().map(Arc::as_ref)),
            personas,
            namespaces: Table::build(namespaces.into_iter().map(namespace)),
            deployments: Table::default(),
            claimants: Table::default(),
        }
    }

    /// Every persona of that app, empty when there is none. Exact and case-sensitive; an empty name finds nothing.
    pub fn find(&self, namespace: &str, app: &str) -> Personas<'_> {
        if app.is_empty() {
            return Personas::default();
        }
        let list = self.governors.all(namespace, app);
        let shared = if list.len() > 1 {
            self.shared.get(namespace, app)
        } else {
            None
        };
        Personas::compiled(list, shared.map(|shared| &shared.strictest))
    }

    /// The namespace's label `dorgu.io/mode`.
    pub fn namespace_mode(&self, namespace: &str) -> &ModeWish {
        static UNSET: ModeWish = ModeWish::Unset;
        self.namespaces.get("", namespace).map_or(&UNSET, |found| &found.mode)
    }

    /// The strictest annotation `dorgu.io/mode` among the personas of a namespace, for an object of which only the namespace
    /// can be read. Reads all personas.
    pub fn strictest_persona_mode(&self, namespace: &str) -> Mode {
        let there = self.personas.iter().map(|stored| &stored.persona);
        there
            .filter(|persona| persona.namespace == namespace)
            .map(|persona| persona.mode.or_stricter(Mode::Advisory))
            .max()
            .unwrap_or_default()
    }

    /// The strictest mode that any persona or namespace requests, for an object whose namespace cannot be read either. Reads
    /// all of them.
    pub fn strictest_mode(&self) -> Mode {
        let personas = self.personas.iter().map(|stored| &stored.persona.mode);
        let namespaces = self.namespaces.iter().map(|namespace| &namespace.mode);
        let modes = personas.chain(namespaces).map(|wish| wish.or_stricter(Mode::Advisory));
        modes.max().unwrap_or_default()
    }

    /// The names by which that Deployment is matched to an app; `None` when it is unknown.
    pub fn deployment(&self, namespace: &str, name: &str) -> Option<&Deployment> {
        self.deployments.get(namespace, name).map(Arc::as_ref)
    }

    /// All namespaces, in no order.
    pub fn namespaces(&self) -> impl Iterator<Item = &Namespace> {
        self.namespaces.iter().map(Arc::as_ref)
    }

    /// That namespace.
    pub fn namespace(&self, name: &str) -> Option<&Namespace> {
        self.namespaces.get("", name).map(Arc::as_ref)
    }

    /// The persona of that name, and what its status says.
    pub fn persona(&self, namespace: &str, name: &str) -> Option<&Arc<StoredPersona>> {
        self.personas.get(namespace, name)
    }

    /// All personas, in no order.
    pub fn personas(&self) -> impl Iterator<Item = &Arc<StoredPersona>> {
        self.personas.iter()
    }

    /// How many personas there are, by phase and tier.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// The Deployments that belong to an app, by name: those that match it most strongly, except those that match another
    /// governed app more strongly. A review of each of them is answered by this app's personas.
    pub fn workloads(&self, namespace: &str, app: &str) -> Vec<&Arc<Deployment>> {
        let claimants = self.claimants.get(namespace, app);
        let claimants = claimants.map_or(&[][..], |claimants| &claimants.deployments);
        let governed = |deployment: &Deployment| {
            let mut claims = deployment.claims();
            let first = claims.find(|(_, app)| !self.find(namespace, app).is_empty());
            first.and_then(|(rung, leads_to)| (leads_to == app).then_some(rung))
        };
        let ours = claimants
            .iter()
            .filter_map(|deployment| Some((governed(deployment)?, deployment)));
        let ours: Vec<(Rung, &Arc<Deployment>)> = ours.collect();
        let strongest = ours.iter().map(|(rung, _)| *rung).min();
        let on_it = ours.into_iter().filter(|(rung, _)| Some(*rung) == strongest);
        on_it.map(|(_, deployment)| deployment).collect()
    }

    /// The stored entry when it equals `stored`. Otherwise `stored`, with the stored persona where its demands did not change.
    fn recognise(&self, stored: Arc<StoredPersona>) -> Arc<StoredPersona> {
        let (namespace, name) = stored.key();
        match self.personas.get(namespace, name) {
            Some(there) if there.same(&stored) => Arc::clone(there),
            Some(there) if there.demands_same(&stored) => Arc::new(settled(Some(there), StoredPersona::clone(&stored))),
            _ => stored,
        }
    }

    /// How many objects of a kind there are.
    pub fn count(&self, kind: Kind) -> usize {
        match kind {
            Kind::Persona => self.personas.len(),
            Kind::Namespace => self.namespaces.len(),
            Kind::Deployment => self.deployments.len(),
        }
    }

    fn put_persona(&mut self, stored: StoredPersona) {
        let (namespace, name) = stored.key();
        if let Some(before) = self.personas.get(namespace, name) {
            self.tally.take(before);
        }
        self.tally.add(&stored);
        self.personas.put(Arc::new(stored));
    }
}

/// Updates the lists of the apps that a Deployment matches, or matched before.
fn reclaim(snapshot: &mut Snapshot, leaving: Option<&Arc<Deployment>>, coming: Option<&Arc<Deployment>>) {
    let Some(any) = coming.or(leaving) else { return };
    let (namespace, name) = (&*any.namespace, &*any.name);
    let apps = |deployment: Option<&Arc<Deployment>>| -> Vec<String> {
        let apps = deployment.map(|deployment| deployment.apps()).unwrap_or_default();
        apps.into_iter().map(str::to_owned).collect()
    };
    let (before, after) = (apps(leaving), apps(coming));
    for app in before.iter().chain(after.iter().filter(|app| !before.contains(app))) {
        let there = snapshot.claimants.get(namespace, app);
        let there = there.map_or(&[][..], |claimants| &claimants.deployments);
        let others = there.iter().filter(|deployment| &*deployment.name != name);
        let mut list: Vec<Arc<Deployment>> = others.cloned().collect();
        if after.contains(app) {
            list.extend(coming.cloned());
        }
        if list.is_empty() {
            snapshot.claimants.remove(namespace, app, "");
        } else {
            snapshot.claimants.put(Arc::new(claim(app, list)));
        }
    }
}

fn claim(app: &str, mut deployments: Vec<Arc<Deployment>>) -> Claimants {
    deployments.sort_by(|a, b| a.name.cmp(&b.name));
    Claimants {
        app: app.into(),
        deployments: deployments.into(),
    }
}

/// All Deployments by namespace and matched app. Lists of `before` that did not change are reused.
fn claimants(deployments: &Table<Deployment>, before: &Table<Claimants>) -> Table<Claimants> {
    let mut lists: BTreeMap<(&str, &str), Vec<Arc<Deployment>>> = BTreeMap::new();
    for deployment in deployments.iter() {
        for app in deployment.apps() {
            lists
                .entry((&deployment.namespace, app))
                .or_default()
                .push(Arc::clone(deployment));
        }
    }
    Table::build(
        lists
            .into_iter()
            .map(|((_, app), list)| before.reuse(Arc::new(claim(app, list)))),
    )
}

/// All personas by namespace and app.
fn governors(personas: &Table<StoredPersona>) -> Table<Persona> {
    Table::build(personas.iter().map(|stored| Arc::clone(&stored.persona)))
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

    /// The kind's name in the API, as in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Persona => "ApplicationPersona",
            Kind::Namespace => "Namespace",
            Kind::Deployment => "Deployment",
        }
    }
}

/// A change of one kind, as a source reports it.
#[derive(Clone, Debug)]
pub enum Change<T> {
    /// This object is new or changed.
    Put(T),
    /// This object was deleted.
    Remove {
        /// Its namespace; empty where it has none.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// The complete list. What is not in it was deleted, unless it is in `kept`.
    Replace {
        /// The objects. Those that did not change should come from [`Index::known_persona`] and [`Index::known_deployment`].
        objects: Vec<Arc<T>>,
        /// Namespace and name of objects that exist and cannot be read. Their last readable version stays.
        kept: Vec<(String, String)>,
    },
}

/// The current snapshot, and which kinds were ever filled. A kind that was not filled must not be used for answers, since empty
/// would mean that no persona governs anything.
#[derive(Debug, Default)]
pub struct Index {
    current: ArcSwap<Snapshot>,
    /// Writers take turns; readers are not affected. While a reader holds the last snapshot but one, it is kept here until the
    /// next turn, so that no review has to free ten thousand entries.
    writing: Mutex<Option<Arc<Snapshot>>>,
    synced: [AtomicBool; Kind::ALL.len()],
    /// Requests that wait until a Deployment is known.
    arrivals: Arrivals,
}

impl Index {
    /// The current snapshot: one atomic load.
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

    /// The entry to list for a persona: the stored one when it is equal. Called for each object as it arrives, so that a list
    /// of 100,000 known personas does not need their memory twice.
    pub fn known_persona(&self, stored: StoredPersona) -> Arc<StoredPersona> {
        self.load().recognise(Arc::new(stored))
    }

    /// The same for a Deployment.
    pub fn known_deployment(&self, deployment: Deployment) -> Arc<Deployment> {
        self.load().deployments.reuse(Arc::new(deployment))
    }

    /// Applies a change of personas. Returns the apps about which more than a status has changed.
    pub fn personas(&self, change: Change<StoredPersona>) -> Vec<AppKey> {
        let mut touched = Touched::default();
        match change {
            Change::Put(stored) => self.publish(|now| {
                let (namespace, name) = stored.key();
                let before = now.personas.get(namespace, name).cloned();
                if before.as_ref().is_some_and(|before| before.same(&stored)) {
                    return;
                }
                let stored = settled(before.as_deref(), stored);
                if let Some(before) = &before
                    && before.demands_same(&stored)
                {
                    return now.put_persona(stored);
                }
                let before = before.as_deref().map(|before| &*before.persona);
                touched.governed(now, before);
                let persona = Arc::clone(&stored.persona);
                if let Some(moved) = before.filter(|before| before.app != persona.app) {
                    now.release(moved);
                }
                now.govern(&persona);
                now.put_persona(stored);
                touched.governed(now, Some(&persona));
            }),
            Change::Remove { namespace, name } => self.publish(|now| {
                let Some(before) = now.personas.get(&namespace, &name).cloned() else {
                    return;
                };
                touched.governed(now, Some(&before.persona));
                now.release(&before.persona);
                now.tally.take(&before);
                now.personas.remove(&namespace, &name, "");
            }),
            Change::Replace { objects, kept } => {
                // The new table is built outside the lock. Only the swap needs the writers' turn, and this kind has no other
                // writer.
                let before = Snapshot::clone(&self.load());
                let settle = |stored: Arc<StoredPersona>| before.recognise(stored);
                let personas = relisted(&before.personas, objects.into_iter().map(settle), &kept);
                let governors = governors(&personas);
                let shared = Shared::all(&governors);
                let tally = Tally::of(personas.iter().map(Arc::as_ref));
                let differ = |a: &StoredPersona, b: &StoredPersona| !a.demands_same(b);
                for stored in before.personas.differing(&personas, differ) {
                    touched.governed(&before, Some(&stored.persona));
                }
                self.publish(|now| {
                    now.personas = personas;
                    now.tally = tally;
                    now.governors = governors;
                    now.shared = shared;
                });
                self.sync(Kind::Persona);
            }
        }
        touched.into_keys()
    }

    /// Applies a change of namespaces.
    pub fn namespaces(&self, change: Change<Namespace>) {
        match change {
            Change::Put(object) => self.publish(|now| {
                let (namespace, name) = object.key();
                if !now
                    .namespaces
                    .get(namespace, name)
                    .is_some_and(|there| there.same(&object))
                {
                    now.namespaces.put(Arc::new(object));
                }
            }),
            Change::Remove { namespace, name } => self.publish(|now| {
                now.namespaces.remove(&namespace, &name, "");
            }),
            Change::Replace { objects, kept } => {
                let before = Snapshot::clone(&self.load());
                let rows = relisted(&before.namespaces, objects, &kept);
                self.publish(|now| now.namespaces = rows);
                self.sync(Kind::Namespace);
            }
        }
    }

    /// Applies a change of Deployments. Returns the apps of those that really changed, before and after.
    pub fn deployments(&self, change: Change<Deployment>) -> Vec<AppKey> {
        let mut touched = Touched::default();
        match change {
            Change::Put(object) => {
                let object = Arc::new(object);
                self.publish(|now| {
                    let (namespace, name) = object.key();
                    let before = now.deployments.get(namespace, name).cloned();
                    if before.as_ref().is_some_and(|there| there.same(&object)) {
                        return;
                    }
                    touched.claimed(before.as_deref());
                    touched.claimed(Some(&object));
                    reclaim(now, before.as_ref(), Some(&object));
                    now.deployments.put(Arc::clone(&object));
                });
                let (namespace, name) = object.key();
                self.arrivals.came(namespace, name);
            }
            Change::Remove { namespace, name } => self.publish(|now| {
                let before = now.deployments.get(&namespace, &name).cloned();
                touched.claimed(before.as_deref());
                reclaim(now, before.as_ref(), None);
                now.deployments.remove(&namespace, &name, "");
            }),
            Change::Replace { objects, kept } => {
                let before = Snapshot::clone(&self.load());
                let deployments = relisted(&before.deployments, objects, &kept);
                let claimants = claimants(&deployments, &before.claimants);
                for deployment in before.deployments.differing(&deployments, |_, _| true) {
                    touched.claimed(Some(deployment));
                }
                self.publish(|now| {
                    now.deployments = deployments;
                    now.claimants = claimants;
                });
                self.sync(Kind::Deployment);
                let now = self.load();
                self.arrivals
                    .listed(|namespace, name| now.deployment(namespace, name).is_some());
            }
        }
        touched.into_keys()
    }

    /// Makes the next snapshot from the current one. Each kind has one writer, so a writer's view of its own kind is never
    /// outdated. The lock protects against what writers of other kinds publish at the same time.
    fn publish(&self, change: impl FnOnce(&mut Snapshot)) {
        let mut retired = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Snapshot::clone(&self.current.load());
        change(&mut next);
        let before = self.current.swap(Arc::new(next));
        // After the swap every reader has its own reference, so this counts them. Without readers nothing is kept.
        *retired = (Arc::strong_count(&before) > 1).then_some(before);
    }

    fn sync(&self, kind: Kind) {
        self.synced[kind as usize].store(true, Ordering::Release);
    }
}

/// The entry to store. A persona whose demands did not change keeps its place in memory.
fn settled(before: Option<&StoredPersona>, mut stored: StoredPersona) -> StoredPersona {
    if let Some(before) = before.filter(|before| before.demands_same(&stored)) {
        stored.persona = Arc::clone(&before.persona);
    }
    stored
}

/// The table after a relist: unchanged entries keep their `Arc`.
fn relisted<V: Keyed>(
    before: &Table<V>,
    objects: impl IntoIterator<Item = Arc<V>>,
    kept: &[(String, String)],
) -> Table<V> {
    let kept = kept
        .iter()
        .filter_map(|(namespace, name)| before.get(namespace, name).cloned());
    Table::build(kept.chain(objects.into_iter().map(|object| before.reuse(object))))
}

#[cfg(test)]
mod tests;
