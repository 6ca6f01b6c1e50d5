//! Holds the phase of one connection, and computes its deadlines. Pure bookkeeping: nothing here reads a socket, and
//! [`ConnectionState`] reads no clock. `wire` and `service` report what happened; `connection` asks which deadline applies.
//!
//! ```text
//! Handshake -> Idle -> Head -> Body -> Handling -> Flushing -> Idle ...          -> Closing
//!                                                           -> Upgraded         -> Closing
//! ```
//!
//! Silence is judged by the phase. In `Idle` it is normal for minutes, also before the first request, since Go parks freshly
//! dialled connections. In any other phase it is a stall.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Poll, ready};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::unconstrained;
use tokio::time::{Instant, sleep_until};

use super::eviction::{Address, Eviction};
use super::limits::Limits;
use super::pace::Pace;
use super::registry::Registry;
use super::stats::CloseReason;

/// How much longer than [`Limits::body`] a request may stay in its body. The reader of a body answers at the limit itself; this
/// bound is for handlers that wait for a body without one.
const BODY_BACKSTOP: Duration = Duration::from_secs(1);

/// How long the end of a drain waits for the request of a connection that was only just opened.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);

/// What a connection is doing. [`ConnectionState::due`] and `eviction` decide about its deadline and its eviction; both name
/// every phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Accepted; TLS is not agreed yet.
    Handshake,
    /// No byte of a request has come.
    Idle,
    /// Some of a request's head has come.
    Head,
    /// The head is read, the body is not.
    Body,
    /// The request is read, or the rest will not be read; the answer is not complete.
    Handling,
    /// The answer is written; the peer has not read all of it.
    Flushing,
    /// It has left HTTP (`upgrade`). Silence is the other protocol's affair.
    Upgraded,
    /// No more answers follow; what the peer still sends is discarded.
    Closing,
}

/// When a connection will have been in its phase for too long, and the reason to close it then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) at: Instant,
    pub(super) reason: CloseReason,
}

/// The state of one connection. Every change gets its `now` as an argument.
#[derive(Debug)]
pub(super) struct ConnectionState {
    pub(super) limits: Limits,
    pub(super) phase: Phase,
    /// When `phase` began.
    pub(super) since: Instant,
    /// Counts phases, so that a decision about an earlier one is recognised as stale.
    pub(super) turn: u64,
    /// Whether a request was ever read on it.
    carried: bool,
    /// Whether the application ever accepted a request on it as sensible.
    pub(super) shown: bool,
    /// The length of the current request's body, where its head states it.
    pub(super) announced: Option<u64>,
    /// The rate at which that body arrives.
    pub(super) pace: Pace,
    /// Whether that body is not read because it waits for memory.
    pub(super) waits_for_room: bool,
    /// Whether the current request's body was read to its end.
    body_read: bool,
    /// Whether bytes of the next request came before this one's answer was complete.
    early: bool,
    /// Since when a write waits for the peer.
    pub(super) blocked: Option<Instant>,
    /// Its eviction; void once its turn is over.
    pub(super) evicted: Option<Eviction>,
    /// Whether a request was given up to make room for others.
    pub(super) ousted: bool,
    /// Its place is needed and it has shown nothing, so it is no longer read from.
    pub(super) hurried: bool,
    /// When the drain asked idle connections to end.
    leaving: Option<Instant>,
}

impl ConnectionState {
    pub(super) fn new(limits: Limits, accepted: Instant) -> ConnectionState {
        ConnectionState {
            limits,
            phase: Phase::Handshake,
            since: accepted,
            turn: 0,
            carried: false,
            shown: false,
            announced: None,
            pace: Pace::new(accepted),
            waits_for_room: false,
            body_read: false,
            early: false,
            blocked: None,
            evicted: None,
            ousted: false,
            hurried: false,
            leaving: None,
        }
    }

    fn enter(&mut self, phase: Phase, now: Instant) {
        self.phase = phase;
        self.since = now;
        self.turn += 1;
    }

    pub(super) fn handshaken(&mut self, now: Instant) {
        self.enter(Phase::Idle, now);
    }

