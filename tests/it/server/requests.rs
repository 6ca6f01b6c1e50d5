//! The answers on one connection, their order, and when it closes.

use std::sync::Arc;
use std::time::Duration;

use dorgu::server::limits::Limits;
use dorgu::server::stats::CloseReason;

use super::support::{Client, Served, client_config, plain_app};

async fn start() -> Served {
    Served::start(plain_app(Limits::default()), Limits::default()).await
}

#[tokio::test]
async fn many_requests_travel_over_one_connection() {
    let served = start().await;
    let mut client = served.connect().await;
    for round in 0..100 {
        let body = vec![round; usize::from(round) * 300];
        let answer = client.post("/echo", &body).await.unwrap();
        assert_eq!((answer.status, answer.closes()), (200, false));
        assert_eq!(answer.body, body);
    }
    assert_eq!(served.stats.accepted(), 1);
}

#[tokio::test]
async fn a_panic_answers_500_is_counted_and_costs_neither_process_nor_connection() {
    let served = start().await;
    let mut client = served.connect().await;
    for _ in 0..3 {
        let answer = client.get("/panic").await.unwrap();
        assert_eq!(
            (answer.status, answer.text(), answer.closes()),
            (500, "internal error\n", false)
        );
        assert_eq!(client.get("/ok").await.unwrap().status, 200);
    }
    assert_eq!(served.stats.panics(), 3);
    assert_eq!(served.stats.accepted(), 1);
}

#[tokio::test]
async fn requests_sent_together_are_answered_in_order() {
    let served = start().await;
    let mut client = served.connect().await;
    let one = |text: &str| {
        format!(
            "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        )
    };
    client
        .send([one("first"), one("second"), one("third")].concat())
        .await
        .unwrap();
    for expected in ["first", "second", "third"] {
        assert_eq!(client.answer().await.unwrap().text(), expected);
    }
    assert_eq!(client.get("/ok").await.unwrap().status, 200);
}

#[tokio::test]
async fn an_http_1_0_client_is_answered_and_its_connection_closed_unless_it_asks_otherwise() {
    let served = start().await;
    let mut client = served.connect().await;
    client
        .send("GET /ok HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        .await
        .unwrap();
    let answer = client.answer().await.unwrap();
    assert_eq!((answer.status, answer.header("connection")), (200, Some("keep-alive")));
    client.send("GET /ok HTTP/1.0\r\n\r\n").await.unwrap();
    assert_eq!(client.answer().await.unwrap().text(), "ok");
    client.closed().await.unwrap();
}

#[tokio::test]
async fn connection_close_from_the_client_is_obeyed() {
    let served = start().await;
    let mut client = served.connect().await;
    client
        .send("GET /ok HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    assert!(client.answer().await.unwrap().closes());
    client.closed().await.unwrap();
    served.closed(CloseReason::Finished, 1).await;
}

#[tokio::test]
async fn a_client_that_closes_its_half_still_gets_its_answer() {
    let served = start().await;
    let mut client = served.connect().await;
    client
        .send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
        .await
        .unwrap();
    client.finish().await.unwrap();
    assert_eq!(client.answer().await.unwrap().text(), "hello");
    client.closed().await.unwrap();
}

#[tokio::test]
async fn the_answer_to_an_oversized_head_arrives() {
    let served = start().await;
    let mut client = served.connect().await;
    let head = format!(
        "GET /ok HTTP/1.1\r\nHost: x\r\nPadding: {}\r\n\r\n",
        "x".repeat(500 * 1024)
    );
    client.send(head).await.unwrap();
    let answer = client.answer().await.unwrap();
    assert_eq!((answer.status, answer.closes()), (431, true));
    client.closed().await.unwrap();

    let mut client = served.connect().await;
    let large = format!(
        "GET /ok HTTP/1.1\r\nHost: x\r\nPadding: {}\r\n\r\n",
        "x".repeat(60 * 1024)
    );
    client.send(large).await.unwrap();
    assert_eq!(client.answer().await.unwrap().status, 200);
}

#[tokio::test]
async fn what_is_not_http_gets_400() {
    let served = start().await;
    let mut client = served.connect().await;
    client.send("\u{1}\u{2}nonsense\r\n\r\n").await.unwrap();
    assert_eq!(client.answer().await.unwrap().status, 400);
    client.closed().await.unwrap();
    drop(client);
    served.closed(CloseReason::Broken, 1).await;
}

#[tokio::test]
async fn an_answer_given_before_the_body_was_read_says_that_the_connection_ends() {
    let served = start().await;
    let mut client = served.connect().await;
    // `/ok` never reads its body, and this one is too large for the same packet.
    let answer = client.post("/ok", &vec![0; 5 << 20]).await.unwrap();
    assert_eq!((answer.status, answer.closes()), (200, true));
    client.closed().await.unwrap();
}

#[tokio::test]
async fn only_http_1_1_is_negotiated() {
    let served = start().await;
    let offering = |protocols: &[&str]| {
        let mut config = (*served.client).clone();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Arc::new(config)
    };
    let mut both = Client::connect(served.addr, &offering(&["h2", "http/1.1"]))
        .await
        .unwrap();
    assert_eq!(both.get("/ok").await.unwrap().status, 200);
    let error = Client::connect(served.addr, &offering(&["h2"])).await.err().unwrap();
    assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");
    served.closed(CloseReason::HandshakeFailed, 1).await;
}

#[tokio::test]
async fn tls_1_2_is_refused_with_an_alert() {
    let served = start().await;
    let own = dorgu::server::tls::SelfSigned::generate(&["localhost".into()]).unwrap();
    let old = client_config(own.ca_pem().as_bytes(), &[&rustls::version::TLS12]).with_no_client_auth();
    let error = Client::connect(served.addr, &Arc::new(old)).await.err().unwrap();
    assert!(error.to_string().contains("ProtocolVersion"), "{error}");
}

#[tokio::test]
async fn plain_http_is_served_where_no_certificate_is_given() {
    let bound = dorgu::server::listen::Bound::bind(&"127.0.0.1:0".parse().unwrap())
        .await
        .unwrap();
    let addr = bound.local_addr();
    let (_handle, drain) = dorgu::server::drain::Drain::new();
    tokio::spawn(bound.serve(None, plain_app(Limits::default()), Limits::default(), drain));
    let mut client = Client::connect_plain(addr).await.unwrap();
    assert_eq!(client.get("/ok").await.unwrap().text(), "ok");
    assert_eq!(client.post("/echo", b"again").await.unwrap().text(), "again");
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_dropped_and_one_that_reads_slowly_is_not() {
    let limits = Limits {
        write: Duration::from_millis(500),
        ..Limits::default()
    };
    let served = Served::start(plain_app(limits), limits).await;
    let mut slow = served.connect().await;
    let mut deaf = Client::connect_narrow(served.addr, &served.client).await.unwrap();
    deaf.send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    served.closed(CloseReason::WriteTimeout, 1).await;

    for _ in 0..20 {
        assert_eq!(slow.get("/ok").await.unwrap().status, 200);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(served.stats.open(), 1);
}
