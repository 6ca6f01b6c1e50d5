//! Request bodies over a real connection: limits, the budget, framing.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use dorgu::server::body::{self, Budget, SMALL};
use dorgu::server::limits::Limits;
use dorgu::server::sender::Sender;
use dorgu::server::stats::CloseReason;
use http::Request;
use tokio::sync::Notify;

use super::support::{Served, TIMEOUT, app, head, plain_app};

const MIB: usize = 1 << 20;

#[tokio::test]
async fn a_client_that_reads_only_after_writing_gets_its_verdict_and_keeps_its_connection() {
    let served = Served::start(plain_app(Limits::default()), Limits::default()).await;
    let mut client = served.connect().await;
    let answer = client.post("/echo", &vec![b'x'; 25 * MIB]).await.unwrap();
    assert_eq!(
        (answer.status, answer.text(), answer.closes()),
        (413, format!("{} 4096", 25 * MIB).as_str(), false)
    );
    let answer = client.post("/echo", &vec![b'x'; 20 * MIB]).await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (200, 20 * MIB));
}

#[tokio::test]
async fn a_body_far_too_large_is_answered_early_and_the_answer_survives() {
    let limits = Limits {
        discard: MIB as u64,
        ..Limits::default()
    };
    let served = Served::start(app(limits, Budget::new(MIB), MIB), limits).await;
    let mut client = served.connect().await;
    client.send(head("/echo", 100 << 30)).await.unwrap();
    // More than any buffer on the way holds; what the server does not read would reset the connection.
    for _ in 0..20 {
        if client.send(vec![b'x'; MIB]).await.is_err() {
            break;
        }
    }
    let answer = client.answer().await.unwrap();
    assert_eq!((answer.status, answer.closes()), (413, true));
    assert_eq!(answer.text(), format!("{} 4096", 100_u64 << 30));
}

#[tokio::test]
async fn chunked_bodies_are_counted_as_they_come() {
    let limits = Limits::default();
    let served = Served::start(app(limits, Budget::new(4 * MIB), MIB), limits).await;
    let mut client = served.connect().await;
    for (chunks, status) in [(0, 200), (1, 200), (16, 200), (17, 413)] {
        client
            .send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            .await
            .unwrap();
        let chunk = [b"10000\r\n".as_slice(), &vec![b'c'; 0x10000], b"\r\n"].concat();
        for _ in 0..chunks {
            client.send(&chunk).await.unwrap();
        }
        client.send("0\r\n\r\n").await.unwrap();
        let answer = client.answer().await.unwrap();
        assert_eq!((answer.status, answer.closes()), (status, false), "{chunks} chunks");
        match status {
            200 => assert_eq!(answer.body.len(), chunks * 0x10000),
            _ => assert_eq!(answer.text(), format!("{} 4096", chunks * 0x10000)),
        }
    }
}

#[tokio::test]
async fn a_body_is_asked_for_where_the_client_waits_to_be_asked() {
    let served = Served::start(plain_app(Limits::default()), Limits::default()).await;
    let mut client = served.connect().await;
    client
        .send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(client.answer().await.unwrap().status, 100);
    client.send("hello").await.unwrap();
    assert_eq!(client.answer().await.unwrap().text(), "hello");
}

#[tokio::test]
async fn an_exhausted_budget_answers_503_at_once_but_to_small_bodies_and_recovers() {
    let limits = Limits::default();
    let budget = Budget::new(4 * MIB);
    let release = Arc::new(Notify::new());
    let hold = {
        let (budget, release) = (budget.clone(), Arc::clone(&release));
        async move |request: Request<Body>| {
            let body = body::read(
                request.into_body(),
                None,
                &Sender::unknown(),
                &limits,
                &budget,
                3 * MIB - 1000,
            )
            .await
            .unwrap();
            release.notified().await;
            body.len().to_string()
        }
    };
    let router: Router = app(limits, budget.clone(), 4 * MIB).route("/hold", post(hold));
    let served = Served::start(router, limits).await;

    // All that there is for large bodies, but for a little.
    let held = 3 * MIB - 1000;
    let mut holder = served.connect().await;
    let holding = tokio::spawn(async move { holder.post("/hold", &vec![0; held]).await.unwrap() });
    super::support::until("the budget is held", || budget.held() == held).await;

    let mut client = served.connect().await;
    let answer = client.post("/echo", &vec![0; SMALL + 1]).await.unwrap();
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    let mut client = served.connect().await;
    assert_eq!(client.post("/echo", &vec![0; SMALL]).await.unwrap().status, 200);

    release.notify_one();
    assert_eq!(holding.await.unwrap().text(), held.to_string());
    super::support::until("the budget is free", || budget.held() == 0).await;
    let mut client = served.connect().await;
    assert_eq!(client.post("/echo", &vec![0; MIB]).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_body_that_stalls_is_answered_408_and_its_connection_closed() {
    let limits = Limits {
        body: Duration::from_millis(300),
        ..Limits::default()
    };
    let served = Served::start(plain_app(limits), limits).await;
    let mut client = served.connect().await;
    client.send(head("/echo", 1000)).await.unwrap();
    client.send("half").await.unwrap();
    let answer = client.answer().await.unwrap();
    assert_eq!((answer.status, answer.closes()), (408, true));
    client.closed().await.unwrap();
}

#[tokio::test]
async fn a_handler_that_waits_for_a_body_without_a_limit_has_one_nevertheless() {
    let limits = Limits {
        body: Duration::from_millis(100),
        ..Limits::default()
    };
    let careless = async |body: axum::body::Bytes| body.len().to_string();
    let served = Served::start(Router::new().route("/careless", post(careless)), limits).await;
    let mut client = served.connect().await;
    client.send(head("/careless", 1000)).await.unwrap();
    served.closed(CloseReason::BodyTimeout, 1).await;
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_gives_its_budget_back() {
    let budget = Budget::new(2 * MIB);
    let served = Served::start(app(Limits::default(), budget.clone(), MIB), Limits::default()).await;
    let mut client = served.connect().await;
    client.send(head("/echo", MIB)).await.unwrap();
    client.send(vec![0; MIB / 2]).await.unwrap();
    super::support::until("half of it is held", || budget.held() >= MIB / 2).await;
    drop(client);
    super::support::until("the budget is free", || budget.held() == 0).await;
    tokio::time::timeout(TIMEOUT, served.closed(CloseReason::Broken, 1))
        .await
        .unwrap();
}
