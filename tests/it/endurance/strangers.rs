//! Strangers at a process as users start it, beside those who ask what an API server asks: a Deployment that must be denied,
//! within three seconds, and again where the answer is 503. What an API server would have admitted unseen is *lost*.
//!
//! The short form runs with the other tests and holds that nothing is lost. The long one (`DORGU_LONG=1`) takes all the
//! places of a process that may open as many files as it likes, and pairs each assault with a quiet time.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dorgu::server::descriptors;
use futures_util::FutureExt as _;
use procfs::process::{LimitValue, Process};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::beside::p99;
use super::process::{Asked, PATH, REVIEW_TIMEOUT, Served};
use crate::server::support::{Client, TIMEOUT, head};

const MIB: usize = 1 << 20;

/// Between two questions.
const PERIOD: Duration = Duration::from_millis(5);

/// In which all strangers have come, on a busy machine.
const ARRIVAL: Duration = Duration::from_secs(60);

/// One kind of stranger: how many, what each announces, and how much of it each sends before it stops.
#[derive(Clone, Copy)]
struct Kind {
    what: &'static str,
    count: usize,
    announced: usize,
    sent: usize,
}

const fn kind(what: &'static str, count: usize, announced: usize, sent: usize) -> Kind {
    Kind {
        what,
        count,
        announced,
        sent,
    }
}

/// Each kind takes all of something, be it places or memory.
fn kinds(count: usize) -> [Kind; 4] {
    [
        kind("announce ten bytes and send one", count, 10, 1),
        kind("announce 64 KiB and send a byte", count, 64 << 10, 1),
        kind("announce 1 MiB and send a byte", count, MIB, 1),
        kind("send 17 of 20 MiB and stop", 4, 20 * MIB, 17 * MIB),
    ]
}

/// Comes, stops in its body, and comes again some time after it was cut off: each at a time of its own, since a thousand
/// handshakes in one moment are another assault than bodies that stand still. Says once that it stands.
async fn come_again(asked: Asked, kind: Kind, pause: Duration, stands: Arc<Semaphore>) {
    let mut is_first = true;
    loop {
        if let Ok(mut client) = asked.connect().await
            && client.send(head(PATH, kind.announced)).await.is_ok()
            && client.send(vec![b' '; kind.sent]).await.is_ok()
        {
            if std::mem::take(&mut is_first) {
                stands.add_permits(1);
            }
            let _however = client.closed().await;
        }
        tokio::time::sleep(pause).await;
    }
}

/// How those who ask fared.
#[derive(Default)]
struct Fared {
    times: Vec<Duration>,
    lost: Vec<String>,
}

impl Fared {
    fn p99(&mut self) -> Duration {
        p99(&mut self.times)
    }
}

/// Asks until notified to end: on one connection, or by a new one each time.
async fn ask(asked: Asked, kept: bool, until: Arc<Notify>) -> Fared {
    let mut fared = Fared::default();
    let mut tick = tokio::time::interval(PERIOD);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut connection = None;
    loop {
        tokio::select! {
            () = until.notified() => return fared,
            _ = tick.tick() => {}
        }
        let began = Instant::now();
        loop {
            if !kept {
                connection = None;
            }
            match asked.verdict(&mut connection).await {
                Ok(false) => break fared.times.push(began.elapsed()),
                Ok(true) => break fared.lost.push("admitted".to_owned()),
                Err(error) if error.to_string().contains("status: 503") && began.elapsed() < REVIEW_TIMEOUT => {
                    // `Retry-After: 1`
                    tokio::time::sleep(Duration::from_secs(1).min(REVIEW_TIMEOUT.saturating_sub(began.elapsed())))
                        .await;
                }
                Err(error) => break fared.lost.push(error.to_string()),
            }
            if began.elapsed() >= REVIEW_TIMEOUT {
                break fared.lost.push("503 until it was too late".to_owned());
            }
        }
    }
}

/// Asks in both ways until something has happened.
async fn ask_until(asked: &Asked, over: impl Future<Output = ()>) -> [Fared; 2] {
    let ended = [true, false].map(|kept| (kept, Arc::new(Notify::new())));
    let asking = ended
        .each_ref()
        .map(|(kept, ended)| tokio::spawn(ask(asked.clone(), *kept, Arc::clone(ended))));
    over.await;
    for (_, ended) in &ended {
        ended.notify_one();
    }
    let [kept, new] = asking;
    [kept.await.expect("it asks"), new.await.expect("it asks")]
}

