//! Two hundred peers that stop in the middle of something, in real time and with the real limits.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dorgu::server::limits::Limits;
use dorgu::server::stats::CloseReason;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::support::{Client, Served, head, plain_app};

/// Stalled connections of each of five kinds.
const EACH: usize = 40;

/// All of them must be gone by then.
const GONE: Duration = Duration::from_secs(15);

/// Half of what a client says first.
fn half_a_client_hello(config: &Arc<ClientConfig>) -> Vec<u8> {
    let mut hello = Vec::new();
    let name = ServerName::try_from("localhost").unwrap();
    ClientConnection::new(Arc::clone(config), name)
        .unwrap()
        .write_tls(&mut hello)
        .unwrap();
    hello.truncate(hello.len() / 2);
    hello
}

/// Sends one byte a second until the server is gone, and says how it went.
async fn drip(mut client: Client, byte: &str) -> io::Result<()> {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            closed = client.closed() => return closed,
            _ = tick.tick() => client.send(byte).await?,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_stalled_peers_are_gone_in_fifteen_seconds_while_others_are_served() {
    let limits = Limits::default();
    let served = Served::start(plain_app(limits), limits).await;
    let hello = half_a_client_hello(&served.client);

    let mut silent = served.connect().await;
    let mut used = served.connect().await;
    assert_eq!(used.get("/ok").await.unwrap().status, 200);

    let mut stalled = JoinSet::new();
    let mut deaf = Vec::new();
    for _ in 0..EACH {
        let mut tcp = TcpStream::connect(served.addr).await.unwrap();
        let hello = hello.clone();
        stalled.spawn(async move {
            tcp.write_all(&hello).await.unwrap();
            // Whatever ends it: a close or a reset.
            let _ = tcp.read_to_end(&mut Vec::new()).await;
        });

        let mut client = served.connect().await;
        stalled.spawn(async move {
            client.send("POST /echo HTTP/1.1\r\nHost: x\r\nConte").await.unwrap();
            let _ = client.closed().await;
        });

        let client = served.connect().await;
        stalled.spawn(async move {
            let _ = drip(client, "G").await;
        });

        let mut client = served.connect().await;
        stalled.spawn(async move {
            client.send(head("/echo", 1000)).await.unwrap();
            let _ = drip(client, "x").await;
        });

        let mut client = Client::connect_narrow(served.addr, &served.client).await.unwrap();
        client.send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        deaf.push(client);
    }
    let began = Instant::now();

    // Meanwhile: a request every 20 ms, in turn on an old and on a new connection, none slower than a second.
    let (addr, config) = (served.addr, Arc::clone(&served.client));
    let others = tokio::spawn(async move {
        let mut kept = Client::connect(addr, &config).await.unwrap();
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        let (mut count, mut slowest) = (0, Duration::ZERO);
        while began.elapsed() < GONE {
            tick.tick().await;
            let began = Instant::now();
            let answer = if count % 2 == 0 {
                kept.post("/echo", b"served").await
            } else {
                Client::connect(addr, &config)
                    .await
                    .unwrap()
                    .post("/echo", b"served")
                    .await
            };
            assert_eq!(answer.unwrap().text(), "served");
            slowest = slowest.max(began.elapsed());
            count += 1;
        }
        (count, slowest)
    });

    let gone = tokio::time::timeout(GONE, async {
        while let Some(stalled) = stalled.join_next().await {
            stalled.unwrap();
        }
        served.closed(CloseReason::WriteTimeout, EACH as u64).await;
    });
    gone.await
        .unwrap_or_else(|_| panic!("after {GONE:?} still there: {:?}", served.stats));
    println!("200 stalled peers gone after {:?}", began.elapsed());

    for (reason, count) in [
        (CloseReason::HandshakeTimeout, EACH),
        (CloseReason::HeaderTimeout, 2 * EACH),
        (CloseReason::WriteTimeout, EACH),
        (CloseReason::Idle, 0),
        (CloseReason::Evicted, 0),
    ] {
        assert_eq!(served.stats.closed(reason), count as u64, "{}", reason.name());
    }
    let (count, slowest) = others.await.unwrap();
    println!("{count} other requests served meanwhile, the slowest in {slowest:?}");
    assert!(count >= 500, "only {count} requests were made");
    assert!(slowest < Duration::from_secs(1), "a request took {slowest:?}");

    // Silence is not stalling, before the first request and after it.
    assert_eq!(silent.get("/ok").await.unwrap().status, 200);
    assert_eq!(used.get("/ok").await.unwrap().status, 200);
    drop(deaf);
}
