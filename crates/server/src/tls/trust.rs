//! Decides whether a client would accept a certificate, by the verification that an API server does before it calls a
//! webhook.

use std::sync::Arc;

use jiff::Timestamp;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, Error, RootCertStore};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::certificate::facts;
use super::config::provider;

/// Why a client does not accept a certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// The chain is empty.
    #[error("there is no certificate")]
    NoCertificate,
    /// No certificate can be valid for this name.
    #[error("{0:?} is neither a DNS name nor an IP address")]
    InvalidName(String),
    /// Nothing is trusted.
    #[error("the caBundle holds no certificate")]
    EmptyBundle,
    /// All CAs of the bundle have expired, or are not valid yet.
    #[error("no CA of the caBundle is valid now")]
    NoValidAuthority,
    /// Another CA signed it.
    #[error("no CA of the caBundle has signed it")]
    UnknownIssuer,
    /// It is valid for other names.
    #[error("it is not for {wanted} but for {}", .names.join(", "))]
    WrongName {
        /// The name that clients call.
        wanted: String,
        /// The names that it is valid for.
        names: Vec<String>,
    },
    /// Any other reason, such as its dates, as the TLS library states it.
    #[error("{0}")]
    Other(String),
}

/// Whether a client that trusts exactly this bundle (PEM), and calls the server by this name, accepts the chain at `now`.
///
/// Where Go's rules differ from this library's, Go's apply, since kube-apiserver uses its verifier: an expired CA of the bundle
/// is ignored, and a server certificate that is itself in the bundle is trusted directly.
///
/// # Errors
/// Why it is not accepted.
pub fn trusts(bundle: &[u8], chain: &[CertificateDer<'_>], server_name: &str, now: Timestamp) -> Result<(), Untrusted> {
    let [leaf, intermediates @ ..] = chain else {
        return Err(Untrusted::NoCertificate);
    };
    let name =
        ServerName::try_from(server_name.to_owned()).map_err(|_| Untrusted::InvalidName(server_name.to_owned()))?;
    let bundle: Vec<CertificateDer<'_>> = CertificateDer::pem_slice_iter(bundle).flatten().collect();
    if bundle.is_empty() {
        return Err(Untrusted::EmptyBundle);
    }
    let valid = |certificate: &&CertificateDer<'_>| {
        facts(certificate).is_ok_and(|facts| facts.not_before <= now && now <= facts.not_after)
    };
    let mut roots = RootCertStore::empty();
    let own_is_trusted = bundle.iter().filter(valid).any(|root| {
        // A certificate that cannot be a root is skipped, as in Go.
        let _ = roots.add(root.clone().into_owned());
        root == leaf
    });
    if own_is_trusted {
        return names_it(leaf, &name, server_name);
    }
    if roots.is_empty() {
        return Err(Untrusted::NoValidAuthority);
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|error| Untrusted::Other(error.to_string()))?;
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
    match verifier.verify_server_cert(leaf, intermediates, &name, &[], time) {
        Ok(_) => Ok(()),
        Err(Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)) => {
            Err(Untrusted::UnknownIssuer)
        }
        Err(Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => Err(misnamed(leaf, server_name)),
        Err(Error::InvalidCertificate(error)) => Err(Untrusted::Other(error.to_string())),
        Err(error) => Err(Untrusted::Other(error.to_string())),
    }
}

/// A certificate that is trusted directly must still be valid for the name.
fn names_it(leaf: &CertificateDer<'_>, name: &ServerName<'_>, server_name: &str) -> Result<(), Untrusted> {
    match rustls::server::ParsedCertificate::try_from(leaf) {
        Ok(parsed) => rustls::client::verify_server_name(&parsed, name).map_err(|_| misnamed(leaf, server_name)),
        // A CA that is its own server cannot be parsed as an end entity; its names can.
        Err(_) => {
            let named = X509Certificate::from_der(leaf).is_ok_and(|(_, parsed)| {
                super::certificate::alternative_names(&parsed)
                    .iter()
                    .any(|name| name == server_name)
            });
            if named {
                Ok(())
            } else {
                Err(misnamed(leaf, server_name))
            }
        }
    }
}

fn misnamed(leaf: &CertificateDer<'_>, server_name: &str) -> Untrusted {
    Untrusted::WrongName {
        wanted: server_name.to_owned(),
        names: facts(leaf).map(|facts| facts.names).unwrap_or_default(),
    }
}
