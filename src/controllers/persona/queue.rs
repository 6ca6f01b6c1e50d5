//! Which persona is looked at when: woken ones at once, failed ones after a pause that grows, all others every now and
//! then. No persona is looked at twice at the same time, and no more than a few at once.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, poll_fn};
use futures_util::{Stream, StreamExt};
use kube::runtime::scheduler::{ScheduleRequest, Scheduler, scheduler};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use crate::controllers::metrics::Depth;
use crate::k8s::Backoff;

/// A persona by its name; shared, since a queue names each several times.
pub(super) type Key = Arc<PersonaKey>;

/// Namespace and name of a persona.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct PersonaKey {
    pub(super) namespace: Box<str>,
    pub(super) name: Box<str>,
}

/// How one look ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looked {
    /// All is as it should be, for now.
    Settled,
    /// There is no such persona any more.
    Gone,
    /// It has to be tried again.
    Failed,
}

/// How many are looked at at once: enough to hide the API server's latency, too few to press it.
const AT_ONCE: usize = 8;
/// A roll-out changes a Deployment several times a second; one write tells of all of it.
const SETTLE: Duration = Duration::from_millis(100);
/// First pause after a failure, before jitter.
const MIN_PAUSE: Duration = Duration::from_millis(250);
/// Longest pause after failures, before jitter.
const MAX_PAUSE: Duration = Duration::from_secs(15);
/// A new holder looks at everything, this far apart at first.
const APART: Duration = Duration::from_millis(5);
/// Nobody waits longer than this for a new holder's first look.
const SPREAD: Duration = Duration::from_secs(10);
/// Those whose turn has no reason but the clock come in company, this far apart: among thousands of personas the process
/// would else never sleep. A whole number of them is a second.
const TOGETHER: Duration = Duration::from_millis(250);
/// A look that makes no call never waits, so after this long the watches, which share the thread, get their turn.
const TURN: Duration = Duration::from_micros(500);

type Requests = Pin<Box<dyn Stream<Item = ScheduleRequest<Key>> + Send>>;

/// The queue of one term of a holder.
pub(super) struct Queue {
    due: Pin<Box<Scheduler<Key, Requests>>>,
    requests: UnboundedSender<ScheduleRequest<Key>>,
    busy: HashSet<Key>,
    /// Those whose turn has a reason: they have changed, failed, or a new holder has not seen them yet.
    waiting: HashSet<Key>,
    depth: Depth,
    failures: HashMap<Key, Backoff>,
    interval: Duration,
    begun: Instant,
    random: RandomState,
    drawn: u64,
}

impl Queue {
    /// An empty queue, in which each persona comes round every `interval`; how many wait is told to `depth`.
    pub(super) fn new(interval: Duration, depth: Depth) -> Queue {
        let (requests, mut incoming) = unbounded_channel();
        let incoming: Requests = Box::pin(poll_fn(move |cx| incoming.poll_recv(cx)));
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

    /// All of them, spread over a while.
    pub(super) fn fill(&mut self, keys: impl ExactSizeIterator<Item = Key>) {
        let count = u32::try_from(keys.len()).unwrap_or(u32::MAX);
        let spread = APART.saturating_mul(count.saturating_sub(1)).min(SPREAD);
        for key in keys {
            let share = self.draw();
            self.wait(&key);
            self.request(key, spread.mul_f64(share));
        }
    }

    /// Something about it has changed.
    pub(super) fn wake(&mut self, key: Key) {
        self.wait(&key);
        self.request(key, SETTLE);
    }

    /// Looks at whatever is due, for ever. `wakes` says who is to be woken.
    pub(super) async fn run<L: Future<Output = Looked>>(
        &mut self,
        mut wakes: impl AsyncFnMut() -> Vec<Key>,
        look: impl Fn(Key) -> L,
    ) {
        let mut looks = FuturesUnordered::new();
        let mut turn = Instant::now();
        loop {
            if turn.elapsed() > TURN {
                tokio::task::yield_now().await;
                turn = Instant::now();
            }
            tokio::select! {
                woken = wakes() => woken.into_iter().for_each(|key| self.wake(key)),
                Some((key, looked)) = looks.next(), if !looks.is_empty() => self.looked(key, looked),
                Some(key) = next(self.due.as_mut(), &self.busy), if self.busy.len() < AT_ONCE => {
                    self.begin(&key);
                    let looked = look(Arc::clone(&key));
                    looks.push(async { (key, looked.await) });
                }
            }
        }
    }

    fn wait(&mut self, key: &Key) {
        self.waiting.insert(Arc::clone(key));
        self.depth.set(self.waiting.len());
    }

    fn begin(&mut self, key: &Key) {
        self.busy.insert(Arc::clone(key));
        self.waiting.remove(key);
        if self.waiting.is_empty() {
            // A new holder's first pass leaves room for everybody, which is not needed again.
            self.waiting = HashSet::new();
        }
        self.depth.set(self.waiting.len());
    }

    fn looked(&mut self, key: Key, looked: Looked) {
        self.busy.remove(&key);
        match looked {
            Looked::Settled => {
                self.failures.remove(&key);
                let share = self.draw();
                // From nine to eleven tenths, so that they do not come all at once for ever.
                self.request_by_the_clock(key, self.interval.mul_f64(0.9 + share / 5.0));
            }
            Looked::Gone => drop(self.failures.remove(&key)),
            Looked::Failed => {
                let failures = self.failures.entry(Arc::clone(&key));
                let backoff = failures.or_insert_with(|| Backoff::with_jitter(MIN_PAUSE, MAX_PAUSE));
                let pause = backoff.next_pause();
                self.wait(&key);
                self.request(key, pause);
            }
        }
    }

    fn request(&mut self, message: Key, after: Duration) {
        let run_at = Instant::now() + after;
        // The receiver lives in `due`, beside us.
        drop(self.requests.send(ScheduleRequest { message, run_at }));
    }

    /// As [`Self::request`], a little later, together with all others whose time that is.
    fn request_by_the_clock(&mut self, key: Key, after: Duration) {
        let due = self.begun.elapsed() + after;
        let past = Duration::from_nanos((due.subsec_nanos() % TOGETHER.subsec_nanos()).into());
        self.request(key, after + TOGETHER - past);
    }

    /// From 0 to 1.
    fn draw(&mut self) -> f64 {
        self.drawn = self.drawn.wrapping_add(1);
        #[expect(clippy::cast_precision_loss, reason = "of a random number any bits will do")]
        let share = self.random.hash_one(self.drawn) as f64 / u64::MAX as f64;
        share
    }
}

/// The next that is due and not being looked at.
async fn next(due: Pin<&mut Scheduler<Key, Requests>>, busy: &HashSet<Key>) -> Option<Key> {
    due.hold_unless(|key| !busy.contains(key)).next().await
}

#[cfg(test)]
mod tests;
