//! Reconciles the statuses of one kind while the Lease is held: waits for changes, derives (pure, by [`Statuses`]), and writes what
//! differs, with an Event about it.
//!
//! Start reading at [`Reconciler::run`]; `Term::reconcile` handles one object. Where a status is up to date, a reconcile makes no
//! call to the API server: the index holds a fingerprint of each status. The clock is that of the index, so that a status changes
//! in the second in which the webhook decides otherwise.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kube::Client;
use serde_json::Value;

use super::metrics::{Controller, Metrics, ReconcileResult};
use super::trigger::{Changes, Trigger};
use crate::api::names::{REPORTER, STATUS_MANAGER};
use crate::index::fingerprint::CLOCKS;
use crate::index::{AppKey, Index, Kind, Snapshot};
use crate::k8s::{
    CallError, EventRecorder, Leadership, Name, Notice, Outcome, Queue, Reconciled, Regarding, Reporter, Resource,
    Trouble, catch_panic, time, write_if_changed,
};
use crate::policy::Moment;
use crate::runtime::{About, Part};

/// Namespace and name of an object; shared, since the queue holds each several times.
pub(super) type Key = Arc<(Box<str>, Box<str>)>;

/// A key of the queue.
pub(super) fn key(namespace: &str, name: &str) -> Key {
    Arc::new((namespace.into(), name.into()))
}

/// The statuses of one kind.
pub(super) trait Statuses: Send + Sync + 'static {
    /// What is derived.
    type Derived: Derived;
    /// The name in metrics.
    const CONTROLLER: Controller;
    /// One object and several, in logs.
    const WORDS: [&'static str; 2];

    fn resource() -> Resource;

    /// All objects, or those that a change of these apps may concern.
    fn keys(snapshot: &Snapshot, apps: Option<&[AppKey]>) -> Vec<Key>;

    /// Observes and derives.
    fn derive(&self, snapshot: &Snapshot, name: &Name, now: Moment) -> Step<Self::Derived>;
}

/// A status that is to be written.
pub(super) trait Derived: Send {
    /// The whole status after `previous`.
    fn status(&self, previous: &Value, now: Timestamp) -> Value;

    /// When the status after `previous` changes by itself, if it does.
    fn next(&self, previous: &Value) -> Option<Moment>;

    /// The Event about it.
    fn notice(&self, previous: &Value, status: &Value) -> Option<Notice>;
}

/// The next action for one status.
pub(super) enum Step<D> {
    /// There is no such object.
    Gone,
    /// The stored status is equal, until then.
    UpToDate(Option<Moment>),
    /// This must be written.
    Changed(Box<D>),
}

/// What all kinds have in common.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How often every object is reconciled without a change (flag `--requeue-interval`).
    pub interval: Duration,
    /// `reportingInstance` of events: the pod's name.
    pub instance: String,
}

/// The reconciler of a kind as a part of the process, and its trigger.
pub(super) fn part(
    about: &'static About,
    statuses: impl Statuses,
    index: Arc<Index>,
    settings: Settings,
    metrics: Metrics,
) -> (Trigger, Part) {
    let (trigger, changes) = Trigger::new();
    let reconciler = Reconciler {
        statuses,
        index,
        settings,
        metrics,
        changes,
    };
    let part = Part {
        leading: vec![Box::new(move |client, leadership| {
            Box::pin(reconciler.run(client, leadership))
        })],
        ..Part::new(about)
    };
    (trigger, part)
}

struct Reconciler<S> {
    statuses: S,
    index: Arc<Index>,
    settings: Settings,
    metrics: Metrics,
    changes: Changes,
}

impl<S: Statuses> Reconciler<S> {
    /// Reconciles while the Lease is held. Each new holder reconciles everything once. Never returns.
    async fn run(mut self, client: Client, mut leadership: Leadership) {
        let reporter = Reporter {
            controller: REPORTER,
            instance: self.settings.instance.clone(),
            manager: STATUS_MANAGER,
        };
        let events = EventRecorder::new(client.clone(), reporter);
        loop {
            until_held(&mut leadership, &mut self.changes).await;
            let term = Term {
                statuses: &self.statuses,
                index: &self.index,
                metrics: &self.metrics,
                client: &client,
                leadership: leadership.clone(),
                events: &events,
                trouble: Trouble::default(),
                failing: Mutex::default(),
            };
            tokio::select! {
                () = term.run(&mut self.changes, self.settings.interval) => {}
                () = leadership.until_lost() => {
                    tracing::info!("No longer the one who keeps the status of {}", S::WORDS[1]);
                }
            }
        }
    }
}

/// Waits until the Lease is held. The changes until then are dropped: its holder gets the same ones, and the next holder
/// reconciles everything.
async fn until_held(leadership: &mut Leadership, changes: &mut Changes) {
    let mut held = std::pin::pin!(leadership.until_held());
    loop {
        tokio::select! {
            () = held.as_mut() => return,
            Some(_) = changes.recv() => {}
        }
    }
}

