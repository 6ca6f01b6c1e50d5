//! The open connections of one listener: how many there may be, which one is evicted, whether any carries a request.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};

use super::eviction::{Address, MemoryRank, Wanted};
use super::stats::{CloseReason, Stats};
use super::track::Track;

/// How long to wait for an evicted connection to end before another is evicted.
const EVICTION_PATIENCE: Duration = Duration::from_millis(10);

/// The same, when the next one to evict has sent a sensible request: on a busy machine an evicted connection takes longer to
/// end.
const EVICTION_PATIENCE_WITH_OTHERS: Duration = Duration::from_millis(250);

/// How often an emptying listener checks by itself. Connections notify it when they end; the tick covers an answer that was
/// already on its way when the drain began and therefore did not close its connection.
const QUIET_TICK: Duration = Duration::from_millis(50);

/// Every open connection.
#[derive(Debug)]
pub(super) struct Registry {
    tracks: Mutex<HashMap<u64, Arc<Track>>>,
    places: usize,
    next: AtomicU64,
    slots: Arc<Semaphore>,
    ended: Notify,
}

/// A connection's place in the registry. Dropping it releases the place and counts why the connection ended.
pub(super) struct Place {
    /// What ended the connection. Until its task sets it: a drain's cut-off, or a panic.
    reason: CloseReason,
    registry: Arc<Registry>,
    stats: Arc<Stats>,
    key: u64,
    _slot: OwnedSemaphorePermit,
}

impl Registry {
    pub(super) fn new(max_connections: usize) -> Registry {
        let places = max_connections.clamp(1, Semaphore::MAX_PERMITS);
        Registry {
            tracks: Mutex::default(),
            places,
            next: AtomicU64::new(0),
            slots: Arc::new(Semaphore::new(places)),
            ended: Notify::new(),
        }
    }

    /// A free place, if there is one.
    pub(super) fn try_slot(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.slots).try_acquire_owned().ok()
    }

    /// A place, freed by evicting the most dispensable connection if necessary. Waits while every connection carries a request.
    pub(super) async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        let mut asked = None::<Instant>;
        loop {
            let going = asked.is_some_and(|at| at.elapsed() < EVICTION_PATIENCE_WITH_OTHERS);
            if self.evict_one(going) {
                asked = Some(Instant::now());
            }
            tokio::select! {
                slot = Arc::clone(&self.slots).acquire_owned() => return slot.ok(),
                () = sleep(EVICTION_PATIENCE) => {}
            }
        }
    }

    /// Registers a connection that holds a slot.
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

    /// Evicts the most dispensable connection, and returns whether it did. It evicts none that has shown something while
    /// unproven connections are about to show what they are: an API server does not retry a request that arrives at a closing
    /// connection, and an attacker can open any number of connections. Nor does it while another evicted one is still `going`.
    pub(super) fn evict_one(&self, going: bool) -> bool {
        let now = Instant::now();
        let tracks = self.tracks();
        let crowd = Crowd::of_places(self.places, tracks.values());
        let (mut least, mut unproven) = (None, false);
        for track in tracks.values() {
            let state = track.state();
            unproven |= state.is_unproven();
            let rank = state.eviction_rank(crowd.holds_too_much(track.address), now);
            if let Some(rank) = rank.filter(|rank| least.is_none_or(|(least, _)| *rank < least)) {
                least = Some((rank, track));
            }
        }
        match least {
            Some((rank, track)) if !(rank.is_of_use() && (unproven || going)) => {
                track.nudge(|state| state.evict(rank.turn, Wanted::Place, now));
                true
            }
            _ => false,
        }
    }

    /// Evicts the slowest bodies until `bytes` will be free, of `total` that all share; only those of one address where `only`
    /// is given. Returns false when none is slow.
    pub(super) fn evict_bodies(&self, bytes: usize, total: usize, only: Option<Address>, asking: &Track) -> bool {
        let now = Instant::now();
        let tracks = self.tracks();
        let crowd = Crowd::of_memory(total, tracks.values());
        let mut slow: Vec<(MemoryRank, u64, &Arc<Track>)> = Vec::new();
        for track in tracks.values() {
            let held = track.held();
            if held == 0 || std::ptr::eq(&raw const **track, asking) || only.is_some_and(|only| track.address != only) {
                continue;
            }
            let state = track.state();
            // A connection that has shown something is never cut for its address.
            if let Some(rank) = state.body_rank(crowd.holds_too_much(track.address), now)
                && (only.is_none() || !state.shown)
            {
                slow.push((rank.for_memory(held), rank.turn, track));
            }
        }
        slow.sort_unstable_by_key(|(rank, ..)| *rank);
        let mut freed = 0;
        for (_, turn, track) in &slow {
            if freed >= bytes {
                break;
            }
            freed += track.held();
            track.nudge(|state| state.evict(*turn, Wanted::Memory, now));
        }
        !slow.is_empty()
    }

    /// Whether this address, with one connection that has shown nothing and needs `bytes` more, would hold more than half of
    /// what is left for such connections of `limit` bytes, of which `held` are held.
    pub(super) fn would_crowd(&self, asking: &Track, bytes: usize, limit: usize, held: usize) -> bool {
        let (mut own, mut strangers) = (bytes, 0);
        for track in self.tracks().values() {
            let holds = track.held();
            if holds == 0 || track.state().shown {
                continue;
            }
            strangers += holds;
            if track.address == asking.address && !std::ptr::eq(&raw const **track, asking) {
                own += holds;
            }
        }
        let left = limit.saturating_sub(held.saturating_sub(strangers));
        own > left / 2
    }

    /// Waits until no connection carries a request.
    pub(super) async fn quiet(&self) {
        while self.tracks().values().any(|track| track.state().in_flight()) {
            tokio::select! {
                () = self.ended.notified() => {}
                () = sleep(QUIET_TICK) => {}
            }
        }
    }

    /// Asks every connection to end when it is next idle.
    pub(super) fn leave(&self) {
        let now = Instant::now();
        for track in self.tracks().values() {
            track.nudge(|state| state.leave(now));
        }
    }

    fn tracks(&self) -> MutexGuard<'_, HashMap<u64, Arc<Track>>> {
        // Only single map operations happen under this lock.
        self.tracks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much the connections of each address hold that have shown nothing.
struct Crowd {
    held: HashMap<Address, usize>,
    /// What is left for all of them.
    left: usize,
}

impl Crowd {
    fn of_places<'t>(places: usize, tracks: impl Iterator<Item = &'t Arc<Track>>) -> Crowd {
        Crowd::new(places, tracks.map(|track| (track, 1)))
    }

    fn of_memory<'t>(total: usize, tracks: impl Iterator<Item = &'t Arc<Track>>) -> Crowd {
        Crowd::new(total, tracks.map(|track| (track, track.held())))
    }

    fn new<'t>(total: usize, tracks: impl Iterator<Item = (&'t Arc<Track>, usize)>) -> Crowd {
        let mut crowd = Crowd {
            held: HashMap::new(),
            left: total,
        };
        for (track, holds) in tracks {
            if track.state().shown {
                crowd.left = crowd.left.saturating_sub(holds);
            } else {
                *crowd.held.entry(track.address).or_default() += holds;
            }
        }
        crowd
    }

    fn holds_too_much(&self, address: Address) -> bool {
        self.held.get(&address).is_some_and(|held| *held > self.left / 2)
    }
}

impl Place {
    /// Releases the place of a connection that ended for this reason.
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
