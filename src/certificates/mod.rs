//! Certificates in the cluster. The holder of the Lease generates and rotates a CA and a leaf in our Secret, and keeps the
//! caBundle of the webhook configuration up to date. Every replica serves the leaf. This module knows no persona and no
//! review.
//!
//! `state` follows the Secret and the configuration and serves the certificate; `observed` is what this process knows of the
//! two; [`plan`] decides what is written, without IO; `reconciler` writes; `checks` reports to probes and metrics; `inspect`
//! reads the same objects for `dorgu doctor`. docs/certificates.md explains certificates to users.

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

/// Names of the objects that hold certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The ValidatingWebhookConfiguration.
    pub configuration: String,
    /// Its entries that call this process, beside those of parts ([`State::serve_parts`]). All that exist get the same caBundle.
    pub webhooks: Vec<String>,
    /// The Secret. `None` where users provide their certificate as files; then the caBundle is only checked.
    pub secret: Option<Name>,
    /// The Service in front of the webhook, in the Secret's namespace.
    pub service: String,
}

impl Settings {
    /// The names in a leaf: every form of a Service's address, with the one that API servers use.
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

/// The certificates, before they are followed.
#[derive(Debug)]
pub struct Certificates {
    state: Arc<State>,
}

impl Certificates {
    /// For a Secret. Handshakes fail until it was read.
    #[must_use]
    pub fn new(settings: Settings) -> Certificates {
        Certificates::over(settings, Resolver::empty())
    }

    /// Puts the certificate from the Secret into `resolver`. Without a Secret it only checks what other code puts there.
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

    /// The shared state, for probes and metrics.
    #[must_use]
    pub fn state(&self) -> Arc<State> {
        Arc::clone(&self.state)
    }

    /// Follows the Secret and the webhook configuration, and reconciles them while `leadership` is held. Never returns.
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
