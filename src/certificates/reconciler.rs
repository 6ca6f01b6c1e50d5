//! Carries out what `plan` decides, while the Lease is held. It writes the Secret and one field of the webhook
//! configuration. A write fails if its object was changed since it was observed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use super::configuration::{Configuration, configurations, with_bundle};
use super::observed::Observed;
use super::plan::{Plan, Reason, Write, plan};
use super::secret::secrets;
use super::state::State;
use crate::k8s::{Backoff, CallError, Client, Leadership, Name, apply, read};
use crate::server::tls::TlsError;

/// The name in `kubectl get --show-managed-fields`.
const MANAGER: &str = "dorgu-certs";
/// How long to wait for a write to be observed by the watch.
const ECHO_TIMEOUT: Duration = Duration::from_secs(5);
/// First pause after a failure.
const MIN_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// Why the certificates cannot be reconciled.
#[derive(Debug, thiserror::Error)]
enum WriteError {
    #[error("cannot write Secret {name}: {error}")]
    Secret { name: String, error: CallError },
    #[error(
        "Secret {0} stays as it was, whatever is applied to it; kubectl get secret --show-managed-fields -o yaml says who \
         else writes it"
    )]
    SecretUnchanged(String),
    #[error("cannot write the caBundle of ValidatingWebhookConfiguration {name}: {error}")]
    Bundle { name: String, error: CallError },
    /// A certificate could not be made.
    #[error(transparent)]
    Certificate(#[from] TlsError),
}

/// Makes and rotates certificates while the Lease is held.
pub(super) struct Reconciler {
    pub(super) client: Client,
    pub(super) state: Arc<State>,
    pub(super) leadership: Leadership,
    /// The Secret.
    pub(super) secret: Name,
    /// The names in a leaf.
    pub(super) names: Vec<String>,
    /// For writes of the caBundle.
    pub(super) write_backoff: WriteBackoff,
}

impl Reconciler {
    pub(super) async fn run(mut self) {
        let mut observed = self.state.observed.subscribe();
        let mut backoff = Backoff::new(MIN_PAUSE, MAX_PAUSE);
        loop {
            if !self.leadership.held() {
                // The next holder finds errors itself.
                self.state.trouble.over();
            }
            self.leadership.until_held().await;
            observed.mark_unchanged();
            let leadership = self.leadership.clone();
            let Some(step) = while_held(leadership, self.step()).await else {
                continue;
            };
            let wait = match step {
                Ok(wait) => {
                    if self.state.trouble.over() {
                        tracing::info!("Certificates can be kept again");
                    }
                    backoff.reset();
                    wait
                }
                Err(failure) => {
                    let trouble = failure.to_string();
                    if self.state.trouble.failed(&trouble) {
                        tracing::error!(trouble, "Certificates cannot be kept; it is tried again");
                    }
                    // Events do not shorten this pause, since some are caused by our own writes.
                    tokio::time::sleep(backoff.next_pause()).await;
                    continue;
                }
            };
            tokio::select! {
                _ = observed.changed() => {}
                () = tokio::time::sleep(wait) => {}
                () = self.leadership.until_lost() => {}
            }
        }
    }

    /// Plans and writes, and returns how long to wait before the next step.
    async fn step(&mut self) -> Result<Duration, WriteError> {
        let (plan, version, configuration) = {
            let observed = self.state.observed.borrow();
            if !observed.is_synced() {
                return Ok(ECHO_TIMEOUT);
            }
            let version = observed.secret().flatten().map(|secret| secret.version.clone());
            (
                self.plan(&observed)?,
                version,
                observed.configuration().flatten().cloned(),
            )
        };
        let mut outcome = Ok(plan.again);
        if let Some(write) = &plan.secret {
            outcome = self.write_secret(write, version).await;
        }
        if let (Some(bundle), Some(seen)) = (plan.bundle, configuration) {
            let wait = match self.write_backoff.wait(&bundle, Instant::now()) {
                Duration::ZERO => self.write_bundle(&bundle, &seen).await?,
                contested => contested,
            };
            outcome = outcome.map(|outcome| outcome.min(wait));
        }
        outcome
    }

    fn plan(&self, observed: &Observed) -> Result<Plan, TlsError> {
        let at = Instant::now();
        let registered = observed.registered(at);
        let view = observed.view(registered.as_ref(), &self.names, Timestamp::now(), at);
        plan(&view)
    }

    /// Writes the Secret as observed. If it was changed since, the write conflicts, and the next step plans again.
    async fn write_secret(&self, write: &Write, version: Option<String>) -> Result<Duration, WriteError> {
        let name = || self.state.settings.secret_name();
        let failed = |error| WriteError::Secret { name: name(), error };
        if version.is_none() {
            // An apply creates or overwrites, so this checks first that the Secret is absent.
            let there: Option<Value> = read(&self.client, &secrets(), &self.secret).await.map_err(failed)?;
            if there.is_some() {
                return Ok(MIN_PAUSE);
            }
        }
        let object = write.stored.print(&self.secret, version.as_deref(), write.taken_up);
        let written = match apply(&self.client, &secrets(), &self.secret, None, MANAGER, &object).await {
            Ok(written) => written,
            Err(error) if error.is_conflict() => return Ok(MIN_PAUSE),
            Err(error) => return Err(failed(error)),
        };
        let now = written["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        if version.as_deref() == Some(now) {
            // Nothing has changed, so the next step would plan the same at once.
            return Err(WriteError::SecretUnchanged(name()));
        }
        let why: Vec<_> = write.why.iter().map(|reason| reason.as_str()).collect();
        tracing::info!(secret = %name(), why = why.join(", "), "Wrote the certificates");
        let ca = write.why.contains(&Reason::CaRotated);
        self.state.count(ca || write.why.contains(&Reason::LeafRenewed), ca);
        self.until(|observed| observed.secret().flatten().is_some_and(|secret| secret.version == now))
            .await;
        Ok(Duration::ZERO)
    }

