//! The only state that is shared: who governs what. Readers take a snapshot without a lock and without waiting, and
//! never write; writers make the next snapshot beside it and swap the pointer.
//!
//! Start reading at [`Index::load`] for answering, at [`Change`] for filling. Knows no cluster and no file: both feed it
//! through the same three writers, one a kind.

mod arrivals;
mod basis;
mod entries;
pub mod fingerprint;
mod shared;
mod table;
mod tally;
mod touched;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};

use crate::policy::{MatchStrength, Matching, Mode, ModeWish, Persona, Personas};
use arrivals::Arrivals;
pub use arrivals::{Arrival, MOST_WAITING};
pub use basis::Basis;
use entries::Claimants;
pub use entries::{AppLabels, Deployment, Namespace, Running, StoredPersona};
pub use fingerprint::StatusFingerprint;
use shared::Shared;
use table::{Keyed, Table};
pub use tally::Tally;
pub use touched::AppKey;
use touched::Touched;

/// Personas, namespaces and Deployments as they were at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    matching: Matching,
    personas: Table<StoredPersona>,
    tally: Tally,
    /// The same personas by namespace and app, which is how they are asked for.
    governors: Table<Persona>,
    /// What the personas of an app demand together, where there are several.
    shared: Table<Shared>,
    namespaces: Table<Namespace>,
    deployments: Table<Deployment>,
    /// The same Deployments by namespace and each app they claim.
    claimants: Table<Claimants>,
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
            matching: Matching::default(),
            shared: Shared::all(&governors),
            governors,
            tally: Tally::of(personas.iter().map(Arc::as_ref)),
            personas,
            namespaces: Table::build(namespaces.into_iter().map(namespace)),
            deployments: Table::default(),
            claimants: Table::default(),
        }
    }

    /// By what a Deployment finds its personas.
    pub fn matching(&self) -> Matching {
        self.matching
    }

    /// Every persona of that app there, empty when none. Exact and case-sensitive; an empty name finds nothing.
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

    /// The strictest mode that any persona or namespace asks for: for an object of which not even the namespace can be
    /// read. Reads all of them.
    pub fn strictest_mode(&self) -> Mode {
        let personas = self.personas.iter().map(|stored| &stored.persona.mode);
        let namespaces = self.namespaces.iter().map(|namespace| &namespace.mode);
        let modes = personas.chain(namespaces).map(|wish| wish.or_stricter(Mode::Advisory));
        modes.max().unwrap_or_default()
    }

    /// By what that Deployment names its app; none when it is not known.
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

    /// The Deployments that belong to an app, by name: those with the strongest claim to it, unless a stronger claim of
    /// theirs leads to another app that is governed. A review of each of them is answered by this app's personas.
    pub fn workloads(&self, namespace: &str, app: &str) -> Vec<&Arc<Deployment>> {
        let claimants = self.claimants.get(namespace, app);
        let claimants = claimants.map_or(&[][..], |claimants| &claimants.deployments);
        let governed = |deployment: &Deployment| {
            let mut claims = deployment.names().in_order(self.matching);
            let first = claims.find(|(_, app)| !self.find(namespace, app).is_empty());
            first.and_then(|(strength, leads_to)| (leads_to == app).then_some(strength))
        };
        let ours = claimants
            .iter()
            .filter_map(|deployment| Some((governed(deployment)?, deployment)));
        let ours: Vec<(MatchStrength, &Arc<Deployment>)> = ours.collect();
        let strongest = ours.iter().map(|(strength, _)| *strength).min();
        let on_it = ours.into_iter().filter(|(strength, _)| Some(*strength) == strongest);
        on_it.map(|(_, deployment)| deployment).collect()
    }

    /// The entry that is here, when it says the same as `stored`; else `stored`, with the persona that is here where its
    /// demands did not change.
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

