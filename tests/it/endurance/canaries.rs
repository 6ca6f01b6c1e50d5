//! Deployments that must be denied, sent to a real API server by many clients at a steady rate, each until it has its verdict.
//!
//! The clients use the API server like any other, and it calls the webhook as it always does. This file knows no fault.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::sync::Semaphore;

use super::ledger::{Ledger, Verdict};
use crate::bed::{Bed, wait_until};
use crate::https::{Connection, Reply};

/// Clients at once. An API server keeps 25 idle connections to a webhook; a burst of this many fills them all.
const CLIENTS: usize = 32;
/// Of a burst after silence: as many as connections are parked.
const BURST: usize = 25;
/// Between two of a burst, so that it meets a timer that runs out in the middle of it.
const BURST_STEP: Duration = Duration::from_micros(400);
/// How long an API server may take for one canary: it gives its webhooks three seconds.
const ANSWER: Duration = Duration::from_secs(30);
/// Before a canary is sent again that met no API server.
const AGAIN: Duration = Duration::from_millis(100);
/// A canary that has no verdict after this long will have none.
const TIMEOUT: Duration = Duration::from_secs(180);

/// Whom to send what.
pub(super) struct Target {
    /// `https://host:port`
    pub(super) url: String,
    pub(super) ca_pem: String,
    pub(super) token: String,
    /// Where Deployments are made, dry-run.
    pub(super) path: String,
    pub(super) canary: String,
    /// The text of the webhook's denial. Any other denial is another component's.
    pub(super) words: &'static str,
}

impl Target {
    /// The API server of this bed, in this namespace.
    pub(super) fn of(bed: &Bed, namespace: &str, canary: String, words: &'static str) -> Target {
        Target {
            url: bed.api_url(),
            ca_pem: std::fs::read_to_string(bed.ca_file()).expect("the API server's CA"),
            token: bed.admin_token().to_owned(),
            path: format!("/apis/apps/v1/namespaces/{namespace}/deployments?dryRun=All"),
            canary,
            words,
        }
    }

    /// What this answer means for the canary.
    fn judge(&self, reply: &Reply, took: Duration) -> Verdict {
        let body = String::from_utf8_lossy(&reply.body);
        match reply.status {
            // 403, unless the webhook says another status: kube's types leave it to the API server, which then says 400.
            400..500 if body.contains(self.words) => Verdict::Refused(took),
            200..300 => Verdict::Leaked,
            // Not by us and not admitted: of an API server that is going, coming, or without its etcd.
            status => Verdict::Unsent(format!("HTTP {status}: {}", message(&body))),
        }
    }
}

/// What a Status says, shortened.
fn message(body: &str) -> String {
    let status: Option<serde_json::Value> = serde_json::from_str(body).ok();
    let said = status
        .as_ref()
        .and_then(|status| status["message"].as_str())
        .unwrap_or(body);
    said.chars().take(120).collect()
}

/// They continue until they are stopped.
pub(super) struct Canaries {
    shared: Arc<Shared>,
    runtime: tokio::runtime::Runtime,
}

struct Shared {
    target: Target,
    ledger: Mutex<Ledger>,
    /// One for each canary that may be sent now.
    due: Semaphore,
    silent: AtomicBool,
    over: AtomicBool,
    under_way: AtomicUsize,
    running: AtomicUsize,
}

impl Canaries {
    /// At this rate a second, or as many as the machine can.
    pub(super) fn start(target: Target, rate: u32, trouble: &'static str) -> Canaries {
        let runtime = super::thread_of_its_own();
        let shared = Arc::new(Shared {
            target,
            ledger: Mutex::new(Ledger::new(trouble)),
            due: Semaphore::new(0),
            silent: AtomicBool::new(false),
            over: AtomicBool::new(false),
            under_way: AtomicUsize::new(0),
            running: AtomicUsize::new(CLIENTS),
        });
        runtime.spawn(Arc::clone(&shared).keep_time(Duration::from_secs(1) / rate));
        for _ in 0..CLIENTS {
            runtime.spawn(Arc::clone(&shared).keep_sending());
        }
        Canaries { shared, runtime }
    }

    /// From now on canaries meet this.
    pub(super) fn begin(&self, trouble: &'static str) {
        self.ledger().begin(trouble, false);
    }

    /// The same, from an API server that does not call itself ready.
    pub(super) fn begin_unready(&self, trouble: &'static str) {
        self.ledger().begin(trouble, true);
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.shared.ledger()
    }

