//! Binding, and what a listener does when it is full.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use dorgu::server::limits::Limits;
use dorgu::server::listen::{BindAddress, Bound};
use dorgu::server::stats::CloseReason;

use super::child::Child;
use super::support::{Client, Gate, Served, TIMEOUT, plain_app, until};

async fn bind(address: &str) -> Result<Bound, String> {
    let address: BindAddress = address.parse().unwrap();
    Bound::bind(&address).await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn port_zero_becomes_a_real_one_on_every_kind_of_address() {
    for address in ["127.0.0.1:0", "localhost:0", ":0"] {
        let bound = bind(address).await.unwrap();
        assert_ne!(bound.local_addr().port(), 0, "{address}");
        let local = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), bound.local_addr().port());
        // Also where the socket is an IPv6 one.
        tokio::net::TcpStream::connect(local)
            .await
            .unwrap_or_else(|error| panic!("{address}: {error}"));
    }
    assert!(bind("localhost:0").await.unwrap().local_addr().is_ipv4());
}

#[tokio::test]
async fn a_taken_port_is_one_line_at_start() {
    let first = bind("127.0.0.1:0").await.unwrap();
    let address = first.local_addr().to_string();
    let line = format!(
        "cannot listen on {address}: something listens there already, another process or dorgu itself by another flag; choose another port"
    );
    assert_eq!(bind(&address).await.unwrap_err(), line);

    let all = bind(":0").await.unwrap();
    let address = format!(":{}", all.local_addr().port());
    assert!(
        bind(&address)
            .await
            .unwrap_err()
            .contains("something listens there already")
    );
}

#[tokio::test]
async fn an_address_that_is_not_ours_is_refused() {
    let line = bind("192.0.2.1:0").await.unwrap_err();
    assert!(line.starts_with("cannot listen on 192.0.2.1:0: "), "{line}");
}

#[tokio::test]
async fn at_the_cap_silent_connections_make_room_for_new_ones() {
    let limits = Limits {
        max_connections: 4,
        ..Limits::default()
    };
    let served = Served::start(plain_app(limits), limits).await;
    let mut unused = served.connect().await;
    let mut kept = Vec::new();
    for _ in 0..3 {
        let mut client = served.connect().await;
        assert_eq!(client.get("/ok").await.unwrap().status, 200);
        kept.push(client);
    }
    // Full. The one that never carried a request goes first, then the one idle longest.
    let mut new = served.connect().await;
    assert_eq!(new.get("/ok").await.unwrap().status, 200);
    unused.closed().await.unwrap();
    served.closed(CloseReason::Evicted, 1).await;
    assert_eq!(kept[0].get("/ok").await.unwrap().status, 200);
    let mut another = served.connect().await;
    assert_eq!(another.get("/ok").await.unwrap().status, 200);
    kept[1].closed().await.unwrap();
    assert_eq!(kept[0].get("/ok").await.unwrap().status, 200);
    assert_eq!(kept[2].get("/ok").await.unwrap().status, 200);
    assert_eq!(served.stats.closed(CloseReason::Evicted), 2);
}

#[tokio::test]
async fn at_the_cap_stalled_handshakes_make_room_before_anybody_else() {
    let limits = Limits {
        max_connections: 4,
        ..Limits::default()
    };
    let served = Served::start(plain_app(limits), limits).await;
    let mut kept = served.connect().await;
    kept.get("/ok").await.unwrap();
    let mut stalled = Vec::new();
    for _ in 0..20 {
        stalled.push(tokio::net::TcpStream::connect(served.addr).await.unwrap());
    }
    // Sixteen wait behind the cap; the newcomer behind them is served all the same, long before any limit.
    let began = std::time::Instant::now();
    let mut new = served.connect().await;
    assert_eq!(new.get("/ok").await.unwrap().status, 200);
    println!(
        "served behind 20 stalled peers at a cap of 4 after {:?}",
        began.elapsed()
    );
    assert!(began.elapsed() < Duration::from_secs(15));
    assert!(served.stats.waited() > 0);
}

#[tokio::test]
async fn at_the_cap_no_request_in_flight_is_sacrificed() {
    let limits = Limits {
        max_connections: 2,
        ..Limits::default()
    };
    let gate = Gate::default();
    let served = Served::start(gate.app(), limits).await;
    let mut busy = [served.connect().await, served.connect().await];
    for client in &mut busy {
        gate.enter(client).await;
    }
    let (addr, config) = (served.addr, Arc::clone(&served.client));
    let waiting = tokio::spawn(async move { Client::connect(addr, &config).await.unwrap().get("/ok").await.unwrap() });
    until("the third waits", || served.stats.waited() == 1).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!waiting.is_finished());
    gate.open();
    for client in &mut busy {
        assert_eq!(client.answer().await.unwrap().text(), "waited");
    }
    assert_eq!(
        tokio::time::timeout(TIMEOUT, waiting).await.unwrap().unwrap().text(),
        "ok"
    );
}

#[tokio::test]
async fn a_process_out_of_file_descriptors_goes_on_serving() {
    let mut child = Child::start("few-files", "ulimit -n 40;").await;
    // Far more connections than the child has descriptors for; the kernel completes them all.
    let mut crowd = Vec::new();
    for _ in 0..100 {
        crowd.push(Client::connect_plain(child.addr).await.unwrap());
    }
    let mut client = Client::connect_plain(child.addr).await.unwrap();
    let answer = tokio::time::timeout(TIMEOUT, client.get("/accept-errors"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(answer.status, 200);
    assert_ne!(answer.text(), "0", "the child never ran out");
    drop(crowd);
    let mut client = Client::connect_plain(child.addr).await.unwrap();
    assert_eq!(client.get("/ok").await.unwrap().text(), "ok");
    child.kill().await;
}
