//! Computes how long the controller waits after a change before it reconciles, and after a failure before it retries. Reads
//! no clock: durations are arguments.

use std::time::Duration;

use crate::k8s::Backoff;

/// The longest delay after a change, however fast changes come.
const MAX_SETTLE: Duration = Duration::from_secs(30);
/// A change sooner than this after a reconcile belongs to the same burst.
const BURST: Duration = Duration::from_secs(10);
/// The first reconciles of a burst, this many, use the base delay.
const PROMPT_COUNT: u32 = 5;
/// Longest pause after a failure.
const MAX_RETRY: Duration = Duration::from_secs(60);
/// Pause after the first failure.
const MIN_RETRY: Duration = Duration::from_secs(1);

/// How long a change waits for further changes, and a failure for its retry.
#[derive(Debug)]
pub(super) struct Pace {
    /// The base delay.
    settle: Duration,
    now: Duration,
    /// Reconciles of this burst.
    burst: u32,
    retry: Backoff,
}

impl Pace {
    pub(super) fn new(settle: Duration) -> Pace {
        Pace {
            settle,
            now: settle,
            burst: 0,
            retry: Backoff::new(MIN_RETRY, MAX_RETRY),
        }
    }

    /// A change arrived `quiet` after the last reconcile. While changes continue, as when a pool of nodes is replaced, the
    /// delay doubles, so that listing all pods becomes rare.
    pub(super) fn settle(&mut self, quiet: Duration) -> Duration {
        if quiet > BURST.max(self.now) {
            (self.burst, self.now) = (0, self.settle);
        }
        self.burst += 1;
        if self.burst > PROMPT_COUNT {
            self.now = (self.now * 2).min(MAX_SETTLE);
        }
        self.now
    }

    /// A reconcile failed. Returns how long to wait before the next.
    pub(super) fn failed(&mut self) -> Duration {
        self.retry.next_pause()
    }

    /// A reconcile succeeded.
    pub(super) fn succeeded(&mut self) {
        self.retry.reset();
    }
}

#[cfg(test)]
mod tests;
