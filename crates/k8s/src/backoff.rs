//! Computes the pause after a failure. Each pause is twice as long as the one before, up to a maximum; a success resets the
//! pause to its minimum.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// First pause before an API server is called again.
const API_SERVER_MIN: Duration = Duration::from_millis(400);
/// Longest pause before an API server is called again. client-go waits half a minute. Here, objects that changed during an
/// outage are judged by old personas until the watch works again, and a few requests in ten seconds are no burden.
const API_SERVER_MAX: Duration = Duration::from_secs(5);

/// Exponential backoff: each pause is twice as long as the one before, up to a maximum.
#[derive(Debug)]
pub struct Backoff {
    settings: ExponentialBuilder,
    pauses: ExponentialBackoff,
    max: Duration,
}

impl Backoff {
    /// Pauses from `min` to `max`.
    pub fn new(min: Duration, max: Duration) -> Backoff {
        Backoff::from_settings(settings(min, max), max)
    }

    /// The same, each pause lengthened by a random part of itself, so that several do not retry at the same time.
    pub fn with_jitter(min: Duration, max: Duration) -> Backoff {
        Backoff::from_settings(settings(min, max).with_jitter(), max)
    }

    /// For requests to an API server that every replica repeats.
    pub fn for_api_server() -> Backoff {
        Backoff::with_jitter(API_SERVER_MIN, API_SERVER_MAX)
    }

    fn from_settings(settings: ExponentialBuilder, max: Duration) -> Backoff {
        Backoff {
            pauses: settings.build(),
            settings,
            max,
        }
    }

    /// The pause after another failure.
    pub fn next_pause(&mut self) -> Duration {
        self.pauses.next().unwrap_or(self.max)
    }

    /// After a success: the next failure pauses for the minimum again.
    pub fn reset(&mut self) {
        self.pauses = self.settings.build();
    }
}

fn settings(min: Duration, max: Duration) -> ExponentialBuilder {
    ExponentialBuilder::new()
        .with_min_delay(min)
        .with_max_delay(max)
        .with_factor(2.0)
        .without_max_times()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: Duration = Duration::from_millis(250);
    const MAX: Duration = Duration::from_secs(15);

    #[test]
    fn pauses_double_up_to_the_maximum_and_start_again_after_a_success() {
        let mut backoff = Backoff::new(MIN, MAX);
        let pauses: Vec<u128> = (0..9).map(|_| backoff.next_pause().as_millis()).collect();
        assert_eq!(pauses, [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
        backoff.reset();
        assert_eq!(backoff.next_pause(), MIN);
    }

    #[test]
    fn jitter_lengthens_a_pause_to_twice_itself_at_most() {
        let (mut plain, mut jittered) = (Backoff::new(MIN, MAX), Backoff::with_jitter(MIN, MAX));
        for _ in 0..100 {
            let (least, pause) = (plain.next_pause(), jittered.next_pause());
            assert!((least..=least * 2).contains(&pause), "{pause:?} for {least:?}");
        }
    }
}
