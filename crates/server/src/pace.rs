//! Measures the rate at which a body arrives, over the last moments. Bytes from before a silence do not count. Pure numbers,
//! no clock.

use std::time::Duration;

use tokio::time::Instant;

/// The rate is measured over one to two such windows.
const WINDOW: Duration = Duration::from_millis(250);

/// Counts the bytes of one body as they arrive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// When the count of the current window began.
    window: Instant,
    counted: u64,
    /// The bytes of the previous window, and its length.
    before: (u64, Duration),
    /// When the last byte arrived, or the body began.
    last: Instant,
}

impl Pace {
    /// Starts measuring a body that begins at `now`.
    pub(super) fn new(now: Instant) -> Pace {
        Pace {
            window: now,
            counted: 0,
            before: (0, Duration::ZERO),
            last: now,
        }
    }

    /// More bytes arrived.
    pub(super) fn came(&mut self, bytes: usize, now: Instant) {
        let lasted = now.duration_since(self.window);
        if lasted >= WINDOW {
            self.before = (self.counted, lasted);
            self.counted = 0;
            self.window = now;
        }
        self.counted += bytes as u64;
        self.last = now;
    }

    /// We did not read for a while; that time does not count against the sender.
    pub(super) fn resume(&mut self, now: Instant) {
        self.last = now;
    }

    /// Bytes a second; 0 when nothing arrived for as long as `silence`.
    pub(super) fn rate(&self, silence: Duration, now: Instant) -> u64 {
        if now.duration_since(self.last) >= silence {
            return 0;
        }
        let bytes = self.counted + self.before.0;
        let took = now.duration_since(self.window) + self.before.1;
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        bytes.saturating_mul(1_000_000) / micros
    }
}

#[cfg(test)]
mod tests;
