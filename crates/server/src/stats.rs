//! Counts the connections of a listener, for metrics. All of these are counters that only go up, except the number of open
//! connections, which is a gauge.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The peer closed it, or the answer said `Connection: close`.
    Finished,
    /// The peer broke it, or what it sent was not HTTP.
    Broken,
    /// No byte arrived for the whole idle limit.
    Idle,
    /// The TLS handshake failed: no common version, wrong protocol, client certificate rejected.
    HandshakeFailed,
    /// The TLS handshake took too long.
    HandshakeTimeout,
    /// A request's head took too long.
    HeaderTimeout,
    /// A request's body took too long and the handler did not answer.
    BodyTimeout,
    /// The peer did not read its answer.
    WriteTimeout,
    /// It was evicted for a new connection at the cap.
    Evicted,
    /// It was idle, or cut off, at the end of a drain.
    Drained,
}

impl CloseReason {
    /// Every reason, in the order of the counters.
    pub const ALL: [CloseReason; 10] = [
        CloseReason::Finished,
        CloseReason::Broken,
        CloseReason::Idle,
        CloseReason::HandshakeFailed,
        CloseReason::HandshakeTimeout,
        CloseReason::HeaderTimeout,
        CloseReason::BodyTimeout,
        CloseReason::WriteTimeout,
        CloseReason::Evicted,
        CloseReason::Drained,
    ];

    /// The name for a metric label and a log field.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            CloseReason::Finished => "finished",
            CloseReason::Broken => "broken",
            CloseReason::Idle => "idle",
            CloseReason::HandshakeFailed => "handshake_failed",
            CloseReason::HandshakeTimeout => "handshake_timeout",
            CloseReason::HeaderTimeout => "header_timeout",
            CloseReason::BodyTimeout => "body_timeout",
            CloseReason::WriteTimeout => "write_timeout",
            CloseReason::Evicted => "evicted",
            CloseReason::Drained => "drained",
        }
    }
}

/// The counters of one listener. Take it from `Bound::stats` before `serve`.
#[derive(Debug, Default)]
pub struct Stats {
    pub(super) accepted: AtomicU64,
    pub(super) accept_errors: AtomicU64,
    pub(super) panics: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) waited: AtomicU64,
    closed: [AtomicU64; CloseReason::ALL.len()],
}

impl Stats {
    /// Connections accepted since the start.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Connections open now.
    #[must_use]
    pub fn open(&self) -> u64 {
        let closed = self.closed.iter().map(|count| count.load(Ordering::Relaxed)).sum();
        self.accepted().saturating_sub(closed)
    }

    /// Connections that ended for this reason.
    #[must_use]
    pub fn closed(&self, reason: CloseReason) -> u64 {
        self.closed[reason as usize].load(Ordering::Relaxed)
    }

    /// Failed accepts, such as too many open files.
    #[must_use]
    pub fn accept_errors(&self) -> u64 {
        self.accept_errors.load(Ordering::Relaxed)
    }

    /// Panics contained in a handler; each was answered with 500.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    /// Requests answered with 503 because the drain no longer takes any.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Connections that found the listener at its cap and had to wait for a place.
    #[must_use]
    pub fn waited(&self) -> u64 {
        self.waited.load(Ordering::Relaxed)
    }

    pub(super) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_closed(&self, reason: CloseReason) {
        Self::count(&self.closed[reason as usize]);
    }
}
