//! Holds what one process knows about its certificates: what it observed in the cluster, what it remembers, what it serves.
//! Plain data; times are arguments.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustls::sign::CertifiedKey;

use super::configuration::Configuration;
use super::pem;
use super::plan::{GRACE, Registered, View, is_trusted, merge};
use super::secret::{Found, Secret, Stored};
use crate::server::tls::{CertificateFacts, Leaf, Reloads};

/// The view of one process.
#[derive(Debug, Default)]
pub(super) struct Observed {
    /// `None` before the first list; then the Secret, or `None` if there is none.
    secret: Option<Option<Secret>>,
    /// `None` before the first list; then the webhook configuration, or `None` if there is none.
    configuration: Option<Option<Configuration>>,
    /// Since when each certificate has been in the caBundle without interruption.
    since: BTreeMap<String, Instant>,
    /// The `ca.crt` of a foreign Secret, and since when it has this value.
    foreign: Option<(String, Instant)>,
    /// Our Secret when it was last complete, with the CAs that it had trusted before.
    memory: Option<Stored>,
    served: Option<Served>,
    /// How often new certificates were loaded.
    pub(super) reloads: Reloads,
    /// Why the certificate in the Secret is not served.
    pub(super) held_back: Option<String>,
}

/// The certificate being served.
#[derive(Clone, Debug)]
pub(super) struct Served {
    pub(super) certificate: String,
    pub(super) facts: CertificateFacts,
}

impl Observed {
    /// Records the Secret, or that there is none.
    pub(super) fn see_secret(&mut self, secret: Option<Secret>, now: Timestamp, at: Instant) {
        match secret.as_ref().map(|secret| &secret.found) {
            Some(Found::Ours { stored, .. }) => {
                let memory = self.memory.take();
                self.memory = Some(memory.map_or_else(|| stored.clone(), |memory| merge(stored, &memory, now)));
            }
            // A foreign Secret replaces ours. Ours must not come back, and remove the foreign CA, when the foreign one is
            // deleted.
            Some(Found::Foreign { ca, .. }) => {
                self.memory = None;
                let ca = ca.clone().unwrap_or_default();
                if self.foreign.as_ref().is_none_or(|(known, _)| *known != ca) {
                    self.foreign = Some((ca, at));
                }
            }
            Some(Found::ForeignUnusable(_) | Found::Unusable(_)) | None => {}
        }
        self.secret = Some(secret);
    }

    /// Records the webhook configuration, or that there is none.
    pub(super) fn see_configuration(&mut self, configuration: Option<Configuration>, at: Instant) {
        let called = configuration.as_ref().and_then(Configuration::called);
        let certificates = called
            .map(|called| pem::certificates(&called.bundle))
            .unwrap_or_default();
        self.since.retain(|certificate, _| certificates.contains(certificate));
        for certificate in certificates {
            self.since.entry(certificate).or_insert(at);
        }
        self.configuration = Some(configuration);
    }

    /// Both were listed.
    pub(super) fn is_synced(&self) -> bool {
        self.secret.is_some() && self.configuration.is_some()
    }

    pub(super) fn secret(&self) -> Option<Option<&Secret>> {
        self.secret.as_ref().map(Option::as_ref)
    }

    pub(super) fn configuration(&self) -> Option<Option<&Configuration>> {
        self.configuration.as_ref().map(Option::as_ref)
    }

    pub(super) fn served(&self) -> Option<&Served> {
        self.served.as_ref()
    }

    /// The webhook configuration as a plan needs it; `None` without an entry of ours.
    pub(super) fn registered(&self, at: Instant) -> Option<Registered> {
        let seen = self.configuration.as_ref()?.as_ref()?;
        let called = seen.called()?;
        let trusted = pem::certificates(&called.bundle).into_iter().map(|certificate| {
            let since = self.since.get(&certificate).copied().unwrap_or(at);
            (certificate, at.saturating_duration_since(since))
        });
        Some(Registered {
            server_name: called.server_name.clone(),
            bundle: called.bundle.clone(),
            trusted: trusted.collect(),
            injected: seen.injected,
        })
    }

    /// The input of a plan.
    pub(super) fn view<'a>(
        &'a self,
        registered: Option<&'a Registered>,
        names: &'a [String],
        now: Timestamp,
        at: Instant,
    ) -> View<'a> {
        let foreign = self.foreign.as_ref();
        View {
            secret: self.secret.iter().flatten().map(|secret| &secret.found).next(),
            memory: self.memory.as_ref(),
            configuration: registered,
            foreign_for: foreign.map_or(Duration::ZERO, |(_, since)| at.saturating_duration_since(*since)),
            served: self.served.as_ref().map(|served| served.certificate.as_str()),
            now,
            names,
        }
    }

    /// Loads the certificate of the Secret if it is better than the one being served, and returns what handshakes present from
    /// now on. An unusable certificate never replaces a usable one.
    pub(super) fn take_up(&mut self, now: Timestamp, at: Instant) -> Option<CertifiedKey> {
        let (leaf, foreign) = match self.secret.as_ref()?.as_ref().map(|secret| &secret.found) {
            Some(Found::Ours { stored, .. }) => (&stored.signing.as_ref()?.leaf, false),
            Some(Found::Foreign { leaf, .. }) => (leaf, true),
            Some(Found::Unusable(_) | Found::ForeignUnusable(_)) | None => return None,
        };
        if self
            .served
            .as_ref()
            .is_some_and(|served| served.certificate == leaf.certificate)
        {
            self.held_back = None;
            return None;
        }
        let leaf = leaf.clone();
        if let Some(reason) = self.reason_against(&leaf, foreign, now, at) {
            self.held_back = Some(reason);
            return None;
        }
        self.held_back = None;
        // It was parsed before, so this does not fail.
        let (certified, facts) = leaf.certified().ok()?;
        if self.served.is_some() {
            self.reloads.note(Ok(()));
        }
        self.served = Some(Served {
            certificate: leaf.certificate,
            facts,
        });
        Some(certified)
    }

    /// Why the certificate being served must stay.
    fn reason_against(&self, leaf: &Leaf, foreign: bool, now: Timestamp, at: Instant) -> Option<String> {
        let served = self.served.as_ref()?;
        // Not listed yet: the certificate being served may be the right one. No configuration: no reviews arrive, so it does
        // not matter.
        self.configuration.as_ref()?.as_ref()?;
        let seen = self.registered(at)?;
        if !is_trusted(&seen.bundle, &served.certificate, &seen.server_name, now) {
            return None;
        }
        // Ours was published after every API server had its CA. For a foreign Secret we must wait the grace period ourselves.
        let grace = if foreign { GRACE } else { Duration::ZERO };
        let seasoned = seen.trusted.iter().filter(|(_, since)| *since >= grace);
        let seasoned: String = seasoned.map(|(certificate, _)| certificate.as_str()).collect();
        if is_trusted(seasoned.as_bytes(), &leaf.certificate, &seen.server_name, now) {
            return None;
        }
        Some("the caBundle does not trust it, or not for long enough; what is served is trusted and stays".to_owned())
    }
}
