//! Lets a request wait until a Deployment is known. A Scale does not name its app, its Deployment does, and a watch may be
//! some milliseconds behind the API server.
//!
//! A writer of the index pays one lock that is nearly always free; a reader pays nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use super::Index;

/// How many requests may wait at once. Each holds its body in memory.
pub const MAX_WAITING: usize = 64;

/// The requests that wait.
#[derive(Debug, Default)]
pub(super) struct Arrivals(Mutex<Vec<Arc<Awaited>>>);

#[derive(Debug)]
struct Awaited {
    namespace: String,
    name: String,
    arrived: Notify,
}

/// A place among the waiting requests, until it is dropped.
#[derive(Debug)]
pub struct Arrival<'i> {
    index: &'i Index,
    awaited: Arc<Awaited>,
}

impl Index {
    /// A place among the waiting requests, for this Deployment; `None` when [`MAX_WAITING`] wait already.
    pub fn arrival(&self, namespace: &str, name: &str) -> Option<Arrival<'_>> {
        let mut waiting = self.arrivals.lock();
        if waiting.len() >= MAX_WAITING {
            return None;
        }
        let awaited = Arc::new(Awaited {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            arrived: Notify::new(),
        });
        waiting.push(Arc::clone(&awaited));
        Some(Arrival { index: self, awaited })
    }
}

impl Arrival<'_> {
    /// Resolves when the Deployment is known, or after `patience`.
    pub async fn within(self, patience: Duration) {
        let Awaited {
            namespace,
            name,
            arrived,
        } = &*self.awaited;
        // The Deployment may have been published before the place was taken.
        if self.index.load().deployment(namespace, name).is_none() {
            // After the timeout the request is decided without it.
            let _ = timeout(patience, arrived.notified()).await;
        }
    }
}

impl Drop for Arrival<'_> {
    fn drop(&mut self) {
        let mut waiting = self.index.arrivals.lock();
        waiting.retain(|other| !Arc::ptr_eq(other, &self.awaited));
    }
}

impl Arrivals {
    /// Call after a Deployment was published.
    pub(super) fn came(&self, namespace: &str, name: &str) {
        let waiting = self.lock();
        let for_it = |awaited: &&Arc<Awaited>| awaited.name == name && awaited.namespace == namespace;
        waiting
            .iter()
            .filter(for_it)
            .for_each(|awaited| awaited.arrived.notify_one());
    }

    /// Call after a list of all Deployments was published.
    pub(super) fn listed(&self, is_there: impl Fn(&str, &str) -> bool) {
        let waiting = self.lock();
        let there = waiting
            .iter()
            .filter(|awaited| is_there(&awaited.namespace, &awaited.name));
        there.for_each(|awaited| awaited.arrived.notify_one());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Awaited>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
