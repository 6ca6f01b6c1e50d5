//! A process in file mode that is called directly, as an API server calls: one review, over TLS, within three seconds.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use procfs::process::Process;
use rustls::ClientConfig;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::bed::Dorgu;
use crate::server::support::{Answer, Client, trusting};

/// An API server that waits longer for an answer admits unseen.
pub(super) const REVIEW_TIMEOUT: Duration = Duration::from_secs(3);
pub(super) const PATH: &str = "/validate-deployment";

const NAMESPACE: &str = r#"{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}"#;
/// A persona that the Deployment which is asked about violates.
const PERSONA: &str = "apiVersion: dorgu.io/v1
kind: ApplicationPersona
metadata: {name: orders, namespace: shop}
spec: {name: orders, type: api, scaling: {minReplicas: 2, maxReplicas: 6}}
";

/// It enforces, and unless it is given personas it knows none.
pub(super) struct Served {
    pub(super) dorgu: Dorgu,
    pub(super) asked: Asked,
    _personas: TempDir,
}

/// Where it is, whom to trust, what to ask.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) addr: SocketAddr,
    pub(super) config: Arc<ClientConfig>,
    request: Arc<[u8]>,
}

impl Served {
    pub(super) fn start() -> Served {
        Served::launch(&[NAMESPACE], Dorgu::with_personas)
    }

    /// One that reads these documents.
    pub(super) fn with(documents: &str) -> Served {
        Served::launch(&[documents], Dorgu::with_personas)
    }

    /// It denies every review, and may open this many files (soft and hard limit).
    pub(super) fn denying(files: Option<(u64, u64)>) -> Served {
        Served::launch(&[NAMESPACE, PERSONA], |personas, args| match files {
            None => Dorgu::with_personas(personas, args),
            Some((soft, hard)) => Dorgu::with_few_files(personas, args, soft, hard),
        })
    }

    fn launch(documents: &[&str], launch: impl FnOnce(&Path, &[&str]) -> Dorgu) -> Served {
        let personas = TempDir::new().expect("a folder");
        for (number, document) in documents.iter().enumerate() {
            std::fs::write(personas.path().join(format!("{number}.yaml")), document).expect("written");
        }
        let dorgu = launch(personas.path(), &["--webhook-mode=enforcing"]);
        let object = json!({"metadata": {"labels": {"app.kubernetes.io/name": "orders"}}, "spec": {"replicas": 1}});
        let review = json!({
            "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
            "request": {"uid": "u-1", "operation": "CREATE", "namespace": "shop", "object": object},
        });
        let asked = Asked::new(&dorgu, &dorgu.ca_pem(), &review);
        Served {
            dorgu,
            asked,
            _personas: personas,
        }
    }
}

/// Processor time that it has used.
pub(super) fn processor_time(dorgu: &Dorgu) -> Duration {
    let process = Process::new(i32::try_from(dorgu.pid()).expect("a pid"));
    let stat = process.and_then(|process| process.stat()).expect("it runs");
    // Hundredths of a second, whatever the machine.
    Duration::from_millis((stat.utime + stat.stime) * 10)
}

fn request(body: &str) -> Arc<[u8]> {
    let head = format!(
        "POST {PATH}?timeout=3s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body.as_bytes()].concat().into()
}

impl Asked {
    /// This review, of this process with this CA.
    pub(super) fn new(dorgu: &Dorgu, ca: &str, review: &Value) -> Asked {
        let addr = dorgu.webhook_url().split('/').nth(2).and_then(|addr| addr.parse().ok());
        Asked {
            addr: addr.expect("an address"),
            config: trusting(ca.as_bytes()),
            request: request(&review.to_string()),
        }
    }

    /// The same process, asked about something else.
    pub(super) fn about(&self, review: &str) -> Asked {
        Asked {
            request: request(review),
            ..self.clone()
        }
    }

    pub(super) async fn connect(&self) -> io::Result<Client> {
        Client::connect(self.addr, &self.config).await
    }

    /// One answer with status 200, on this connection or on a new one, which is then kept for the next time.
    pub(super) async fn ask(&self, kept: &mut Option<Client>) -> io::Result<()> {
        self.verdict(kept).await.map(drop)
    }

    /// The same, and whether it allows.
    pub(super) async fn verdict(&self, kept: &mut Option<Client>) -> io::Result<bool> {
        let answered = timeout(REVIEW_TIMEOUT, self.answer(kept.take())).await;
        let (client, answer) = answered.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        if answer.status != 200 {
            return Err(io::Error::other(format!("{answer:?}")));
        }
        *kept = (!answer.closes()).then_some(client);
        let review: Value = serde_json::from_slice(&answer.body)?;
        Ok(review["response"]["allowed"] == true)
    }

    async fn answer(&self, client: Option<Client>) -> io::Result<(Client, Answer)> {
        let mut client = match client {
            Some(client) => client,
            None => self.connect().await?,
        };
        client.send(&self.request).await?;
        let answer = client.answer().await?;
        Ok((client, answer))
    }
}
