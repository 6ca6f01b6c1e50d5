//! Holds the exceptions: by name, as a controller reads them, and by what they are for, as a review searches for them.

use std::sync::Arc;

use super::affected::{AffectedApps, AppKey};
use super::entries::{Deployment, StoredException};
use super::table::{Keyed, Table};
use super::{Change, Index, Kind, Snapshot, relisted};
use crate::policy::exception::{Exceptions, MaxLength, Target};
use crate::policy::{Exception, Moment};

/// All exceptions.
#[derive(Clone, Debug, Default)]
pub(super) struct Granted {
    by_name: Table<StoredException>,
    to_apps: Table<Exception>,
    to_deployments: Table<Exception>,
    /// How long one may last.
    pub(super) max: MaxLength,
}

impl Granted {
    fn of(&mut self, exception: &Exception) -> &mut Table<Exception> {
        match exception.target {
            Target::App(_) => &mut self.to_apps,
            Target::Deployment(_) => &mut self.to_deployments,
        }
    }

    fn put(&mut self, stored: StoredException) {
        let exception = Arc::clone(&stored.exception);
        self.remove(&exception.namespace, &exception.name);
        self.of(&exception).put(Arc::clone(&exception));
        self.by_name.put(Arc::new(stored));
    }

    fn remove(&mut self, namespace: &str, name: &str) {
        if let Some(stored) = self.by_name.get(namespace, name).cloned() {
            let (namespace, target) = stored.exception.key();
            self.of(&stored.exception)
                .remove(namespace, target, &stored.exception.name);
            self.by_name.remove(namespace, name, "");
        }
    }

    pub(super) fn relisted(by_name: Table<StoredException>, max: MaxLength) -> Granted {
        let mut granted = Granted {
            max,
            ..Granted::default()
        };
        for stored in by_name.iter() {
            granted.of(&stored.exception).put(Arc::clone(&stored.exception));
        }
        Granted { by_name, ..granted }
    }

    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }
}

impl Snapshot {
    /// The same with these exceptions, which may last as long as without a flag.
    #[must_use]
    pub fn granting(self, exceptions: impl IntoIterator<Item = Exception>) -> Snapshot {
        let stored = exceptions.into_iter().map(|exception| {
            Arc::new(StoredException {
                generation: 0,
                status: None,
                exception: Arc::new(exception),
            })
        });
        let granted = Granted::relisted(Table::build(stored), self.granted.max);
        Snapshot {
            granted: Arc::new(granted),
            ..self
        }
    }

    /// The exceptions for an app and a Deployment, which an object of them is judged with at this time. The clock is read only
    /// where there is one.
    pub fn exceptions(
        &self,
        namespace: &str,
        app: &str,
        deployment: &str,
        now: impl FnOnce() -> Moment,
    ) -> Exceptions<'_> {
        let granted = &*self.granted;
        if granted.len() == 0 {
            return Exceptions::default();
        }
        let found = Exceptions {
            of_app: granted.to_apps.all(namespace, app),
            of_workload: granted.to_deployments.all(namespace, deployment),
            ..Exceptions::default()
        };
        if found.is_empty() {
            return found;
        }
        Exceptions {
            now: now(),
            max: granted.max,
            ..found
        }
    }

    /// The Deployments that an exception is for, as a review judges them.
    pub fn excepted_deployments(&self, exception: &Exception) -> Vec<&Deployment> {
        let namespace = &*exception.namespace;
        match &exception.target {
            Target::App(app) => {
                let of_app = self.app_deployments.get(namespace, app);
                let all = of_app.iter().flat_map(|of_app| &of_app.deployments).map(Arc::as_ref);
                let is_governed = |deployment: &&Deployment| {
                    let (names, labels) = (deployment.names(), deployment.object_labels());
                    self.governed(namespace, names, labels, &mut None).app == &**app
                };
                all.filter(is_governed).collect()
            }
            Target::Deployment(name) => self.deployment(namespace, name).into_iter().collect(),
        }
    }

    /// The exception of that name.
    pub fn exception(&self, namespace: &str, name: &str) -> Option<&Arc<StoredException>> {
        self.granted.by_name.get(namespace, name)
    }

    /// All exceptions, in no order.
    pub fn all_exceptions(&self) -> impl Iterator<Item = &Arc<StoredException>> {
        self.granted.by_name.iter()
    }

    /// How long an exception may last.
    pub fn max_exception(&self) -> MaxLength {
        self.granted.max
    }
}

impl Index {
    /// The time, by which exceptions begin and end.
    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    /// Applies a change of exceptions. Returns the apps that they are for, before and after.
    pub fn exceptions(&self, change: Change<StoredException>) -> Vec<AppKey> {
        let mut affected = AffectedApps::default();
        let mut listed = false;
        self.publish(|now| match change {
            Change::Put(stored) => {
                let (namespace, name) = stored.key();
                let before = now.exception(namespace, name).cloned();
                if before.as_ref().is_some_and(|before| before.same(&stored)) {
                    return;
                }
                let is_same = |before: &Arc<StoredException>| before.exception == stored.exception;
                if !before.as_ref().is_some_and(is_same) {
                    let all = before.iter().map(|before| &before.exception).chain([&stored.exception]);
                    all.for_each(|exception| affected.exception(now, exception));
                }
                Arc::make_mut(&mut now.granted).put(stored);
            }
            Change::Remove { namespace, name } => {
                if let Some(before) = now.exception(&namespace, &name).cloned() {
                    affected.exception(now, &before.exception);
                    Arc::make_mut(&mut now.granted).remove(&namespace, &name);
                }
            }
            Change::Replace { objects, kept } => {
                let before = Arc::clone(&now.granted);
                let by_name = relisted(&before.by_name, objects, &kept);
                let differ = |a: &StoredException, b: &StoredException| a.exception != b.exception;
                for stored in before.by_name.differing(&by_name, differ) {
                    affected.exception(now, &stored.exception);
                }
                now.granted = Arc::new(Granted::relisted(by_name, before.max));
                listed = true;
            }
        });
        if listed {
            self.sync(Kind::Exception);
        }
        affected.into_keys()
    }
}
