//! Strangers take all places, or all memory for bodies, and a client with a sensible request is answered all the same. Bodies
//! have no minimum rate here, so that only the need for memory evicts.

use std::time::{Duration, Instant};

use dorgu::server::body::Budget;
use dorgu::server::limits::Limits;
use dorgu::server::stats::CloseReason;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::support::{Client, Served, app, head, plain_app, until};

const MIB: usize = 1 << 20;

/// Less than any deadline that would end a stranger by itself, and time for a machine that is busy.
const SOON: Duration = Duration::from_secs(5);

fn limits(max_connections: usize) -> Limits {
    Limits {
        max_connections,
        body_rate: 0,
        ..Limits::default()
    }
}

/// A stranger that announces a body of `announced` bytes, and sends `sent` of them.
async fn stranger(served: &Served, host: u8, announced: usize, sent: usize) -> Client {
    let mut client = Client::connect_from(host, served.addr, &served.client).await.unwrap();
    client.send(head("/echo", announced)).await.unwrap();
    client.send(vec![b'x'; sent]).await.unwrap();
    client
}

/// Asks something sensible, on this connection.
async fn assert_answered(client: &mut Client, body: &[u8]) {
    let began = Instant::now();
    let answer = client.post("/echo", body).await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (200, body.len()));
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}

#[tokio::test]
async fn as_many_bodies_as_places_keep_no_client_out() {
    let served = Served::start(plain_app(limits(16)), limits(16)).await;
    let mut known = served.connect().await;
    assert_answered(&mut known, b"known").await;
    let mut strangers = Vec::new();
    for _ in 0..15 {
        strangers.push(stranger(&served, 1, 10, 1).await);
    }
    for _ in 0..20 {
        let began = Instant::now();
        let mut new = served.connect().await;
        assert_answered(&mut new, b"new").await;
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
        // And another stranger takes its place.
        strangers.push(stranger(&served, 1, 10, 1).await);
    }
    assert_answered(&mut known, b"known").await;
    assert!(served.stats.closed(CloseReason::Evicted) >= 19);
}

#[tokio::test]
async fn half_heads_and_half_handshakes_by_the_hundred_keep_no_client_out() {
    let served = Served::start(plain_app(limits(16)), limits(16)).await;
    let mut known = served.connect().await;
    assert_answered(&mut known, b"known").await;
    let mut crowd = JoinSet::new();
    for number in 0..100 {
        let (addr, config) = (served.addr, served.client.clone());
        crowd.spawn(async move {
            if number % 2 == 0 {
                let tcp = TcpStream::connect(addr).await.unwrap();
                std::future::pending::<()>().await;
                drop(tcp);
            } else if let Ok(mut client) = Client::connect(addr, &config).await {
                // It may have made room meanwhile.
                let _ = client.send("POST /echo HT").await;
                let _ = client.closed().await;
            }
        });
    }
    let began = Instant::now();
    let mut new = served.connect().await;
    assert_answered(&mut new, b"new").await;
    // Of a hundred, sixteen at a time, each for a quarter of a second.
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    assert_answered(&mut known, b"known").await;
}

#[tokio::test]
async fn a_peer_that_does_not_take_its_answer_makes_room() {
    let served = Served::start(plain_app(limits(4)), limits(4)).await;
    let mut deaf = Vec::new();
    for _ in 0..4 {
        let mut client = Client::connect_narrow(served.addr, &served.client).await.unwrap();
        client.send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        deaf.push(client);
    }
    let began = Instant::now();
    let mut new = served.connect().await;
    assert_answered(&mut new, b"new").await;
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}

#[tokio::test]
async fn those_who_fill_the_memory_and_stop_make_room_and_may_try_again() {
    let budget = Budget::new(8 * MIB);
    let served = Served::start(app(limits(64), budget.clone(), 4 * MIB), limits(64)).await;
    // Six MiB are for large bodies, of which an address gets three while they are strangers'.
    let mut first = stranger(&served, 1, 3 * MIB, 5 * MIB / 2).await;
    until("it holds memory", || budget.held() >= 5 * MIB / 2).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut new = served.connect().await;
    assert_answered(&mut new, &vec![b'y'; 2 * MIB]).await;
    let answer = first.answer().await.unwrap();
    assert_eq!(
        (answer.status, answer.header("retry-after"), answer.closes()),
        (503, Some("1"), true)
    );
    first.closed().await.unwrap();
    served.closed(CloseReason::Evicted, 1).await;
    until("nothing is held", || budget.held() == 0).await;
}

