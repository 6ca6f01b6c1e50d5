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

/// Whether a caller who trusts exactly this bundle (PEM), and calls the server by this name, accepts the chain at `now`.
///
/// The rules are Go's, whose verifier sits in kube-apiserver, where they differ from this library's: a CA of the bundle
/// that has expired is worth nothing, and a server's own certificate that stands in the bundle is trusted as it is.
///
/// # Errors
/// Why not, in one line.
pub fn trusts(bundle: &[u8], chain: &[CertificateDer<'_>], server_name: &str, now: Timestamp) -> Result<(), String> {
    let [leaf, intermediates @ ..] = chain else {
        return Err("there is no certificate".to_owned());
    };
    let name = ServerName::try_from(server_name.to_owned())
        .map_err(|_| format!("{server_name:?} is neither a DNS name nor an IP address"))?;
    let bundle: Vec<CertificateDer<'_>> = CertificateDer::pem_slice_iter(bundle).flatten().collect();
    if bundle.is_empty() {
        return Err("the caBundle holds no certificate".to_owned());
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
        return Err("no CA of the caBundle is valid now".to_owned());
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|error| error.to_string())?;
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
    match verifier.verify_server_cert(leaf, intermediates, &name, &[], time) {
        Ok(_) => Ok(()),
        Err(Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)) => {
            Err("no CA of the caBundle has signed it".to_owned())
        }
        Err(Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => Err(misnamed(leaf, server_name)),
        Err(Error::InvalidCertificate(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// A certificate that is trusted as it is has to be for the name all the same.
fn names_it(leaf: &CertificateDer<'_>, name: &ServerName<'_>, server_name: &str) -> Result<(), String> {
    let parsed = rustls::server::ParsedCertificate::try_from(leaf).map_err(|error| error.to_string());
    match parsed {
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

fn misnamed(leaf: &CertificateDer<'_>, server_name: &str) -> String {
    let names = facts(leaf).map(|facts| facts.names.join(", ")).unwrap_or_default();
    format!("it is not for {server_name} but for {names}")
}
