//! Whether a caller would accept a certificate: the check that an API server makes before it asks a webhook anything.

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

/// Why a caller does not accept a certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// The chain is empty.
    #[error("there is no certificate")]
    NoCertificate,
    /// No certificate can be for this name.
    #[error("{0:?} is neither a DNS name nor an IP address")]
    InvalidName(String),
    /// Nothing is trusted.
    #[error("the caBundle holds no certificate")]
    EmptyBundle,
    /// All CAs of the bundle have expired, or are not valid yet.
    #[error("no CA of the caBundle is valid now")]
    NoValidAuthority,
    /// Another CA has signed it.
    #[error("no CA of the caBundle has signed it")]
    UnknownIssuer,
    /// It is for other names.
    #[error("it is not for {wanted} but for {}", .names.join(", "))]
    WrongName {
        /// The name that is called.
        wanted: String,
        /// Those that it is for.
        names: Vec<String>,
    },
    /// Any other reason, such as its dates, in the words of the TLS library.
    #[error("{0}")]
    Other(String),
}

/// Whether a caller who trusts exactly this bundle (PEM), and calls the server by this name, accepts the chain at `now`.
///
/// The rules are Go's, whose verifier sits in kube-apiserver, where they differ from this library's: a CA of the bundle
/// that has expired is worth nothing, and a server's own certificate that stands in the bundle is trusted as it is.
///
/// # Errors
/// Why not.
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
        // One that cannot be a root is passed over, as in Go.
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

/// A certificate that is trusted as it is has to be for the name all the same.
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
