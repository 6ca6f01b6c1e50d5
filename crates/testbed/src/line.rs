//! A TCP proxy in front of the API server. A test can hold, close or cut the connections through the proxy, and count them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

/// Forwards bytes to one address, until dropped.
pub struct Line {
    address: SocketAddr,
    shared: Arc<Shared>,
    _runtime: tokio::runtime::Runtime,
}

#[derive(Default)]
struct Shared {
    closed: AtomicBool,
    held: watch::Sender<bool>,
    connections: AtomicUsize,
    cut: Notify,
}

impl Line {
    /// An open line to `https://address`.
    pub fn to(url: &str) -> Line {
        let target = url.replace("https://", "");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared::default());
        runtime.spawn(pass(listener, target, Arc::clone(&shared)));
        Line {
            address,
            shared,
            _runtime: runtime,
        }
    }

    /// Where it begins.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Ends every connection.
    pub fn cut(&self) {
        self.shared.cut.notify_one();
    }

    /// New connections end at once from now on; existing ones stay.
    pub fn close(&self) {
        self.shared.closed.store(true, Ordering::SeqCst);
    }

    /// New connections are accepted and carry nothing from now on.
    pub fn hold(&self) {
        self.shared.held.send_replace(true);
    }

    /// Everything is forwarded again, also on connections that were held.
    pub fn open(&self) {
        self.shared.closed.store(false, Ordering::SeqCst);
        self.shared.held.send_replace(false);
    }

    /// How many connections were made, forwarded or not.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }
}

async fn pass(listener: TcpListener, target: String, shared: Arc<Shared>) {
    let mut passing = JoinSet::new();
    loop {
        tokio::select! {
            () = shared.cut.notified() => passing.abort_all(),
            Ok((mut near, _)) = listener.accept() => {
                shared.connections.fetch_add(1, Ordering::Relaxed);
                if shared.closed.load(Ordering::SeqCst) {
                    continue;
                }
                let (target, mut held) = (target.clone(), shared.held.subscribe());
                passing.spawn(async move {
                    // It fails when the line was dropped, and then this task ends, too.
                    drop(held.wait_for(|held| !held).await);
                    if let Ok(mut far) = TcpStream::connect(target).await {
                        // However it ends, it has ended.
                        drop(tokio::io::copy_bidirectional(&mut near, &mut far).await);
                    }
                });
            }
        }
    }
}
