//! The open connections of one listener: how many there may be, which one makes room, whether any carries a request.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};

use super::eviction::{Address, MemoryRank, Wanted};
use super::stats::{CloseReason, Stats};
use super::track::Track;

/// How long to wait for an evicted connection to go before another one is asked.
const EVICTION_PATIENCE: Duration = Duration::from_millis(10);

/// The same before one is asked that has asked something sensible: on a busy machine an evicted one takes its time to go.
const EVICTION_PATIENCE_WITH_OTHERS: Duration = Duration::from_millis(250);

/// How often an emptying listener looks again without being told. Connections tell when they end; the tick covers an
/// answer that was already on its way when the drain began and therefore did not close its connection.
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
        let places = max_connections.clamp(1, Semaphore::MAX_PERMITS);
        Registry {
            tracks: Mutex::default(),
            places,
            next: AtomicU64::new(0),
            slots: Arc::new(Semaphore::new(places)),
            ended: Notify::new(),
        }
    }

    /// A place, if there is one.
    pub(super) fn try_slot(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.slots).try_acquire_owned().ok()
    }

    /// A place, made by asking the most dispensable connection to go; while every connection carries a request, this waits.
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

    /// Asks the most dispensable connection to go. False when none is, and while those that are about to show what they are
    /// here for would push out one that has: an API server does not send a request again that meets the closing of its
    /// connection, and strangers can open as many as they like. Nor while another one is `going` already.
    pub(super) fn evict_one(&self, going: bool) -> bool {
        let now = Instant::now();
        let tracks = self.tracks();
        let crowd = Crowd::of_places(self.places, tracks.values());
        let (mut least, mut unproven) = (None, false);
        for track in tracks.values() {
            let course = track.course();
            unproven |= course.is_unproven();
            let rank = course.eviction_rank(crowd.holds_too_much(track.address), now);
            if let Some(rank) = rank.filter(|rank| least.is_none_or(|(least, _)| *rank < least)) {
                least = Some((rank, track));
            }
        }
        match least {
            Some((rank, track)) if !(rank.is_of_use() && (unproven || going)) => {
                track.nudge(|course| course.evict(rank.turn, Wanted::Place, now));
                true
            }
            _ => false,
        }
    }

    /// Asks the slowest bodies to go until so many bytes will be free, of `total` that all share; only those of one address
    /// where it is given. False when none is slow.
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
            let course = track.course();
            // A connection that has shown something is never cut for its address.
            if let Some(rank) = course.body_rank(crowd.holds_too_much(track.address), now)
                && (only.is_none() || !course.shown)
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
            track.nudge(|course| course.evict(*turn, Wanted::Memory, now));
        }
        !slow.is_empty()
    }

    /// Whether an address, one of whose connections has shown nothing and wants to hold so many bytes, would then hold more
    /// than half of what is left for strangers of `limit` bytes, of which `held` are held.
    pub(super) fn would_crowd(&self, asking: &Track, bytes: usize, limit: usize, held: usize) -> bool {
        let (mut own, mut strangers) = (bytes, 0);
        for track in self.tracks().values() {
            let holds = track.held();
            if holds == 0 || track.course().shown {
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

/// How much of something the strangers of each address hold: those that have shown nothing.
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
            if track.course().shown {
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
