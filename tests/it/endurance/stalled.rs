//! Two thousand peers that stop in the middle of something, connected to a process as users start it, beside one that does not
//! stop. `tests/it/server/stalled.rs` checks when and why each kind is closed; this file measures what all of them cost other
//! clients.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use procfs::process::{LimitValue, Process};
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::beside::p99;
use super::process::{Asked, PATH, REVIEW_TIMEOUT, Served};
use crate::bed::Dorgu;
use crate::server::support::{Client, head};

const STALLED: usize = 2_000;
/// All of them must be gone by then.
const GONE: Duration = Duration::from_secs(15);
/// What they may cost in memory.
const ROOM: u64 = 64 << 20;
/// Between two questions of the one who does not stop.
const PERIOD: Duration = Duration::from_millis(10);
/// How long that one is watched alone.
const ALONE: Duration = Duration::from_secs(3);

/// Connections that this process can hold besides everything else.
fn room_for(wanted: usize) -> usize {
    let limits = Process::myself().and_then(|me| me.limits()).expect("limits");
    match limits.max_open_files.soft_limit {
        LimitValue::Value(files) => wanted.min(usize::try_from(files).unwrap_or(wanted).saturating_sub(300)),
        LimitValue::Unlimited => wanted,
    }
}

/// Resident memory of the process.
fn resident(dorgu: &Dorgu) -> u64 {
    let process = Process::new(i32::try_from(dorgu.pid()).expect("a pid"));
    let status = process.and_then(|process| process.status()).expect("it runs");
    status.vmrss.expect("its memory") * 1024
}

/// Begins something and goes no further, until the server has had enough; how long it put up with it.
async fn stall(addr: SocketAddr, config: Arc<ClientConfig>, kind: usize) -> Duration {
    // A server that does not let it in has had enough already.
    if kind == 0 {
        let Ok(mut tcp) = TcpStream::connect(addr).await else {
            return Duration::ZERO;
        };
        let began = Instant::now();
        // The first bytes of a ClientHello: a handshake record of 512 bytes that never come.
        if tcp.write_all(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]).await.is_ok() {
            drop(tcp.read_to_end(&mut Vec::new()).await);
        }
        return began.elapsed();
    }
    let Ok(mut client) = Client::connect(addr, &config).await else {
        return Duration::ZERO;
    };
    let (begin, drip) = match kind {
        1 => ("POST /validate-deployment HTTP/1.1\r\nHost: x\r\nConte".to_owned(), ""),
        2 => ("P".to_owned(), "O"),
        _ => (head(PATH, 100_000), "x"),
    };
    let began = Instant::now();
    let mut sent = client.send(begin).await;
    while sent.is_ok() {
        match timeout(Duration::from_secs(1), client.closed()).await {
            Ok(_) => break,
            Err(_) => sent = client.send(drip).await,
        }
    }
    began.elapsed()
}

/// How the one who does not stop fared.
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

/// Calls on one connection, as an API server does, until it is ended.
async fn ask(asked: Asked, until: Arc<tokio::sync::Notify>) -> Fared {
    let mut fared = Fared::default();
    let mut tick = tokio::time::interval(PERIOD);
    let mut kept = None;
    loop {
        tokio::select! {
            () = until.notified() => return fared,
            _ = tick.tick() => {}
        }
        let began = Instant::now();
        match asked.ask(&mut kept).await {
            Ok(()) => fared.times.push(began.elapsed()),
            Err(error) => fared.lost.push(error.to_string()),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_stalled_peers_cost_the_others_little_and_are_gone_in_fifteen_seconds() {
    let served = Served::start();
    let (dorgu, asked) = (&served.dorgu, &served.asked);
    let other = |ended: &Arc<tokio::sync::Notify>| tokio::spawn(ask(asked.clone(), Arc::clone(ended)));

    let ended = Arc::new(tokio::sync::Notify::new());
    let alone = other(&ended);
    tokio::time::sleep(ALONE).await;
    ended.notify_one();
    let mut alone = alone.await.expect("it asks");
    let before = resident(dorgu);

    let beside = other(&ended);
    let count = room_for(STALLED);
    let mut stalled: JoinSet<Duration> = (0..count)
        .map(|number| stall(asked.addr, Arc::clone(&asked.config), number % 4))
        .collect();
    let (mut most, mut longest) = (before, Duration::ZERO);
    let gone = timeout(GONE * 4, async {
        while !stalled.is_empty() {
            let thrown_out = timeout(Duration::from_millis(100), stalled.join_next()).await;
            if let Ok(Some(stayed)) = thrown_out {
                longest = longest.max(stayed.expect("it ends"));
            }
            most = most.max(resident(dorgu));
        }
    });
    gone.await
        .unwrap_or_else(|_| panic!("some of {count} are still there after {:?}", GONE * 4));
    ended.notify_one();
    let mut beside = beside.await.expect("it asks");

    let grown = most.saturating_sub(before);
    println!(
        "{count} stalled peers, each gone after {longest:.1?}, {} KiB more at most; the other: p99 {:.2?} alone ({}), {:.2?} beside them ({}), {} lost",
        grown / 1024,
        alone.p99(),
        alone.times.len(),
        beside.p99(),
        beside.times.len(),
        beside.lost.len()
    );
    assert!(beside.lost.is_empty(), "{:?}", beside.lost);
    assert!(beside.times.len() > 100, "too few to judge by: {}", beside.times.len());
    assert!(grown <= ROOM, "{grown} bytes more");
    // A machine that is busy with two thousand handshakes may also take its time to notice that it is over.
    assert!(longest < GONE + REVIEW_TIMEOUT, "{longest:?}");
}
