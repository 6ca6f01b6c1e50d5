//! A drain in two phases.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dorgu::server::limits::Limits;
use dorgu::server::stats::CloseReason;
use dorgu::server::tls::{SelfSigned, server_config};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::support::{Client, Gate, Served, TIMEOUT, plain_app, trusting, until};

#[tokio::test]
async fn closing_answers_everything_and_asks_every_caller_to_let_go() {
    let served = Served::start(plain_app(Limits::default()), Limits::default()).await;
    let mut idle = served.connect().await;
    let mut active = served.connect().await;
    assert!(!active.get("/ok").await.unwrap().closes());

    let drain = served.drain.clone();
    let draining = tokio::spawn(async move { drain.begin(Duration::from_millis(400)).await });
    until("the drain begins", || served.drain.is_draining()).await;
    let answer = active.post("/echo", b"still").await.unwrap();
    assert_eq!((answer.status, answer.text(), answer.closes()), (200, "still", true));
    active.closed().await.unwrap();
    let answer = served.connect().await.get("/ok").await.unwrap();
    assert_eq!((answer.status, answer.closes()), (200, true));
    // An idle connection is left alone: its caller may be about to use it.
    assert_eq!(served.stats.closed(CloseReason::Drained), 0);
    draining.await.unwrap();
    idle.closed().await.unwrap();
    tokio::time::timeout(TIMEOUT, served.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn refusing_finishes_what_is_in_flight_and_sends_the_rest_elsewhere() {
    let gate = Gate::default();
    let served = Served::start(gate.app(), Limits::default()).await;
    let mut in_flight = served.connect().await;
    let mut kept = served.connect().await;
    let mut idle = served.connect().await;
    kept.get("/ok").await.unwrap();
    idle.get("/ok").await.unwrap();
    gate.enter(&mut in_flight).await;

    served.drain.begin(Duration::ZERO).await;
    // The kept one first: its answer shows that the server has seen the drain, and it must continue to accept.
    for call in 0..20 {
        if call > 0 {
            kept = served.connect().await;
        }
        let answer = kept.get("/ok").await.unwrap();
        assert_eq!(
            (answer.status, answer.header("retry-after"), answer.closes()),
            (503, Some("1"), true)
        );
        kept.closed().await.unwrap();
    }
    assert_eq!(served.stats.refused(), 20);
    assert!(!served.task.is_finished());

    gate.open();
    let answer = in_flight.answer().await.unwrap();
    assert_eq!((answer.text(), answer.closes()), ("waited", true));
    in_flight.closed().await.unwrap();
    idle.closed().await.unwrap();
    tokio::time::timeout(TIMEOUT, served.task).await.unwrap().unwrap();
    assert!(
        Client::connect(served.addr, &served.client).await.is_err(),
        "the port is free"
    );
    assert_eq!(served.stats.open(), 0);
}

#[tokio::test]
async fn a_drain_without_traffic_is_quick() {
    let served = Served::start(plain_app(Limits::default()), Limits::default()).await;
    let mut idle = served.connect().await;
    idle.get("/ok").await.unwrap();
    let began = Instant::now();
    let closed = tokio::spawn(async move { idle.closed().await });
    served.drain.begin(Duration::ZERO).await;
    served.task.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    closed.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_request_that_never_ends_is_cut_off_at_the_drain_limit() {
    let limits = Limits {
        drain: Duration::from_millis(200),
        linger: Duration::from_millis(100),
        ..Limits::default()
    };
    let gate = Gate::default();
    let served = Served::start(gate.app(), limits).await;
    let mut endless = served.connect().await;
    gate.enter(&mut endless).await;
    served.drain.begin(Duration::ZERO).await;
    tokio::time::timeout(Duration::from_secs(5), served.task)
        .await
        .unwrap()
        .unwrap();
    assert!(endless.answer().await.is_err());
    assert_eq!(served.stats.open(), 0);
}

#[tokio::test]
async fn a_connection_opened_at_the_last_moment_gets_its_503() {
    let gate = Gate::default();
    let served = Served::start(gate.app(), Limits::default()).await;
    let mut in_flight = served.connect().await;
    gate.enter(&mut in_flight).await;
    served.drain.begin(Duration::ZERO).await;
    let mut late = served.connect().await;
    gate.open();
    in_flight.answer().await.unwrap();
    in_flight.closed().await.unwrap();
    // The listener is closing by now, and this handshake has only just finished.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(late.get("/ok").await.unwrap().status, 503);
    late.closed().await.unwrap();
    served.task.await.unwrap();
}

#[tokio::test]
async fn a_connection_that_only_the_kernel_has_accepted_gets_its_503() {
    let served = Served::start(plain_app(Limits::default()), Limits::default()).await;
    served.connect().await.get("/ok").await.unwrap();
    // This test's runtime has one thread: until the next await the server sees neither the connection nor the drain.
    let tcp = std::net::TcpStream::connect(served.addr).unwrap();
    served.drain.begin(Duration::ZERO).await;
    tcp.set_nonblocking(true).unwrap();
    let mut client = Client::handshake(tokio::net::TcpStream::from_std(tcp).unwrap(), &served.client)
        .await
        .unwrap();
    assert_eq!(client.get("/ok").await.unwrap().status, 503);
    client.closed().await.unwrap();
    served.task.await.unwrap();
}

/// Which server the Service leads to, and everything the callers noticed.
struct World {
    endpoints: [SocketAddr; 2],
    replaced: AtomicBool,
    made: AtomicU64,
    retried: AtomicU64,
    by_b: AtomicU64,
    lost: Mutex<Vec<String>>,
    kept: Mutex<Vec<(bool, Client)>>,
}

impl World {
    /// One call as kube-apiserver makes it: on a kept connection or a new one, repeated only after 503 with `Retry-After`.
    async fn call(&self, config: &Arc<rustls::ClientConfig>, reuse: bool) {
        self.made.fetch_add(1, Ordering::Relaxed);
        for _ in 0..10 {
            let kept = if reuse { self.kept.lock().await.pop() } else { None };
            let (b, mut client) = match kept {
                Some(kept) => kept,
                None => {
                    let b = self.replaced.load(Ordering::Relaxed);
                    match Client::connect(self.endpoints[usize::from(b)], config).await {
                        Ok(client) => (b, client),
                        Err(error) => return self.lose(format!("connecting to {b}: {error}")).await,
                    }
                }
            };
            let answer = match client.post("/echo", b"review").await {
                Ok(answer) => answer,
                Err(error) => return self.lose(format!("calling {b}: {error}")).await,
            };
            if answer.status == 503 && answer.header("retry-after").is_some() {
                self.retried.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
            if answer.status != 200 || answer.text() != "review" {
                return self.lose(format!("{b} answered {answer:?}")).await;
            }
            self.by_b.fetch_add(u64::from(b), Ordering::Relaxed);
            if !answer.closes() {
                self.kept.lock().await.push((b, client));
            }
            return;
        }
        self.lose("too many retries".into()).await;
    }

    async fn lose(&self, how: String) {
        self.lost.lock().await.push(how);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_replaced_under_load_loses_no_request() {
    let own = SelfSigned::generate(&["localhost".into()]).unwrap();
    let config = trusting(own.ca_pem().as_bytes());
    let start = async || {
        let tls = server_config(own.resolver(), None).unwrap();
        // Answers take a moment, so that some are always in flight.
        let slow = plain_app(Limits::default()).layer(axum::middleware::from_fn(
            async |request, next: axum::middleware::Next| {
                tokio::time::sleep(Duration::from_millis(10)).await;
                next.run(request).await
            },
        ));
        Served::start_with(slow, Limits::default(), tls, Arc::clone(&config)).await
    };
    let (a, b) = (start().await, start().await);
    let world = Arc::new(World {
        endpoints: [a.addr, b.addr],
        replaced: AtomicBool::new(false),
        made: AtomicU64::new(0),
        retried: AtomicU64::new(0),
        by_b: AtomicU64::new(0),
        lost: Mutex::default(),
        kept: Mutex::default(),
    });

    let began = Instant::now();
    let load = tokio::spawn({
        let (world, config) = (Arc::clone(&world), Arc::clone(&config));
        async move {
            let mut tick = interval(Duration::from_millis(4));
            tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let mut calls = JoinSet::new();
            for call in 0..1250 {
                tick.tick().await;
                let (world, config) = (Arc::clone(&world), Arc::clone(&config));
                // Half of the calls insist on a new connection.
                calls.spawn(async move { world.call(&config, call % 2 == 0).await });
            }
            while let Some(call) = calls.join_next().await {
                call.unwrap();
            }
        }
    });

    tokio::time::sleep(Duration::from_secs(1)).await;
    let drain = a.drain.clone();
    let draining = tokio::spawn(async move { drain.begin(Duration::from_secs(2)).await });
    // Endpoints follow readiness after a while.
    tokio::time::sleep(Duration::from_millis(400)).await;
    world.replaced.store(true, Ordering::Relaxed);
    draining.await.unwrap();
    tokio::time::timeout(TIMEOUT, a.task).await.unwrap().unwrap();
    load.await.unwrap();
    let seconds = began.elapsed().as_secs_f64();

    let [made, by_b, retried] = [&world.made, &world.by_b, &world.retried].map(|count| count.load(Ordering::Relaxed));
    let lost = world.lost.lock().await;
    println!(
        "{made} calls in {seconds:.1} s, {by_b} answered by the successor, {retried} retried, {} lost",
        lost.len()
    );
    assert!(lost.is_empty(), "{lost:?}");
    assert!(made as f64 / seconds >= 200.0, "only {made} calls in {seconds:.1} s");
    assert!(by_b >= 200, "{by_b}");
    assert_eq!(a.stats.open(), 0);
}
