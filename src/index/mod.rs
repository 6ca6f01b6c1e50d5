//! Holds the only state that reviews and controllers share: which personas govern which app. Readers take a snapshot without
//! a lock and without waiting, and never write. A writer builds the next snapshot from a copy and swaps the pointer.
//!
//! Start reading at [`Index::load`] for queries, at [`Change`] for updates. The index knows neither the cluster nor files.
//! Both feed it through the same five functions, one for each kind: personas, namespaces, Deployments, exceptions, and what
//! ClusterPersonas require.

mod affected;
mod arrivals;
mod basis;
mod clock;
mod defaults;
mod entries;
pub mod fingerprint;
mod governing;
mod granted;
mod proposed;
mod shared;
mod snapshot;
mod table;
mod tally;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};

use crate::policy::exception::MaxLength;
use crate::policy::{Matching, PlatformRules};
use affected::AffectedApps;
pub use affected::AppKey;
use arrivals::Arrivals;
pub use arrivals::{Arrival, MAX_WAITING};
pub use basis::Basis;
pub use clock::Clock;
use defaults::Defaults;
pub use entries::{AppLabels, ClusterRules, Deployment, Namespace, Running, StoredException, StoredPersona};
pub use fingerprint::StatusFingerprint;
use shared::Shared;
pub use snapshot::Snapshot;
use snapshot::{app_deployments, governors, reclaim, settled};
use table::{Keyed, Table};
pub use tally::Tally;

/// The kinds the index holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// ApplicationPersona.
    Persona,
    /// Namespace.
    Namespace,
    /// Deployment.
    Deployment,
    /// ClusterPersona, of which only the platform's rules are kept.
    ClusterPersona,
    /// PersonaException.
    Exception,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 5] = [
        Kind::Persona,
        Kind::Namespace,
        Kind::Deployment,
        Kind::ClusterPersona,
        Kind::Exception,
    ];

    /// The kind's name in the API, as in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Persona => "ApplicationPersona",
            Kind::Namespace => "Namespace",
            Kind::Deployment => "Deployment",
            Kind::ClusterPersona => "ClusterPersona",
            Kind::Exception => "PersonaException",
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
        /// The objects. Those that did not change should come from [`Index::reuse_persona`] and [`Index::reuse_deployment`].
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
    /// What the flags of the process require, before what ClusterPersonas do.
    flags: PlatformRules,
    clock: Clock,
}

impl Index {
    /// An empty index in which Deployments are matched by these names, and levels are required by these flags.
    pub fn new(matching: Matching, flags: PlatformRules) -> Index {
        Index {
            current: ArcSwap::from_pointee(Snapshot {
                matching,
                platform: Arc::new(flags.clone()),
                ..Snapshot::default()
            }),
            flags,
            ..Index::default()
        }
    }

    /// The same with exceptions that last this long at most.
    #[must_use]
    pub fn allowing(self, max: MaxLength) -> Index {
        self.publish(|now| Arc::make_mut(&mut now.granted).max = max);
        self
    }

    /// The same with another clock, which a test moves.
    #[must_use]
    pub fn by_clock(self, clock: Clock) -> Index {
        Index { clock, ..self }
    }

    /// The current snapshot: one atomic load.
    pub fn load(&self) -> Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// The same index, in which the default personas of this namespace also govern others.
    #[must_use]
    pub fn with_platform_defaults(self, namespace: Option<&str>) -> Index {
        self.publish(|now| now.defaults = Arc::new(Defaults::of_platform(namespace)));
        self
    }

    /// Replaces everything at once, but which names match a Deployment, which namespace's default personas govern others, and
    /// how long an exception may last.
    pub fn replace(&self, snapshot: Snapshot) {
        self.publish(|current| {
            let max = current.granted.max;
            let defaults = current
                .defaults
                .with_all(snapshot.personas.iter().map(|stored| &stored.persona));
            *current = Snapshot {
                matching: current.matching,
                defaults: Arc::new(defaults),
                ..snapshot
            };
            Arc::make_mut(&mut current.granted).max = max;
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

    /// The entry to list for a persona: the stored one when it is equal. Called for each object as it arrives, so that a list
    /// of 100,000 known personas does not need their memory twice.
    pub fn reuse_persona(&self, stored: StoredPersona) -> Arc<StoredPersona> {
        self.load().reuse(Arc::new(stored))
    }

    /// The same for a Deployment.
    pub fn reuse_deployment(&self, deployment: Deployment) -> Arc<Deployment> {
        let now = self.load();
        now.deployments.reuse(Arc::new(deployment.slim(now.matching)))
    }

    /// Applies a change of personas. Returns the apps about which more than a status has changed.
    pub fn personas(&self, change: Change<StoredPersona>) -> Vec<AppKey> {
        let mut affected = AffectedApps::default();
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
                affected.persona(now, before);
                let persona = Arc::clone(&stored.persona);
                if let Some(moved) = before.filter(|before| before.app != persona.app) {
                    now.release(moved);
                }
                now.govern(&persona);
                now.put_persona(stored);
                affected.persona(now, Some(&persona));
            }),
            Change::Remove { namespace, name } => self.publish(|now| {
                let Some(before) = now.personas.get(&namespace, &name).cloned() else {
                    return;
                };
                affected.persona(now, Some(&before.persona));
                now.remove_persona(&before);
            }),
            Change::Replace { objects, kept } => {
                // The new table is built outside the lock. Only the swap needs the writers' turn, and this kind has no other
                // writer.
                let before = Snapshot::clone(&self.load());
                let settle = |stored: Arc<StoredPersona>| before.reuse(stored);
                let personas = relisted(&before.personas, objects.into_iter().map(settle), &kept);
                let governors = governors(&personas);
                let shared = Shared::all(&governors);
                let defaults = before.defaults.with_all(personas.iter().map(|stored| &stored.persona));
                let tally = Tally::of(personas.iter().map(Arc::as_ref));
                let differ = |a: &StoredPersona, b: &StoredPersona| !a.demands_same(b);
                let changed = before.personas.differing(&personas, differ);
                let changed: Vec<Arc<StoredPersona>> = changed.cloned().collect();
                self.publish(|now| {
                    for stored in &changed {
                        affected.persona(now, Some(&stored.persona));
                    }
                    now.personas = personas;
                    now.tally = tally;
                    now.governors = governors;
                    now.shared = shared;
                    now.defaults = Arc::new(defaults);
                    for stored in &changed {
                        affected.persona(now, Some(&stored.persona));
                    }
                });
                self.sync(Kind::Persona);
            }
        }
        affected.into_keys()
    }

