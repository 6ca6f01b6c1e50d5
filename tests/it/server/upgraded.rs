//! Connections that leave HTTP.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use axum::routing::get;
use dorgu::server::drain::{Drain, State};
use dorgu::server::limits::Limits;
use dorgu::server::stats::CloseReason;
use dorgu::server::upgrade::{Conversation, Stream, switch};
use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::support::{Client, Served, TIMEOUT, plain_app};

pub(crate) const ASK: &str = "GET /stream HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";

/// Sends back what comes, and says goodbye once a drain begins.
pub(crate) fn echo(stream: &mut Stream, drain: Drain) -> Conversation<'_> {
    Box::pin(async move {
        let mut bytes = [0; 64];
        loop {
            tokio::select! {
                read = stream.read(&mut bytes) => match read {
                    Ok(0) | Err(_) => return,
                    Ok(read) => stream.write_all(&bytes[..read]).await.expect("the test reads"),
                },
                () = drain.reached(State::Closing) => {
                    stream.write_all(b"bye").await.expect("the test reads");
                    return;
                }
            }
            stream.flush().await.expect("the test reads");
        }
    })
}

/// Has never enough, and asks for no drain.
fn pour(stream: &mut Stream, _: Drain) -> Conversation<'_> {
    Box::pin(async move { while stream.write_all(&[b'x'; 16 << 10]).await.is_ok() {} })
}

fn deaf(_: &mut Stream, _: Drain) -> Conversation<'_> {
    Box::pin(std::future::pending())
}

fn app() -> Router {
    plain_app(Limits::default())
        .route("/stream", get(async || switch::<Body>("echo", echo)))
        .route("/pour", get(async || switch::<Body>("echo", pour)))
        .route("/deaf", get(async || switch::<Body>("echo", deaf)))
        .route(
            "/by-hand",
            get(async || StatusCode::SWITCHING_PROTOCOLS.into_response()),
        )
}

async fn upgraded(served: &Served, path: &str) -> Client {
    let mut client = served.connect().await;
    client.send(ASK.replace("/stream", path)).await.unwrap();
    let answer = client.answer().await.unwrap();
    assert_eq!((answer.status, answer.header("upgrade")), (101, Some("echo")));
    client
}

async fn says(client: &mut Client, text: &str) {
    client.send(text).await.unwrap();
    assert_eq!(client.bytes(text.len()).await.unwrap(), text.as_bytes());
}

#[tokio::test]
async fn an_upgraded_connection_talks_and_says_goodbye_in_a_drain() {
    let served = Served::start(app(), Limits::default()).await;
    let mut client = upgraded(&served, "/stream").await;
    says(&mut client, "one").await;
    says(&mut client, "two").await;
    let mut other = served.connect().await;
    assert_eq!(other.get("/ok").await.unwrap().status, 200);

    served.drain.begin(Duration::ZERO).await;
    assert_eq!(client.bytes(3).await.unwrap(), b"bye");
    client.closed().await.unwrap();
    client.finish().await.unwrap();
    drop((client, other));
    tokio::time::timeout(TIMEOUT, served.task).await.unwrap().unwrap();
    assert_eq!(served.stats.open(), 0);
}

#[tokio::test]
async fn one_that_asks_for_no_drain_is_closed_in_order_after_its_grace() {
    let limits = Limits {
        parting: Duration::from_millis(50),
        ..Limits::default()
    };
    let served = Served::start(app(), limits).await;
    let mut client = upgraded(&served, "/deaf").await;
    // The shutdown delay is longer than the grace, which begins with the drain.
    let drain = served.drain.clone();
    let draining = tokio::spawn(async move { drain.begin(TIMEOUT).await });
    client.closed().await.unwrap();
    drop(client);
    served.closed(CloseReason::Drained, 1).await;
    draining.abort();
}

#[tokio::test]
async fn no_connection_is_upgraded_during_a_drain() {
    let served = Served::start(app(), Limits::default()).await;
    let mut client = served.connect().await;
    let drain = served.drain.clone();
    let draining = tokio::spawn(async move { drain.begin(TIMEOUT).await });
    super::support::until("the drain begins", || served.drain.is_draining()).await;
    client.send(ASK).await.unwrap();
    let answer = client.answer().await.unwrap();
    assert_eq!((answer.status, answer.closes()), (503, true));
    draining.abort();
}

#[tokio::test]
async fn silence_ends_no_upgraded_connection() {
    let limits = Limits {
        idle: Duration::from_millis(50),
        ..Limits::default()
    };
    let served = Served::start(app(), limits).await;
    let mut client = upgraded(&served, "/stream").await;
    for count in 1..=2 {
        let _idle = served.connect().await;
        served.closed(CloseReason::Idle, count).await;
    }
    says(&mut client, "still").await;
}

#[tokio::test]
async fn an_upgraded_connection_makes_room_before_one_that_carries_requests() {
    let limits = Limits {
        max_connections: 2,
        patience: Duration::ZERO,
        ..Limits::default()
    };
    let served = Served::start(app(), limits).await;
    let mut used = served.connect().await;
    used.get("/ok").await.unwrap();
    let mut client = upgraded(&served, "/stream").await;
    says(&mut client, "here").await;
    let mut third = served.connect().await;
    assert_eq!(third.get("/ok").await.unwrap().status, 200);
    served.closed(CloseReason::Evicted, 1).await;
    assert_eq!(used.get("/ok").await.unwrap().status, 200);
}

#[tokio::test]
async fn a_peer_that_does_not_read_loses_its_upgraded_connection() {
    let limits = Limits {
        write: Duration::from_millis(100),
        ..Limits::default()
    };
    let served = Served::start(app(), limits).await;
    let _client = upgraded(&served, "/pour").await;
    served.closed(CloseReason::WriteTimeout, 1).await;
}

#[tokio::test]
async fn without_a_request_for_it_nothing_is_upgraded() {
    let served = Served::start(app(), Limits::default()).await;
    let mut client = served.connect().await;
    let answer = client.get("/stream").await.unwrap();
    assert_eq!((answer.status, answer.header("upgrade")), (426, Some("echo")));
    // A body would stand before the other protocol's bytes.
    client
        .send(ASK.replace("\r\n\r\n", "\r\nContent-Length: 1\r\n\r\nx"))
        .await
        .unwrap();
    assert_eq!(client.answer().await.unwrap().status, 426);
    // No listener would know of a connection that a handler takes for itself.
    let mut client = served.connect().await;
    client.send(ASK.replace("/stream", "/by-hand")).await.unwrap();
    assert_eq!(client.answer().await.unwrap().status, 500);
}
