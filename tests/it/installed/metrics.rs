//! `/metrics` of a pod, scraped as a Prometheus does: through its Service, with a token, not knowing the CA.

use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use tokio::net::TcpStream;

use super::{Installed, NAMESPACE};
use crate::bed::{Addresses, Options, Service};

const READER: &str = "dorgu-operator-metrics-reader";

#[test]
fn metrics_are_for_whoever_the_metrics_reader_role_is_bound_to() {
    let Some(mut installed) = Installed::new(&Options::default()) else {
        return;
    };
    installed.run_pod(Addresses::OfItsOwn);
    let metrics = Service::of(&installed.bed, NAMESPACE, "dorgu-operator-metrics");
    metrics.send_to(&installed.pods[0]);
    let scrape =
        |token: Option<&str>| scrape(&metrics, token).unwrap_or_else(|error| panic!("{error:#}\n{}", installed.said()));

    assert_eq!(scrape(None).0, 401);
    assert_eq!(scrape(Some("not-a-token")).0, 401);
    let (status, text) = scrape(Some(&installed.token_of("unbound")));
    assert!(
        status == 403 && text.contains("dorgu-system:unbound"),
        "{status}: {text}"
    );

    let token = installed.token_of("bound");
    installed.let_read_metrics("bound");
    let (status, text) = scrape(Some(&token));
    assert_eq!(status, 200, "{text}");
    assert!(text.contains("dorgu_build_info"), "{text}");
}

impl Installed {
    /// A new account's token.
    fn token_of(&self, account: &str) -> String {
        let (namespace, kubectl) = (["-n", NAMESPACE], |args: &[&str]| self.bed.kubectl(args));
        kubectl(&[&["create", "serviceaccount", account], &namespace[..]].concat()).expect_success();
        let token = kubectl(&[&["create", "token", account], &namespace[..]].concat());
        token.expect_success().trim().to_owned()
    }

    /// Binds the shipped role to it, as docs/operating.md says, and waits until the API server acts on it.
    fn let_read_metrics(&self, account: &str) {
        let subject = format!("--serviceaccount={NAMESPACE}:{account}");
        let role = format!("--clusterrole={READER}");
        let bound = self
            .bed
            .kubectl(&["create", "clusterrolebinding", account, &role, &subject]);
        bound.expect_success();
        let user = format!("system:serviceaccount:{NAMESPACE}:{account}");
        let acted = crate::bed::wait_until(super::TIMEOUT, "the binding is acted on", || {
            self.bed
                .kubectl(&["auth", "can-i", "get", "/metrics", "--as", &user])
                .checked()
        });
        acted.unwrap_or_else(|error| panic!("{error:#}"));
    }

    /// One scrape that succeeds: for the audit of our rights.
    pub(super) fn scrape_metrics(&mut self) {
        let metrics = Service::of(&self.bed, NAMESPACE, "dorgu-operator-metrics");
        metrics.send_to(&self.pods[0]);
        let token = self.token_of("prometheus");
        self.let_read_metrics("prometheus");
        let (status, text) = scrape(&metrics, Some(&token)).expect("an answer");
        assert_eq!(status, 200, "{text}");
    }
}

/// Status and body of `GET /metrics`.
fn scrape(service: &Service, token: Option<&str>) -> Result<(u16, String)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
            .with_no_client_auth();
        let name = ServerName::try_from("dorgu-operator-metrics.dorgu-system.svc")?;
        let stream = TcpStream::connect(service.address()).await?;
        let stream = tokio_rustls::TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let mut request = hyper::Request::get("/metrics").header("host", "metrics");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let answer = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    })
}

/// Prometheus' `insecure_skip_verify`.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

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
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
