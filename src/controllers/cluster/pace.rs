//! When to look again: pure, asked with durations.

use std::time::Duration;

use crate::k8s::Backoff;

/// The longest that news wait, however fast they come.
const LONGEST_SETTLE: Duration = Duration::from_secs(30);
/// News that come sooner than this after a look are of one series with those before.
const SERIES: Duration = Duration::from_secs(10);
/// So many looks of a series wait the shortest.
const PROMPT: u32 = 5;
/// The longest pause after a failure.
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// The pause after the first failure.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// How long news wait for more of them, and failures for another try.
#[derive(Debug)]
pub(super) struct Pace {
    /// How long the first news wait.
    settle: Duration,
    now: Duration,
    /// Looks of this series.
    series: u32,
    retry: Backoff,
}

impl Pace {
    pub(super) fn new(settle: Duration) -> Pace {
        Pace {
            settle,
            now: settle,
            series: 0,
            retry: Backoff::new(FIRST_RETRY, LONGEST_RETRY),
        }
    }

    /// News came `quiet` after the last look. Where they go on coming, as when a pool of nodes is replaced, the wait
    /// doubles, so that looks at all pods become rare.
    pub(super) fn settle(&mut self, quiet: Duration) -> Duration {
        if quiet > SERIES.max(self.now) {
            (self.series, self.now) = (0, self.settle);
        }
        self.series += 1;
        if self.series > PROMPT {
            self.now = (self.now * 2).min(LONGEST_SETTLE);
        }
        self.now
    }

    /// A look failed; how long to wait before the next.
    pub(super) fn failed(&mut self) -> Duration {
        self.retry.next_pause()
    }

    /// A look went well.
    pub(super) fn succeeded(&mut self) {
        self.retry.reset();
    }
}

#[cfg(test)]
mod tests;
