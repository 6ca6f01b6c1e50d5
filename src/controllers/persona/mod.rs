//! Keeps the status of every ApplicationPersona up to date (contract 3). A reconcile observes (from the index), derives
//! (pure) and writes, but only when something other than a timestamp differs, and only while the Lease is held.
//!
//! Start reading at [`Controller::run`]; `Term::reconcile` handles one persona. Where the status is up to date, a reconcile
//! makes no call to the API server: the index holds a fingerprint of each status.

mod assess;
mod events;
mod found;
mod governs;
mod itself;
mod promotion;
mod status;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use jiff::Timestamp;
use kube::Client;

use self::assess::{Assessment, Observed, assess};
use self::events::notice;
use self::found::FoundDeployments;
use super::metrics::{self, Metrics, ReconcileResult};
pub use super::trigger::Trigger;
use super::trigger::{Changes, settled, until_held};
use crate::api::ApplicationPersona;
use crate::api::crd::definition;
use crate::api::names::{REPORTER, STATUS_MANAGER};
use crate::index::fingerprint::CLOCKS;
use crate::index::{AppKey, Index, Kind, Snapshot, StatusFingerprint};
use crate::k8s::{
    CallError, EventRecorder, Leadership, Name, Outcome, Queue, Reconciled, Regarding, Reporter, Resource, Trouble,
    catch_panic, write_if_changed,
};
use crate::policy::{Mode, Moment, RuleSet};
use crate::runtime::flags::{WITH_CLUSTER, duration};
use crate::runtime::{About, Grant, Part};

fn personas() -> Resource {
    Resource::of::<ApplicationPersona>()
}

/// The default of `--requeue-interval` (contract 3.1).
const REQUEUE_INTERVAL: Duration = Duration::from_secs(60);
/// The default of `--ready-after`.
const READY_AFTER: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// Less would be a busy loop.
const MIN_REQUEUE_INTERVAL: Duration = Duration::from_secs(1);

/// The flags of the part.
#[derive(Clone, Copy, Debug, Args)]
#[group(skip)]
#[command(next_help_heading = WITH_CLUSTER)]
pub struct PersonaFlags {
    /// How often every status is reconciled without a change; at least 1s [default: 60s]
    #[arg(long, value_name = "DURATION", env = "DORGU_REQUEUE_INTERVAL", value_parser = interval)]
    requeue_interval: Option<Duration>,
    /// How long nothing must have stood in the status of a persona that would be denied, until its condition ReadyToEnforce is True
    /// [default: 336h]
    #[arg(long, value_name = "DURATION", env = "DORGU_READY_AFTER", value_parser = duration)]
    ready_after: Option<Duration>,
}

impl PersonaFlags {
    /// How often every persona is reconciled without a change.
    pub fn interval(self) -> Duration {
        self.requeue_interval.unwrap_or(REQUEUE_INTERVAL)
    }

    /// How long nothing must have been denied before a persona is ready to be enforced.
    pub fn ready_after(self) -> Duration {
        self.ready_after.unwrap_or(READY_AFTER)
    }
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = duration(text)?;
    if interval < MIN_REQUEUE_INTERVAL {
        return Err(format!("that is too short: the least is {MIN_REQUEUE_INTERVAL:?}"));
    }
    Ok(interval)
}

/// The declaration of this part: it writes the status of its kind, and Events about it.
pub static ABOUT: About = About {
    definitions: || vec![definition::<ApplicationPersona>()],
    grants: &[
        Grant::everywhere("dorgu.io", "applicationpersonas/status", &["patch"]),
        Grant::everywhere("events.k8s.io", "events", &["create", "patch"]),
    ],
    flags: PersonaFlags::augment_args,
    ..About::named("personas")
};

/// The controller as a part of the process, and its trigger.
pub fn part(index: Arc<Index>, settings: Settings, metrics: Metrics) -> (Trigger, Part) {
    let (trigger, controller) = controller(index, settings, metrics);
    let part = Part {
        leading: vec![Box::new(move |client, leadership| {
            Box::pin(controller.run(client, leadership))
        })],
        ..Part::new(&ABOUT)
    };
    (trigger, part)
}

/// The configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which rules (flag `--rules`).
    pub set: RuleSet,
    /// The process's own mode (flag `--webhook-mode`).
    pub mode: Mode,
    /// How long nothing must have been denied before a persona is ready to be enforced (flag `--ready-after`).
    pub ready_after: Duration,
    /// How often every persona is reconciled without a change (flag `--requeue-interval`).
    pub interval: Duration,
    /// `reportingInstance` of events: the pod's name.
    pub instance: String,
}