fn assert_nothing_lost(what: &str, fared: &[Fared; 2]) {
    for (fared, how) in fared.iter().zip(["a connection that stands", "new connections"]) {
        assert!(
            fared.lost.is_empty(),
            "{what}, by {how}: {} lost: {:?}",
            fared.lost.len(),
            fared.lost.first()
        );
        assert!(
            fared.times.len() > 10,
            "{what}, by {how}: only {} were asked",
            fared.times.len()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_bodies_lose_no_denial() {
    let long = std::env::var_os("DORGU_LONG").is_some();
    let (rounds, lasting) = if long { (5, 5) } else { (1, 2) };
    let lasting = Duration::from_secs(lasting);
    let (served, places) = if long {
        descriptors::raise().expect("as many files as possible");
        (Served::denying(None), 1_024)
    } else {
        // Few places are taken as easily by few.
        (Served::denying(Some((300, 300))), 140)
    };
    let asked = &served.asked;
    for kind in kinds(places) {
        for round in 0..rounds {
            let mut quiet = ask_until(asked, tokio::time::sleep(lasting)).await;
            let (mut strangers, stand) = (JoinSet::new(), Arc::new(Semaphore::new(0)));
            for stranger in 0..kind.count {
                let pause = Duration::from_secs(1) + Duration::from_secs(2) * number(stranger) / number(kind.count);
                strangers.spawn(come_again(asked.clone(), kind, pause, Arc::clone(&stand)));
            }
            // What it costs is measured once they stand, and lost may be nothing before either.
            let all_stand = async {
                let all = stand.acquire_many(number(kind.count)).await;
                all.expect("it is never closed").forget();
            };
            let arriving = ask_until(
                asked,
                timeout(ARRIVAL, all_stand).map(|all| all.expect("all come in time")),
            )
            .await;
            let mut beside = ask_until(asked, tokio::time::sleep(lasting)).await;
            strangers.shutdown().await;
            assert!(
                arriving.iter().all(|fared| fared.lost.is_empty()),
                "{}, while they came",
                kind.what
            );
            for (which, how) in ["a connection that stands", "new connections"].iter().enumerate() {
                let (quiet, beside) = (quiet[which].p99(), beside[which].p99());
                println!(
                    "{} {}, round {round}, by {how}: p99 {quiet:.2?} without them, {beside:.2?} beside them: {:.2} times",
                    kind.count,
                    kind.what,
                    beside.as_secs_f64() / quiet.as_secs_f64()
                );
            }
            assert_nothing_lost(kind.what, &beside);
        }
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).expect("some thousands")
}

/// Connects, asks a probe's question and stays, as often as it is let in.
async fn crowd(addr: SocketAddr, count: usize) -> Vec<TcpStream> {
    let mut crowd = Vec::new();
    for _ in 0..count {
        let mut tcp = TcpStream::connect(addr).await.expect("the kernel lets it in");
        // Half of them stop in the middle of their head.
        let text: &[u8] = if crowd.len() % 2 == 0 {
            b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
        } else {
            b"GET /livez HT"
        };
        // It may have had to make room already.
        let _however = tcp.write_all(text).await;
        crowd.push(tcp);
    }
    crowd
}

fn addr_of(url: &str) -> SocketAddr {
    let addr = url.split('/').nth(2).and_then(|addr| addr.parse().ok());
    addr.expect("an address")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_on_the_other_ports_lose_no_denial_and_no_probe() {
    // Its soft limit does not matter, and with a low hard one the webhook has its share nevertheless.
    for (soft, hard) in [(64, 1_024), (64, 64), (128, 128)] {
        let served = Served::denying(Some((soft, hard)));
        let (probes, metrics) = (
            addr_of(&served.dorgu.probes_url()),
            addr_of(&served.dorgu.metrics_url()),
        );
        let process = Process::new(i32::try_from(served.dorgu.pid()).expect("a pid"));
        let limit = process
            .and_then(|process| process.limits())
            .expect("limits")
            .max_open_files;
        assert!(
            matches!(limit.soft_limit, LimitValue::Value(files) if files == hard),
            "{limit:?}"
        );
        let crowds = [crowd(probes, 120).await, crowd(metrics, 120).await];
        let fared = ask_until(&served.asked, tokio::time::sleep(Duration::from_secs(1))).await;
        assert_nothing_lost(&format!("{hard} files"), &fared);
        let probed = tokio::time::timeout(TIMEOUT, async {
            let mut kubelet = Client::connect_plain(probes).await?;
            kubelet.get("/readyz").await
        });
        assert_eq!(probed.await.expect("in time").expect("an answer").status, 200);
        drop(crowds);
    }
}
