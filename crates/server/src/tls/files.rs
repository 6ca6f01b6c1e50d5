//! Serves a certificate and key from PEM files, and loads them again when they change. A mounted Secret, cert-manager or any
//! other writer may provide the files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rustls::sign::CertifiedKey;
use tokio::sync::watch;

use super::certificate::{CERTIFICATE_FILE, CertificateFacts, KEY_FILE, TlsError, pair, read_file};
use super::file_watch::FileWatch;
use super::resolver::Resolver;

/// A pair of PEM files and the resolver that presents its content.
pub struct CertificateFiles {
    certificate: PathBuf,
    key: PathBuf,
    resolver: Arc<Resolver>,
    facts: watch::Sender<CertificateFacts>,
    watch: FileWatch,
    /// What was read last, used or rejected. The same content again is not reported again.
    last: Result<Contents, String>,
}

#[derive(PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl CertificateFiles {
    /// Reads the pair and begins to watch it. The certificate file may hold the whole chain, the server's own first. A pair
    /// that is not valid today is served with a warning in the log: the clients judge it, and its successor is loaded when it
    /// arrives.
    ///
    /// # Errors
    /// A file is missing, unreadable or not PEM, or the two do not belong together.
    pub fn open(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<CertificateFiles, TlsError> {
        let (certificate, key) = (certificate.into(), key.into());
        let watch = FileWatch::new(&[&certificate, &key]);
        CertificateFiles::open_with(certificate, key, watch)
    }

    pub(super) fn open_with(
        certificate: PathBuf,
        key: PathBuf,
        watch: FileWatch,
    ) -> Result<CertificateFiles, TlsError> {
        let contents = read(&certificate, &key)?;
        let (pair, facts) = parse(&certificate, &key, &contents)?;
        warn_of(&facts, &certificate);
        let (facts, _) = watch::channel(facts);
        Ok(CertificateFiles {
            certificate,
            key,
            resolver: Resolver::new(pair),
            facts,
            watch,
            last: Ok(contents),
        })
    }

    /// What handshakes read.
    #[must_use]
    pub fn resolver(&self) -> Arc<Resolver> {
        Arc::clone(&self.resolver)
    }

    /// What is served now, and how often it was reloaded.
    #[must_use]
    pub fn facts(&self) -> watch::Receiver<CertificateFacts> {
        self.facts.subscribe()
    }

    /// Follows the files and never returns. A pair that cannot be used is logged, and the previous one stays.
    pub async fn run(mut self) {
        loop {
            self.watch.changed().await;
            self.reload();
        }
    }

    fn reload(&mut self) {
        let found = read(&self.certificate, &self.key);
        let (found, failure) = match found {
            Ok(contents) => (Ok(contents), None),
            Err(error) => (Err(error.to_string()), Some(error)),
        };
        if found == self.last {
            return;
        }
        let parsed = match (&found, failure) {
            (_, Some(failure)) => Err(failure),
            (Ok(contents), None) => parse(&self.certificate, &self.key, contents),
            (Err(_), None) => return,
        };
        self.last = found;
        match parsed {
            Ok((pair, mut fresh)) => {
                warn_of(&fresh, &self.certificate);
                self.resolver.replace(pair);
                self.facts.send_modify(|facts| {
                    fresh.reloads = std::mem::take(&mut facts.reloads);
                    fresh.reloads.note(Ok(()));
                    *facts = fresh;
                });
                let facts = self.facts.borrow();
                tracing::info!(serial = facts.serial, not_after = %facts.not_after, "serving a new certificate");
            }
            Err(error) => {
                tracing::error!(%error, "the new certificate is not used, the old one stays");
                self.facts
                    .send_modify(|facts| facts.reloads.note(Err(error.to_string())));
            }
        }
    }
}

fn read(certificate: &Path, key: &Path) -> Result<Contents, TlsError> {
    Ok(Contents {
        certificate: read_file(CERTIFICATE_FILE, certificate)?,
        key: read_file(KEY_FILE, key)?,
    })
}

fn parse(certificate: &Path, key: &Path, contents: &Contents) -> Result<(CertifiedKey, CertificateFacts), TlsError> {
    pair((certificate, &contents.certificate), (key, &contents.key))
}

fn warn_of(facts: &CertificateFacts, certificate: &Path) {
    if let Some(problem) = facts.problem(Timestamp::now()) {
        tracing::warn!(certificate = %certificate.display(), "{problem}");
    }
}
