//! Connections that leave HTTP.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use axum::routing::{connect, get};
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

/// Always has something to do, and asks for no drain.
fn busy(_: &mut Stream, _: Drain) -> Conversation<'_> {
    Box::pin(async {
        loop {
            tokio::task::consume_budget().await;
        }
    })
}

fn deaf(_: &mut Stream, _: Drain) -> Conversation<'_> {
    Box::pin(std::future::pending())
}

fn app() -> Router {
    plain_app(Limits::default())
        .route(
            "/stream",
            get(async || switch::<Body>("echo", echo)).merge(connect(async || switch::<Body>("echo", echo))),
        )
        .route("/busy", get(async || switch::<Body>("echo", busy)))
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
async fn one_that_is_always_busy_is_closed_after_its_grace() {
    let limits = Limits {
        parting: Duration::from_millis(50),
        ..Limits::default()
    };
    let served = Served::start(app(), limits).await;
    let mut client = upgraded(&served, "/busy").await;
    served.drain.begin(Duration::ZERO).await;
    client.closed().await.unwrap();
    drop(client);
    served.closed(CloseReason::Drained, 1).await;
}

#[tokio::test]
async fn one_that_is_always_busy_makes_room() {
    let limits = Limits {
        max_connections: 1,
        patience: Duration::ZERO,
        ..Limits::default()
    };
    let served = Served::start(app(), limits).await;
    let _client = upgraded(&served, "/busy").await;
    let mut second = served.connect().await;
    assert_eq!(second.get("/ok").await.unwrap().status, 200);
    served.closed(CloseReason::Evicted, 1).await;
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
    assert_eq!(served.stats.refused(), 1);
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
    let get = client.get("/stream").await.unwrap();
    assert_eq!((get.status, get.header("upgrade")), (426, Some("echo")));
    let declined = [
        ASK.replace("Upgrade: echo", "Upgrade: websocket"),
        ASK.replace("Upgrade: echo", "Upgrade: echoes, ech"),
        ASK.replace("Connection: upgrade", "Connection: keep-alive"),
        ASK.replace("Connection: upgrade\r\n", ""),
    ];
    for ask in declined {
        client.send(&ask).await.unwrap();
        let answer = client.answer().await.unwrap();
        let named = (answer.header("upgrade"), answer.header("connection"));
        assert_eq!((answer.status, named), (426, (Some("echo"), Some("upgrade"))), "{ask}");
    }
    // It is still one of HTTP.
    assert_eq!(client.get("/ok").await.unwrap().status, 200);
    client.send(ASK.replace("GET", "CONNECT")).await.unwrap();
    assert_eq!(client.answer().await.unwrap().status, 426);
    // No listener would know of a connection that a handler takes for itself.
    let mut client = served.connect().await;
    client.send(ASK.replace("/stream", "/by-hand")).await.unwrap();
    assert_eq!(client.answer().await.unwrap().status, 500);
}

#[tokio::test]
async fn a_request_with_a_body_upgrades_nothing() {
    let served = Served::start(app(), Limits::default()).await;
    let mut client = served.connect().await;
    // The body would stand before the other protocol's bytes.
    let ask = ASK.replace("\r\n\r\n", "\r\nContent-Length: 1\r\n\r\nx");
    client.send(ask).await.unwrap();
    let answer = client.answer().await.unwrap();
    let named = (answer.header("upgrade"), answer.header("connection"));
    assert_eq!((answer.status, named), (426, (Some("echo"), Some("upgrade, close"))));
}

#[tokio::test]
async fn a_request_may_list_several_protocols() {
    let served = Served::start(app(), Limits::default()).await;
    let mut client = served.connect().await;
    let ask = ASK.replace("Connection: upgrade", "Connection: keep-alive, Upgrade");
    let ask = ask.replace("Upgrade: echo", "Upgrade: websocket\r\nUpgrade: h2c ,ECHO");
    client.send(ask).await.unwrap();
    assert_eq!(client.answer().await.unwrap().status, 101);
    says(&mut client, "agreed").await;
}

/// hyper leaves a connection to its owner once a request on it had an `Upgrade`, whatever was answered.
#[tokio::test]
async fn a_connection_that_was_not_upgraded_is_closed_in_order() {
    let served = Served::start(app(), Limits::default()).await;
    let mut left = served.connect().await;
    left.send(ASK.replace("/stream", "/ok")).await.unwrap();
    assert_eq!(left.answer().await.unwrap().status, 200);
    left.finish().await.unwrap();
    left.closed().await.unwrap();
    served.closed(CloseReason::Finished, 1).await;

    let mut drained = served.connect().await;
    drained.send(ASK.replace("echo", "other")).await.unwrap();
    assert_eq!(drained.answer().await.unwrap().status, 426);
    served.drain.begin(Duration::ZERO).await;
    drained.closed().await.unwrap();
    drop(drained);
    served.closed(CloseReason::Drained, 1).await;
}
