//! How quickly a body comes, judged by its last moments: what it brought before it fell silent excuses nothing. Pure
//! numbers, no clock.

use std::time::Duration;

use tokio::time::Instant;

/// A rate is taken over one to two of these.
const WINDOW: Duration = Duration::from_millis(250);

/// The bytes of one body as they come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// When the bytes in `counted` began to be counted.
    window: Instant,
    counted: u64,
    /// Bytes of the window before, and how long it was.
    before: (u64, Duration),
    /// When the last byte came, or the body began.
    last: Instant,
}

impl Pace {
    /// A body that begins now.
    pub(super) fn new(now: Instant) -> Pace {
        Pace {
            window: now,
            counted: 0,
            before: (0, Duration::ZERO),
            last: now,
        }
    }

    /// More of it came.
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

    /// It was not read for a while, which is not its fault.
    pub(super) fn resume(&mut self, now: Instant) {
        self.last = now;
    }

    /// Bytes a second; none when nothing came for as long as `silence`.
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
