//! Starts etcd and kube-apiserver, waits until they are ready, stops and restarts them. This file knows their flags and no
//! test.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};

use super::assets::Assets;
use super::kubectl::Kubectl;
use super::scratch::{Scratch, tail};
use super::supervised::{Supervised, wait_until};

/// Two seconds suffice on an idle machine. This one may be compiling, and a restarted API server whose first requests to itself
/// came too early retries after up to half a minute.
const TIMEOUT: Duration = Duration::from_secs(120);

/// The users with a token, and the group that the API server puts them in.
const USERS: [(&str, &str); 4] = [
    ("admin", "system:masters"),
    ("system:kube-controller-manager", ""),
    ("system:kube-scheduler", ""),
    ("kwok", "system:masters"),
];

/// etcd and kube-apiserver in a folder of their own.
pub(crate) struct ControlPlane {
    // Dropped in this order: an API server without its etcd only complains.
    api_server: Option<Supervised>,
    etcd: Supervised,
    kubectl: Kubectl,
    port: u16,
    flags: Vec<String>,
    tokens: Vec<(&'static str, String)>,
    assets: Assets,
    scratch: Scratch,
}

impl ControlPlane {
    /// Starts both and returns when the API server is ready. `flags` are added to its own.
    pub(crate) fn start(assets: Assets, flags: &[String]) -> Result<Self> {
        let scratch = Scratch::new()?;
        let keys = rcgen::KeyPair::generate()?;
        scratch.write("service-account.key", &keys.serialize_pem())?;
        scratch.write("service-account.pub", &keys.public_key_pem())?;
        let mut tokens = Vec::new();
        let mut rows = String::new();
        for (user, group) in USERS {
            let token = random_token()?;
            rows.push_str(&format!("{token},{user},{user},{group}\n"));
            tokens.push((user, token));
        }
        scratch.write("tokens.csv", &rows)?;

        let mut plane = Self {
            api_server: None,
            etcd: start_etcd(&assets, &scratch)?,
            kubectl: Kubectl::new(
                assets.path("kubectl"),
                scratch.path().join("admin.kubeconfig"),
                scratch.folder("home")?,
            ),
            port: 0,
            flags: flags.to_vec(),
            tokens,
            assets,
            scratch,
        };
        plane.start_on_a_free_port()?;
        Ok(plane)
    }

    /// A port that was free a moment ago may be taken when the API server starts. Then another is tried.
    fn start_on_a_free_port(&mut self) -> Result<()> {
        const ATTEMPTS: usize = 5;
        let mut attempt = 1;
        loop {
            self.port = free_port()?;
            let started = self.start_api_server();
            let taken =
                || fs::read_to_string(self.api_server_log()).is_ok_and(|log| log.contains("address already in use"));
            if started.is_ok() || attempt == ATTEMPTS || !taken() {
                return started;
            }
            self.api_server = None;
            attempt += 1;
        }
    }

    /// Starts the API server on the port it had before and waits until it is ready.
    pub(crate) fn start_api_server(&mut self) -> Result<()> {
        ensure!(self.api_server.is_none(), "the API server runs already");
        let dir = self.scratch.path();
        let log = File::options().create(true).append(true).open(self.api_server_log())?;
        let same_log = log.try_clone()?;
        self.api_server = Some(Supervised::start(
            self.assets.path("kube-apiserver"),
            None,
            |command| {
                command
                    .current_dir(dir)
                    .arg(format!("--etcd-servers={}", etcd_url(dir)))
                    .arg(format!("--secure-port={}", self.port))
                    .args(["--bind-address=127.0.0.1", "--cert-dir=certificates"])
                    // Any address but loopback. By default it needs a default route, and a sandbox may have none.
                    .arg("--advertise-address=192.0.2.1")
                    .arg("--service-account-issuer=https://kubernetes.default.svc")
                    .arg("--service-account-key-file=service-account.pub")
                    .arg("--service-account-signing-key-file=service-account.key")
                    // In the loopback network: the API server dials a webhook's Service there, where a test can listen.
                    .args([
                        "--service-cluster-ip-range=127.77.0.0/16",
                        "--authorization-mode=RBAC,Node",
                    ])
                    .args(["--token-auth-file=tokens.csv", "--allow-privileged=true"])
                    // This plugin rejects pods whose ServiceAccount does not exist yet. The controller-manager creates those
                    // and may not run. The plugin judges pods alone, never Deployments.
                    .arg("--disable-admission-plugins=ServiceAccount")
                    .args(&self.flags)
                    .stdout(same_log)
                    .stderr(log);
            },
        )?);
        self.until_ready().with_context(|| {
            let logs = [
                tail(&self.api_server_log()),
                tail(&self.scratch.path().join("etcd.log")),
            ];
            format!("kube-apiserver does not become ready; {}", logs.join("\n"))
        })
    }