    /// Waits until this many more have their verdict.
    pub(super) fn until_more(&self, more: usize) {
        let wanted = self.ledger().verdicts() + more;
        let waited = wait_until(TIMEOUT, "canaries have their verdict", || {
            let ledger = self.ledger();
            ensure!(ledger.verdicts() >= wanted, "{ledger}\n{}", said(&ledger));
            Ok(())
        });
        waited.unwrap_or_else(|error| panic!("{error:#}"));
    }

    /// Fills the connections that an API server parks, says nothing for each of these times, and then comes on all of
    /// them at once: where they are closed by the other side at that moment, a canary gets by.
    pub(super) fn fall_silent(&self, gaps: &[Duration]) {
        self.shared.silent.store(true, Ordering::SeqCst);
        self.until_quiet();
        self.burst();
        for gap in gaps {
            // The middle of the burst shall meet the end of the gap.
            std::thread::sleep(gap.saturating_sub(BURST_STEP * u32::try_from(BURST / 2).unwrap_or(0)));
            self.burst();
        }
        self.shared.silent.store(false, Ordering::SeqCst);
    }

    fn burst(&self) {
        for _ in 0..BURST {
            self.shared.under_way.fetch_add(1, Ordering::SeqCst);
            self.shared.due.add_permits(1);
            std::thread::sleep(BURST_STEP);
        }
        self.until_quiet();
    }

    fn until_quiet(&self) {
        let waited = wait_until(TIMEOUT, "no canary is under way", || {
            let under_way = self.shared.under_way.load(Ordering::SeqCst);
            ensure!(under_way == 0, "{under_way} are; {}", said(&self.ledger()));
            Ok(())
        });
        waited.unwrap_or_else(|error| panic!("{error:#}"));
    }

    /// No new ones; those under way get their verdict.
    pub(super) fn stop(self) -> Ledger {
        self.shared.over.store(true, Ordering::SeqCst);
        self.shared.due.add_permits(CLIENTS);
        let waited = wait_until(TIMEOUT, "every client has ended", || {
            let running = self.shared.running.load(Ordering::SeqCst);
            ensure!(running == 0, "{running} have not; {}", said(&self.ledger()));
            Ok(())
        });
        waited.unwrap_or_else(|error| panic!("{error:#}"));
        self.runtime.shutdown_background();
        let mut ledger = self.shared.ledger();
        ledger.settle();
        std::mem::replace(&mut *ledger, Ledger::new("over"))
    }
}

/// What was said instead of verdicts, for the message of a failure.
pub(super) fn said(ledger: &Ledger) -> String {
    let rows = ledger.rows().iter().filter(|row| !row.unsent.is_empty());
    let rows = rows.map(|row| format!("{}: {:?}", row.trouble, row.unsent));
    rows.collect::<Vec<_>>().join("\n")
}

impl Shared {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn keep_time(self: Arc<Self>, period: Duration) {
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        while !self.over.load(Ordering::SeqCst) {
            ticks.tick().await;
            // A machine that is too slow for the rate gets a lower one, and what was late is not made up for.
            if !self.silent.load(Ordering::SeqCst) && self.due.available_permits() == 0 {
                self.under_way.fetch_add(1, Ordering::SeqCst);
                self.due.add_permits(1);
            }
        }
    }

    async fn keep_sending(self: Arc<Self>) {
        let mut connection = None;
        // It is never closed.
        while let Ok(permit) = self.due.acquire().await {
            permit.forget();
            if self.over.load(Ordering::SeqCst) {
                break;
            }
            self.until_verdict(&mut connection).await;
            self.under_way.fetch_sub(1, Ordering::SeqCst);
        }
        self.running.fetch_sub(1, Ordering::SeqCst);
    }

    async fn until_verdict(&self, connection: &mut Option<Connection>) {
        loop {
            let (row, began) = (self.ledger().here(), Instant::now());
            let verdict = match tokio::time::timeout(ANSWER, self.send(connection)).await {
                Ok(Ok(reply)) => self.target.judge(&reply, began.elapsed()),
                Ok(Err(error)) => Verdict::Unsent(format!("{error:#}")),
                Err(_) => Verdict::Unsent(format!("no answer in {ANSWER:?}")),
            };
            let again = matches!(verdict, Verdict::Unsent(_));
            self.ledger().book(row, verdict);
            if !again {
                return;
            }
            *connection = None;
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn send(&self, connection: &mut Option<Connection>) -> anyhow::Result<Reply> {
        let target = &self.target;
        if connection.is_none() {
            *connection = Some(Connection::open_as(&target.url, &target.ca_pem, &target.token).await?);
        }
        let Some(open) = connection else {
            anyhow::bail!("no connection");
        };
        open.ask(http::Method::POST, &target.path, target.canary.clone()).await
    }
}
