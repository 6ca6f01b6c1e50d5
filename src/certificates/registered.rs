//! What API servers trust, by the entries of the webhook configuration that call this process. Pure.

use std::time::Duration;

use jiff::Timestamp;

use super::pem;
use crate::server::tls::trusts;

/// The parts of the webhook configuration that matter here.
#[derive(Clone, Debug, Default)]
pub(super) struct Registered {
    /// The name that API servers call and therefore verify.
    pub(super) server_name: String,
    /// The caBundle of each of our entries; empty where none was written yet.
    pub(super) bundles: Vec<Vec<u8>>,
    /// The certificates that every entry with a caBundle trusts, and for how long each has been seen so without interruption.
    pub(super) trusted: Vec<(String, Duration)>,
    /// cert-manager or OpenShift manages the caBundle.
    pub(super) injected: bool,
}

impl Registered {
    /// Whether an entry trusts this certificate, so that API servers would miss it.
    pub(super) fn accepts(&self, certificate: &str, now: Timestamp) -> bool {
        let mut bundles = self.bundles.iter();
        bundles.any(|bundle| is_trusted(bundle, certificate, &self.server_name, now))
    }

    /// Every certificate in a caBundle, each once.
    pub(super) fn certificates(&self) -> Vec<String> {
        let mut all = Vec::new();
        for certificate in self.bundles.iter().flat_map(|bundle| pem::certificates(bundle)) {
            if !all.contains(&certificate) {
                all.push(certificate);
            }
        }
        all
    }

    /// Whether an entry has another caBundle.
    pub(super) fn differs_from(&self, bundle: &str) -> bool {
        self.bundles.iter().any(|one| one != bundle.as_bytes())
    }
}

/// Whether clients that trust this bundle, and call `server_name`, accept a certificate (PEM) at `now`.
pub(super) fn is_trusted(trusted: &[u8], certificate: &str, server_name: &str, now: Timestamp) -> bool {
    trusts(trusted, &pem::chain(certificate), server_name, now).is_ok()
}
