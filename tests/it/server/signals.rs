//! The effect of signals on a process.

use std::time::{Duration, Instant};

use super::child::{Child, SHUTDOWN_DELAY};
use super::support::Client;

#[tokio::test]
async fn sigterm_goes_on_answering_for_the_delay_and_then_ends_in_order() {
    let mut child = Child::start("signals", "").await;
    let mut client = Client::connect_plain(child.addr).await.unwrap();
    assert!(!client.get("/ok").await.unwrap().closes());
    let began = Instant::now();
    child.signal("TERM").await;
    // Until the signal has arrived answers still invite another request.
    while !client.get("/ok").await.unwrap().closes() {}
    let answer = Client::connect_plain(child.addr)
        .await
        .unwrap()
        .get("/ok")
        .await
        .unwrap();
    assert_eq!((answer.status, answer.closes()), (200, true));
    child.line("drained").await;
    assert!(began.elapsed() >= SHUTDOWN_DELAY, "{:?}", began.elapsed());
    assert_eq!(child.ended().await.code(), Some(0));
}

#[tokio::test]
async fn sigint_skips_the_delay() {
    let mut child = Child::start("signals", "").await;
    let mut idle = Client::connect_plain(child.addr).await.unwrap();
    idle.get("/ok").await.unwrap();
    let began = Instant::now();
    child.signal("INT").await;
    idle.closed().await.unwrap();
    assert!(began.elapsed() < SHUTDOWN_DELAY, "{:?}", began.elapsed());
    child.line("drained").await;
    assert_eq!(child.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_second_signal_exits_at_once_whatever_is_in_flight() {
    for (first, second, code) in [("TERM", "TERM", 143), ("INT", "INT", 130), ("TERM", "INT", 130)] {
        let mut child = Child::start("signals", "").await;
        let mut endless = Client::connect_plain(child.addr).await.unwrap();
        endless.send("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        child.line("endless request").await;
        let mut other = Client::connect_plain(child.addr).await.unwrap();
        child.signal(first).await;
        while !other.get("/ok").await.unwrap().closes() {}
        let began = Instant::now();
        child.signal(second).await;
        child.line("aborted").await;
        assert_eq!(child.ended().await.code(), Some(code));
        assert!(began.elapsed() < Duration::from_secs(5));
    }
}
