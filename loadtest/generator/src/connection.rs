//! One client connection: TLS 1.3 and HTTP/1.1, as kube-apiserver calls a webhook, and as a client without HTTP/2 calls
//! kube-apiserver. The request is one block of bytes built before the clock runs. Of the answer only the necessary part is
//! parsed.

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

/// An answer, read whole.
pub struct Reply<'a> {
    pub status: u16,
    /// Its header, in lower case.
    pub head: String,
    pub body: &'a [u8],
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
    /// What came in chunks, put together.
    joined: Vec<u8>,
}

/// How an API server begins its answer when a webhook denies with status 400.
const DENIED_AS_BAD_REQUEST: &[u8] =
    br#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"admission webhook "#;

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
            joined: Vec::new(),
        })
    }

    /// Sends one request and reads its answer, whatever that is.
    pub async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<Reply<'_>> {
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        self.buffer.clear();
        let head = loop {
            if let Some(head) = Head::read(&self.buffer)? {
                break head;
            }
            self.read().await?;
        };
        let body = match head.length {
            Length::Known(length) => {
                self.at_least(head.end + length).await?;
                &self.buffer[head.end..head.end + length]
            }
            Length::Chunked => {
                self.join(head.end).await?;
                &self.joined
            }
        };
        Ok(Reply {
            status: head.status,
            head: head.text,
            body,
        })
    }

    /// Sends one review and reads the verdict.
    pub async fn ask(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        let reply = self.exchange(request).await?;
        if reply.status != 200 {
            bail!("{}", reply.head.lines().next().unwrap_or_default());
        }
        let says = |words: &[u8]| reply.body.windows(words.len()).any(|window| window == words);
        Ok(match (says(b"\"allowed\":true"), says(b"\"warnings\":[")) {
            (true, false) => Answer::Allowed,
            (true, true) => Answer::Warned,
            (false, _) if says(b"\"allowed\":false") => Answer::Denied,
            (false, _) => bail!("no verdict in the answer"),
        })
    }

    /// Sends one object to kube-apiserver, and reads what became of it.
    pub async fn create(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        let reply = self.exchange(request).await?;
        match reply.status {
            201 if reply.head.contains("\nwarning:") => Ok(Answer::Warned),
            201 => Ok(Answer::Allowed),
            // A policy's denial is 422, a webhook's 403 unless it sets another.
            403 | 422 => Ok(Answer::Denied),
            // Kyverno's is 400, as is an object that the API server cannot read.
            400 if reply.body.starts_with(DENIED_AS_BAD_REQUEST) => Ok(Answer::Denied),
            _ => bail!("{}", String::from_utf8_lossy(reply.body)),
        }
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }

    async fn at_least(&mut self, length: usize) -> anyhow::Result<()> {
        while self.buffer.len() < length {
            self.read().await?;
        }
        Ok(())
    }

    /// Puts together what comes in chunks from `at` on.
    async fn join(&mut self, mut at: usize) -> anyhow::Result<()> {
        self.joined.clear();
        loop {
            let end = loop {
                match position(&self.buffer[at..], b"\r\n") {
                    Some(length) => break at + length,
                    None => self.read().await?,
                }
            };
            let size = chunk_size(&self.buffer[at..end])?;
            at = end + 2;
            self.at_least(at + size + 2).await?;
            self.joined.extend_from_slice(&self.buffer[at..at + size]);
            at += size + 2;
            if size == 0 {
                return Ok(());
            }
        }
    }
}

/// The header of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    text: String,
    /// Where the body begins.
    end: usize,
    length: Length,
}

#[derive(Debug, PartialEq, Eq)]
enum Length {
    Known(usize),
    Chunked,
}

impl Head {
    /// Of what has arrived; none while it is not all there.
    fn read(bytes: &[u8]) -> anyhow::Result<Option<Head>> {
        let Some(end) = position(bytes, b"\r\n\r\n") else {
            return Ok(None);
        };
        let text = std::str::from_utf8(&bytes[..end])?.to_ascii_lowercase();
        let status = text.strip_prefix("http/1.1 ").and_then(|rest| rest.get(..3));
        let status = status.context("the answer is not HTTP/1.1")?.parse()?;
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let length = match (field("content-length:"), field("transfer-encoding:")) {
            (Some(length), _) => Length::Known(length.parse()?),
            (None, Some("chunked")) => Length::Chunked,
            (None, _) => bail!(
                "an answer without Content-Length: {}",
                text.lines().next().unwrap_or_default()
            ),
        };
        Ok(Some(Head {
            status,
            text,
            end: end + 4,
            length,
        }))
    }
}

/// The line before a chunk: its size in hexadecimal, and perhaps something after a semicolon.
fn chunk_size(line: &[u8]) -> anyhow::Result<usize> {
    let line = std::str::from_utf8(line)?;
    let size = line.split(';').next().unwrap_or_default().trim();
    usize::from_str_radix(size, 16).with_context(|| format!("'{line}' is not the size of a chunk"))
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_once_it_is_all_there() -> anyhow::Result<()> {
        let text = b"HTTP/1.1 201 Created\r\nContent-Length: 12\r\n\r\n";
        assert_eq!(Head::read(&text[..text.len() - 1])?, None);
        let head = Head::read(text)?.context("no header")?;
        assert_eq!(
            (head.status, head.end, head.length),
            (201, text.len(), Length::Known(12))
        );
        Ok(())
    }

    #[test]
    fn a_body_in_chunks_is_known_as_one() -> anyhow::Result<()> {
        let head = Head::read(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        assert_eq!(head.context("no header")?.length, Length::Chunked);
        assert_eq!(chunk_size(b"1a4;name=value")?, 420);
        assert!(chunk_size(b"many").is_err());
        Ok(())
    }
}
