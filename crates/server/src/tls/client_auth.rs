//! Verifies client certificates, where that is configured, against a CA and a list of names. This is part of the handshake,
//! so a client that fails it cannot send a request.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use tokio::sync::watch;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::certificate::{Reloads, TlsError, alternative_names, certificates, read_file, unusable};
use super::config::provider;
use super::file_watch::FileWatch;

const CLIENT_CA_FILE: &str = "client CA file";

/// The CA file that client certificates are verified against, and the names they must carry.
pub struct ClientAuth {
    ca: PathBuf,
    verifier: Arc<Verifier>,
    reloads: watch::Sender<Reloads>,
    watch: FileWatch,
    /// What was read last, used or rejected. The same content again is not reported again.
    last: Result<Vec<u8>, String>,
}

impl ClientAuth {
    /// Reads the CA file and begins to watch it. With names, a client's certificate must carry one of them as its common name
    /// or as a subject alternative name. Without names, the CA's signature is enough.
    ///
    /// # Errors The file is missing, unreadable, or holds no CA certificate.
    pub fn open(ca: impl Into<PathBuf>, allowed_names: &[String]) -> Result<ClientAuth, TlsError> {
        let ca = ca.into();
        let watch = FileWatch::new(&[&ca]);
        let pem = read_file(CLIENT_CA_FILE, &ca)?;
        let verifier = Verifier {
            chains: ArcSwap::from_pointee(chains(&ca, &pem)?),
            allowed: allowed_names.to_owned(),
        };
        let (reloads, _) = watch::channel(Reloads::default());
        Ok(ClientAuth {
            ca,
            verifier: Arc::new(verifier),
            reloads,
            watch,
            last: Ok(pem),
        })
    }

    /// The same from two optional settings. Without a CA there is no check.
    ///
    /// # Errors
    /// Those of [`ClientAuth::open`], and names without a CA, which look like a check and are none.
    pub fn from_settings(ca: Option<&Path>, allowed_names: &[String]) -> Result<Option<ClientAuth>, TlsError> {
        match ca {
            Some(ca) => ClientAuth::open(ca, allowed_names).map(Some),
            None if allowed_names.is_empty() => Ok(None),
            None => Err(TlsError::NamesWithoutCa),
        }
    }

    /// How often the CA file was reloaded.
    #[must_use]
    pub fn reloads(&self) -> watch::Receiver<Reloads> {
        self.reloads.subscribe()
    }

    /// Follows the file and never returns. Handshakes use its current content. A file that cannot be used is logged, and the
    /// previous CA stays.
    pub async fn run(mut self) {
        loop {
            self.watch.changed().await;
            self.reload();
        }
    }

    pub(super) fn verifier(&self) -> Arc<dyn ClientCertVerifier> {
        Arc::clone(&self.verifier) as Arc<dyn ClientCertVerifier>
    }

    fn reload(&mut self) {
        let found = read_file(CLIENT_CA_FILE, &self.ca).map_err(|error| error.to_string());
        if found == self.last {
            return;
        }
        let fresh = match &found {
            Ok(pem) => chains(&self.ca, pem).map_err(|error| error.to_string()),
            Err(error) => Err(error.clone()),
        };
        self.last = found;
        let outcome = fresh.map(|chains| self.verifier.chains.store(Arc::new(chains)));
        match &outcome {
            Ok(()) => tracing::info!(file = %self.ca.display(), "checking clients against a new CA"),
            Err(error) => tracing::error!(%error, "the new client CA is not used, the old one stays"),
        }
        self.reloads.send_modify(|reloads| reloads.note(outcome));
    }
}

/// A verifier that trusts the CAs in the file and nothing else.
fn chains(path: &Path, pem: &[u8]) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(CLIENT_CA_FILE, path, pem)? {
        roots.add(certificate).map_err(|error| {
            unusable(
                CLIENT_CA_FILE,
                path,
                format!("holds a certificate that is no CA: {error}"),
            )
        })?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build();
    let verifier = verifier.map_err(|error| unusable(CLIENT_CA_FILE, path, format!("cannot be used: {error}")))?;
    Ok(verifier)
}

/// Chain first, then names. The chain part is replaceable.
#[derive(Debug)]
struct Verifier {
    chains: ArcSwap<Arc<dyn ClientCertVerifier>>,
    allowed: Vec<String>,
}

impl ClientCertVerifier for Verifier {
    /// No hints. A client with one certificate sends it anyway, and the hints would have to stay those of one CA file for the
    /// whole life of the listener.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.chains.load().verify_client_cert(end_entity, intermediates, now)?;
        if self.allowed.is_empty() {
            return Ok(verified);
        }
        let carried = carried_names(end_entity)?;
        if carried.iter().any(|name| self.allowed.contains(name)) {
            return Ok(verified);
        }
        tracing::warn!(names = ?carried, "refused a client whose certificate carries none of the allowed names");
        Err(Error::InvalidCertificate(
            CertificateError::ApplicationVerificationFailure,
        ))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.load().verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.load().verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.load().supported_verify_schemes()
    }
}

/// The common names and alternative names of a certificate, compared exactly.
fn carried_names(certificate: &CertificateDer<'_>) -> Result<Vec<String>, Error> {
    let (_, parsed) =
        X509Certificate::from_der(certificate).map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
    let mut names: Vec<String> = parsed
        .subject()
        .iter_common_name()
        .filter_map(|name| Some(name.as_str().ok()?.to_owned()))
        .collect();
    names.extend(alternative_names(&parsed));
    Ok(names)
}
