//! Which connection makes room when there is none left. The order is [`Rank`]'s; [`Course`] says where it stands in it.
//!
//! A connection has *shown* something once the application called a request of it sensible (`Course::handled`). Those that
//! have not go first, and of them those of an address that holds more than half of what is left: an address alone proves
//! nothing, since some clouds bring every API server through one proxy.

use std::cmp::Reverse;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use tokio::time::Instant;

use super::stats::CloseReason;
use super::track::{Course, Due, Phase};

/// How old a handshake or a head must be, and how long a write must have waited for the peer, before it counts as stalled
/// when room is needed.
const STALLED: Duration = Duration::from_secs(1);

/// Below so many bytes a second a body may have to make room, or below what brings all of it within its limit.
const SLOW: u64 = 256 * 1024;

/// How long a request that was asked to make room may stay in its body. The reader of the body answers at once.
const EVICTION_BACKSTOP: Duration = Duration::from_millis(100);

/// What a connection is asked to make room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A new connection.
    Place,
    /// The body of another request.
    Memory,
}

/// The choice of one connection.
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
    /// Bytes a second, of a body.
    rate: u64,
    since: Instant,
    /// The turn in which this was so; see `Course::evict`.
    pub(super) turn: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    /// Nothing more will be answered there.
    Closing,
    /// Has shown nothing, and its address holds more than its share.
    Crowding,
    /// Has shown nothing.
    Stranger,
    /// Has asked something sensible.
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
    /// Whether its connection will, most likely, carry a sensible request next.
    pub(super) fn is_of_use(&self) -> bool {
        self.group == Group::Shown && self.state == State::Idle
    }

    /// The order in which bodies make room for others: as for places, and of those that are equally slow the largest first.
    pub(super) fn for_memory(&self, held: usize) -> MemoryRank {
        MemoryRank(self.group, self.rate, Reverse(held))
    }
}

/// See [`Rank::for_memory`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MemoryRank(Group, u64, Reverse<usize>);

impl Course {
    /// See [`Rank`]. `crowding`: its address holds more than half of what is left. `None`: it must not go.
    pub(super) fn eviction_rank(&self, crowding: bool, now: Instant) -> Option<Rank> {
        // Chosen already, and on its way out.
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
            // It was agreed on a moment ago, so its first request is most likely on its way; it would not be sent again.
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

    /// Asks this connection to make room, unless it has moved on since `turn`.
    pub(super) fn evict(&mut self, turn: u64, wanted: Wanted, now: Instant) {
        self.evicted = Some(Eviction { turn, at: now, wanted });
    }

    /// Whether it was asked to make room, and has not moved on since.
    pub(super) fn is_evicted(&self) -> bool {
        self.evicted.is_some_and(|eviction| eviction.turn == self.turn)
    }

    /// Whether the request whose body is being read was asked to make room. It then does.
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

    /// What ended a connection that ended in order.
    pub(super) fn end(&self) -> CloseReason {
        if self.ousted {
            CloseReason::Evicted
        } else {
            CloseReason::Finished
        }
    }

    /// When it must have made the room that it was asked for.
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

    /// The same of a connection whose request's body is being read; `None` for all others.
    pub(super) fn body_rank(&self, crowding: bool, now: Instant) -> Option<Rank> {
        self.eviction_rank(crowding, now).filter(|_| self.phase == Phase::Body)
    }

    /// The rate of a body, where it is slow enough to make room for others.
    fn slow_rate(&self, now: Instant) -> Option<u64> {
        // A connection that has shown something is given the time of another packet that is lost and repeated.
        let patience = self.limits.patience * if self.shown { 2 } else { 1 };
        // One that waits for us is not slow.
        if self.waits_for_room || now.duration_since(self.since) < patience {
            return None;
        }
        let in_time = self.limits.body.as_secs().max(1);
        let wanted = self.announced.map_or(SLOW, |announced| SLOW.max(announced / in_time));
        let rate = self.pace.rate(patience, now);
        (rate < wanted).then_some(rate)
    }
}

/// Who a connection comes from, as far as a network tells: an IPv4 address, or the 64 bits of an IPv6 address within which
/// its owner chooses freely.
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
