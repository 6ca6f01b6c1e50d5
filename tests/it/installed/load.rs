//! Reviews that must be denied, sent to a Service at a steady rate as a kube-apiserver sends them: half on kept connections,
//! half on new ones, trusting exactly the webhook configuration's caBundle of the moment.
//!
//! A real API server can send them, too, but not two hundred a second beside everything else on two cores; `storm.rs` adds some
//! from one.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

/// `timeoutSeconds` of the configuration.
const DEADLINE: Duration = Duration::from_secs(3);
/// What `Retry-After: 1` asks for.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Reviews of one kind under way at once, at most: about what a connection pool of an API server holds.
pub(super) const CONCURRENCY: usize = 16;
/// How soon a changed caBundle is known: an API server watches its configurations.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Whom to ask, and what.
pub(super) struct Target {
    pub(super) address: SocketAddr,
    /// `<service>.<namespace>.svc`: the name that an API server expects in the certificate.
    pub(super) server_name: String,
    /// Answers with the configuration's JSON.
    pub(super) configuration_url: String,
    /// A review that must be refused.
    pub(super) review: String,
    /// Requests a second; every second one on a new connection.
    pub(super) rate: u32,
}

/// How it went. All but `refused` let an object through, or would have.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// When it began.
    pub(super) since: Option<Instant>,
    /// Answered with a denial, as required.
    pub(super) refused: usize,
    /// Of those, after one or more 503 with Retry-After.
    pub(super) retried: usize,
    /// Handshakes made.
    pub(super) handshakes: usize,
    /// The slowest denial.
    pub(super) slowest: Duration,
    /// Answered with "allowed".
    pub(super) admitted: usize,
    /// The certificate was not trusted, or the handshake failed otherwise.
    pub(super) tls_errors: usize,
    /// The connection was lost or refused, or the answer came too late.
    pub(super) broken: usize,
    /// What was said, and how often.
    pub(super) told: BTreeMap<String, usize>,
}

/// It runs until it is stopped.
pub(super) struct Load {
    shared: Arc<Shared>,
    runtime: tokio::runtime::Runtime,
}

struct Shared {
    target: Target,
    over: AtomicBool,
    tally: Mutex<Tally>,
    trusted: Mutex<Option<Arc<rustls::ClientConfig>>>,
    kept: Mutex<Vec<Sender>>,
}

type Sender = http1::SendRequest<Full<Bytes>>;

enum Failure {
    Tls(String),
    Broken(String),
}

impl Load {
    pub(super) fn start(target: Target) -> Load {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let period = Duration::from_secs(2) / target.rate;
        let shared = Arc::new(Shared {
            target,
            over: AtomicBool::new(false),
            tally: Mutex::new(Tally {
                since: Some(Instant::now()),
                ..Tally::default()
            }),
            trusted: Mutex::default(),
            kept: Mutex::default(),
        });
        runtime
            .block_on(shared.look())
            .expect("a configuration with a caBundle");
        runtime.spawn(Arc::clone(&shared).keep_looking());
        for keep in [true, false] {
            runtime.spawn(Arc::clone(&shared).keep_asking(period, keep));
        }
        Load { shared, runtime }
    }

    /// What happened since the last time this was asked.
    pub(super) fn so_far(&self) -> Tally {
        let next = Tally {
            since: Some(Instant::now()),
            ..Tally::default()
        };
        std::mem::replace(&mut *self.shared.tally(), next)
    }

    /// Ends it and waits for what is under way.
    pub(super) fn stop(self) {
        self.shared.over.store(true, Ordering::SeqCst);
        self.runtime.shutdown_timeout(DEADLINE + RETRY_AFTER);
    }
}

