//! A minimal HTTP and HTTPS client with which tests send single requests to the process under test.

use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::HeaderMap;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Without Nagle's delay, which would count as the process's.
async fn connect(address: &str) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Over TLS, trusting only this CA.
async fn connect_tls(address: &str, ca_pem: &str) -> Result<TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(address.rsplit_once(':').context("a port")?.0.to_owned())?;
    let stream = connect(address).await?;
    Ok(TlsConnector::from(Arc::new(config)).connect(name, stream).await?)
}

/// `host:port` and path of a URL.
fn parts(url: &str) -> Result<(&str, &str)> {
    let rest = url.split_once("://").context("a URL")?.1;
    let slash = rest.find('/').unwrap_or(rest.len());
    Ok((&rest[..slash], if slash == rest.len() { "/" } else { &rest[slash..] }))
}

/// Posts JSON over TLS, trusting only this CA; returns the body of the answer.
pub async fn post(url: &str, ca_pem: &str, body: &str) -> Result<String> {
    Ok(post_whole(url, ca_pem, body).await?.into_body())
}

/// Posts JSON over TLS, trusting only this CA; returns the answer with its head.
pub async fn post_whole(url: &str, ca_pem: &str, body: &str) -> Result<http::Response<String>> {
    let (address, path) = parts(url)?;
    let stream = connect_tls(address, ca_pem).await?;
    let request = hyper::Request::post(path)
        .header("host", address)
        .header("content-type", "application/json")
        .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))?;
    send(stream, request).await
}

/// Posts JSON over plain HTTP: status and body of the answer.
pub async fn post_plain(url: &str, body: &str) -> Result<(u16, String)> {
    let (address, path) = parts(url)?;
    let request = hyper::Request::post(path)
        .header("host", address)
        .header("content-type", "application/json")
        .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))?;
    plain(send(connect(address).await?, request).await?)
}

/// Gets a page over TLS, trusting only this CA, with or without a token: status and body.
pub async fn get_as(url: &str, ca_pem: &str, token: Option<&str>) -> Result<(u16, String)> {
    let (address, path) = parts(url)?;
    let mut request = hyper::Request::get(path).header("host", address);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    plain(
        send(
            connect_tls(address, ca_pem).await?,
            request.body(Full::new(Bytes::new()))?,
        )
        .await?,
    )
}

/// Gets a plain HTTP page: status and body.
pub async fn get(url: &str) -> Result<(u16, String)> {
    let (address, path) = parts(url)?;
    let request = hyper::Request::get(path)
        .header("host", address)
        .body(Full::new(Bytes::new()))?;
    plain(send(connect(address).await?, request).await?)
}

/// A connection that is kept for the next request.
pub struct Connection {
    address: String,
    token: Option<String>,
    sender: http1::SendRequest<Full<Bytes>>,
}

/// A whole answer.
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Connection {
    /// To the host of this URL, from within a runtime, which drives the connection until it is dropped.
    pub async fn open(url: &str) -> Result<Connection> {
        let address = parts(url)?.0.to_owned();
        let stream = TcpStream::connect(&address).await?;
        let (sender, connection) = http1::Builder::new()
            // For the maximum number of warnings.
            .max_headers(1_000)
            .handshake(TokioIo::new(stream))
            .await?;
        tokio::spawn(connection);
        Ok(Connection {
            address,
            token: None,
            sender,
        })
    }

    /// The same over TLS, trusting only this CA.
    pub async fn open_tls(url: &str, ca_pem: &str) -> Result<Connection> {
        let address = parts(url)?.0.to_owned();
        let stream = connect_tls(&address, ca_pem).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Connection {
            address,
            token: None,
            sender,
        })
    }

    /// Like [`Self::open_tls`], with this bearer token.
    pub async fn open_as(url: &str, ca_pem: &str, token: &str) -> Result<Connection> {
        let connection = Self::open_tls(url, ca_pem).await?;
        Ok(Connection {
            token: Some(format!("Bearer {token}")),
            ..connection
        })
    }

    /// Sends JSON, or nothing, and waits for the answer.
    pub async fn ask(&mut self, method: http::Method, path: &str, body: String) -> Result<Reply> {
        self.ask_with(method, path, "application/json", body).await
    }

    /// The same with a body of another type.
    pub async fn ask_with(&mut self, method: http::Method, path: &str, kind: &str, body: String) -> Result<Reply> {
        self.sender.ready().await?;
        let mut request = hyper::Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.address)
            .header("content-type", kind);
        if let Some(token) = &self.token {
            request = request.header("authorization", token);
        }
        let request = request.body(Full::new(body.into()))?;
        let response = self.sender.send_request(request).await?;
        let (head, body) = response.into_parts();
        Ok(Reply {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.collect().await?.to_bytes(),
        })
    }
}

fn plain(answer: http::Response<String>) -> Result<(u16, String)> {
    Ok((answer.status().as_u16(), answer.into_body()))
}

async fn send<S>(stream: S, request: hyper::Request<Full<Bytes>>) -> Result<http::Response<String>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let (head, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    connection.abort();
    Ok(http::Response::from_parts(head, String::from_utf8(body.into())?))
}

/// Whether the server completes a handshake; its certificate is not trusted.
pub fn run_handshake(url: &str) -> Result<()> {
    let own = rcgen::generate_simple_self_signed(["nobody".to_owned()])?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let address = parts(url)?.0;
    let error = match runtime.block_on(connect_tls(address, &own.cert.pem())) {
        Ok(_) => return Ok(()),
        Err(error) => format!("{error:#}"),
    };
    // The caller rejects the certificate. An alert comes from the server.
    anyhow::ensure!(!error.contains("received fatal alert"), "{error}");
    Ok(())
}
