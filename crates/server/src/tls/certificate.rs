//! Reads PEM files, extracts the facts that a certificate states, and names what can be wrong with certificates and keys.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::config::provider;

/// More than any chain or bundle of ours needs. A path to an endless file must not fill memory.
const MAX_FILE_SIZE: u64 = 1024 * 1024;

/// What metrics, readiness and logs report about the certificate being served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Serial number in lower-case hexadecimal, which identifies the certificate.
    pub serial: String,
    /// The DNS names and IP addresses it is valid for.
    pub names: Vec<String>,
    /// Start of its validity.
    pub not_before: Timestamp,
    /// End of its validity.
    pub not_after: Timestamp,
    /// How its replacements succeeded or failed.
    pub reloads: Reloads,
}

impl CertificateFacts {
    /// What is wrong with serving this certificate at `now`, in one line; `None` when nothing is.
    #[must_use]
    pub fn problem(&self, now: Timestamp) -> Option<String> {
        if now > self.not_after {
            Some(format!(
                "the serving certificate expired at {}; callers refuse it",
                self.not_after
            ))
        } else if now < self.not_before {
            Some(format!(
                "the serving certificate is not valid before {}; callers refuse it",
                self.not_before
            ))
        } else {
            None
        }
    }
}

/// How often something was replaced while in use. The first load does not count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloads {
    /// Replacements that took effect.
    pub succeeded: u64,
    /// Replacements that were rejected; the previous value stayed.
    pub failed: u64,
    /// Why the last one was rejected; `None` once one has succeeded since.
    pub last_failure: Option<String>,
}

impl Reloads {
    /// Counts one replacement, or keeps why it was rejected.
    pub fn note(&mut self, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => {
                self.succeeded += 1;
                self.last_failure = None;
            }
            Err(failure) => {
                self.failed += 1;
                self.last_failure = Some(failure);
            }
        }
    }
}

/// What can be wrong with a certificate, a key or a CA. One line: what, where, what to do.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file is not there.
    #[error("{what} {} does not exist; create it, or give another path", path.display())]
    Missing {
        /// The kind of file.
        what: &'static str,
        /// The path that was tried.
        path: PathBuf,
    },
    /// The file is there and cannot be read.
    #[error("{what} {} cannot be read: {source}", path.display())]
    Unreadable {
        /// The kind of file.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The content of the file is not as required.
    #[error("{what} {} {problem}", path.display())]
    Unusable {
        /// The kind of file.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
        /// What is wrong and what is expected.
        problem: String,
    },
    /// Certificate and key do not belong together.
    #[error(
        "key file {} is not the key of the first certificate in {}; put the server's own certificate first and issue both together",
        key.display(),
        certificate.display()
    )]
    Mismatch {
        /// The certificate file.
        certificate: PathBuf,
        /// The key file.
        key: PathBuf,
    },
    /// Client names are given without a CA to verify them.
    #[error("allowed client names are given without a client CA file; give the CA that signs them, or no names")]
    NamesWithoutCa,
    /// A certificate of our own could not be made.
    #[error("cannot make a certificate for {names:?}: {source}")]
    Make {
        /// The names asked for.
        names: Vec<String>,
        /// The generator's error.
        source: rcgen::Error,
    },
    /// The TLS library rejects the configuration.
    #[error("TLS cannot be configured: {0}")]
    Configuration(#[from] rustls::Error),
}

/// Reads a whole file of moderate size.
pub(super) fn read_file(what: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE_SIZE + 1).read_to_end(&mut bytes));
    match read {
        Ok(length) if length as u64 > MAX_FILE_SIZE => Err(unusable(
            what,
            path,
            format!("is larger than {} KiB, so it is not one", MAX_FILE_SIZE / 1024),
        )),
        Ok(_) => Ok(bytes),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Err(TlsError::Missing {
            what,
            path: path.into(),
        }),
        Err(source) => Err(TlsError::Unreadable {
            what,
            path: path.into(),
            source,
        }),
    }
}

