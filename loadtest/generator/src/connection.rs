//! One connection that asks and is answered: TLS 1.3 and HTTP/1.1, as kube-apiserver calls a webhook. The request is one
//! block of bytes made before the clock runs, and of the answer only what is needed is looked at.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, bail};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// What a server said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `"allowed":true`, without a warning.
    Allowed,
    /// `"allowed":true`, with warnings.
    Warned,
    /// `"allowed":false`.
    Denied,
}

/// How connections are made. Sessions are never resumed, as kube-apiserver never does.
pub fn connector() -> anyhow::Result<TlsConnector> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The bytes of a request.
pub fn request(body: &str) -> Vec<u8> {
    let mut bytes = format!(
        "POST /validate-deployment?timeout=3s HTTP/1.1\r\nHost: dorgu-webhook.dorgu-system.svc:443\r\nUser-Agent: kube-apiserver-admission\r\nContent-Length: {}\r\nAccept: application/json, */*\r\nContent-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body.as_bytes());
    bytes
}

/// An open connection.
pub struct Connection {
    stream: TlsStream<TcpStream>,
    buffer: Vec<u8>,
}

impl Connection {
    pub async fn open(address: SocketAddr, connector: &TlsConnector) -> anyhow::Result<Connection> {
        let tcp = TcpStream::connect(address).await.context("cannot connect")?;
        tcp.set_nodelay(true)?;
        let stream = connector
            .connect(ServerName::try_from("localhost")?, tcp)
            .await
            .context("TLS")?;
        Ok(Connection {
            stream,
            buffer: Vec::with_capacity(16 << 10),
        })
    }

    /// Sends one request and reads its answer.
    pub async fn ask(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        self.buffer.clear();
        let (start, length) = loop {
            if let Some(head) = self.head()? {
                break head;
            }
            self.read().await?;
        };
        while self.buffer.len() < start + length {
            self.read().await?;
        }
        let body = &self.buffer[start..start + length];
        let says = |words: &[u8]| body.windows(words.len()).any(|window| window == words);
        Ok(match (says(b"\"allowed\":true"), says(b"\"warnings\":[")) {
            (true, false) => Answer::Allowed,
            (true, true) => Answer::Warned,
            (false, _) if says(b"\"allowed\":false") => Answer::Denied,
            (false, _) => bail!("no verdict in the answer"),
        })
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }

    /// Where the answer's body starts and how long it is, once the head is there.
    fn head(&self) -> anyhow::Result<Option<(usize, usize)>> {
        let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = std::str::from_utf8(&self.buffer[..end])?.to_ascii_lowercase();
        if !head.starts_with("http/1.1 200") {
            bail!("{}", head.lines().next().unwrap_or_default());
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length = length.context("an answer without Content-Length")?.trim().parse()?;
        Ok(Some((end + 4, length)))
    }
}

/// Takes any certificate: whom we talk to is known, and verifying is the client's cost, not the server's.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
