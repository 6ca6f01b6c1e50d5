//! How long to wait before an API server is asked again.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// The first pause; each one more is twice as long, and up to as long again by chance, so that replicas do not come back
/// all at once.
const SHORTEST: Duration = Duration::from_millis(400);
/// Not the half minute of client-go: what changed during an outage is judged by the old persona until we are back, and a
/// handful of requests in ten seconds burdens nobody.
const LONGEST: Duration = Duration::from_secs(5);

/// Pauses that grow while something keeps failing.
#[derive(Debug)]
pub struct Pauses(ExponentialBackoff);

impl Default for Pauses {
    fn default() -> Pauses {
        let growing = ExponentialBuilder::new()
            .with_min_delay(SHORTEST)
            .with_max_delay(LONGEST)
            .with_factor(2.0)
            .with_jitter()
            .without_max_times();
        Pauses(growing.build())
    }
}

impl Pauses {
    /// The next pause, longer than the one before.
    pub fn longer(&mut self) -> Duration {
        self.0.next().unwrap_or(LONGEST)
    }

    /// It has succeeded: the next failure is another story.
    pub fn reset(&mut self) {
        *self = Pauses::default();
    }
}
