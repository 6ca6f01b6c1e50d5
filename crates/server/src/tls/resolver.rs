//! Holds the certificate being served. Handshakes read it without waiting; other code replaces it now and then.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// The certificate that the next handshake will present. Open connections keep the one they started with.
pub struct Resolver {
    current: ArcSwapOption<CertifiedKey>,
}

impl Resolver {
    /// Starts with this certificate.
    #[must_use]
    pub fn new(certificate: CertifiedKey) -> Arc<Resolver> {
        Arc::new(Resolver {
            current: ArcSwapOption::from_pointee(certificate),
        })
    }

    /// Starts without a certificate. Until there is one, handshakes fail with an alert.
    #[must_use]
    pub fn empty() -> Arc<Resolver> {
        Arc::new(Resolver {
            current: ArcSwapOption::empty(),
        })
    }

    /// The certificate of the next handshake.
    #[must_use]
    pub fn current(&self) -> Option<Arc<CertifiedKey>> {
        self.current.load_full()
    }

    /// Presents this certificate from the next handshake on.
    pub fn replace(&self, certificate: CertifiedKey) {
        self.current.store(Some(Arc::new(certificate)));
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current.load_full()
    }
}

/// Shows no key.
impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}
