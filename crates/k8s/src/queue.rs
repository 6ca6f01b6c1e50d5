//! A work queue, which decides when each object is reconciled. A triggered object is due after 100 ms, a failed one after a
//! pause that grows with each failure, and every object once per interval. The queue reconciles at most eight objects at
//! once, and never one object twice at the same time.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hash, RandomState};
use std::pin::Pin;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, poll_fn};
use futures_util::{Stream, StreamExt};
use kube::runtime::scheduler::{ScheduleRequest, Scheduler, scheduler};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use super::backoff::Backoff;

/// How one reconcile ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconciled {
    /// The object is as it should be.
    Settled,
    /// As `Settled`, and it must be reconciled after this long at the latest.
    SettledFor(Duration),
    /// The object does not exist any more.
    Gone,
    /// It must be retried.
    Failed,
}

/// How many run at once: enough to hide the API server's latency, too few to overload it.
const CONCURRENCY: usize = 8;
/// A roll-out changes a Deployment several times a second; one write covers the whole burst.
const SETTLE: Duration = Duration::from_millis(100);
/// First pause after a failure, before jitter.
const MIN_PAUSE: Duration = Duration::from_millis(250);
/// Longest pause after failures, before jitter.
const MAX_PAUSE: Duration = Duration::from_secs(15);
/// A new holder of the Lease reconciles all objects, at first with this much time between two.
const SPACING: Duration = Duration::from_millis(5);
/// A new holder's first pass takes no longer than this.
const MAX_SPREAD: Duration = Duration::from_secs(10);
/// Periodic reconciles are batched to this interval, so that a process with thousands of objects can sleep. Must divide
/// one second.
const BATCH: Duration = Duration::from_millis(250);
/// A reconcile that makes no call never yields, so after this long the queue yields to the watches on the same thread.
const MAX_TURN: Duration = Duration::from_micros(500);

type Requests<K> = Pin<Box<dyn Stream<Item = ScheduleRequest<K>> + Send>>;

/// A work queue by the keys of objects. Keys are cloned often, so they should be cheap to clone.
pub struct Queue<K, D> {
    due: Pin<Box<Scheduler<K, Requests<K>>>>,
    requests: UnboundedSender<ScheduleRequest<K>>,
    busy: HashSet<K>,
    /// Objects that changed, failed, or were never reconciled by this queue, without those that are due by the interval only.
    waiting: HashSet<K>,
    depth: D,
    failures: HashMap<K, Backoff>,
    interval: Duration,
    begun: Instant,
    random: RandomState,
    drawn: u64,
}

impl<K: Hash + Eq + Clone + Send + 'static, D: Fn(usize)> Queue<K, D> {
    /// An empty queue in which each object is due every `interval`. `depth` is called with the number of waiting objects.
    pub fn new(interval: Duration, depth: D) -> Queue<K, D> {
        let (requests, mut incoming) = unbounded_channel();
        let incoming: Requests<K> = Box::pin(poll_fn(move |cx| incoming.poll_recv(cx)));
        Queue {
            due: Box::pin(scheduler(incoming)),
            requests,
            busy: HashSet::new(),
            waiting: HashSet::new(),
            depth,
            failures: HashMap::new(),
            interval,
            begun: Instant::now(),
            random: RandomState::new(),
            drawn: 0,
        }
    }

    /// Adds all of them, spread at random over a while.
    pub fn fill(&mut self, keys: impl ExactSizeIterator<Item = K>) {
        let count = u32::try_from(keys.len()).unwrap_or(u32::MAX);
        let spread = SPACING.saturating_mul(count.saturating_sub(1)).min(MAX_SPREAD);
        for key in keys {
            let share = self.draw();
            self.wait(&key);
            self.request(key, spread.mul_f64(share));
        }
    }

    /// Triggers an object.
    pub fn wake(&mut self, key: K) {
        self.wait(&key);
        self.request(key, SETTLE);
    }

    /// Reconciles whatever is due, and never returns. `wakes` waits for objects that have changed.
    pub async fn run<R: Future<Output = Reconciled>>(
        &mut self,
        mut wakes: impl AsyncFnMut() -> Vec<K>,
        reconcile: impl Fn(K) -> R,
    ) {
        let mut running = FuturesUnordered::new();
        let mut turn = Instant::now();
        loop {
            if turn.elapsed() > MAX_TURN {
                tokio::task::yield_now().await;
                turn = Instant::now();
            }
            tokio::select! {
                woken = wakes() => woken.into_iter().for_each(|key| self.wake(key)),
                Some((key, outcome)) = running.next(), if !running.is_empty() => self.reconciled(key, outcome),
                Some(key) = next(self.due.as_mut(), &self.busy), if self.busy.len() < CONCURRENCY => {
                    self.begin(&key);
                    let outcome = reconcile(key.clone());
                    running.push(async { (key, outcome.await) });
                }
            }
        }
    }

    fn wait(&mut self, key: &K) {
        self.waiting.insert(key.clone());
        (self.depth)(self.waiting.len());
    }

    fn begin(&mut self, key: &K) {
        self.busy.insert(key.clone());
        self.waiting.remove(key);
        if self.waiting.is_empty() {
            // Releases the memory of the first pass, which needs room for all objects.
            self.waiting = HashSet::new();
        }
        (self.depth)(self.waiting.len());
    }

    fn reconciled(&mut self, key: K, outcome: Reconciled) {
        self.busy.remove(&key);
        match outcome {
            Reconciled::Settled | Reconciled::SettledFor(_) => {
                self.failures.remove(&key);
                let share = self.draw();
                // 90 to 110 percent, so that objects that started together do not stay together.
                let periodic = self.interval.mul_f64(0.9 + share / 5.0);
                match outcome {
                    Reconciled::SettledFor(left) if left < periodic => self.request(key, left),
                    _ => self.request_periodic(key, periodic),
                }
            }
            Reconciled::Gone => drop(self.failures.remove(&key)),
            Reconciled::Failed => {
                let failures = self.failures.entry(key.clone());
                let backoff = failures.or_insert_with(|| Backoff::with_jitter(MIN_PAUSE, MAX_PAUSE));
                let pause = backoff.next_pause();
                self.wait(&key);
                self.request(key, pause);
            }
        }
    }

    fn request(&mut self, message: K, after: Duration) {
        let run_at = Instant::now() + after;
        // Sending cannot fail: the receiver is in `due`.
        drop(self.requests.send(ScheduleRequest { message, run_at }));
    }

    /// As [`Self::request`], at the next multiple of the batch interval.
    fn request_periodic(&mut self, key: K, after: Duration) {
        let due = self.begun.elapsed() + after;
        let past = Duration::from_nanos((due.subsec_nanos() % BATCH.subsec_nanos()).into());
        self.request(key, after + BATCH - past);
    }

    /// A random number from 0 to 1.
    fn draw(&mut self) -> f64 {
        self.drawn = self.drawn.wrapping_add(1);
        #[expect(clippy::cast_precision_loss, reason = "of a random number any bits will do")]
        let share = self.random.hash_one(self.drawn) as f64 / u64::MAX as f64;
        share
    }
}

/// The next object that is due and not being reconciled.
async fn next<K: Hash + Eq + Clone>(due: Pin<&mut Scheduler<K, Requests<K>>>, busy: &HashSet<K>) -> Option<K> {
    due.hold_unless(|key| !busy.contains(key)).next().await
}

#[cfg(test)]
mod tests;
