//! Judges a long review without holding up a worker. Thousands of containers take milliseconds, in which the other requests
//! of the same worker would stand still. So another thread takes the worker's place meanwhile, for at most two reviews at
//! once.

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;
use tokio::task::block_in_place;

use crate::server::body::SMALL;

/// How many long reviews are judged beside the workers at once. Each takes a thread, and memory as
/// [`crate::policy::room::Room`] allows it; further ones are judged by a worker, so that many cannot multiply either.
const MAX_BESIDE: usize = 2;
static BESIDE: Semaphore = Semaphore::const_new(MAX_BESIDE);

/// Runs `judge` for a body of this many bytes. For a large body another thread takes the worker's place meanwhile, where there
/// are workers.
pub(super) fn off_the_worker<T>(bytes: usize, judge: impl FnOnce() -> T) -> T {
    beside(&BESIDE, bytes, judge)
}

fn beside<T>(places: &Semaphore, bytes: usize, judge: impl FnOnce() -> T) -> T {
    let has_workers =
        || Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
    if bytes <= SMALL || !has_workers() {
        return judge();
    }
    match places.try_acquire() {
        Ok(_place) => block_in_place(judge),
        Err(_) => judge(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    /// Judges until another task has run, or for so long.
    async fn judges_beside_another_task(places: usize, bytes: usize, patience: Duration) -> bool {
        let (ran, runs) = channel();
        let long = tokio::spawn(async move {
            beside(&Semaphore::new(places), bytes, || {
                tokio::spawn(async move { ran.send(()) });
                runs.recv_timeout(patience).is_ok()
            })
        });
        long.await.expect("it ends")
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn the_only_worker_serves_others_during_a_long_review() {
        assert!(judges_beside_another_task(1, SMALL + 1, Duration::from_secs(30)).await);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_short_review_and_a_long_one_too_many_are_judged_by_the_worker() {
        let moment = Duration::from_millis(100);
        assert!(!judges_beside_another_task(1, SMALL, moment).await);
        assert!(!judges_beside_another_task(0, SMALL + 1, moment).await);
    }

    #[tokio::test]
    async fn where_there_are_no_workers_it_is_judged_in_place() {
        assert_eq!(off_the_worker(SMALL + 1, || 1), 1);
    }
}
