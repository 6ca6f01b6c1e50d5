//! Requests that must be denied, sent to the real API server at a steady rate, each kind as often as any other.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use http::Method;

use crate::bed::Bed;
use crate::https::Connection;

/// Connections, and so requests under way at once.
const CONNECTIONS: u32 = 16;

/// A request that must be denied.
#[derive(Clone)]
pub(super) struct Request {
    /// For reports.
    pub(super) name: &'static str,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: String,
}

impl Request {
    pub(super) async fn expect_denied(&self, api: &mut Connection) -> Result<()> {
        let reply = api.ask(self.method.clone(), &self.path, self.body.clone()).await?;
        let said = String::from_utf8_lossy(&reply.body);
        ensure!(
            reply.status == 403 && said.contains("denied the request: Deployment violates ApplicationPersona"),
            "{}: {} {said}",
            self.name,
            reply.status
        );
        Ok(())
    }
}

/// How it went.
#[derive(Default)]
struct Tally {
    since: Option<Instant>,
    denied: BTreeMap<&'static str, usize>,
    slowest: Duration,
    failures: Vec<String>,
}

impl Display for Tally {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let all: usize = self.denied.values().sum();
        #[expect(clippy::cast_precision_loss, reason = "some thousands")]
        let rate = all as f64 / self.since.map_or(1.0, |since| since.elapsed().as_secs_f64());
        write!(
            out,
            "{all} denied, {rate:.0} a second, slowest {:?}, {:?}",
            self.slowest, self.denied
        )
    }
}

/// It runs until it is stopped.
pub(super) struct Denials {
    tally: Arc<Mutex<Tally>>,
    runtime: tokio::runtime::Runtime,
    kinds: usize,
}

impl Denials {
    /// `rate` is how many a second there are, of all kinds together.
    pub(super) fn start(bed: &Bed, requests: Vec<Request>, rate: u32) -> Denials {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let (tally, kinds) = (Arc::new(Mutex::new(Tally::new())), requests.len());
        let (requests, proxy) = (Arc::new(requests), bed.proxy_url());
        for number in 0..CONNECTIONS {
            let (tally, requests, proxy) = (Arc::clone(&tally), Arc::clone(&requests), proxy.clone());
            runtime.spawn(async move {
                let mut pace = tokio::time::interval(Duration::from_secs(1) * CONNECTIONS / rate);
                pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
                let mut api = Connection::open(&proxy).await.expect("the proxy listens");
                for request in requests.iter().cycle().skip(number as usize) {
                    pace.tick().await;
                    let started = Instant::now();
                    let outcome = request.expect_denied(&mut api).await;
                    let mut tally = locked(&tally);
                    match outcome {
                        Ok(()) => *tally.denied.entry(request.name).or_default() += 1,
                        Err(error) => tally.failures.push(format!("{error:#}")),
                    }
                    tally.slowest = tally.slowest.max(started.elapsed());
                }
            });
        }
        Denials { tally, runtime, kinds }
    }

    /// What happened since the last time: denials only, of each kind.
    pub(super) fn expect_clean(&self, state: &str) -> impl Display + use<> {
        let tally = std::mem::replace(&mut *locked(&self.tally), Tally::new());
        assert!(
            tally.failures.is_empty(),
            "{state}: {} of {tally}, such as {:?}",
            tally.failures.len(),
            &tally.failures[..tally.failures.len().min(3)]
        );
        assert_eq!(tally.denied.len(), self.kinds, "{state}: {tally}");
        tally
    }

    /// Ends it; what was under way is abandoned.
    pub(super) fn stop(self) {
        self.runtime.shutdown_background();
    }
}

impl Tally {
    fn new() -> Tally {
        Tally {
            since: Some(Instant::now()),
            ..Tally::default()
        }
    }
}

fn locked(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}