/// Makes the lists of the apps that a Deployment claims, or claimed, right again.
fn reclaim(snapshot: &mut Snapshot, leaving: Option<&Arc<Deployment>>, coming: Option<&Arc<Deployment>>) {
    let Some(any) = coming.or(leaving) else { return };
    let (namespace, name) = (&*any.namespace, &*any.name);
    let matching = snapshot.matching;
    let apps = |deployment: Option<&Arc<Deployment>>| -> Vec<String> {
        let apps = deployment
            .map(|deployment| deployment.apps(matching))
            .unwrap_or_default();
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

/// All Deployments by namespace and claimed app; the lists of `before` that did not change stay.
fn claimants(matching: Matching, deployments: &Table<Deployment>, before: &Table<Claimants>) -> Table<Claimants> {
    let mut lists: BTreeMap<(&str, &str), Vec<Arc<Deployment>>> = BTreeMap::new();
    for deployment in deployments.iter() {
        for app in deployment.apps(matching) {
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

    /// The kind's name in the API, as metrics say it.
    pub const fn as_str(self) -> &'static str {
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
        /// The objects; those that did not change best as [`Index::known_persona`] and [`Index::known_deployment`] give
        /// them.
        objects: Vec<Arc<T>>,
        /// Namespace and name of those that are there and cannot be read: the last version that could be stays.
        kept: Vec<(String, String)>,
    },
}

/// The current snapshot, and which kinds were ever filled: what was not must not be answered from, since empty would
/// mean "nobody governs anything".
#[derive(Debug, Default)]
pub struct Index {
    current: ArcSwap<Snapshot>,
    /// Writers take turns; readers do not know of it. While somebody reads the last snapshot but one, it is kept here
    /// until the next turn: a review must not be the one that takes ten thousand entries apart.
    writing: Mutex<Option<Arc<Snapshot>>>,
    synced: [AtomicBool; Kind::ALL.len()],
    /// Requests that wait for a Deployment to be known.
    arrivals: Arrivals,
}

impl Index {
    /// An empty one, in which Deployments find their personas by that.
    pub fn new(matching: Matching) -> Index {
        Index {
            current: ArcSwap::from_pointee(Snapshot {
                matching,
                ..Snapshot::default()
            }),
            ..Index::default()
        }
    }

    /// What is known now. Cheap: one atomic load.
    pub fn load(&self) -> Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// Replaces everything at once.
    pub fn replace(&self, snapshot: Snapshot) {
        self.publish(|current| {
            *current = Snapshot {
                matching: current.matching,
                ..snapshot
            };
        });
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

    /// How a persona is best listed: as the entry that is here, when it says the same. Asked as the objects come, it
    /// keeps a list of 100,000 that are known from needing the memory of as many more.
    pub fn known_persona(&self, stored: StoredPersona) -> Arc<StoredPersona> {
        self.load().recognise(Arc::new(stored))
    }

    /// The same for a Deployment.
    pub fn known_deployment(&self, deployment: Deployment) -> Arc<Deployment> {
        let now = self.load();
        now.deployments.reuse(Arc::new(deployment.slim(now.matching)))
    }

    /// Takes up what happened to personas. Returns the apps about which more than a status has changed.
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
                // Built aside: only the swap takes the writers' turn, and only we write this kind.
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

    /// Takes up what happened to namespaces.
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

    /// Takes up what happened to Deployments. Returns the apps that those claim, or claimed, which really changed.
    pub fn deployments(&self, change: Change<Deployment>) -> Vec<AppKey> {
        let matching = self.load().matching;
        let mut touched = Touched::default();
        match change {
            Change::Put(object) => {
                let object = Arc::new(object.slim(matching));
                self.publish(|now| {
                    let (namespace, name) = object.key();
                    let before = now.deployments.get(namespace, name).cloned();
                    if before.as_ref().is_some_and(|there| there.same(&object)) {
                        return;
                    }
                    touched.claimed(matching, before.as_deref());
                    touched.claimed(matching, Some(&object));
                    reclaim(now, before.as_ref(), Some(&object));
                    now.deployments.put(Arc::clone(&object));
                });
                let (namespace, name) = object.key();
                self.arrivals.came(namespace, name);
            }
            Change::Remove { namespace, name } => self.publish(|now| {
                let before = now.deployments.get(&namespace, &name).cloned();
                touched.claimed(matching, before.as_deref());
                reclaim(now, before.as_ref(), None);
                now.deployments.remove(&namespace, &name, "");
            }),
            Change::Replace { objects, kept } => {
                let before = Snapshot::clone(&self.load());
                let deployments = relisted(&before.deployments, objects, &kept);
                let claimants = claimants(before.matching, &deployments, &before.claimants);
                for deployment in before.deployments.differing(&deployments, |_, _| true) {
                    touched.claimed(matching, Some(deployment));
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

    /// Makes the next snapshot from the current one. Each kind has one writer, so what a writer knows of its own kind
    /// is never outdated; the lock is for what the other kinds publish meanwhile.
    fn publish(&self, change: impl FnOnce(&mut Snapshot)) {
        let mut retired = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Snapshot::clone(&self.current.load());
        change(&mut next);
        let before = self.current.swap(Arc::new(next));
        // The swap has given every reader its own share, so this counts them: where there is none, nothing is kept.
        *retired = (Arc::strong_count(&before) > 1).then_some(before);
    }

    fn sync(&self, kind: Kind) {
        self.synced[kind as usize].store(true, Ordering::Release);
    }
}

/// The entry to store: a persona whose demands did not change stays the one that readers know.
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
