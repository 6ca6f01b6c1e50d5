//! When each object is reconciled, on a simulated clock.

use std::sync::{Arc, Mutex};

use super::*;

type Key = Arc<str>;

fn key(name: &str) -> Key {
    name.into()
}

/// A queue with this interval in seconds.
fn every(seconds: u64) -> Queue<Key, fn(usize)> {
    Queue::new(Duration::from_secs(seconds), |_| ())
}

/// Nothing changes.
async fn nothing() -> Vec<Key> {
    std::future::pending().await
}

/// Runs the queue for a while of the clock's time and returns when each reconcile began, in milliseconds.
async fn reconciles(
    queue: &mut Queue<Key, fn(usize)>,
    time: Duration,
    answer: impl Fn(usize) -> Reconciled,
) -> Vec<(u128, String)> {
    let (started, seen) = (Instant::now(), Mutex::new(Vec::new()));
    let reconcile = |key: Key| {
        let count = {
            let mut seen = seen.lock().expect("a list");
            seen.push((started.elapsed().as_millis(), key.to_string()));
            seen.len()
        };
        let outcome = answer(count);
        async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            outcome
        }
    };
    drop(tokio::time::timeout(time, queue.run(nothing, reconcile)).await);
    seen.into_inner().expect("a list")
}

#[tokio::test(start_paused = true)]
async fn a_settled_object_comes_round_again_after_the_interval() {
    let mut queue = every(60);
    queue.fill([key("a")].into_iter());
    let seen = reconciles(&mut queue, Duration::from_secs(200), |_| Reconciled::Settled).await;
    assert!((3..=4).contains(&seen.len()), "{seen:?}");
    for pair in seen.windows(2) {
        let apart = pair[1].0 - pair[0].0;
        assert!((54_000..=66_300).contains(&apart), "{seen:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_settled_for_a_while_comes_round_when_that_ends() {
    let mut queue = every(60);
    queue.fill([key("a")].into_iter());
    // Longer than the interval, and shorter.
    let answer = |count| match count {
        1 => Reconciled::SettledFor(Duration::from_secs(90)),
        2 => Reconciled::SettledFor(Duration::from_millis(7_300)),
        _ => Reconciled::Gone,
    };
    let seen = reconciles(&mut queue, Duration::from_secs(200), answer).await;
    let apart: Vec<u128> = seen.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!((54_000..=66_300).contains(&apart[0]), "{seen:?}");
    assert!((7_310..=7_320).contains(&apart[1]), "{seen:?}");
    assert_eq!(apart.len(), 2, "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn many_wakes_are_one_reconcile_and_a_gone_object_is_forgotten() {
    let mut queue = every(60);
    for _ in 0..100 {
        queue.wake(key("a"));
    }
    let seen = reconciles(&mut queue, Duration::from_secs(300), |_| Reconciled::Gone).await;
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(seen[0].0 <= 110, "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_tried_again_ever_more_rarely() {
    let mut queue = every(60);
    queue.wake(key("a"));
    let seen = reconciles(&mut queue, Duration::from_secs(600), |_| Reconciled::Failed).await;
    // The longest pause with its jitter: 15 to 30 s each.
    assert!((20..50).contains(&seen.len()), "{} reconciles", seen.len());
    assert!(seen[1].0 - seen[0].0 <= 600, "the first pause is short: {seen:?}");
    let last = seen.windows(2).last().expect("two");
    assert!(last[1].0 - last[0].0 >= 15_000, "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_success_makes_the_pauses_short_again() {
    let mut queue = every(60);
    queue.wake(key("a"));
    let answer = |count| match count {
        10 => Reconciled::Settled,
        11.. => Reconciled::Gone,
        _ => Reconciled::Failed,
    };
    reconciles(&mut queue, Duration::from_secs(600), answer).await;
    assert!(queue.failures.is_empty());
}

#[tokio::test(start_paused = true)]
async fn no_object_is_reconciled_twice_at_once_and_only_a_few_are() {
    let mut queue = every(60);
    queue.fill((0..50).map(|n| key(&format!("p{n}"))).collect::<Vec<_>>().into_iter());
    let now = Mutex::new((HashSet::new(), 0));
    let reconcile = |key: Key| {
        {
            let mut now = now.lock().expect("a set");
            assert!(now.0.insert(Arc::clone(&key)), "{key:?} is being outcome at");
            now.1 = now.1.max(now.0.len());
        }
        let now = &now;
        async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            now.lock().expect("a set").0.remove(&key);
            Reconciled::Settled
        }
    };
    let woken = async || {
        tokio::time::sleep(Duration::from_millis(300)).await;
        vec![key("p1"), key("p2")]
    };
    drop(tokio::time::timeout(Duration::from_secs(90), queue.run(woken, reconcile)).await);
    assert_eq!(now.lock().expect("a set").1, CONCURRENCY);
}

#[tokio::test(start_paused = true)]
async fn a_first_pass_covers_everything_within_seconds_but_not_at_once() {
    let mut queue = every(600);
    queue.fill(
        (0..1_000)
            .map(|n| key(&format!("p{n}")))
            .collect::<Vec<_>>()
            .into_iter(),
    );
    let seen = reconciles(&mut queue, Duration::from_secs(30), |_| Reconciled::Settled).await;
    assert_eq!(seen.len(), 1_000);
    let last = seen.iter().map(|(at, _)| *at).max().expect("some");
    assert!((2_000..12_000).contains(&last), "the last after {last} ms");
    let mut one = every(600);
    one.fill([key("a")].into_iter());
    let seen = reconciles(&mut one, Duration::from_secs(1), |_| Reconciled::Settled).await;
    assert!(seen[0].0 < 20, "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn objects_wait_that_changed_or_failed() {
    let mut queue = every(60);
    queue.fill([key("a"), key("b")].into_iter());
    queue.wake(key("a"));
    assert_eq!(queue.waiting.len(), 2, "each once");
    let seen = reconciles(&mut queue, Duration::from_secs(2), |_| Reconciled::Settled).await;
    assert_eq!((seen.len(), queue.waiting.len()), (2, 0), "{seen:?}");
    // Its next turn comes by the interval alone.
    queue.wake(key("c"));
    let seen = reconciles(&mut queue, Duration::from_millis(300), |_| Reconciled::Failed).await;
    assert_eq!((seen.len(), queue.waiting.len()), (1, 1), "what failed waits: {seen:?}");
}

#[tokio::test(start_paused = true)]
async fn periodic_reconciles_are_batched() {
    let mut queue = every(60);
    let keys: Vec<Key> = (0..1_000).map(|n| key(&format!("p{n}"))).collect();
    queue.fill(keys.into_iter());
    let seen = reconciles(&mut queue, Duration::from_secs(120), |_| Reconciled::Settled).await;
    let later: Vec<u128> = seen.iter().map(|(at, _)| *at).filter(|at| *at > 20_000).collect();
    assert!(later.len() >= 1_000, "{} reconciles", later.len());
    // A few at once, ten milliseconds each: a batch starts soon after the multiple.
    let late: Vec<&u128> = later.iter().filter(|at| **at % 250 > 125).collect();
    assert!(late.is_empty(), "between two batches: {late:?}");
}

#[tokio::test(start_paused = true)]
async fn an_object_that_holds_for_a_time_comes_round_when_that_is_over() {
    let mut queue = every(60);
    queue.wake(key("a"));
    let answer = |count| match count {
        1 => Reconciled::SettledFor(Duration::from_secs(7)),
        _ => Reconciled::SettledFor(Duration::from_secs(3_600)),
    };
    let seen = reconciles(&mut queue, Duration::from_secs(200), answer).await;
    let second = seen[1].0 - seen[0].0;
    assert!((7_000..7_100).contains(&second), "{seen:?}");
    let third = seen[2].0 - seen[1].0;
    assert!((54_000..=66_300).contains(&third), "the interval is sooner: {seen:?}");
}
