//! Where one connection stands, and until when it may stay there. Pure bookkeeping: it reads no socket and, in
//! [`Course`], no clock; `wire` and `service` report what happened, `connection` asks what is due.
//!
//! ```text
//! Handshake -> Idle -> Head -> Body -> Handling -> Flushing -> Idle ...          -> Closing
//! ```
//! Silence is judged by where it falls: in `Idle` it is normal for minutes (also before the first request, since Go
//! parks freshly dialled connections), anywhere else it is a stall.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, ready};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::limits::Limits;
use super::stats::CloseReason;

/// How much longer than [`Limits::body`] a request may stay in its body. Whoever reads the body answers at the limit
/// itself; this bound is for handlers that wait for a body without one.
const BODY_BACKSTOP: Duration = Duration::from_secs(1);

/// How old a handshake or a head must be before it counts as stalled when room is needed.
const STALLED: Duration = Duration::from_secs(1);

/// How long the end of a drain waits for the request of a connection that was only just opened.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);

/// What a connection is doing.
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
    /// The request is read, or nobody wants the rest; the answer is not yet handed over whole.
    Handling,
    /// The answer is handed over; the peer has not taken all of it.
    Flushing,
    /// Nothing more will be answered; what the peer still sends is discarded.
    Closing,
}

/// The moment at which a connection has been where it is for too long, and what that is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) at: Instant,
    pub(super) reason: CloseReason,
}

/// The state of one connection; every change is told its `now`.
#[derive(Debug)]
pub(super) struct Course {
    limits: Limits,
    phase: Phase,
    /// When `phase` began.
    since: Instant,
    /// Counts phases, so that a decision taken about an earlier one is recognised as stale.
    turn: u64,
    /// Whether a request was ever read here.
    carried: bool,
    /// Whether the current request's body was read to its end.
    body_read: bool,
    /// Whether bytes of the next request came before this one's answer was out.
    early: bool,
    /// Since when a write waits for the peer.
    blocked: Option<Instant>,
    /// The turn in which this connection was chosen to make room.
    evicted: Option<u64>,
    /// When the drain asked idle connections to end.
    leaving: Option<Instant>,
}

