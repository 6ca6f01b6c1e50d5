//! A network that cuts every connection, again and again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{Stage, install_crds};
use crate::bed::{Bed, Needs};

const ROUNDS: u32 = 15;

/// How long after a cut nobody is let through: time for whoever does not rest to show it.
const CLOSED: Duration = Duration::from_millis(200);

/// Passes bytes on to the API server, cuts all connections once a second, and new ones at once for a while after that.
struct Cutter {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    /// Dropped: nothing is passed on any more.
    _runtime: tokio::runtime::Runtime,
}

impl Cutter {
    fn start(target: String) -> Cutter {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("an address");
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        runtime.spawn(async move {
            let mut cut = tokio::time::interval(Duration::from_secs(1));
            let mut passing = JoinSet::new();
            let mut last_cut = Instant::now();
            loop {
                tokio::select! {
                    _ = cut.tick() => {
                        passing.abort_all();
                        last_cut = Instant::now();
                    }
                    Ok((mut near, _)) = listener.accept() => {
                        counted.fetch_add(1, Ordering::Relaxed);
                        if last_cut.elapsed() < CLOSED {
                            continue;
                        }
                        let target = target.clone();
                        passing.spawn(async move {
                            if let Ok(mut far) = TcpStream::connect(target).await {
                                // However it ends, it has ended.
                                drop(tokio::io::copy_bidirectional(&mut near, &mut far).await);
                            }
                        });
                    }
                }
            }
        });
        Cutter {
            address,
            connections,
            _runtime: runtime,
        }
    }
}

#[test]
fn connections_cut_every_second_neither_stop_the_watches_nor_make_them_race() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    install_crds(bed);
    let cutter = Cutter::start(bed.api_url().replace("https://", ""));
    let stage = Stage::through(bed, &format!("https://{}", cutter.address), "cut", &[]);
    stage.until_ready();
    let (started, before) = (Instant::now(), cutter.connections.load(Ordering::Relaxed));
    let mut slowest = Duration::ZERO;
    for minimum in 2..2 + ROUNDS {
        bed.apply(
            &stage
                .persona("orders", minimum)
                .to_string()
                .replace("\"maxReplicas\":9,", ""),
        )
        .expect_success();
        let took = stage.until_told("orders", &format!("minimum ({minimum})"), true);
        slowest = slowest.max(took);
    }
    let seconds = started.elapsed().as_secs_f64();
    let made = cutter.connections.load(Ordering::Relaxed) - before;
    println!("connections cut every second: {made} in {seconds:.1} s, slowest change {slowest:?}");
    let (status, text) = stage.readyz();
    assert_eq!(status, 200, "{text}");
    // Three watches, each a second, each with a pause; a loop without pauses makes hundreds.
    #[expect(clippy::cast_precision_loss, reason = "a small count")]
    let rate = made as f64 / seconds.max(1.0);
    assert!(rate < 8.0, "{rate} connections a second");
}