    /// Applies a change of namespaces. Returns the apps of the default personas that govern other namespaces.
    pub fn namespaces(&self, change: Change<Namespace>) -> Vec<AppKey> {
        let mut affected = AffectedApps::default();
        let mut listed = false;
        self.publish(|now| {
            let before = now.namespaces.edition();
            match change {
                Change::Put(object) => {
                    let (namespace, name) = object.key();
                    let there = now.namespaces.get(namespace, name);
                    if !there.is_some_and(|there| there.same(&object)) {
                        now.namespaces.put(Arc::new(object));
                    }
                }
                Change::Remove { namespace, name } => drop(now.namespaces.remove(&namespace, &name, "")),
                Change::Replace { objects, kept } => {
                    now.namespaces = relisted(&now.namespaces, objects, &kept);
                    listed = true;
                }
            }
            if before != now.namespaces.edition()
                && let Some(platform) = now.defaults.platform()
            {
                affected.defaults(now, platform);
            }
        });
        if listed {
            self.sync(Kind::Namespace);
        }
        affected.into_keys()
    }

    /// Applies a change of what ClusterPersonas require. Returns the apps of all personas where it has an effect.
    pub fn cluster_rules(&self, change: Change<ClusterRules>) -> Vec<AppKey> {
        let mut affected = AffectedApps::default();
        let mut listed = false;
        self.publish(|now| {
            match change {
                Change::Put(rules) => now.cluster_rules.put(Arc::new(rules)),
                Change::Remove { namespace, name } => drop(now.cluster_rules.remove(&namespace, &name, "")),
                Change::Replace { objects, kept } => {
                    now.cluster_rules = relisted(&now.cluster_rules, objects, &kept);
                    listed = true;
                }
            }
            let lists = now.cluster_rules.iter().map(|rules| &*rules.rules);
            let platform = self.flags.or(&PlatformRules::of_cluster(lists));
            if platform != *now.platform {
                now.platform = Arc::new(platform);
                for stored in now.personas.iter() {
                    affected.persona(now, Some(&stored.persona));
                }
            }
        });
        if listed {
            self.sync(Kind::ClusterPersona);
        }
        affected.into_keys()
    }

    /// Applies a change of Deployments. Returns the apps of those that really changed, before and after.
    pub fn deployments(&self, change: Change<Deployment>) -> Vec<AppKey> {
        let matching = self.load().matching;
        let mut affected = AffectedApps::default();
        match change {
            Change::Put(object) => {
                let object = Arc::new(object.slim(matching));
                self.publish(|now| {
                    let (namespace, name) = object.key();
                    let before = now.deployments.get(namespace, name).cloned();
                    if before.as_ref().is_some_and(|there| there.same(&object)) {
                        return;
                    }
                    affected.deployment(now, before.as_deref());
                    affected.deployment(now, Some(&object));
                    reclaim(now, before.as_ref(), Some(&object));
                    now.deployments.put(Arc::clone(&object));
                });
                let (namespace, name) = object.key();
                self.arrivals.came(namespace, name);
            }
            Change::Remove { namespace, name } => self.publish(|now| {
                let before = now.deployments.get(&namespace, &name).cloned();
                affected.deployment(now, before.as_deref());
                reclaim(now, before.as_ref(), None);
                now.deployments.remove(&namespace, &name, "");
            }),
            Change::Replace { objects, kept } => {
                let before = Snapshot::clone(&self.load());
                let deployments = relisted(&before.deployments, objects, &kept);
                let app_deployments = app_deployments(before.matching, &deployments, &before.app_deployments);
                for deployment in before.deployments.differing(&deployments, |_, _| true) {
                    affected.deployment(&before, Some(deployment));
                }
                self.publish(|now| {
                    now.deployments = deployments;
                    now.app_deployments = app_deployments;
                });
                self.sync(Kind::Deployment);
                let now = self.load();
                self.arrivals
                    .listed(|namespace, name| now.deployment(namespace, name).is_some());
            }
        }
        affected.into_keys()
    }

    /// Copies the current snapshot, applies `change` to the copy, and makes the copy current. The lock is held meanwhile, since
    /// the writers of other kinds publish, too, and one of two concurrent copies would be lost.
    ///
    /// A kind has only one writer. So what a writer has computed about its own kind before this call is still valid here.
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
