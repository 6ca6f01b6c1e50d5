//! Decides which connection of a listener makes room (is evicted). This happens in two cases. In the first, the listener has
//! `Limits::max_connections` connections and another one arrives. In the second, the memory for request bodies is used up and
//! another body needs some; then only connections whose body arrives slowly are evicted. An evicted connection is closed. If
//! its request's body is still being read, that request is answered 503 first.
//!
//! The connection with the smallest [`Rank`] is evicted first. The order is: connections that are being closed already (first
//! case only); unproven connections of a crowding address; other unproven connections; proven connections. A connection without
//! a rank is never evicted, for example while its request is being handled or its body arrives quickly. A new connection waits
//! when no connection has a rank.
//!
//! A connection is proven (field `shown`) once the application has answered one of its requests as sensible, or has upgraded
//! it to another protocol. An address is crowding when its unproven connections hold more than half of what the proven
//! connections leave: of the places in the first case, of the memory in the second. A proven connection never counts against
//! its address, since some clouds bring every API server through one proxy, that is, from one address.

use std::cmp::Reverse;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use tokio::time::Instant;

use super::stats::CloseReason;
use super::track::{ConnectionState, Due, Phase};

/// When room is needed, a handshake or a head of this age, and a write that has waited this long for the peer, count as
/// stalled.
const STALLED: Duration = Duration::from_secs(1);

/// A body slower than this many bytes a second may have to make room. So may one that would not arrive whole within its limit.
const SLOW: u64 = 256 * 1024;

/// How long an evicted request may stay in its body. The reader of the body answers at once.
const EVICTION_BACKSTOP: Duration = Duration::from_millis(100);

/// What a connection is evicted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A new connection.
    Place,
    /// The body of another request.
    Memory,
}

/// The eviction of one connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Eviction {
    turn: u64,
    at: Instant,
    wanted: Wanted,
}

/// How dispensable a connection is: the smallest goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    group: Group,
    state: State,
    /// Bytes a second of its body.
    rate: u64,
    since: Instant,
    /// The turn in which this rank was computed; see `ConnectionState::evict`.
    pub(super) turn: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    /// No more answers will follow on it.
    Closing,
    /// Has shown nothing, and its address holds more than its share.
    Crowding,
    /// Has shown nothing.
    Stranger,
    /// Has sent a sensible request.
    Shown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Stalled,
    SlowBody,
    /// A handshake or a head that is not stalled yet.
    Young,
    /// It has left HTTP, so no review will come by it; its peer connects again.
    Upgraded,
    Idle,
}

impl Rank {
    /// Whether its connection will most likely carry a sensible request next.
    pub(super) fn is_valuable(&self) -> bool {
        self.group == Group::Shown && self.state == State::Idle
    }

    /// The order in which bodies make room for others: the order for places, and of equally slow ones the largest first.
    pub(super) fn for_memory(&self, held: usize) -> MemoryRank {
        MemoryRank(self.group, self.rate, Reverse(held))
    }
}

/// See [`Rank::for_memory`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MemoryRank(Group, u64, Reverse<usize>);

impl ConnectionState {
    /// See [`Rank`]. `crowding`: its address holds more than half of what is left. `None`: it must stay.
    pub(super) fn eviction_rank(&self, crowding: bool, now: Instant) -> Option<Rank> {
        // Already evicted, and about to close.
        if self.is_evicted() {
            return None;
        }
        let age = now.duration_since(self.since);
        let stalled = self.blocked.is_some_and(|at| now.duration_since(at) >= STALLED);
        let group = match (self.phase, self.shown, crowding) {
            (Phase::Closing, ..) => Group::Closing,
            (_, true, _) => Group::Shown,
            (_, false, true) => Group::Crowding,
            (_, false, false) => Group::Stranger,
        };
        let mut rate = 0;
        let state = match self.phase {
            Phase::Closing => State::Stalled,
            _ if stalled => State::Stalled,
            Phase::Handshake | Phase::Head if age >= STALLED => State::Stalled,
            Phase::Handshake | Phase::Head if !self.shown && age >= self.limits.patience => State::Young,
            // TLS was agreed on a moment ago, so its first request is most likely under way, and would not be sent again.
            Phase::Idle if !self.shown && !crowding && age < self.limits.patience => return None,
            Phase::Idle => State::Idle,
            Phase::Upgraded => State::Upgraded,
            Phase::Body => {
                rate = self.slow_rate(now)?;
                State::SlowBody
            }
            Phase::Handshake | Phase::Head | Phase::Handling | Phase::Flushing => return None,
        };
        Some(Rank {
            group,
            state,
            rate,
            since: self.since,
            turn: self.turn,
        })
    }

    /// Evicts this connection, unless it has moved on since `turn`.
    pub(super) fn evict(&mut self, turn: u64, wanted: Wanted, now: Instant) {
        self.evicted = Some(Eviction { turn, at: now, wanted });
    }

    /// Whether it was evicted and has not moved on since.
    pub(super) fn is_evicted(&self) -> bool {
        self.evicted.is_some_and(|eviction| eviction.turn == self.turn)
    }

    /// Whether the request whose body is being read was evicted. Marks it so if the eviction is of this turn.
    pub(super) fn ousted(&mut self) -> bool {
        let asked = self.is_evicted() && self.phase == Phase::Body;
        if asked {
            self.give_way();
        }
        asked
    }

    pub(super) fn give_way(&mut self) {
        self.ousted = true;
        self.hurried |= !self.shown && self.evicted.is_some_and(|eviction| eviction.wanted == Wanted::Place);
    }

    /// The reason to record for a connection that ended in order.
    pub(super) fn end(&self) -> CloseReason {
        if self.ousted {
            CloseReason::Evicted
        } else {
            CloseReason::Finished
        }
    }

    /// When an evicted connection must be gone.
    pub(super) fn eviction_due(&self) -> Option<Due> {
        let eviction = self.evicted.filter(|eviction| eviction.turn == self.turn)?;
        let at = match self.phase {
            Phase::Handshake | Phase::Idle | Phase::Head | Phase::Upgraded | Phase::Closing => self.since,
            Phase::Body => eviction.at + EVICTION_BACKSTOP,
            Phase::Handling | Phase::Flushing => self.blocked?,
        };
        Some(Due {
            at,
            reason: CloseReason::Evicted,
        })
    }

    /// The rank of a connection whose request's body is being read; `None` for all others.
    pub(super) fn body_rank(&self, crowding: bool, now: Instant) -> Option<Rank> {
        self.eviction_rank(crowding, now).filter(|_| self.phase == Phase::Body)
    }

    /// The rate of a body that is slow enough to be evicted.
    fn slow_rate(&self, now: Instant) -> Option<u64> {
        // A connection that has shown something is allowed the time of one more lost and repeated packet.
        let patience = self.limits.patience * if self.shown { 2 } else { 1 };
        // A body that waits for us is not slow.
        if self.waits_for_room || now.duration_since(self.since) < patience {
            return None;
        }
        let in_time = self.limits.body.as_secs().max(1);
        let wanted = self.announced.map_or(SLOW, |announced| SLOW.max(announced / in_time));
        let rate = self.pace.rate(patience, now);
        (rate < wanted).then_some(rate)
    }
}

/// Where a connection comes from, as far as the network shows it: an IPv4 address, or the upper 64 bits of an IPv6 address,
/// below which its owner chooses freely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Address(IpAddr);

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Address {
        Address(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        })
    }
}

#[cfg(test)]
mod tests;
