//! Holds this process's view of the serving certificate: the certificate in use, the Secret and the webhook configuration. The
//! reconciler, the probes and the metrics read this state.
//!
//! Every replica watches the Secret and the webhook configuration, and each event updates the state. A usable new certificate
//! from the Secret is then used for TLS handshakes, unless the caBundle trusts the certificate in use and not (or not long
//! enough) the new one. Such a certificate is held back and reconsidered every second.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;

use super::Settings;
use super::configuration::{Called, Configuration, configurations};
use super::observed::Observed;
use super::secret::{Secret, secrets};
use crate::k8s::{Client, Decode, Event, Name, Trouble, WatchState, follow};
use crate::server::tls::{CertificateFacts, Resolver};

/// How often a certificate that is held back is reconsidered.
const TICK_INTERVAL: Duration = Duration::from_secs(1);

/// The certificate of this process, and its view of the Secret and the webhook configuration.
#[derive(Debug)]
pub struct State {
    pub(super) settings: Settings,
    /// The entries of the webhook configuration that parts of this process serve.
    of_parts: OnceLock<Vec<String>>,
    pub(super) resolver: Arc<Resolver>,
    pub(super) observed: watch::Sender<Observed>,
    pub(super) secret_watch: Arc<WatchState>,
    pub(super) configuration_watch: Arc<WatchState>,
    leaf_rotations: AtomicU64,
    ca_rotations: AtomicU64,
    /// Why this process could not write while it held the Lease.
    pub(super) trouble: Trouble,
}

impl State {
    /// What [`State::rotations`] counts, in its order.
    pub const ROTATED: [&str; 2] = ["leaf", "ca"];

    pub(super) fn new(settings: Settings, resolver: Arc<Resolver>) -> State {
        State {
            settings,
            of_parts: OnceLock::new(),
            resolver,
            observed: watch::Sender::new(Observed::default()),
            secret_watch: Arc::new(WatchState::new(&secrets())),
            configuration_watch: Arc::new(WatchState::new(&configurations())),
            leaf_rotations: AtomicU64::new(0),
            ca_rotations: AtomicU64::new(0),
            trouble: Trouble::default(),
        }
    }

    /// Adds the entries that parts of this process serve. Only before anything is followed: a part is built with the certificate
    /// and is not known earlier. A second call has no effect.
    pub fn serve_parts(&self, webhooks: Vec<String>) {
        self.of_parts.get_or_init(|| webhooks);
    }

    /// The entries of the webhook configuration that call this process.
    pub(super) fn webhooks(&self) -> Vec<&str> {
        let of_parts = self.of_parts.get().into_iter().flatten();
        self.settings
            .webhooks
            .iter()
            .chain(of_parts)
            .map(String::as_str)
            .collect()
    }

    /// The facts of the certificate being served; `None` before there is one.
    #[must_use]
    pub fn facts(&self) -> Option<CertificateFacts> {
        let observed = self.observed.borrow();
        let mut facts = observed.served()?.facts.clone();
        facts.reloads = observed.reloads.clone();
        Some(facts)
    }

    /// Leaves and CAs that this process has replaced as the holder.
    #[must_use]
    pub fn rotations(&self) -> [(&'static str, u64); 2] {
        let [leaf, ca] = State::ROTATED;
        [(leaf, &self.leaf_rotations), (ca, &self.ca_rotations)]
            .map(|(what, count)| (what, count.load(Ordering::Relaxed)))
    }

    pub(super) fn count(&self, leaf: bool, ca: bool) {
        self.leaf_rotations.fetch_add(u64::from(leaf), Ordering::Relaxed);
        self.ca_rotations.fetch_add(u64::from(ca), Ordering::Relaxed);
    }

    /// Records the Secret, or that there is none.
    pub(super) fn see_secret(&self, secret: Option<Secret>) {
        self.seen(|observed, now, at| observed.see_secret(secret, now, at));
    }

    /// Records the webhook configuration, or that there is none.
    pub(super) fn see_configuration(&self, configuration: Option<Configuration>) {
        let by_name = self.webhooks();
        let is_ours = |entry: &Called| by_name.contains(&entry.webhook.as_str()) || self.settings.is_called_by(entry);
        let configuration = configuration.map(|seen| seen.filtered(is_ours));
        self.seen(|observed, _, at| observed.see_configuration(configuration, at));
    }

    fn seen(&self, see: impl FnOnce(&mut Observed, Timestamp, Instant)) {
        self.observed.send_modify(|observed| {
            let (now, at) = (Timestamp::now(), Instant::now());
            see(observed, now, at);
            self.take_up(observed, now, at);
        });
    }

    /// Reconsiders a certificate that is held back: time alone may have made it fit.
    pub(super) fn look_again(&self) {
        self.observed.send_if_modified(|observed| {
            observed.held_back.is_some() && self.take_up(observed, Timestamp::now(), Instant::now())
        });
    }

    /// Loads a better certificate, and returns whether another one is served from now on.
    fn take_up(&self, observed: &mut Observed, now: Timestamp, at: Instant) -> bool {
        let held_back = observed.held_back.clone();
        let Some(certified) = observed.take_up(now, at) else {
            if let Some(reason) = observed
                .held_back
                .as_ref()
                .filter(|reason| held_back.as_ref() != Some(reason))
            {
                tracing::warn!(secret = %self.settings.secret_name(), reason, "The certificate in the Secret is not served yet");
            }
            return false;
        };
        self.resolver.replace(certified);
        if let Some(served) = observed.served() {
            let (serial, not_after) = (&served.facts.serial, served.facts.not_after);
            tracing::info!(serial, %not_after, "Serving a new certificate");
        }
        true
    }
}

/// Follows both. Never returns.
pub(super) async fn follow_both(client: Client, state: Arc<State>) {
    let settings = &state.settings;
    let configuration = Name::cluster_wide(&settings.configuration);
    let secret = async {
        let Some(name) = settings.secret.clone() else {
            return std::future::pending().await;
        };
        let watched = Arc::clone(&state.secret_watch);
        follow(client.clone(), secrets().named(name), watched, |event| {
            if let Some(secret) = only::<Secret>(event) {
                state.see_secret(secret);
            }
        })
        .await;
    };
    let watched = Arc::clone(&state.configuration_watch);
    let configuration = follow(
        client.clone(),
        configurations().named(configuration),
        watched,
        |event| {
            if let Some(configuration) = only::<Configuration>(event) {
                state.see_configuration(configuration);
            }
        },
    );
    let ticks = async {
        loop {
            tokio::time::sleep(TICK_INTERVAL).await;
            state.look_again();
        }
    };
    tokio::join!(secret, configuration, ticks);
}

/// The one object that is followed, or `None` when it was deleted. Nothing when it exists and cannot be decoded.
fn only<T: Decode>(event: Event<T>) -> Option<Option<T>> {
    match event {
        Event::Applied(object) => Some(Some(object)),
        Event::Deleted(_) => Some(None),
        Event::Listed { objects, unreadable } => match objects.into_iter().next() {
            None if !unreadable.is_empty() => None,
            object => Some(object),
        },
    }
}
