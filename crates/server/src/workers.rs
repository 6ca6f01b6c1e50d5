//! Runtimes that serve the connections of one listener, one a core, each with one worker. A connection stays with the worker
//! that it was given to, so that its wakeups, its buffers and its answers never cross to another core.
//!
//! Workers that share their tasks wake each other whenever there is something to do. On a busy server they spend a quarter of
//! their time on that.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle, Runtime};

/// More runtimes than this would answer no faster than API servers ask. Each takes four file descriptors.
const MAX_WORKERS: usize = 16;

/// The runtimes of one listener. Dropping this drops every connection on them. Without any, connections are served by the
/// runtime that accepts them.
#[derive(Debug, Default)]
pub(super) struct Workers(Vec<Worker>);

#[derive(Debug)]
struct Worker {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    /// How many connections it serves.
    connections: Arc<AtomicUsize>,
}

/// A connection, and the runtime that is to serve it.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) tcp: TcpStream,
    pub(super) runtime: Handle,
    /// Keep this for as long as the connection lives.
    pub(super) counted: Option<Counted>,
}

/// Counts a connection on its worker until dropped.
#[derive(Debug)]
pub(super) struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Workers {
    /// Starts one runtime for each core that this process may use, up to [`MAX_WORKERS`].
    ///
    /// # Errors
    /// The system denies a thread or a descriptor.
    pub(super) fn start() -> io::Result<Workers> {
        let cores = thread::available_parallelism().map_or(1, usize::from).min(MAX_WORKERS);
        (0..cores).map(Worker::start).collect::<io::Result<_>>().map(Workers)
    }

    /// Gives a connection to the worker that has the fewest.
    ///
    /// # Errors
    /// The system denies watching the connection. It is closed.
    pub(super) fn give(&self, tcp: TcpStream) -> io::Result<Given> {
        let fewest = self
            .0
            .iter()
            .min_by_key(|worker| worker.connections.load(Ordering::Relaxed));
        let Some((worker, runtime)) = fewest.and_then(|worker| Some((worker, worker.runtime.as_ref()?.handle())))
        else {
            return Ok(Given {
                tcp,
                runtime: Handle::current(),
                counted: None,
            });
        };
        // The runtime that accepted it no longer watches it; the one that serves it does.
        let tcp = tcp.into_std()?;
        let _entered = runtime.enter();
        let tcp = TcpStream::from_std(tcp)?;
        worker.connections.fetch_add(1, Ordering::Relaxed);
        Ok(Given {
            tcp,
            runtime: runtime.clone(),
            counted: Some(Counted(Arc::clone(&worker.connections))),
        })
    }
}

impl Worker {
    fn start(number: usize) -> io::Result<Worker> {
        // Of the multi-threaded flavor: only there can another thread take the worker's place during a long review.
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name(format!("connections-{number}"))
            .enable_all()
            .build()?;
        Ok(Worker {
            runtime: Some(runtime),
            connections: Arc::default(),
        })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Waiting for its threads would panic on a worker of another runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn connection(listener: &TcpListener) -> (TcpStream, TcpStream) {
        let address = listener.local_addr().expect("bound");
        let (ours, theirs) = tokio::join!(listener.accept(), TcpStream::connect(address));
        (ours.expect("accepted").0, theirs.expect("connected"))
    }

    #[tokio::test]
    async fn connections_are_spread_evenly_and_a_place_that_becomes_free_is_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let workers = Workers((0..3).map(|number| Worker::start(number).expect("starts")).collect());
        let counts = || {
            let count = |worker: &Worker| worker.connections.load(Ordering::Relaxed);
            workers.0.iter().map(count).collect::<Vec<_>>()
        };
        let mut given = Vec::new();
        for _ in 0..6 {
            let (ours, _theirs) = connection(&listener).await;
            given.push(workers.give(ours).expect("given"));
        }
        assert_eq!(counts(), [2, 2, 2]);
        drop(given.remove(1));
        assert_eq!(counts(), [2, 1, 2]);
        let (ours, _theirs) = connection(&listener).await;
        given.push(workers.give(ours).expect("given"));
        assert_eq!(counts(), [2, 2, 2]);
    }

    #[tokio::test]
    async fn a_connection_is_served_by_the_worker_of_its_lane_alone() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let workers = Workers(vec![Worker::start(7).expect("starts")]);
        let (ours, theirs) = connection(&listener).await;
        let Given { tcp, runtime, counted } = workers.give(ours).expect("given");
        let served = runtime.spawn(async move {
            let _counted = counted;
            tcp.readable().await.expect("readable");
            thread::current().name().map(str::to_owned)
        });
        theirs.writable().await.expect("writable");
        theirs.try_write(b"x").expect("written");
        assert_eq!(served.await.expect("it ends").as_deref(), Some("connections-7"));
    }

    #[tokio::test]
    async fn without_workers_the_runtime_that_accepts_serves() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let (ours, _theirs) = connection(&listener).await;
        let given = Workers::default().give(ours).expect("given");
        assert_eq!(given.runtime.id(), Handle::current().id());
        assert!(given.counted.is_none());
    }
}