/// The controller, before it runs.
#[derive(Debug)]
pub struct Controller {
    index: Arc<Index>,
    settings: Settings,
    metrics: Metrics,
    changes: Changes,
}

/// A controller over an index, and its trigger.
pub fn controller(index: Arc<Index>, settings: Settings, metrics: Metrics) -> (Trigger, Controller) {
    let (trigger, changes) = Trigger::new();
    let controller = Controller {
        index,
        settings,
        metrics,
        changes,
    };
    (trigger, controller)
}

impl Controller {
    /// Reconciles status while the Lease is held. Each new holder reconciles everything once. Never returns.
    pub async fn run(mut self, client: Client, mut leadership: Leadership) {
        let reporter = Reporter {
            controller: REPORTER,
            instance: self.settings.instance.clone(),
            manager: STATUS_MANAGER,
        };
        let events = EventRecorder::new(client.clone(), reporter);
        loop {
            until_held(&mut leadership, &mut self.changes).await;
            let term = Term {
                index: &self.index,
                settings: &self.settings,
                metrics: &self.metrics,
                client: &client,
                leadership: leadership.clone(),
                events: &events,
                found: FoundDeployments::default(),
                trouble: Trouble::default(),
                failing: Mutex::default(),
            };
            tokio::select! {
                () = term.run(&mut self.changes) => {}
                () = leadership.until_lost() => {
                    tracing::info!("No longer the one who keeps the status of personas");
                }
            }
        }
    }
}

/// The name of a persona; shared, since the queue holds each several times.
type Key = Arc<PersonaKey>;

/// Namespace and name of a persona.
#[derive(Debug, PartialEq, Eq, Hash)]
struct PersonaKey {
    namespace: Box<str>,
    name: Box<str>,
}

/// The time between acquiring and losing the Lease.
struct Term<'c> {
    index: &'c Index,
    settings: &'c Settings,
    metrics: &'c Metrics,
    client: &'c Client,
    leadership: Leadership,
    events: &'c EventRecorder,
    found: FoundDeployments,
    trouble: Trouble,
    /// The persona that `trouble` concerns.
    failing: Mutex<Option<Name>>,
}