    /// Writes the caBundle, and nothing else, of the configuration as observed. Returns how long to wait at most.
    async fn write_bundle(&mut self, bundle: &str, seen: &Configuration) -> Result<Duration, WriteError> {
        let name = Name::cluster_wide(&self.state.settings.configuration);
        let object = with_bundle(&name.name, seen, bundle);
        match apply(&self.client, &configurations(), &name, None, MANAGER, &object).await {
            Ok(_) => {
                tracing::info!(configuration = name.name, "Wrote the caBundle");
                self.write_backoff.wrote(bundle, Instant::now());
            }
            // Changed or deleted since it was observed. The watch will report it.
            Err(error) if error.is_conflict() || error.is_not_found() => return Ok(MIN_PAUSE),
            Err(error) => return Err(WriteError::Bundle { name: name.name, error }),
        }
        self.until(|observed| {
            let seen = observed.configuration().flatten();
            seen.is_none_or(|seen| seen.has_bundle(bundle))
        })
        .await;
        // A new observation ends the wait.
        Ok(MAX_PAUSE)
    }

    /// Waits until the watch has observed a write, so that the next step does not plan on older state.
    async fn until(&self, seen: impl FnMut(&Observed) -> bool) {
        let mut observed = self.state.observed.subscribe();
        // After the timeout the watch is behind or lost. A write based on older state conflicts.
        drop(tokio::time::timeout(ECHO_TIMEOUT, observed.wait_for(seen)).await);
    }
}

/// Cancels a step when the Lease is lost. A call that is answered late would otherwise write beside the next holder.
async fn while_held<T>(mut leadership: Leadership, step: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = leadership.until_lost() => None,
        done = step => Some(done),
    }
}

/// A write after this long without one is no contest: users may change the field by hand now and then, and that is reverted at
/// once.
const QUIET_AFTER: Duration = Duration::from_secs(60);

/// Backs off from a contest over one field: two controllers that each revert the other's write would update it in a tight
/// loop.
#[derive(Debug)]
pub(super) struct WriteBackoff {
    backoff: Backoff,
    last: Option<Last>,
}

/// The last write, and how long the same text must wait from then on.
#[derive(Debug)]
struct Last {
    text: String,
    at: Instant,
    pause: Duration,
}

impl Default for WriteBackoff {
    fn default() -> WriteBackoff {
        WriteBackoff {
            backoff: Backoff::for_api_server(),
            last: None,
        }
    }
}

impl WriteBackoff {
    /// How long to wait before writing this text. A text that differs from the last never waits.
    pub(super) fn wait(&self, text: &str, now: Instant) -> Duration {
        let last = self.last.as_ref().filter(|last| last.text == text);
        last.map_or(Duration::ZERO, |last| {
            last.pause.saturating_sub(now.saturating_duration_since(last.at))
        })
    }

    /// The text was written.
    pub(super) fn wrote(&mut self, text: &str, now: Instant) {
        let again = self
            .last
            .as_ref()
            .is_some_and(|last| last.text == text && now.saturating_duration_since(last.at) < QUIET_AFTER);
        let pause = if again {
            self.backoff.next_pause()
        } else {
            self.backoff.reset();
            Duration::ZERO
        };
        self.last = Some(Last {
            text: text.to_owned(),
            at: now,
            pause,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often a text is written in a minute while another writer reverts it at once.
    fn writes(write_backoff: &mut WriteBackoff, mut now: Instant) -> usize {
        let end = now + Duration::from_secs(60);
        let mut writes = 0;
        while now < end {
            assert!(writes < 1_000, "no pause at all");
            write_backoff.wrote("ours", now);
            writes += 1;
            now += write_backoff.wait("ours", now);
        }
        writes
    }

    #[test]
    fn a_contest_slows_down_and_is_never_given_up() {
        let writes = writes(&mut WriteBackoff::default(), Instant::now());
        assert!((6..=20).contains(&writes), "{writes} in a minute");
    }

    #[test]
    fn a_change_by_hand_and_another_text_are_met_at_once() {
        let (mut write_backoff, now) = (WriteBackoff::default(), Instant::now());
        write_backoff.wrote("ours", now);
        assert_eq!(write_backoff.wait("ours", now), Duration::ZERO);
        writes(&mut write_backoff, now);
        let last = write_backoff.last.as_ref().unwrap().at;
        assert!(write_backoff.wait("ours", last) > Duration::ZERO);
        assert_eq!(write_backoff.wait("rotated", last), Duration::ZERO);
        let later = last + QUIET_AFTER;
        write_backoff.wrote("ours", later);
        assert_eq!(write_backoff.wait("ours", later), Duration::ZERO);
    }
}