    fn until_ready(&mut self) -> Result<()> {
        let (dir, url, token) = (self.scratch.path(), self.api_url(), self.token("admin")?.to_owned());
        let (kubectl, address) = (&self.kubectl, SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)));
        let server = self.api_server.as_mut().context("the API server was not started")?;
        wait_until(TIMEOUT, "it is ready", || {
            // The inner error ends the wait: a process that ended will not become ready. It is checked first each time, since
            // another server on our port would answer in its place.
            if let Some(status) = server.exit_status()? {
                return Ok(Err(anyhow!("it ended with {status}")));
            }
            TcpStream::connect(address)?;
            let ca = dir.join("ca.crt");
            fs::write(
                &ca,
                issuer(&fs::read_to_string(dir.join("certificates/apiserver.crt"))?)?,
            )?;
            kubectl.configure(&url, &ca, &token)?;
            // Short, since a foreign server may accept the connection and never answer.
            kubectl
                .run(&["get", "--raw=/readyz", "--request-timeout=2s"], None)?
                .checked()?;
            kubectl
                .run(&["get", "namespace", "default", "kube-system", "kube-node-lease"], None)?
                .checked()?;
            Ok(Ok(()))
        })?
    }

    /// Stops the API server and waits until its port is free; etcd keeps the objects.
    pub(crate) fn stop_api_server(&mut self) -> Result<()> {
        if let Some(mut server) = self.api_server.take() {
            server.stop(TIMEOUT).with_context(|| tail(&self.api_server_log()))?;
        }
        Ok(())
    }

    /// Kills etcd as a crash would and starts it again with the same data.
    pub(crate) fn restart_etcd(&mut self) -> Result<()> {
        self.etcd.kill();
        self.etcd = start_etcd(&self.assets, &self.scratch)?;
        self.until_ready()
    }

    pub(crate) fn api_url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The CA that issued the API server's certificate, PEM.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.scratch.path().join("ca.crt")
    }

    /// The bearer token of one of the users above.
    pub(crate) fn token(&self, user: &str) -> Result<&str> {
        let token = self.tokens.iter().find(|(name, _)| *name == user);
        token
            .map(|(_, token)| token.as_str())
            .with_context(|| format!("user {user} has no token"))
    }

    pub(crate) fn kubectl(&self) -> &Kubectl {
        &self.kubectl
    }

    pub(crate) fn assets(&self) -> &Assets {
        &self.assets
    }

    pub(crate) fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// The process ids.
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.api_server
            .iter()
            .chain([&self.etcd])
            .map(Supervised::pid)
            .collect()
    }

    fn api_server_log(&self) -> PathBuf {
        self.scratch.path().join("kube-apiserver.log")
    }
}

/// etcd on a socket in the folder, so that no port can clash. Its log is preallocated with 123 MB, so it is removed however the
/// process ends.
fn start_etcd(assets: &Assets, scratch: &Scratch) -> Result<Supervised> {
    // It accepts only host:port as its address for other members, of which there are none.
    const NO_PEER: &str = "http://127.0.0.1:1";
    let dir = scratch.path();
    let log = File::create(dir.join("etcd.log"))?;
    let same_log = log.try_clone()?;
    let etcd = Supervised::start(assets.path("etcd"), Some(&dir.join("etcd")), |command| {
        command
            .current_dir(dir)
            .args(["--name=bed", "--data-dir=etcd", "--unsafe-no-fsync"])
            .arg(format!("--listen-client-urls={}", etcd_url(dir)))
            .arg(format!("--advertise-client-urls={NO_PEER}"))
            .arg(format!(
                "--listen-peer-urls=unix://{}",
                dir.join("etcd-peer.sock").display()
            ))
            .arg(format!("--initial-advertise-peer-urls={NO_PEER}"))
            .arg(format!("--initial-cluster=bed={NO_PEER}"))
            .stdout(same_log)
            .stderr(log);
    })?;
    Ok(etcd)
}

fn etcd_url(dir: &Path) -> String {
    format!("unix://{}", dir.join("etcd.sock").display())
}

/// Below the ports that kernels use for outgoing connections, so that a stopped server finds its port free again.
fn free_port() -> Result<u16> {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 10_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes that start at the same time search from different ports.
    let start = (std::process::id() % u32::from(COUNT)) as u16;
    (0..COUNT)
        .map(|_| FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT)
        .find(|&port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
        .with_context(|| format!("no port is free on 127.0.0.1 from {FIRST} on"))
}

/// The file holds the API server's own certificate and then the one that issued it.
fn issuer(chain: &str) -> Result<&str> {
    let start = chain
        .rfind("-----BEGIN CERTIFICATE-----")
        .context("the API server's certificate file is empty")?;
    Ok(&chain[start..])
}

/// Other users of the machine can reach the port, so a token must not be guessable.
fn random_token() -> Result<String> {
    use std::io::Read as _;
    let mut bytes = [0_u8; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