impl Course {
    pub(super) fn new(limits: Limits, accepted: Instant) -> Course {
        Course {
            limits,
            phase: Phase::Handshake,
            since: accepted,
            turn: 0,
            carried: false,
            body_read: false,
            early: false,
            blocked: None,
            evicted: None,
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

    /// Bytes arrived. Those of a next request that came together with the end of a body are not told apart from it: such
    /// a connection is idle until one more byte comes, and costs what an idle one costs.
    pub(super) fn received(&mut self, now: Instant) {
        match self.phase {
            Phase::Idle => self.enter(Phase::Head, now),
            Phase::Handling | Phase::Flushing if self.body_read => self.early = true,
            _ => {}
        }
    }

    /// A request's head is complete.
    pub(super) fn head_read(&mut self, has_body: bool, now: Instant) {
        self.carried = true;
        self.early = false;
        self.body_read = !has_body;
        self.enter(if has_body { Phase::Body } else { Phase::Handling }, now);
    }

    /// The request's body was read to its end.
    pub(super) fn body_read(&mut self, now: Instant) {
        self.body_read = true;
        self.body_left(now);
    }

    /// Nobody will read the request's body any further.
    pub(super) fn body_left(&mut self, now: Instant) {
        if self.phase == Phase::Body {
            self.enter(Phase::Handling, now);
        }
    }

    /// Whether the request's body is still, wholly or partly, on its way.
    pub(super) fn body_is_unread(&self) -> bool {
        !self.body_read
    }

    /// The last byte of the answer was handed over for writing.
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

    /// We are closing.
    pub(super) fn closing(&mut self, now: Instant) {
        if self.phase != Phase::Closing {
            self.enter(Phase::Closing, now);
        }
    }

    /// The drain has come to its end.
    pub(super) fn leave(&mut self, now: Instant) {
        self.leaving.get_or_insert(now);
    }

    /// Asks this connection to make room, unless it has moved on since `turn`.
    pub(super) fn evict(&mut self, turn: u64) {
        self.evicted = Some(turn);
    }

    /// Whether a request is being read, handled or answered. A head that is still incomplete is none: it will be
    /// answered 503.
    pub(super) fn in_flight(&self) -> bool {
        matches!(self.phase, Phase::Body | Phase::Handling | Phase::Flushing)
    }

    /// Whether it has yet to show what it is here for: within [`STALLED`] it does, or becomes dispensable.
    pub(super) fn is_unproven(&self) -> bool {
        !self.carried && matches!(self.phase, Phase::Handshake | Phase::Head)
    }

    /// Whether it is between two requests, where nobody minds an orderly end.
    pub(super) fn is_idle(&self) -> bool {
        self.phase == Phase::Idle
    }

    /// How dispensable this connection is when room is needed: the smallest goes first. `None`: not at all.
    pub(super) fn eviction_rank(&self, now: Instant) -> Option<EvictionRank> {
        let class = match self.phase {
            Phase::Closing => 0,
            Phase::Handshake | Phase::Head if now.duration_since(self.since) >= STALLED => 1,
            Phase::Idle if !self.carried => 2,
            Phase::Idle => LAST_TO_GO,
            _ => return None,
        };
        // Chosen already, and on its way out.
        (self.evicted != Some(self.turn)).then_some(EvictionRank {
            class,
            since: self.since,
            turn: self.turn,
        })
    }

    /// When this connection must end if nothing happens until then; `None` while the handler has the word.
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
            Phase::Handling | Phase::Flushing => None,
            Phase::Closing => after(self.limits.linger, CloseReason::Finished),
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

    fn eviction_due(&self) -> Option<Due> {
        let dispensable = matches!(
            self.phase,
            Phase::Handshake | Phase::Idle | Phase::Head | Phase::Closing
        );
        (dispensable && self.evicted == Some(self.turn)).then_some(Due {
            at: self.since,
            reason: CloseReason::Evicted,
        })
    }

    fn drain_due(&self) -> Option<Due> {
        let leaving = self.leaving?;
        let at = match self.phase {
            Phase::Idle if self.carried => leaving,
            // Opened a moment ago, most likely to send a request.
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

/// See [`Course::eviction_rank`]: by class first, then by age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EvictionRank {
    class: u8,
    since: Instant,
    pub(super) turn: u64,
}

impl EvictionRank {
    /// Whether its connection has carried a request and will, most likely, carry the next one.
    pub(super) fn is_of_use(&self) -> bool {
        self.class == LAST_TO_GO
    }
}

/// The class of those that have carried a request.
const LAST_TO_GO: u8 = 3;

/// A [`Course`] that several parts of one connection's task, and the listener, can see.
#[derive(Debug)]
pub(super) struct Track {
    course: Mutex<Course>,
    /// Wakes the connection's task when somebody else changed its course.
    kick: Notify,
}

impl Track {
    pub(super) fn new(limits: Limits, accepted: Instant) -> Track {
        Track {
            course: Mutex::new(Course::new(limits, accepted)),
            kick: Notify::new(),
        }
    }

    /// The course, for reading or for a change made by the connection's own task.
    pub(super) fn course(&self) -> MutexGuard<'_, Course> {
        // Nothing that holds this lock can leave the course half changed.
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the course from outside the connection's task.
    pub(super) fn nudge(&self, change: impl FnOnce(&mut Course)) {
        change(&mut self.course());
        self.kick.notify_one();
    }

    /// Waits until the connection has been where it is for too long. The course may change at every poll of the
    /// connection, in the same task, so what is due is asked afresh each time; the timer is only ever moved when it
    /// would come too late, or has come too early.
    pub(super) async fn overdue(&self) -> CloseReason {
        let mut kicked = pin!(self.kick.notified());
        let mut timer = pin!(sleep_until(Instant::now() + self.course().limits.idle));
        poll_fn(|cx| {
            while kicked.as_mut().poll(cx).is_ready() {
                kicked.set(self.kick.notified());
            }
            loop {
                let Some(due) = self.course().due() else {
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
        })
        .await
    }
}

#[cfg(test)]
mod tests;
