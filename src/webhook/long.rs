//! Long reviews do not hold up a worker: thousands of containers take milliseconds, in which the requests that wait for the
//! same worker would stand still.

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
    let has_workers =
        || Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
    if bytes <= SMALL || !has_workers() {
        return judge();
    }
    match BESIDE.try_acquire() {
        Ok(_permit) => block_in_place(judge),
        Err(_) => judge(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    /// Judges until another task has run.
    async fn judges_beside_another_task(bytes: usize) -> bool {
        let (ran, runs) = channel();
        let long = tokio::spawn(async move {
            off_the_worker(bytes, || {
                tokio::spawn(async move { ran.send(()) });
                runs.recv_timeout(Duration::from_secs(1)).is_ok()
            })
        });
        long.await.expect("it ends")
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn the_only_worker_serves_others_during_a_long_review() {
        assert!(judges_beside_another_task(SMALL + 1).await);
        // This is how a worker is held up, as it is by one long review too many.
        assert!(!judges_beside_another_task(SMALL).await);
        let _taken = BESIDE.acquire_many(2).await.expect("never closed");
        assert!(!judges_beside_another_task(SMALL + 1).await);
    }

    #[tokio::test]
    async fn where_there_are_no_workers_it_is_judged_in_place() {
        assert_eq!(off_the_worker(SMALL + 1, || 1), 1);
    }
}