    /// Bytes arrived. Those of a next request that arrived together with the end of a body are not distinguished from it. Such
    /// a connection is idle until one more byte arrives, and costs what an idle one costs.
    pub(super) fn received(&mut self, bytes: usize, now: Instant) {
        match self.phase {
            Phase::Idle => self.enter(Phase::Head, now),
            Phase::Body => self.pace.came(bytes, now),
            Phase::Handling | Phase::Flushing if self.body_read => self.early = true,
            _ => {}
        }
    }

    /// A request's head is complete. `announced`: the length of its body, where the head states it.
    pub(super) fn head_read(&mut self, has_body: bool, announced: Option<u64>, now: Instant) {
        self.carried = true;
        self.early = false;
        self.body_read = !has_body;
        self.announced = announced;
        self.pace = Pace::new(now);
        self.waits_for_room = false;
        self.enter(if has_body { Phase::Body } else { Phase::Handling }, now);
    }

    /// The reader of the body starts, or stops, waiting for memory.
    pub(super) fn wait_for_room(&mut self, waits: bool, now: Instant) {
        self.waits_for_room = waits;
        // Time spent waiting for memory does not count against the sender.
        self.pace.resume(now);
    }

    /// The request's body was read to its end.
    pub(super) fn body_read(&mut self, now: Instant) {
        self.body_read = true;
        self.body_left(now);
    }

    /// The rest of the request's body will not be read.
    pub(super) fn body_left(&mut self, now: Instant) {
        if self.phase == Phase::Body {
            self.enter(Phase::Handling, now);
        }
    }

    /// The application has answered. `sensible`: whether it accepted the request as such. Returns whether the request's body,
    /// or a part of it, is still to come.
    pub(super) fn handled(&mut self, sensible: bool) -> bool {
        self.shown |= sensible;
        !self.body_read
    }

    /// The last byte of the answer was written.
    pub(super) fn answered(&mut self, now: Instant) {
        if self.phase != Phase::Closing {
            self.enter(Phase::Flushing, now);
        }
    }

    /// A write waits for the peer.
    pub(super) fn blocked(&mut self, now: Instant) {
        self.blocked.get_or_insert(now);
    }

    /// The peer has taken everything written so far.
    pub(super) fn flushed(&mut self, now: Instant) {
        self.blocked = None;
        if self.phase == Phase::Flushing {
            let next = if self.early { Phase::Head } else { Phase::Idle };
            self.enter(next, now);
        }
    }

    /// It has left HTTP, with the application's consent.
    pub(super) fn upgraded(&mut self, now: Instant) {
        self.shown = true;
        self.blocked = None;
        self.enter(Phase::Upgraded, now);
    }

    /// We close.
    pub(super) fn closing(&mut self, now: Instant) {
        if self.phase != Phase::Closing {
            if self.is_evicted() {
                self.give_way();
            }
            self.enter(Phase::Closing, now);
        }
    }

    /// The drain has ended.
    pub(super) fn leave(&mut self, now: Instant) {
        self.leaving.get_or_insert(now);
    }

    /// Whether a request is being read, handled or answered. An incomplete head does not count: it will be answered 503.
    pub(super) fn in_flight(&self) -> bool {
        matches!(self.phase, Phase::Body | Phase::Handling | Phase::Flushing)
    }

    /// Whether it is about to show what it is: within moments it does, or becomes dispensable.
    pub(super) fn is_unproven(&self) -> bool {
        !self.shown
            && !self.is_evicted()
            && matches!(self.phase, Phase::Handshake | Phase::Idle | Phase::Head | Phase::Body)
    }

    /// Whether it is between two requests, where an orderly end loses nothing.
    pub(super) fn is_idle(&self) -> bool {
        self.phase == Phase::Idle
    }

