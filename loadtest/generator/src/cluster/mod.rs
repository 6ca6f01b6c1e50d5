//! Measures a real kube-apiserver instead of a webhook: what a Deployment costs there, and how much of that each way of
//! reviewing adds.
//!
//! `fill` creates namespaces and personas, `arm` is one way of reviewing, `measure` runs all of them in turn, `reported` reads
//! the API server's own metrics.

mod arm;
mod fill;
mod measure;
mod reported;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use tokio::time::{Instant, sleep};

use crate::connection::{Connection, connector};

pub use fill::Fill;
pub use measure::Measurement;

/// How long a condition may take: the machine may be compiling at the same time.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often the condition is checked.
const PAUSE: Duration = Duration::from_millis(100);

/// Where the API server is, and who asks.
#[derive(Args, Clone, Debug)]
pub struct Api {
    /// Where kube-apiserver listens.
    #[arg(long, value_name = "ADDRESS")]
    api: SocketAddr,
    /// The file with a bearer token that may do everything.
    #[arg(long, value_name = "FILE")]
    token: PathBuf,
}

impl Api {
    /// A client of it.
    fn client(&self) -> anyhow::Result<Client> {
        let token = std::fs::read_to_string(&self.token)
            .with_context(|| format!("cannot read the token in {}", self.token.display()))?;
        Ok(Client {
            address: self.api,
            token: token.trim().to_owned(),
        })
    }
}

/// Makes requests, and sends those whose time does not matter.
struct Client {
    address: SocketAddr,
    token: String,
}

impl Client {
    /// The bytes of a `POST`.
    fn post(&self, path: &str, content: &str, body: &str) -> Vec<u8> {
        let head = self.head("POST", path);
        let length = body.len();
        format!("{head}Content-Type: {content}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
    }

    fn head(&self, method: &str, path: &str) -> String {
        let token = &self.token;
        format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: loadtest\r\nAccept: application/json, */*\r\nAuthorization: Bearer {token}\r\n"
        )
    }

    async fn connect(&self) -> anyhow::Result<Connection> {
        Connection::open(self.address, &connector()?).await
    }

    /// What is there.
    async fn get(&self, path: &str) -> anyhow::Result<String> {
        let mut connection = self.connect().await?;
        let request = format!("{}\r\n", self.head("GET", path));
        let reply = connection.exchange(request.as_bytes()).await?;
        let text = String::from_utf8_lossy(reply.body).into_owned();
        match reply.status {
            200 => Ok(text),
            status => bail!("GET {path}: {status} {text}"),
        }
    }
}

/// Waits until `what` has come true; the error says how it was until then.
async fn until<F>(what: &str, mut look: impl FnMut() -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<Result<(), String>>>,
{
    let end = Instant::now() + PATIENCE;
    loop {
        match look().await? {
            Ok(()) => return Ok(()),
            Err(so_far) if Instant::now() > end => bail!("waited {PATIENCE:?} until {what}: {so_far}"),
            Err(_) => sleep(PAUSE).await,
        }
    }
}
