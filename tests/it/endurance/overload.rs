//! An overload: three API servers with all the calls in flight that an API server allows itself, each sent when the previous
//! one was answered. No request is rejected, since a rejection that is repeated until the API server gives up is an object
//! admitted unchecked. All requests wait a little instead.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::process::{Asked, REVIEW_TIMEOUT, Served, processor_time};

/// Enough to keep it busy.
const BUSY: usize = 8;
/// Three API servers with 200 calls in flight each.
const TOO_MANY: usize = 600;
const LASTING: Duration = Duration::from_secs(5);
/// It must be as quick as before after this.
const RECOVERY: Duration = Duration::from_secs(2);

/// What the clients got in that time.
#[derive(Debug, Default)]
struct Got {
    answers: usize,
    /// Processor time of the process for one answer.
    each: Duration,
    lost: Vec<String>,
    slowest: Duration,
}

/// This many clients at once, each sending the next request when the last was answered. Their connections are established
/// before the time begins.
async fn load(served: &Served, clients: usize, lasting: Duration) -> Got {
    let asked = &served.asked;
    let (over, ready) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let begin = Arc::new(tokio::sync::Semaphore::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..clients {
        let (asked, over, ready, begin) = (asked.clone(), Arc::clone(&over), Arc::clone(&ready), Arc::clone(&begin));
        tasks.spawn(async move {
            let mut got = Got::default();
            let mut kept = asked.connect().await.ok();
            ready.fetch_add(1, Ordering::SeqCst);
            drop(begin.acquire().await);
            while !over.load(Ordering::SeqCst) {
                let began = Instant::now();
                match asked.ask(&mut kept).await {
                    Ok(()) => got.answers += 1,
                    Err(error) => got.lost.push(error.to_string()),
                }
                got.slowest = got.slowest.max(began.elapsed());
            }
            got
        });
    }
    crate::server::support::until("everybody is connected", || ready.load(Ordering::SeqCst) == clients).await;
    let spent = processor_time(&served.dorgu);
    begin.add_permits(clients);
    tokio::time::sleep(lasting).await;
    over.store(true, Ordering::SeqCst);
    let mut sum = Got::default();
    while let Some(got) = tasks.join_next().await {
        let got = got.expect("it asks");
        sum.answers += got.answers;
        sum.lost.extend(got.lost);
        sum.slowest = sum.slowest.max(got.slowest);
    }
    let spent = processor_time(&served.dorgu) - spent;
    sum.each = spent / u32::try_from(sum.answers.max(1)).unwrap_or(u32::MAX);
    sum
}

/// The median of some questions, one after the other.
async fn calm(asked: &Asked) -> Duration {
    let (mut kept, mut times) = (None, Vec::new());
    for _ in 0..50 {
        let began = Instant::now();
        asked.ask(&mut kept).await.expect("an answer");
        times.push(began.elapsed());
    }
    times.sort_unstable();
    times[times.len() / 2]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn three_api_servers_at_their_limit_are_all_answered_in_time_and_leave_nothing_behind() {
    let served = Served::start();
    let asked = &served.asked;
    let before = calm(asked).await;
    let busy = load(&served, BUSY, LASTING).await;
    let overload = load(&served, TOO_MANY, LASTING).await;
    let ended = Instant::now();
    let mut after = calm(asked).await;
    while after > before * 2 && ended.elapsed() < RECOVERY {
        after = after.min(calm(asked).await);
    }
    let again = load(&served, BUSY, LASTING).await;
    println!(
        "{BUSY} clients: {} answers in {LASTING:?}, {:.1?} of processor time each; {TOO_MANY}: {}, {:.1?} each, the slowest \
         after {:.0?}, {} lost; then {}, {:.1?} each; alone {before:.1?} before, {after:.1?} after",
        busy.answers,
        busy.each,
        overload.answers,
        overload.each,
        overload.slowest,
        overload.lost.len(),
        again.answers,
        again.each,
    );
    assert!(
        overload.lost.is_empty(),
        "{:?}",
        &overload.lost[..overload.lost.len().min(5)]
    );
    assert!(overload.slowest < REVIEW_TIMEOUT, "{:?}", overload.slowest);
    // Goodput is what an answer costs: neighbours and clients take from the same processors, and change from second to
    // second what is left.
    let usual = busy.each.max(again.each);
    assert!(overload.each < usual * 3 / 2, "{:?} of {usual:?}", overload.each);
    assert!(
        after < before * 2 + Duration::from_millis(20),
        "{before:?} before, {after:?} after"
    );
}
