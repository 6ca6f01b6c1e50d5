//! Silence between requests. kube-apiserver keeps a connection for 90 s and does not repeat a POST that fails on it, so a
//! server that closes within that time loses reviews.

use std::time::Duration;

use dorgu::server::limits::Limits;
use dorgu::server::stats::CloseReason;
use tokio::task::JoinSet;

use super::support::{Served, plain_app};

/// Gaps in seconds around common timers: 30 s (axum), 60 s, 90 s (Go), 120 s.
const GAPS: [u32; 7] = [1, 29, 31, 61, 91, 119, 150];

/// Every limit divided; the shapes stay.
fn divided(by: u32) -> Limits {
    let limits = Limits::default();
    Limits {
        handshake: limits.handshake / by,
        header: limits.header / by,
        body: limits.body / by,
        write: limits.write / by,
        idle: limits.idle / by,
        linger: limits.linger / by,
        drain: limits.drain / by,
        ..limits
    }
}

/// One connection for each gap, once between two requests and once before the first; all gaps at the same time.
async fn lose_nothing(served: &Served, by: u32) {
    let mut probes = JoinSet::new();
    for gap in GAPS {
        for used in [true, false] {
            let mut client = served.connect().await;
            probes.spawn(async move {
                if used {
                    assert_eq!(client.post("/echo", b"before").await.unwrap().text(), "before");
                }
                tokio::time::sleep(Duration::from_secs(1) * gap / by).await;
                let answer = client.post("/echo", b"after").await;
                let answer = answer.unwrap_or_else(|error| panic!("lost after {gap} s, used before: {used}: {error}"));
                assert_eq!((answer.text(), answer.closes()), ("after", false));
            });
        }
    }
    while let Some(probe) = probes.join_next().await {
        probe.unwrap();
    }
    assert_eq!(served.stats.closed(CloseReason::Idle), 0);
}

#[tokio::test]
async fn no_gap_shorter_than_the_idle_limit_loses_a_request() {
    let by = 20;
    let served = Served::start(plain_app(divided(by)), divided(by)).await;
    lose_nothing(&served, by).await;

    // The limit is one: beyond it the connection is closed, in order.
    let mut client = served.connect().await;
    client.get("/ok").await.unwrap();
    let began = std::time::Instant::now();
    client.closed().await.unwrap();
    assert!(began.elapsed() >= divided(by).idle, "{:?}", began.elapsed());
    served.closed(CloseReason::Idle, 1).await;
}

/// The same in real time, about 150 s: `DORGU_LONG=1`.
#[tokio::test]
async fn no_real_gap_loses_a_request() {
    if std::env::var_os("DORGU_LONG").is_none() {
        println!("the short form ran; set DORGU_LONG=1 for the gaps in real time (150 s)");
        return;
    }
    let served = Served::start(plain_app(Limits::default()), Limits::default()).await;
    lose_nothing(&served, 1).await;
}