/// A status that holds until `next`, where it changes by itself at all.
fn settled(now: Moment, next: Option<Moment>) -> Reconciled {
    next.map_or(Reconciled::Settled, |next| {
        let seconds = next.0.saturating_sub(now.0);
        Reconciled::SettledFor(Duration::from_secs(seconds.unsigned_abs()))
    })
}

/// The text of a moment. One that is out of reach is the last that there is.
pub(super) fn text(moment: Moment) -> String {
    time::seconds(Timestamp::from_second(moment.0).unwrap_or(Timestamp::MAX))
}

/// The time between acquiring and losing the Lease.
struct Term<'c, S> {
    statuses: &'c S,
    index: &'c Index,
    metrics: &'c Metrics,
    client: &'c Client,
    leadership: Leadership,
    events: &'c EventRecorder,
    trouble: Trouble,
    /// The object that `trouble` concerns.
    failing: Mutex<Option<Name>>,
}

impl<S: Statuses> Term<'_, S> {
    /// Ends only when the trigger is dropped.
    async fn run(&self, changes: &mut Changes, interval: Duration) {
        // A kind that was never listed looks as if it had no objects.
        while ![Kind::Persona, Kind::Deployment, Kind::Exception]
            .into_iter()
            .all(|kind| self.index.has(kind))
        {
            if changes.recv().await.is_none() {
                return;
            }
        }
        let depth = self.metrics.depth(S::CONTROLLER);
        let mut queue = Queue::new(interval, move |waiting| depth.set(waiting));
        {
            let keys = S::keys(&self.index.load(), None);
            tracing::info!(count = keys.len(), "Keeping the status of {}", S::WORDS[1]);
            queue.fill(keys.into_iter());
        }
        let changed = async || match changes.recv().await {
            Some(apps) => S::keys(&self.index.load(), Some(&apps)),
            None => std::future::pending().await,
        };
        queue.run(changed, |key| self.timed(key)).await;
    }

    async fn timed(&self, key: Key) -> Reconciled {
        let started = Instant::now();
        let name = Name {
            namespace: key.0.to_string(),
            name: key.1.to_string(),
        };
        let reconciled = self.reconcile(&name).await;
        let result = match reconciled {
            Ok(_) => ReconcileResult::Success,
            Err(_) => ReconcileResult::Error,
        };
        self.metrics.reconciled(S::CONTROLLER, result, started.elapsed());
        reconciled.unwrap_or_else(|error| {
            self.failed(&name, &error);
            Reconciled::Failed
        })
    }

    /// Reconciles one object: observe, derive, write.
    async fn reconcile(&self, name: &Name) -> Result<Reconciled, CallError> {
        let moment = self.index.now();
        let derived = match catch_panic(|| self.statuses.derive(&self.index.load(), name, moment))? {
            Step::Gone => return Ok(Reconciled::Gone),
            Step::UpToDate(next) => return Ok(settled(moment, next)),
            Step::Changed(derived) => derived,
        };
        if !self.leadership.held() {
            // The next holder of the Lease reconciles it.
            return Ok(Reconciled::Failed);
        }
        let (now, resource) = (Timestamp::now(), S::resource());
        let (mut changed, mut next) = (None, None);
        let written = write_if_changed(self.client, &resource, name, STATUS_MANAGER, CLOCKS, |current| {
            // Check again: reading the object took time.
            if !self.leadership.held() {
                return current.status.clone();
            }
            let status = derived.status(&current.status, now);
            next = derived.next(&current.status);
            changed = derived
                .notice(&current.status, &status)
                .map(|notice| (current.uid.clone(), notice));
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
        let Name { namespace, name: of } = name;
        tracing::debug!(namespace, name = of, "Wrote the status of {}", S::WORDS[0]);
        if let Some((uid, notice)) = changed {
            let regarding = Regarding {
                resource: &resource,
                name,
                uid: &uid,
            };
            if let Err(error) = self.events.record(regarding, notice, now).await {
                // The status holds the same information.
                tracing::debug!(namespace, name = of, %error, "Could not send an event");
            }
        }
        Ok(settled(moment, next))
    }

    /// Warns once for each new reason, however many objects have it.
    fn failed(&self, name: &Name, error: &CallError) {
        let Name { namespace, name: of } = name;
        // After a conflict, where another writer was faster, the next reconcile reads the new version.
        if !error.is_conflict() && self.trouble.failed(&error.text.replace(of, "NAME")) {
            tracing::warn!(namespace, name = of, %error, "Cannot write the status of {}; it is tried again", S::WORDS[0]);
            *self.failing() = Some(name.clone());
        } else {
            tracing::debug!(namespace, name = of, %error, "Could not write the status of {}", S::WORDS[0]);
        }
    }

    /// The failure is over when the object that it concerns can be written. Other objects prove nothing.
    fn succeeded(&self, name: &Name) {
        if self.failing().take_if(|failing| failing == name).is_some() && self.trouble.over() {
            tracing::info!("The status of {} can be written again", S::WORDS[1]);
        }
    }

    fn failing(&self) -> MutexGuard<'_, Option<Name>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
