//! Whether somebody else keeps changing what we write. Who puts a field right at once, against another who does the same,
//! asks API servers to store two texts in turn as fast as they can.

use std::time::{Duration, Instant};

use crate::k8s::Backoff;

/// What was not written for this long is no contest: people may change it by hand now and then, and it is put right at
/// once.
const QUIET: Duration = Duration::from_secs(60);

/// The writes of one field.
#[derive(Debug)]
pub(super) struct WriteBackoff {
    backoff: Backoff,
    last: Option<Last>,
}

/// The last write, and how long the same text has to wait from then on.
#[derive(Debug)]
struct Last {
    text: String,
    at: Instant,
    pause: Duration,
}

impl Default for WriteBackoff {
    fn default() -> WriteBackoff {
        WriteBackoff {
            backoff: Backoff::for_api_server(),
            last: None,
        }
    }
}

impl WriteBackoff {
    /// How long this text has to wait; another one than the last never waits.
    pub(super) fn wait(&self, text: &str, now: Instant) -> Duration {
        let last = self.last.as_ref().filter(|last| last.text == text);
        last.map_or(Duration::ZERO, |last| {
            last.pause.saturating_sub(now.saturating_duration_since(last.at))
        })
    }

    /// The text was written.
    pub(super) fn wrote(&mut self, text: &str, now: Instant) {
        let again = self
            .last
            .as_ref()
            .is_some_and(|last| last.text == text && now.saturating_duration_since(last.at) < QUIET);
        let pause = if again {
            self.backoff.next_pause()
        } else {
            self.backoff.reset();
            Duration::ZERO
        };
        self.last = Some(Last {
            text: text.to_owned(),
            at: now,
            pause,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often a text is written in a minute that somebody else changes the moment it is written.
    fn writes(write_backoff: &mut WriteBackoff, mut now: Instant) -> usize {
        let end = now + Duration::from_secs(60);
        let mut writes = 0;
        while now < end {
            assert!(writes < 1_000, "no pause at all");
            write_backoff.wrote("ours", now);
            writes += 1;
            now += write_backoff.wait("ours", now);
        }
        writes
    }

    #[test]
    fn a_contest_slows_down_and_is_never_given_up() {
        let writes = writes(&mut WriteBackoff::default(), Instant::now());
        assert!((6..=20).contains(&writes), "{writes} in a minute");
    }

    #[test]
    fn a_change_by_hand_and_another_text_are_met_at_once() {
        let (mut write_backoff, now) = (WriteBackoff::default(), Instant::now());
        write_backoff.wrote("ours", now);
        assert_eq!(write_backoff.wait("ours", now), Duration::ZERO);
        writes(&mut write_backoff, now);
        let last = write_backoff.last.as_ref().unwrap().at;
        assert!(write_backoff.wait("ours", last) > Duration::ZERO);
        assert_eq!(write_backoff.wait("rotated", last), Duration::ZERO);
        let later = last + QUIET;
        write_backoff.wrote("ours", later);
        assert_eq!(write_backoff.wait("ours", later), Duration::ZERO);
    }
}
