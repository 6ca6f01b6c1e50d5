//! Where one connection stands, and until when it may stay there. Pure bookkeeping: it reads no socket and, in
//! [`Course`], no clock; `wire` and `service` report what happened, `connection` asks what is due.
//!
//! ```text
//! Handshake -> Idle -> Head -> Body -> Handling -> Flushing -> Idle ...          -> Closing
//!                                                           -> Upgraded         -> Closing
//! ```
//! Silence is judged by where it falls: in `Idle` it is normal for minutes (also before the first request, since Go
//! parks freshly dialled connections), anywhere else it is a stall.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Poll, ready};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::eviction::{Address, Eviction};
use super::limits::Limits;
use super::pace::Pace;
use super::registry::Registry;
use super::stats::CloseReason;

/// How much longer than [`Limits::body`] a request may stay in its body. Whoever reads the body answers at the limit
/// itself; this bound is for handlers that wait for a body without one.
const BODY_BACKSTOP: Duration = Duration::from_secs(1);

/// How long the end of a drain waits for the request of a connection that was only just opened.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);

/// What a connection is doing. What is due in each phase, and whether a connection in it may make room, is said in
/// [`Course::due`] and in `eviction`.
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
    /// It has left HTTP (`upgrade`). Silence is the other protocol's affair.
    Upgraded,
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
    pub(super) limits: Limits,
    pub(super) phase: Phase,
    /// When `phase` began.
    pub(super) since: Instant,
    /// Counts phases, so that a decision taken about an earlier one is recognised as stale.
    pub(super) turn: u64,
    /// Whether a request was ever read here.
    carried: bool,
    /// Whether the application ever called a request sensible that was read here.
    pub(super) shown: bool,
    /// The length of the current request's body, where its head says it.
    pub(super) announced: Option<u64>,
    /// How quickly that body comes.
    pub(super) pace: Pace,
    /// Whether that body is not read on because it waits for memory.
    pub(super) waits_for_room: bool,
    /// Whether the current request's body was read to its end.
    body_read: bool,
    /// Whether bytes of the next request came before this one's answer was out.
    early: bool,
    /// Since when a write waits for the peer.
    pub(super) blocked: Option<Instant>,
    /// The choice of this connection to make room; void once its turn is over.
    pub(super) evicted: Option<Eviction>,
    /// A request was given up to make room for others.
    pub(super) ousted: bool,
    /// Its place is wanted, and it has shown nothing: nothing is read from it any more.
    pub(super) hurried: bool,
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

    /// Bytes arrived. Those of a next request that came together with the end of a body are not told apart from it: such
    /// a connection is idle until one more byte comes, and costs what an idle one costs.
    pub(super) fn received(&mut self, bytes: usize, now: Instant) {
        match self.phase {
            Phase::Idle => self.enter(Phase::Head, now),
            Phase::Body => self.pace.came(bytes, now),
            Phase::Handling | Phase::Flushing if self.body_read => self.early = true,
            _ => {}
        }
    }

    /// A request's head is complete. `announced`: the length of its body, where the head says it.
    pub(super) fn head_read(&mut self, has_body: bool, announced: Option<u64>, now: Instant) {
        self.carried = true;
        self.early = false;
        self.body_read = !has_body;
        self.announced = announced;
        self.pace = Pace::new(now);
        self.waits_for_room = false;
        self.enter(if has_body { Phase::Body } else { Phase::Handling }, now);
    }

    /// The reader of the body begins, or ends, to wait for memory.
    pub(super) fn wait_for_room(&mut self, waits: bool, now: Instant) {
        self.waits_for_room = waits;
        // What it could not send meanwhile is not held against it.
        self.pace.resume(now);
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

    /// The application has answered, and says whether the request was a sensible one. Whether the request's body is still,
    /// wholly or partly, on its way.
    pub(super) fn handled(&mut self, sensible: bool) -> bool {
        self.shown |= sensible;
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

    /// It has left HTTP, with the application's consent.
    pub(super) fn upgraded(&mut self, now: Instant) {
        self.shown = true;
        self.blocked = None;
        self.enter(Phase::Upgraded, now);
    }

    /// We are closing.
    pub(super) fn closing(&mut self, now: Instant) {
        if self.phase != Phase::Closing {
            if self.is_evicted() {
                self.give_way();
            }
            self.enter(Phase::Closing, now);
        }
    }

    /// The drain has come to its end.
    pub(super) fn leave(&mut self, now: Instant) {
        self.leaving.get_or_insert(now);
    }

    /// Whether a request is being read, handled or answered. A head that is still incomplete is none: it will be
    /// answered 503.
    pub(super) fn in_flight(&self) -> bool {
        matches!(self.phase, Phase::Body | Phase::Handling | Phase::Flushing)
    }

    /// Whether it is about to show what it is here for: within moments it does, or becomes dispensable.
    pub(super) fn is_unproven(&self) -> bool {
        !self.shown
            && !self.is_evicted()
            && matches!(self.phase, Phase::Handshake | Phase::Idle | Phase::Head | Phase::Body)
    }

    /// Whether it is between two requests, where nobody minds an orderly end.
    pub(super) fn is_idle(&self) -> bool {
        self.phase == Phase::Idle
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

/// A [`Course`] that several parts of one connection's task, and the listener, can see.
#[derive(Debug)]
pub(super) struct Track {
    course: Mutex<Course>,
    /// Wakes the connection's task when somebody else changed its course.
    kick: Notify,
    /// Whose it is.
    pub(super) address: Address,
    /// The other connections of the listener, asked where memory is short.
    pub(super) others: Weak<Registry>,
    /// Bytes of the budget held for the body that is being read.
    held: AtomicUsize,
    /// Somebody changed the course from outside since the body's reader last asked.
    nudged: AtomicBool,
}

impl Track {
    pub(super) fn new(limits: Limits, accepted: Instant, address: Address, others: Weak<Registry>) -> Track {
        Track {
            course: Mutex::new(Course::new(limits, accepted)),
            kick: Notify::new(),
            address,
            others,
            held: AtomicUsize::new(0),
            nudged: AtomicBool::new(false),
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
        self.nudged.store(true, Ordering::Release);
        self.kick.notify_one();
    }

    /// Whether the request whose body is being read must make room: to be asked whenever it waits. Takes a lock only
    /// after a nudge, which also wakes the task.
    pub(super) fn is_ousted(&self) -> bool {
        self.nudged.load(Ordering::Relaxed) && self.nudged.swap(false, Ordering::Acquire) && self.course().ousted()
    }

    /// Says how many bytes of the budget are held for the body that is being read.
    pub(super) fn holds(&self, bytes: usize) {
        self.held.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
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
pub(super) mod tests;
