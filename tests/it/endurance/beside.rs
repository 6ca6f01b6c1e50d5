//! What an assault costs others: small reviews while nothing else happens, and beside it, in turn.

use std::time::{Duration, Instant};

use super::process::Asked;

/// Between two small reviews.
const PERIOD: Duration = Duration::from_millis(5);
/// A multiple of the quiet p99 that is allowed beside large reviews, and what counts as quiet on a machine that others use.
const FACTOR: u32 = 2;
const FLOOR: Duration = Duration::from_millis(2);
/// Pairs of a quiet and a loud stretch, so that neighbours disturb both.
const ROUNDS: usize = 3;

/// How long each stretch takes; longer where figures are wanted.
fn stretch() -> Duration {
    match std::env::var_os("DORGU_LONG") {
        Some(_) => Duration::from_secs(20),
        None => Duration::from_secs(1),
    }
}

/// The p99 of small reviews, the median of some rounds, without and beside large reviews; and the longest of those.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paired {
    pub(super) quiet: Duration,
    pub(super) beside: Duration,
    pub(super) longest: Duration,
}

impl Paired {
    /// Measures beside so many of the large reviews a second.
    pub(super) async fn measure(small: &Asked, large: &Asked, a_second: u32) -> Paired {
        let (mut quiet, mut beside, mut longest) = (Vec::new(), Vec::new(), Duration::ZERO);
        for _ in 0..ROUNDS {
            quiet.push(p99(&mut ask(small.clone(), PERIOD, stretch()).await));
            let assault = ask(large.clone(), Duration::from_secs(1) / a_second, stretch());
            let (large, mut small) = tokio::join!(tokio::spawn(assault), ask(small.clone(), PERIOD, stretch()));
            beside.push(p99(&mut small));
            longest = longest.max(large.expect("it asks").into_iter().max().unwrap_or_default());
        }
        quiet.sort_unstable();
        beside.sort_unstable();
        Paired {
            quiet: quiet[ROUNDS / 2],
            beside: beside[ROUNDS / 2],
            longest,
        }
    }

    /// Fails where the small reviews took too long. A build without optimisation says nothing about time.
    pub(super) fn assert_cost_is_little(self, a_second: u32) {
        let Paired { quiet, beside, .. } = self;
        if !cfg!(debug_assertions) {
            assert!(
                beside <= quiet.max(FLOOR) * FACTOR,
                "{beside:?} beside {a_second} a second, {quiet:?} without"
            );
        }
    }
}

/// Asks this often, for this long, on one connection; how long each answer took.
async fn ask(asked: Asked, period: Duration, during: Duration) -> Vec<Duration> {
    let mut tick = tokio::time::interval(period);
    let (mut kept, mut times) = (None, Vec::new());
    let end = Instant::now() + during;
    while Instant::now() < end {
        tick.tick().await;
        let began = Instant::now();
        asked.ask(&mut kept).await.expect("an answer in time");
        times.push(began.elapsed());
    }
    times
}

/// The time within which 99 of 100 were answered; none, where none was asked.
pub(super) fn p99(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() * 99 / 100).copied().unwrap_or_default()
}