impl Shared {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Sender>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Trusts what the configuration says now.
    async fn look(&self) -> Result<()> {
        let (_, text) = crate::https::get(&self.target.configuration_url).await?;
        let configuration: Value = serde_json::from_str(&text)?;
        let bundle = configuration["webhooks"][0]["clientConfig"]["caBundle"].as_str();
        let pem = from_base64(bundle.with_context(|| format!("no caBundle in {text}"))?)?;
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            roots.add(certificate?)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        *self.trusted.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(config));
        Ok(())
    }

    async fn keep_looking(self: Arc<Self>) {
        while !self.over.load(Ordering::SeqCst) {
            tokio::time::sleep(LOOK_EVERY).await;
            // A failed read changes nothing: an API server that cannot watch continues with what it knows.
            drop(self.look().await);
        }
    }

    async fn keep_asking(self: Arc<Self>, period: Duration, keep: bool) {
        let mut ticks = tokio::time::interval(period);
        let at_once = Arc::new(Semaphore::new(CONCURRENCY));
        while !self.over.load(Ordering::SeqCst) {
            ticks.tick().await;
            // A machine that is too slow for the rate gets a lower one. Its own delay would otherwise be reported as ours.
            if let Ok(permit) = Arc::clone(&at_once).try_acquire_owned() {
                let asking = Arc::clone(&self).ask(keep);
                tokio::spawn(async move {
                    asking.await;
                    drop(permit);
                });
            }
        }
    }

    /// One review, with the patience of an API server.
    async fn ask(self: Arc<Self>, keep: bool) {
        let started = Instant::now();
        let answered = tokio::time::timeout(DEADLINE, self.until_answered(keep)).await;
        let mut tally = self.tally();
        let told = match answered {
            Err(_) => {
                tally.broken += 1;
                "no answer within its time".to_owned()
            }
            Ok(Err(Failure::Tls(told))) => {
                tally.tls_errors += 1;
                told
            }
            Ok(Err(Failure::Broken(told))) => {
                tally.broken += 1;
                told
            }
            Ok(Ok((answer, attempts))) if answer["response"]["allowed"] == false => {
                tally.refused += 1;
                tally.retried += usize::from(attempts > 1);
                tally.slowest = tally.slowest.max(started.elapsed());
                return;
            }
            Ok(Ok((answer, _))) => {
                tally.admitted += 1;
                answer.to_string()
            }
        };
        *tally.told.entry(told).or_default() += 1;
    }

    /// The answer, and how often it was asked: a 503 with Retry-After is asked again.
    async fn until_answered(&self, keep: bool) -> Result<(Value, u32), Failure> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let (status, body) = self.once(keep).await?;
            if status == 503 {
                tokio::time::sleep(RETRY_AFTER).await;
                continue;
            }
            let answer = serde_json::from_slice(&body)
                .map_err(|error| Failure::Broken(format!("HTTP {status} without JSON: {error}")))?;
            return Ok((answer, attempts));
        }
    }

    async fn once(&self, keep: bool) -> Result<(u16, Bytes), Failure> {
        let mut sender = match self.idle(keep) {
            Some(sender) => sender,
            None => self.dial().await?,
        };
        loop {
            let request = hyper::Request::post("/validate-deployment?timeout=3s")
                .header("host", &self.target.server_name)
                .header("content-type", "application/json")
                .body(Full::new(Bytes::copy_from_slice(self.target.review.as_bytes())));
            let request = request.map_err(|error| Failure::Broken(error.to_string()))?;
            let response = match sender.send_request(request).await {
                Ok(response) => response,
                // Never sent: Go's client, too, takes another connection then.
                Err(error) if error.is_canceled() => {
                    sender = self.dial().await?;
                    continue;
                }
                Err(error) => return Err(Failure::Broken(chain(&error))),
            };
            let (head, body) = response.into_parts();
            let body = body.collect().await.map_err(|error| Failure::Broken(chain(&error)))?;
            let body = body.to_bytes();
            let closing = head.headers.get("connection").is_some_and(|value| value == "close");
            if keep && !closing && sender.ready().await.is_ok() {
                self.kept().push(sender);
            }
            return Ok((head.status.as_u16(), body));
        }
    }

    /// A connection that was kept and is still whole.
    fn idle(&self, keep: bool) -> Option<Sender> {
        if !keep {
            return None;
        }
        let mut kept = self.kept();
        kept.retain(Sender::is_ready);
        kept.pop()
    }

    async fn dial(&self) -> Result<Sender, Failure> {
        let broken = |error: std::io::Error| Failure::Broken(format!("connect: {error}"));
        let stream = TcpStream::connect(self.target.address).await.map_err(broken)?;
        stream.set_nodelay(true).map_err(broken)?;
        let trusted = self.trusted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let trusted = trusted.ok_or_else(|| Failure::Tls("nothing is trusted yet".to_owned()))?;
        let name =
            ServerName::try_from(self.target.server_name.clone()).map_err(|error| Failure::Tls(error.to_string()))?;
        let stream = TlsConnector::from(trusted).connect(name, stream).await;
        let stream = stream.map_err(|error| match error.kind() {
            // Not about certificates: the server had already closed.
            std::io::ErrorKind::ConnectionReset
            | std::io::ErrorKind::BrokenPipe
            | std::io::ErrorKind::UnexpectedEof => Failure::Broken(format!("in the handshake: {error}")),
            _ => Failure::Tls(error.to_string()),
        })?;
        self.tally().handshakes += 1;
        let made = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = made.map_err(|error| Failure::Broken(chain(&error)))?;
        tokio::spawn(connection);
        Ok(sender)
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |cause| cause.source())
        .fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// The standard alphabet with padding, as Kubernetes writes bytes.
fn from_base64(text: &str) -> Result<Vec<u8>> {
    let bytes: k8s_openapi::ByteString = serde_json::from_value(Value::from(text))?;
    Ok(bytes.0)
}