    /// When this connection must end if nothing happens until then; `None` while the handler works.
    pub(super) fn due(&self) -> Option<Due> {
        let after = |limit, reason| {
            Some(Due {
                at: self.since + limit,
                reason,
            })
        };
        let own = match self.phase {
            Phase::Handshake => after(self.limits.handshake, CloseReason::HandshakeTimeout),
            Phase::Idle => after(self.limits.idle, CloseReason::Idle),
            Phase::Head => after(self.limits.header, CloseReason::HeaderTimeout),
            Phase::Body => after(self.limits.body + BODY_BACKSTOP, CloseReason::BodyTimeout),
            Phase::Handling | Phase::Flushing | Phase::Upgraded => None,
            Phase::Closing if self.hurried => after(Duration::ZERO, CloseReason::Evicted),
            Phase::Closing => after(self.limits.linger, self.end()),
        };
        let write = self.blocked.map(|at| Due {
            at: at + self.limits.write,
            reason: CloseReason::WriteTimeout,
        });
        [own, write, self.eviction_due(), self.drain_due()]
            .into_iter()
            .flatten()
            .min_by_key(|due| due.at)
    }

    fn drain_due(&self) -> Option<Due> {
        let leaving = self.leaving?;
        let at = match self.phase {
            Phase::Idle if self.carried => leaving,
            // Opened a moment ago, and most likely about to send a request.
            Phase::Idle => leaving.max(self.since + FAREWELL),
            Phase::Handshake | Phase::Head => leaving + FAREWELL,
            _ => return None,
        };
        Some(Due {
            at,
            reason: CloseReason::Drained,
        })
    }
}

/// A [`ConnectionState`] that several parts of one connection's task, and the listener, share.
#[derive(Debug)]
pub(super) struct Connection {
    state: Mutex<ConnectionState>,
    /// Wakes the connection's task when another task changed its state.
    kick: Notify,
    /// Where it comes from.
    pub(super) address: Address,
    /// The other connections of the listener, for when memory is short.
    pub(super) others: Weak<Registry>,
    /// Bytes of the budget held for the body that is being read.
    held: AtomicUsize,
    /// Whether another task changed the state since the body's reader last asked.
    changed: AtomicBool,
}

impl Connection {
    pub(super) fn new(limits: Limits, accepted: Instant, address: Address, others: Weak<Registry>) -> Connection {
        Connection {
            state: Mutex::new(ConnectionState::new(limits, accepted)),
            kick: Notify::new(),
            address,
            others,
            held: AtomicUsize::new(0),
            changed: AtomicBool::new(false),
        }
    }

    /// The state, for reading or for a change by the connection's own task.
    pub(super) fn state(&self) -> MutexGuard<'_, ConnectionState> {
        // No holder of this lock can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state from outside the connection's task, and wakes that.
    pub(super) fn change(&self, change: impl FnOnce(&mut ConnectionState)) {
        change(&mut self.state());
        self.changed.store(true, Ordering::Release);
        self.kick.notify_one();
    }

    /// Whether the request whose body is being read was evicted. To be asked whenever its reader waits. It takes the lock only
    /// after [`Self::change`], which also wakes the task.
    pub(super) fn is_ousted(&self) -> bool {
        self.changed.load(Ordering::Relaxed) && self.changed.swap(false, Ordering::Acquire) && self.state().ousted()
    }

    /// Records how many bytes of the budget are held for the body that is being read.
    pub(super) fn holds(&self, bytes: usize) {
        self.held.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Waits until the connection has been in its phase for too long. The state may change at every poll of the connection, in
    /// the same task, so the deadline is computed at each poll. The timer is moved only when it would fire too late, or has
    /// fired too early.
    ///
    /// Unconstrained, since a peer that always has bytes for us spends the whole budget of the task.
    pub(super) async fn overdue(&self) -> CloseReason {
        let mut kicked = pin!(self.kick.notified());
        let mut timer = pin!(sleep_until(Instant::now() + self.state().limits.idle));
        unconstrained(poll_fn(|cx| {
            while kicked.as_mut().poll(cx).is_ready() {
                kicked.set(self.kick.notified());
            }
            loop {
                let Some(due) = self.state().due() else {
                    return Poll::Pending;
                };
                if timer.is_elapsed() || timer.deadline() > due.at {
                    timer.as_mut().reset(due.at);
                }
                ready!(timer.as_mut().poll(cx));
                if due.at <= Instant::now() {
                    return Poll::Ready(due.reason);
                }
            }
        }))
        .await
    }
}

#[cfg(test)]
pub(super) mod tests;