impl Term<'_> {
    /// Ends only when the trigger is dropped.
    async fn run(&self, changes: &mut Changes) {
        // A kind that was never listed looks as if it had no objects.
        while ![Kind::Persona, Kind::Deployment, Kind::Exception]
            .into_iter()
            .all(|kind| self.index.has(kind))
        {
            if changes.recv().await.is_none() {
                return;
            }
        }
        let depth = self.metrics.depth(metrics::Controller::Persona);
        let mut queue = Queue::new(self.settings.interval, move |waiting| depth.set(waiting));
        {
            let snapshot = self.index.load();
            let keys: Vec<Key> = snapshot
                .personas()
                .map(|stored| key(&stored.persona.namespace, &stored.persona.name))
                .collect();
            tracing::info!(personas = keys.len(), "Keeping the status of personas");
            queue.fill(keys.into_iter());
        }
        let changed = async || match changes.recv().await {
            Some(apps) => affected(&self.index.load(), &apps),
            None => std::future::pending().await,
        };
        queue.run(changed, |key| self.timed(key)).await;
    }

    async fn timed(&self, key: Key) -> Reconciled {
        let (started, name) = (Instant::now(), name(&key));
        let reconciled = self.reconcile(&name).await;
        let result = if reconciled.is_ok() {
            ReconcileResult::Success
        } else {
            ReconcileResult::Error
        };
        self.metrics
            .reconciled(metrics::Controller::Persona, result, started.elapsed());
        match reconciled {
            Ok(reconciled) => reconciled,
            Err(error) => {
                self.failed(&name, &error);
                Reconciled::Failed
            }
        }
    }

    /// Reconciles one persona: observe, derive, write.
    async fn reconcile(&self, name: &Name) -> Result<Reconciled, CallError> {
        let moment = self.index.now();
        let (assessment, edge) = match catch_panic(|| self.assess(name, moment))? {
            Assessed::Gone => return Ok(Reconciled::Gone),
            Assessed::UpToDate(edge) => return Ok(settled(moment, edge)),
            Assessed::Changed(assessment, edge) => (*assessment, edge),
        };
        if !self.leadership.held() {
            // The next holder of the Lease reconciles it.
            return Ok(Reconciled::Failed);
        }
        let now = Timestamp::now();
        let (mut changed, mut next) = (None, edge);
        let written = write_if_changed(self.client, &personas(), name, STATUS_MANAGER, CLOCKS, |current| {
            // Check again: reading the object took time.
            if !self.leadership.held() {
                return current.status.clone();
            }
            let status = assessment.status(&current.status, now);
            next = earlier(edge, assessment.changes_at(assessment.clean_since(&current.status)));
            changed = notice(&current.status, &status, &assessment).map(|notice| (current.uid.clone(), notice));
            status
        })
        .await;
        self.metrics.status(&written);
        let written = written?;
        self.succeeded(name);
        match written {
            Outcome::Gone => return Ok(Reconciled::Gone),
            Outcome::Unchanged => return Ok(settled(moment, next)),
            Outcome::Written => {}
        }
        tracing::debug!(
            namespace = name.namespace,
            persona = name.name,
            phase = ?assessment.phase(),
            health = ?assessment.health(),
            "Wrote a status"
        );
        if let Some((uid, notice)) = changed {
            let regarding = Regarding {
                resource: &personas(),
                name,
                uid: &uid,
            };
            if let Err(error) = self.events.record(regarding, notice, now).await {
                // The status holds the same information.
                tracing::debug!(namespace = name.namespace, persona = name.name, %error, "Could not send an event");
            }
        }
        Ok(settled(moment, next))
    }

    /// Observes and derives.
    fn assess(&self, name: &Name, now: Moment) -> Assessed {
        let snapshot = self.index.load();
        let (namespace, name) = (&name.namespace, &name.name);
        let Some(stored) = snapshot.persona(namespace, name) else {
            return Assessed::Gone;
        };
        let set = self.settings.set;
        let deployments = self.found.of(&snapshot, &stored.persona, set);
        let sharing = snapshot.sharing(&stored.persona, &deployments, set);
        let observed = Observed::of(&snapshot, stored, &sharing, &deployments, self.settings, now);
        let edge = observed.next_change();
        let assessment = assess(set, &observed);
        if assessment.says(stored.status) {
            let since = stored.status.and_then(StatusFingerprint::clean_since);
            Assessed::UpToDate(earlier(edge, assessment.changes_at(since)))
        } else {
            Assessed::Changed(Box::new(assessment), edge)
        }
    }

    /// Warns once for each new reason, however many personas have it.
    fn failed(&self, name: &Name, error: &CallError) {
        let (namespace, persona) = (&name.namespace, &name.name);
        // After a conflict, where another writer was faster, the next reconcile reads the new version.
        if !error.is_conflict() && self.trouble.failed(&error.text.replace(persona, "NAME")) {
            tracing::warn!(namespace, persona, %error, "Cannot write the status of a persona; it is tried again");
            *self.failing() = Some(name.clone());
        } else {
            tracing::debug!(namespace, persona, %error, "Could not write a status");
        }
    }

    /// The failure is over when the persona that it concerns can be written. Other personas prove nothing.
    fn succeeded(&self, name: &Name) {
        if self.failing().take_if(|failing| failing == name).is_some() && self.trouble.over() {
            tracing::info!("The status of personas can be written again");
        }
    }

    fn failing(&self) -> MutexGuard<'_, Option<Name>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The next action for one status.
enum Assessed {
    /// There is no such persona.
    Gone,
    /// The stored status is equal, until then.
    UpToDate(Option<Moment>),
    /// This must be written; and when an exception begins or ends next.
    Changed(Box<Assessment>, Option<Moment>),
}

/// The earlier of two changes.
fn earlier(one: Option<Moment>, other: Option<Moment>) -> Option<Moment> {
    one.into_iter().chain(other).min()
}

/// The personas of these apps.
fn affected(snapshot: &Snapshot, apps: &[AppKey]) -> Vec<Key> {
    let personas = apps
        .iter()
        .flat_map(|app| snapshot.find(&app.namespace, &app.app).list());
    personas.map(|persona| key(&persona.namespace, &persona.name)).collect()
}

fn key(namespace: &str, name: &str) -> Key {
    Arc::new(PersonaKey {
        namespace: namespace.into(),
        name: name.into(),
    })
}

fn name(key: &PersonaKey) -> Name {
    Name {
        namespace: key.namespace.to_string(),
        name: key.name.to_string(),
    }
}

#[cfg(test)]
mod tests;