#[tokio::test]
async fn small_bodies_are_answered_beside_large_ones_that_take_all_they_can() {
    let budget = Budget::new(8 * MIB);
    let served = Served::start(app(limits(64), budget.clone(), 4 * MIB), limits(64)).await;
    // Known ones, whose place and memory are safe as long as they send. Together with the small ones they stay within the six
    // MiB of large bodies, or a machine that is busy would make one of them wait for memory, and so give it up.
    const LARGE: usize = 15 * MIB / 8;
    let mut large = JoinSet::new();
    for _ in 0..3 {
        let mut client = served.connect().await;
        assert_answered(&mut client, b"known").await;
        client.send(head("/echo", LARGE)).await.unwrap();
        large.spawn(async move {
            let mut tick = tokio::time::interval(Duration::from_millis(10));
            for _ in 0..128 {
                tick.tick().await;
                client.send(vec![b'x'; LARGE / 128]).await.unwrap();
            }
            client.answer().await.unwrap().status
        });
    }
    until("they hold all they can", || budget.held() >= 5 * MIB).await;
    for host in 1..4 {
        let mut small = Client::connect_from(host, served.addr, &served.client).await.unwrap();
        assert_answered(&mut small, &vec![b'y'; 10_000]).await;
    }
    while let Some(status) = large.join_next().await {
        assert_eq!(status.unwrap(), 200);
    }
}

#[tokio::test]
async fn no_address_holds_more_than_half_of_what_is_left_but_by_those_who_are_known() {
    let budget = Budget::new(8 * MIB);
    let served = Served::start(app(limits(64), budget.clone(), 4 * MIB), limits(64)).await;
    // All its strangers send as quickly as they can, and none of them is slow: who comes last is turned away.
    let mut of_one = JoinSet::new();
    for _ in 0..6 {
        let mut client = Client::connect_from(2, served.addr, &served.client).await.unwrap();
        client.send(head("/echo", MIB)).await.unwrap();
        of_one.spawn(async move {
            let mut tick = tokio::time::interval(Duration::from_millis(10));
            for _ in 0..127 {
                tick.tick().await;
                if client.send(vec![b'x'; MIB / 128]).await.is_err() {
                    break;
                }
            }
            std::future::pending::<()>().await;
        });
    }
    until("the address has its half", || budget.held() >= 5 * MIB / 2).await;
    let mut same_known = served.connect().await;
    let mut other = Client::connect_from(3, served.addr, &served.client).await.unwrap();
    assert_answered(&mut other, &vec![b'y'; 2 * MIB]).await;
    assert_answered(&mut same_known, b"known").await;
    assert!(budget.held() <= 4 * MIB, "{}", budget.held());
    assert_answered(&mut same_known, &vec![b'y'; 2 * MIB]).await;
}

#[tokio::test]
async fn behind_one_address_only_strangers_make_room_and_other_addresses_keep_theirs() {
    let served = Served::start(plain_app(limits(12)), limits(12)).await;
    let mut known = Vec::new();
    for _ in 0..6 {
        let mut client = Client::connect_from(2, served.addr, &served.client).await.unwrap();
        assert_answered(&mut client, b"known").await;
        known.push(client);
    }
    // An API server parks a connection that it has dialled and does not need yet.
    let mut parked = Client::connect_from(3, served.addr, &served.client).await.unwrap();
    let mut strangers = Vec::new();
    for _ in 0..30 {
        strangers.push(Client::connect_from(2, served.addr, &served.client).await.unwrap());
    }
    assert_answered(&mut parked, b"parked").await;
    for client in &mut known {
        assert_answered(client, b"known").await;
    }
}

#[tokio::test]
async fn who_asks_nonsense_has_shown_nothing() {
    let served = Served::start(plain_app(limits(3)), limits(3)).await;
    let mut known = served.connect().await;
    assert_answered(&mut known, b"known").await;
    // Asked later than the known one, and nevertheless the first to go.
    let mut lost = Vec::new();
    for _ in 0..2 {
        let mut client = served.connect().await;
        assert_eq!(client.get("/nothing-here").await.unwrap().status, 404);
        lost.push(client);
    }
    let mut new = [served.connect().await, served.connect().await];
    for client in &mut new {
        assert_answered(client, b"new").await;
    }
    assert_answered(&mut known, b"known").await;
    served.closed(CloseReason::Evicted, 2).await;
}
