//! Sends requests that must be denied, at a steady pace, half of them on new connections. The callers trust what an API server
//! would: exactly the caBundle that is registered at the moment.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use http::Method;
use serde_json::{Value, json};
use tokio::sync::RwLock;

use super::{Stage, text};
use crate::https::Connection;

/// Callers. The first half opens a new connection for every request.
const CALLERS: usize = 8;
/// Together 250 questions a second.
const PACE: Duration = Duration::from_millis(32);
/// Requests on a kept connection before it is replaced. API servers, too, reconnect now and then.
const KEPT: usize = 100;
/// How often the registration is read.
const LOOK: Duration = Duration::from_millis(50);

/// Callers at work.
pub(super) struct Load {
    shared: Arc<Shared>,
    started: Instant,
    runtime: Option<tokio::runtime::Runtime>,
}

#[derive(Default)]
struct Shared {
    /// A caller holds it for reading while it waits for an answer.
    targets: RwLock<Vec<String>>,
    bundle: Mutex<String>,
    review: String,
    refused: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

impl Load {
    pub(super) fn start(stage: &Stage<'_>, targets: Vec<String>) -> Load {
        let review = json!({
            "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
            "request": {"uid": "u-1", "operation": "CREATE", "namespace": stage.namespace, "object": {
                "metadata": {"namespace": stage.namespace, "labels": {"app.kubernetes.io/name": "orders"}},
                "spec": {"replicas": 1},
            }},
        });
        let shared = Arc::new(Shared {
            targets: RwLock::new(targets),
            bundle: Mutex::new(stage.ca_bundle().expect("a caBundle")),
            review: review.to_string(),
            ..Shared::default()
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let path = format!(
            "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{}",
            stage.configuration()
        );
        runtime.spawn(look(Arc::clone(&shared), stage.bed.proxy_url(), path));
        for number in 0..CALLERS {
            runtime.spawn(call(Arc::clone(&shared), number));
        }
        Load {
            shared,
            started: Instant::now(),
            runtime: Some(runtime),
        }
    }

    /// From now on only these targets are called. Returns when no other is called any more.
    pub(super) fn only(&self, targets: Vec<String>) {
        if let Some(runtime) = &self.runtime {
            runtime.block_on(async { *self.shared.targets.write().await = targets });
        }
    }

    /// So far every answer was a denial.
    pub(super) fn expect_clean(&self) {
        let failures = self.shared.failures.lock().expect("no panic");
        assert!(
            failures.is_empty(),
            "{} of them: {:?}",
            failures.len(),
            &failures[..failures.len().min(5)]
        );
    }

    /// Ends it; how many were refused, and how many a second.
    pub(super) fn stop(mut self) -> (usize, f64) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        self.expect_clean();
        let refused = self.shared.refused.load(Ordering::Relaxed);
        #[expect(clippy::cast_precision_loss, reason = "a small count")]
        let rate = refused as f64 / self.started.elapsed().as_secs_f64();
        (refused, rate)
    }
}

/// Keeps the bundle as it is registered. Without a registration the last one stays.
async fn look(shared: Arc<Shared>, proxy: String, path: String) {
    let mut connection = None;
    loop {
        if connection.is_none() {
            connection = Connection::open(&proxy).await.ok();
        }
        if let Some(open) = &mut connection {
            match open.ask(Method::GET, &path, String::new()).await {
                Ok(reply) if reply.status == 200 => {
                    let object: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
                    if let Ok(bundle) = text(&object["webhooks"][0]["clientConfig"]["caBundle"]) {
                        *shared.bundle.lock().expect("no panic") = bundle;
                    }
                }
                Ok(_) => {}
                Err(_) => connection = None,
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn call(shared: Arc<Shared>, number: usize) {
    let mut pace = tokio::time::interval(PACE);
    let mut kept: Option<(String, Connection)> = None;
    for turn in 0_usize.. {
        pace.tick().await;
        let targets = shared.targets.read().await;
        let target = targets[(turn + number) % targets.len()].clone();
        if number < CALLERS / 2 || turn % KEPT == 0 {
            kept = None;
        }
        let target = match &kept {
            Some((address, _)) if targets.contains(address) => address.clone(),
            _ => {
                kept = None;
                target
            }
        };
        match ask(&shared, &target, &mut kept).await {
            Ok(()) => drop(shared.refused.fetch_add(1, Ordering::Relaxed)),
            Err(error) => {
                kept = None;
                let mut failures = shared.failures.lock().expect("no panic");
                failures.push(format!("{target}: {error:#}"));
            }
        }
    }
}

async fn ask(shared: &Shared, target: &str, kept: &mut Option<(String, Connection)>) -> Result<()> {
    let (_, connection) = match kept {
        Some(kept) => kept,
        None => {
            let bundle = shared.bundle.lock().expect("no panic").clone();
            kept.insert((target.to_owned(), Connection::open_tls(target, &bundle).await?))
        }
    };
    let reply = connection
        .ask(Method::POST, "/validate-deployment", shared.review.clone())
        .await?;
    let body = String::from_utf8_lossy(&reply.body);
    ensure!(
        reply.status == 200 && body.contains("\"allowed\":false"),
        "{} {body}",
        reply.status
    );
    Ok(())
}
