//! The open connections of one listener: how many there may be, which one makes room, whether any carries a request.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};

use super::stats::{CloseReason, Stats};
use super::track::Track;

/// How long to wait for an evicted connection to go before another one is asked.
const EVICTION_PATIENCE: Duration = Duration::from_millis(50);

/// How often an emptying listener looks again without being told. Connections tell when they end; the tick covers an
/// answer that was already on its way when the drain began and therefore did not close its connection.
const QUIET_TICK: Duration = Duration::from_millis(50);

/// Every open connection.
#[derive(Debug)]
pub(super) struct Registry {
    tracks: Mutex<HashMap<u64, Arc<Track>>>,
    next: AtomicU64,
    slots: Arc<Semaphore>,
    ended: Notify,
}

/// A connection's place in the registry; dropping it gives the place back and counts why the connection ended.
pub(super) struct Place {
    /// What ended the connection; a drain's cut-off, or a panic, until its task says otherwise.
    reason: CloseReason,
    registry: Arc<Registry>,
    stats: Arc<Stats>,
    key: u64,
    _slot: OwnedSemaphorePermit,
}

impl Registry {
    pub(super) fn new(max_connections: usize) -> Registry {
        Registry {
            tracks: Mutex::default(),
            next: AtomicU64::new(0),
            slots: Arc::new(Semaphore::new(max_connections.clamp(1, Semaphore::MAX_PERMITS))),
            ended: Notify::new(),
        }
    }

    /// A place, if there is one.
    pub(super) fn try_slot(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.slots).try_acquire_owned().ok()
    }

    /// A place, made by asking the most dispensable connection to go; while every connection carries a request, this waits.
    pub(super) async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        loop {
            self.evict_one();
            tokio::select! {
                slot = Arc::clone(&self.slots).acquire_owned() => return slot.ok(),
                () = sleep(EVICTION_PATIENCE) => {}
            }
        }
    }

    /// Enters a connection that holds a slot.
    pub(super) fn enter(self: &Arc<Self>, track: Arc<Track>, slot: OwnedSemaphorePermit, stats: Arc<Stats>) -> Place {
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        self.tracks().insert(key, track);
        Place {
            reason: CloseReason::Drained,
            registry: Arc::clone(self),
            stats,
            key,
            _slot: slot,
        }
    }

    /// Asks the most dispensable connection to go. False when none is, and while those that have yet to show what they are
    /// here for would push out one that has: an API server does not send a request again that meets the closing of its
    /// connection, and strangers can open as many as they like.
    pub(super) fn evict_one(&self) -> bool {
        let now = Instant::now();
        let tracks = self.tracks();
        let (mut least, mut unproven) = (None, false);
        for track in tracks.values() {
            let course = track.course();
            unproven |= course.is_unproven();
            let rank = course.eviction_rank(now);
            if let Some(rank) = rank.filter(|rank| least.is_none_or(|(least, _)| *rank < least)) {
                least = Some((rank, track));
            }
        }
        match least {
            Some((rank, track)) if !(rank.is_of_use() && unproven) => {
                track.nudge(|course| course.evict(rank.turn));
                true
            }
            _ => false,
        }
    }

    /// Waits until no connection carries a request.
    pub(super) async fn quiet(&self) {
        while self.tracks().values().any(|track| track.course().in_flight()) {
            tokio::select! {
                () = self.ended.notified() => {}
                () = sleep(QUIET_TICK) => {}
            }
        }
    }

    /// Asks every connection to end at its next idle moment.
    pub(super) fn leave(&self) {
        let now = Instant::now();
        for track in self.tracks().values() {
            track.nudge(|course| course.leave(now));
        }
    }

    fn tracks(&self) -> MutexGuard<'_, HashMap<u64, Arc<Track>>> {
        // Only single map operations happen under this lock.
        self.tracks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Gives the place back, the connection having ended for this reason.
    pub(super) fn ended(mut self, reason: CloseReason) {
        self.reason = reason;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.registry.tracks().remove(&self.key);
        self.registry.ended.notify_one();
        self.stats.count_closed(if std::thread::panicking() {
            CloseReason::Broken
        } else {
            self.reason
        });
    }
}

#[cfg(test)]
mod tests;
