//! Certificates in the cluster: a CA and a leaf in our Secret, made and rotated where the Lease is held, served by every
//! replica; the caBundle of the webhook configuration is kept in step. Knows no persona and no review.
//!
//! `state` follows the Secret and the configuration and serves the certificate; `observed` is what this process knows of
//! them; [`plan`] decides, without IO; `reconciler` writes; `checks` reports to probes and metrics; `inspect` reads the
//! same objects for `dorgu doctor`. docs/certificates.md describes it for users.

mod checks;
mod configuration;
mod inspect;
mod observed;
mod pem;
mod plan;
mod reconciler;
mod secret;
mod state;

use std::sync::Arc;

use crate::k8s::{Client, Leadership, Name};
use crate::server::tls::Resolver;
use reconciler::{Reconciler, WriteBackoff};

pub use inspect::{Inspected, Offered, authorities};
pub use state::State;

/// What is kept, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The ValidatingWebhookConfiguration.
    pub configuration: String,
    /// The entries in it that call this process. Those that are there get one and the same caBundle.
    pub webhooks: Vec<String>,
    /// The Secret; absent where users bring their certificate as files, and only the caBundle is checked.
    pub secret: Option<Name>,
    /// The Service in front of the webhook, in the Secret's namespace.
    pub service: String,
}

impl Settings {
    /// The names that a leaf is made for: every way to write a Service's address, the one API servers use among them.
    fn names(&self, namespace: &str) -> Vec<String> {
        let service = &self.service;
        vec![
            service.clone(),
            format!("{service}.{namespace}"),
            format!("{service}.{namespace}.svc"),
            format!("{service}.{namespace}.svc.cluster.local"),
        ]
    }

    /// `namespace/name`, for people.
    fn secret_name(&self) -> String {
        let name = self.secret.as_ref();
        name.map(|name| format!("{}/{}", name.namespace, name.name))
            .unwrap_or_default()
    }
}

/// Certificates that are about to be followed.
#[derive(Debug)]
pub struct Certificates {
    state: Arc<State>,
}

impl Certificates {
    /// Knows nothing yet: handshakes fail until the Secret was read.
    #[must_use]
    pub fn new(settings: Settings) -> Certificates {
        Certificates::over(settings, Resolver::empty())
    }

    /// Puts what it finds into `resolver`; or, without a Secret, only checks what others put there.
    #[must_use]
    pub fn over(settings: Settings, resolver: Arc<Resolver>) -> Certificates {
        Certificates {
            state: Arc::new(State::new(settings, resolver)),
        }
    }

    /// What handshakes read.
    #[must_use]
    pub fn resolver(&self) -> Arc<Resolver> {
        Arc::clone(&self.state.resolver)
    }

    /// What is known, for probes and metrics.
    #[must_use]
    pub fn state(&self) -> Arc<State> {
        Arc::clone(&self.state)
    }

    /// Follows the Secret and the webhook configuration, and keeps them while `leadership` is held. Never returns.
    pub async fn run(self, client: Client, leadership: Leadership) {
        let following = state::follow_both(client.clone(), Arc::clone(&self.state));
        let Some(secret) = self.state.settings.secret.clone() else {
            return following.await;
        };
        let reconciler = Reconciler {
            write_backoff: WriteBackoff::default(),
            client,
            leadership,
            names: self.state.settings.names(&secret.namespace),
            state: self.state,
            secret,
        };
        tokio::join!(following, reconciler.run());
    }
}