/// All certificates of a PEM file, at least one.
pub(super) fn certificates(
    what: &'static str,
    path: &Path,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| unusable(what, path, format!("is not valid PEM: {error}")))?;
    if found.is_empty() {
        return Err(unusable(
            what,
            path,
            "holds no certificate; it must begin with -----BEGIN CERTIFICATE-----".into(),
        ));
    }
    Ok(found)
}

/// The pair in `certificate` (a chain, the server's own first) and `key`, as the TLS library needs it, and its facts.
pub(super) fn pair(
    certificate: (&Path, &[u8]),
    key: (&Path, &[u8]),
) -> Result<(CertifiedKey, CertificateFacts), TlsError> {
    let chain = certificates(CERTIFICATE_FILE, certificate.0, certificate.1)?;
    let private = PrivateKeyDer::from_pem_slice(key.1).map_err(|_| {
        let problem = "holds no private key; it must be PEM and not encrypted, as -----BEGIN PRIVATE KEY-----";
        unusable(KEY_FILE, key.0, problem.into())
    })?;
    let facts = chain
        .first()
        .map(|leaf| facts(leaf))
        .unwrap_or_else(|| Err("holds no certificate".into()));
    let facts = facts.map_err(|problem| unusable(CERTIFICATE_FILE, certificate.0, problem))?;
    match CertifiedKey::from_der(chain, private, &provider()) {
        Ok(pair) => Ok((pair, facts)),
        Err(rustls::Error::InconsistentKeys(_)) => Err(TlsError::Mismatch {
            certificate: certificate.0.into(),
            key: key.0.into(),
        }),
        Err(rustls::Error::InvalidCertificate(error)) => Err(unusable(
            CERTIFICATE_FILE,
            certificate.0,
            format!("holds a certificate that TLS does not take ({error}); issue one of X.509 version 3"),
        )),
        Err(error) => Err(unusable(
            KEY_FILE,
            key.0,
            format!(
                "holds a key that cannot be used ({}); RSA from 2048 bits on, ECDSA on P-256, P-384 or P-521, and Ed25519 can",
                match &error {
                    rustls::Error::General(reason) => reason.clone(),
                    other => other.to_string(),
                }
            ),
        )),
    }
}

impl CertificateFacts {
    /// The facts of the first certificate in this PEM.
    ///
    /// # Errors
    /// One line: it is not PEM, or not a certificate.
    pub fn of_pem(pem: &str) -> Result<CertificateFacts, String> {
        let der =
            CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| format!("is not valid PEM: {error}"))?;
        facts(&der)
    }
}

pub(super) const CERTIFICATE_FILE: &str = "certificate file";
pub(super) const KEY_FILE: &str = "key file";

pub(super) fn unusable(what: &'static str, path: &Path, problem: String) -> TlsError {
    TlsError::Unusable {
        what,
        path: path.into(),
        problem,
    }
}

/// The facts that a certificate states.
pub(super) fn facts(der: &CertificateDer<'_>) -> Result<CertificateFacts, String> {
    let (_, parsed) =
        X509Certificate::from_der(der).map_err(|error| format!("holds a certificate that cannot be read: {error}"))?;
    let time = |time: x509_parser::time::ASN1Time| {
        Timestamp::from_second(time.timestamp()).map_err(|error| format!("holds an impossible date: {error}"))
    };
    Ok(CertificateFacts {
        serial: parsed.raw_serial().iter().map(|byte| format!("{byte:02x}")).collect(),
        names: alternative_names(&parsed),
        not_before: time(parsed.validity().not_before)?,
        not_after: time(parsed.validity().not_after)?,
        reloads: Reloads::default(),
    })
}

/// The subject alternative names that are text or an IP address.
pub(super) fn alternative_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    extension.value.general_names.iter().filter_map(name_text).collect()
}

fn name_text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(text) | GeneralName::RFC822Name(text) | GeneralName::URI(text) => Some((*text).to_owned()),
        GeneralName::IPAddress(bytes) => {
            if let Ok(four) = <[u8; 4]>::try_from(*bytes) {
                return Some(std::net::Ipv4Addr::from(four).to_string());
            }
            <[u8; 16]>::try_from(*bytes)
                .ok()
                .map(|sixteen| std::net::Ipv6Addr::from(sixteen).to_string())
        }
        _ => None,
    }
}
