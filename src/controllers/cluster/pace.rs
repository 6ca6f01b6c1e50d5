//! When to look again: pure, asked with durations.

use std::time::Duration;

/// The longest that news wait, however fast they come.
const LONGEST_SETTLE: Duration = Duration::from_secs(30);
/// The longest pause after a failure.
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// The pause after the first failure.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// How long news wait for more of them, and failures for another try.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    /// How long the first news wait.
    settle: Duration,
    now: Duration,
    retry: Duration,
}

impl Pace {
    pub(super) fn new(settle: Duration) -> Pace {
        Pace {
            settle,
            now: settle,
            retry: FIRST_RETRY,
        }
    }

    /// News came `quiet` after the last look. While they come one upon the other, as when a pool of nodes is replaced,
    /// the wait doubles, so that a look at all pods remains rare.
    pub(super) fn settle(&mut self, quiet: Duration) -> Duration {
        let busy = quiet < self.now;
        let next = if busy { self.now * 2 } else { self.settle };
        self.now = next.min(LONGEST_SETTLE).max(self.settle);
        self.now
    }

    /// A look failed; how long to wait before the next.
    pub(super) fn failed(&mut self) -> Duration {
        let wait = self.retry;
        self.retry = (wait * 2).min(LONGEST_RETRY);
        wait
    }

    /// A look went well.
    pub(super) fn succeeded(&mut self) {
        self.retry = FIRST_RETRY;
    }
}

#[cfg(test)]
mod tests;
