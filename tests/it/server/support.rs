//! A server to test, and a minimal client: it never retries, never reconnects, and can stop anywhere.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::{any, get};
use bytes::Bytes;
use dorgu::server::body::{self, BodyError, Budget};
use dorgu::server::drain::{Drain, DrainHandle};
use dorgu::server::limits::Limits;
use dorgu::server::listen::Bound;
use dorgu::server::sender::Sender;
use dorgu::server::stats::{CloseReason, Stats};
use dorgu::server::tls::{SelfSigned, server_config};
use http::{HeaderMap, Request, Response, StatusCode};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

/// How long a test waits for what must happen; a slow machine may need some of it.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// Waits until something is true.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let mut tick = tokio::time::interval(Duration::from_millis(2));
    let waited = tokio::time::timeout(TIMEOUT, async {
        while !holds() {
            tick.tick().await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("in vain: {what}"));
}

/// A running server.
pub(crate) struct Served {
    pub(crate) addr: SocketAddr,
    pub(crate) client: Arc<ClientConfig>,
    pub(crate) drain: DrainHandle,
    pub(crate) stats: Arc<Stats>,
    pub(crate) task: JoinHandle<()>,
}

impl Served {
    /// Serves `app` with a certificate of our own.
    pub(crate) async fn start(app: Router, limits: Limits) -> Served {
        let own = SelfSigned::generate(&["localhost".into()]).unwrap();
        let tls = server_config(own.resolver(), None).unwrap();
        Served::start_with(app, limits, tls, trusting(own.ca_pem().as_bytes())).await
    }

    pub(crate) async fn start_with(
        app: Router,
        limits: Limits,
        tls: Arc<ServerConfig>,
        client: Arc<ClientConfig>,
    ) -> Served {
        let bound = Bound::bind(&"127.0.0.1:0".parse().unwrap()).await.unwrap();
        let (addr, stats) = (bound.local_addr(), bound.stats());
        let (handle, drain) = Drain::new();
        let task = tokio::spawn(bound.serve(Some(tls), app, limits, drain));
        Served {
            addr,
            client,
            drain: handle,
            stats,
            task,
        }
    }

    pub(crate) async fn connect(&self) -> Client {
        Client::connect(self.addr, &self.client).await.unwrap()
    }

    /// Waits until `count` connections have ended for this reason.
    pub(crate) async fn closed(&self, reason: CloseReason, count: u64) {
        until(&format!("{count} connections closed as {}", reason.name()), || {
            self.stats.closed(reason) >= count
        })
        .await;
    }
}

/// Paths that most tests need. `/echo` reads its body as the webhook does.
pub(crate) fn app(limits: Limits, budget: Budget, max: usize) -> Router {
    let echo = move |request: Request<Body>| {
        let budget = budget.clone();
        async move { echo(request, limits, budget, max).await }
    };
    let big = Bytes::from(vec![b'x'; 16 << 20]);
    Router::new()
        .route("/ok", any(async || "ok"))
        .route("/echo", any(echo))
        .route("/big", get(async move || big))
        .route("/panic", get(async || if true { panic!("as asked") } else { "" }))
}

async fn echo(request: Request<Body>, limits: Limits, budget: Budget, max: usize) -> Response<Body> {
    let length = content_length(request.headers());
    let answer = |status: StatusCode, text: String| Response::builder().status(status).body(Body::from(text)).unwrap();
    let sender = request.extensions().get::<Sender>().cloned().unwrap_or_default();
    match body::read(request.into_body(), length, &sender, &limits, &budget, max).await {
        Ok(body) => Response::new(Body::from(body.to_vec())),
        Err(BodyError::TooLarge { length, prefix }) => {
            let text = format!(
                "{} {}",
                length.map_or("unknown".into(), |length| length.to_string()),
                prefix.len()
            );
            answer(StatusCode::PAYLOAD_TOO_LARGE, text)
        }
        Err(BodyError::Busy) => {
            let mut response = answer(StatusCode::SERVICE_UNAVAILABLE, "busy".into());
            response.headers_mut().insert("retry-after", "1".parse().unwrap());
            response
        }
        Err(BodyError::TooSlow) => answer(StatusCode::SERVICE_UNAVAILABLE, "too slow".into()),
        Err(BodyError::TimedOut) => answer(StatusCode::REQUEST_TIMEOUT, "timed out".into()),
        Err(BodyError::Broken) => answer(StatusCode::BAD_REQUEST, "broken".into()),
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get("content-length")?.to_str().ok()?.parse().ok()
}

/// `app` with room for everything.
pub(crate) fn plain_app(limits: Limits) -> Router {
    app(limits, Budget::new(64 << 20), 20 << 20)
}

/// A gate in front of `/wait`: requests are counted when they arrive, and answered when the test lets them.
#[derive(Clone, Default)]
pub(crate) struct Gate {
    arrived: Arc<AtomicU64>,
    open: Arc<Notify>,
}

impl Gate {
    /// `plain_app` and `/wait`.
    pub(crate) fn app(&self) -> Router {
        let gate = self.clone();
        let wait = async move || {
            let opened = gate.open.notified();
            gate.arrived.fetch_add(1, Ordering::Relaxed);
            opened.await;
            "waited"
        };
        plain_app(Limits::default()).route("/wait", get(wait))
    }

    /// Sends a request to `/wait` and waits until it has arrived there.
    pub(crate) async fn enter(&self, client: &mut Client) {
        let before = self.arrived.load(Ordering::Relaxed);
        client.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        until("the request arrives", || self.arrived.load(Ordering::Relaxed) > before).await;
    }

    /// Lets every request that has arrived be answered.
    pub(crate) fn open(&self) {
        self.open.notify_waiters();
    }
}

/// A client configuration that trusts the CAs in this PEM text.
pub(crate) fn trusting(ca_pem: &[u8]) -> Arc<ClientConfig> {
    Arc::new(client_config(ca_pem, &[&rustls::version::TLS13]).with_no_client_auth())
}

pub(crate) fn client_config(
    ca_pem: &[u8],
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    let mut roots = RootCertStore::empty();
    for ca in CertificateDer::pem_slice_iter(ca_pem) {
        roots.add(ca.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
}

pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// One connection, and what has been read from it and not yet used.
pub(crate) struct Client {
    stream: Box<dyn Stream>,
    read: Vec<u8>,
    /// Serial number of the certificate that the server showed, in hexadecimal.
    pub(crate) serial: String,
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn closes(&self) -> bool {
        self.header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

impl Client {
    pub(crate) async fn connect(addr: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<Client> {
        Client::handshake(TcpStream::connect(addr).await?, config).await
    }

    /// A client whose kernel buffers next to nothing of what it does not read.
    pub(crate) async fn connect_narrow(addr: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<Client> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(4096)?;
        Client::handshake(socket.connect(addr).await?, config).await
    }

    pub(crate) async fn connect_plain(addr: SocketAddr) -> io::Result<Client> {
        let tcp = TcpStream::connect(addr).await?;
        Ok(Client {
            stream: Box::new(tcp),
            read: Vec::new(),
            serial: String::new(),
        })
    }

    /// A client that comes from this address of the loopback network.
    pub(crate) async fn connect_from(host: u8, addr: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<Client> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from(([127, 0, 0, host], 0)))?;
        Client::handshake(socket.connect(addr).await?, config).await
    }

    /// A client over a TCP connection that is there already.
    pub(crate) async fn handshake(tcp: TcpStream, config: &Arc<ClientConfig>) -> io::Result<Client> {
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from("localhost").unwrap();
        let tls = TlsConnector::from(Arc::clone(config)).connect(name, tcp).await?;
        let serial = serial(&tls.get_ref().1.peer_certificates().expect("a TLS server has one")[0]);
        Ok(Client {
            stream: Box::new(tls),
            read: Vec::new(),
            serial,
        })
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await?;
        self.stream.flush().await
    }

    pub(crate) async fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
            .await?;
        self.answer().await
    }

    pub(crate) async fn post(&mut self, path: &str, body: &[u8]) -> io::Result<Answer> {
        self.send(head(path, body.len())).await?;
        self.send(body).await?;
        self.answer().await
    }

    /// Half-closes: the server sees that nothing more will be sent.
    pub(crate) async fn finish(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }

    /// Reads one answer: final or interim, with a length or chunked.
    pub(crate) async fn answer(&mut self) -> io::Result<Answer> {
        let head_end = loop {
            if let Some(end) = self.read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end + 4;
            }
            self.more().await?;
        };
        let head: Vec<u8> = self.read.drain(..head_end).collect();
        let head = String::from_utf8(head).expect("heads are text");
        let mut lines = head.trim_end().split("\r\n");
        let status: u16 = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut answer = Answer {
            status,
            headers,
            body: Vec::new(),
        };
        let length = answer
            .header("content-length")
            .map(|length| length.parse::<usize>().unwrap());
        if let Some(length) = length {
            while self.read.len() < length {
                self.more().await?;
            }
            answer.body = self.read.drain(..length).collect();
        }
        Ok(answer)
    }

    /// Reads until the server closes, says how it did, in order or by breaking the connection, and closes too.
    pub(crate) async fn closed(&mut self) -> io::Result<()> {
        loop {
            match self.more().await {
                Ok(()) => self.read.clear(),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && error.get_ref().is_none() => break,
                Err(error) => return Err(error),
            }
        }
        self.finish().await
    }

    /// Reads so many bytes of a protocol that is not HTTP.
    pub(crate) async fn bytes(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.read.len() < count {
            self.more().await?;
        }
        Ok(self.read.drain(..count).collect())
    }

    async fn more(&mut self) -> io::Result<()> {
        let mut piece = [0; 16 * 1024];
        match self.stream.read(&mut piece).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            length => {
                self.read.extend_from_slice(&piece[..length]);
                Ok(())
            }
        }
    }
}

/// The head of a POST.
pub(crate) fn head(path: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n")
}

pub(crate) fn serial(certificate: &CertificateDer<'_>) -> String {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).unwrap();
    parsed.raw_serial().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A CA of this test's own.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, as PEM.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
    pub(crate) serial: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A CA that this one has signed.
    pub(crate) fn intermediate(&self, name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Authority(CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), &self.0).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A pair for server or client use, with whatever `change` makes of it.
    pub(crate) fn issue(&self, common_name: &str, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Pair {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Pair {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            serial: serial(certificate.der()),
        }
    }

    /// A pair for the server under test.
    pub(crate) fn server(&self) -> Pair {
        self.issue("server", &["localhost"], |_| {})
    }
}

impl Pair {
    pub(crate) fn write(&self, directory: &Path) {
        std::fs::write(directory.join("tls.crt"), &self.certificate).unwrap();
        std::fs::write(directory.join("tls.key"), &self.key).unwrap();
    }

    pub(crate) fn parsed(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let chain = CertificateDer::pem_slice_iter(self.certificate.as_bytes())
            .map(Result::unwrap)
            .collect();
        (chain, PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap())
    }
}
