//! Holds the open connections of one listener. It bounds their number, evicts the one with the smallest rank (`eviction`),
//! and knows whether any of them carries a request.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};

use super::eviction::{Address, MemoryRank, Wanted};
use super::stats::{CloseReason, Stats};
use super::track::{Connection, Phase};

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
    connections: Mutex<HashMap<u64, Arc<Connection>>>,
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
            connections: Mutex::default(),
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
    pub(super) fn enter(
        self: &Arc<Self>,
        connection: Arc<Connection>,
        slot: OwnedSemaphorePermit,
        stats: Arc<Stats>,
    ) -> Place {
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        self.connections().insert(key, connection);
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
        let connections = self.connections();
        let crowd = Crowd::of_places(self.places, connections.values());
        let (mut least, mut unproven) = (None, false);
        for connection in connections.values() {
            let state = connection.state();
            unproven |= state.is_unproven();
            let rank = state.eviction_rank(crowd.holds_too_much(connection.address), now);
            if let Some(rank) = rank.filter(|rank| least.is_none_or(|(least, _)| *rank < least)) {
                least = Some((rank, connection));
            }
        }
        match least {
            Some((rank, connection)) if !(rank.is_valuable() && (unproven || going)) => {
                connection.change(|state| state.evict(rank.turn, Wanted::Place, now));
                true
            }
            _ => false,
        }
    }

    /// Evicts the slowest bodies until `bytes` will be free, of `total` that all share; only those of one address where `only`
    /// is given. Returns false when none is slow.
    pub(super) fn evict_bodies(&self, bytes: usize, total: usize, only: Option<Address>, asking: &Connection) -> bool {
        let now = Instant::now();
        let connections = self.connections();
        let crowd = Crowd::of_memory(total, connections.values());
        let mut slow: Vec<(MemoryRank, u64, &Arc<Connection>)> = Vec::new();
        for connection in connections.values() {
            let held = connection.held();
            if held == 0
                || std::ptr::eq(&raw const **connection, asking)
                || only.is_some_and(|only| connection.address != only)
            {
                continue;
            }
            let state = connection.state();
            // A connection that has shown something is never cut for its address.
            if let Some(rank) = state.body_rank(crowd.holds_too_much(connection.address), now)
                && (only.is_none() || !state.shown)
            {
                slow.push((rank.for_memory(held), rank.turn, connection));
            }
        }
        slow.sort_unstable_by_key(|(rank, ..)| *rank);
        let mut freed = 0;
        for (_, turn, connection) in &slow {
            if freed >= bytes {
                break;
            }
            freed += connection.held();
            connection.change(|state| state.evict(*turn, Wanted::Memory, now));
        }
        !slow.is_empty()
    }

    /// Whether this address, with one connection that has shown nothing and needs `bytes` more, would hold more than half of
    /// what is left for such connections of `limit` bytes, of which `held` are held.
    pub(super) fn would_crowd(&self, asking: &Connection, bytes: usize, limit: usize, held: usize) -> bool {
        let (mut own, mut strangers) = (bytes, 0);
        for connection in self.connections().values() {
            let holds = connection.held();
            if holds == 0 || connection.state().shown {
                continue;
            }
            strangers += holds;
            if connection.address == asking.address && !std::ptr::eq(&raw const **connection, asking) {
                own += holds;
            }
        }
        let left = limit.saturating_sub(held.saturating_sub(strangers));
        own > left / 2
    }

    /// Waits until no connection carries a request.
    pub(super) async fn quiet(&self) {
        while self
            .connections()
            .values()
            .any(|connection| connection.state().in_flight())
        {
            tokio::select! {
                () = self.ended.notified() => {}
                () = sleep(QUIET_TICK) => {}
            }
        }
    }

    /// Asks every connection to end when it is next idle.
    pub(super) fn leave(&self) {
        let now = Instant::now();
        for connection in self.connections().values() {
            connection.change(|state| state.leave(now));
        }
    }

    fn connections(&self) -> MutexGuard<'_, HashMap<u64, Arc<Connection>>> {
        // Only single map operations happen under this lock.
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much the connections of each address hold that have shown nothing.
struct Crowd {
    held: HashMap<Address, usize>,
    /// What is left for all of them.
    left: usize,
}

impl Crowd {
    fn of_places<'t>(places: usize, connections: impl Iterator<Item = &'t Arc<Connection>>) -> Crowd {
        Crowd::new(places, connections.map(|connection| (connection, 1)))
    }

    fn of_memory<'t>(total: usize, connections: impl Iterator<Item = &'t Arc<Connection>>) -> Crowd {
        Crowd::new(total, connections.map(|connection| (connection, connection.held())))
    }

    fn new<'t>(total: usize, connections: impl Iterator<Item = (&'t Arc<Connection>, usize)>) -> Crowd {
        let mut crowd = Crowd {
            held: HashMap::new(),
            left: total,
        };
        for (connection, holds) in connections {
            let state = connection.state();
            // It makes room before any other that has shown something, so it takes nothing from strangers.
            if state.phase == Phase::Upgraded {
                continue;
            }
            if state.shown {
                crowd.left = crowd.left.saturating_sub(holds);
            } else {
                *crowd.held.entry(connection.address).or_default() += holds;
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
        self.registry.connections().remove(&self.key);
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
