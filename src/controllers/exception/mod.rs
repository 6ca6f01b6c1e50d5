//! Keeps the status of every PersonaException up to date: its phase, and how many findings it covers. An Event says when one
//! ends soon, and when it has ended.
//!
//! Start reading at [`Controller::run`]; `Term::reconcile` handles one exception. The clock is that of the index, so that a
//! status changes in the second in which the webhook decides otherwise. Where the status is up to date, a reconcile makes no
//! call to the API server: the index holds a fingerprint of each status.

mod assess;
mod count;
mod events;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kube::Client;

use self::assess::Assessment;
use self::events::notice;
use super::metrics::{self, Metrics, ReconcileResult};
use super::trigger::{Changes, Trigger, settled, until_held};
use crate::api::PersonaException;
use crate::api::crd::definition;
use crate::api::names::{REPORTER, STATUS_MANAGER};
use crate::index::fingerprint::CLOCKS;
use crate::index::{AppKey, Index, Kind, Snapshot};
use crate::k8s::{
    CallError, EventRecorder, Leadership, Name, Outcome, Queue, Reconciled, Regarding, Reporter, Resource, Trouble,
    catch_panic, write_if_changed,
};
use crate::runtime::{About, Grant, Part};

fn exceptions() -> Resource {
    Resource::of::<PersonaException>()
}

/// The declaration of this part: it writes the status of its kind, and Events about it.
pub static ABOUT: About = About {
    definitions: || vec![definition::<PersonaException>()],
    grants: &[Grant::everywhere("dorgu.io", "personaexceptions/status", &["patch"])],
    ..About::named("exceptions")
};

/// The controller as a part of the process, and its trigger.
pub fn part(index: Arc<Index>, settings: Settings, metrics: Metrics) -> (Trigger, Part) {
    let (trigger, changes) = Trigger::new();
    let controller = Controller {
        index,
        settings,
        metrics,
        changes,
    };
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
    /// How often every exception is reconciled without a change (flag `--requeue-interval`).
    pub interval: Duration,
    /// `reportingInstance` of events: the pod's name.
    pub instance: String,
}

/// The controller, before it runs.
#[derive(Debug)]
struct Controller {
    index: Arc<Index>,
    settings: Settings,
    metrics: Metrics,
    changes: Changes,
}

impl Controller {
    /// Reconciles status while the Lease is held. Each new holder reconciles everything once. Never returns.
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
                index: &self.index,
                settings: &self.settings,
                metrics: &self.metrics,
                client: &client,
                leadership: leadership.clone(),
                events: &events,
                trouble: Trouble::default(),
            };
            tokio::select! {
                () = term.run(&mut self.changes) => {}
                () = leadership.until_lost() => {}
            }
        }
    }
}

/// Namespace and name of an exception; shared, since the queue holds each several times.
type Key = Arc<(Box<str>, Box<str>)>;

/// The time between acquiring and losing the Lease.
struct Term<'c> {
    index: &'c Index,
    settings: &'c Settings,
    metrics: &'c Metrics,
    client: &'c Client,
    leadership: Leadership,
    events: &'c EventRecorder,
    trouble: Trouble,
}

impl Term<'_> {
    /// Ends only when the trigger is dropped.
    async fn run(&self, changes: &mut Changes) {
        // A kind that was never listed looks as if it had no objects.
        while ![Kind::Exception, Kind::Persona, Kind::Deployment]
            .into_iter()
            .all(|kind| self.index.has(kind))
        {
            if changes.recv().await.is_none() {
                return;
            }
        }
        let depth = self.metrics.depth(metrics::Controller::Exception);
        let mut queue = Queue::new(self.settings.interval, move |waiting| depth.set(waiting));
        let all: Vec<Key> = keys(&self.index.load(), |_| true);
        queue.fill(all.into_iter());
        let changed = async || match changes.recv().await {
            Some(apps) => affected(&self.index.load(), &apps),
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
        let result = if reconciled.is_ok() {
            ReconcileResult::Success
        } else {
            ReconcileResult::Error
        };
        self.metrics
            .reconciled(metrics::Controller::Exception, result, started.elapsed());
        reconciled.unwrap_or_else(|error| {
            let (namespace, exception) = (&name.namespace, &name.name);
            // After a conflict, where another writer was faster, the next reconcile reads the new version.
            if !error.is_conflict() && self.trouble.failed(&error.text.replace(exception, "NAME")) {
                tracing::warn!(namespace, exception, %error, "Cannot write the status of an exception; it is tried again");
            } else {
                tracing::debug!(namespace, exception, %error, "Could not write a status");
            }
            Reconciled::Failed
        })
    }

    /// Reconciles one exception: observe, derive, write.
    async fn reconcile(&self, name: &Name) -> Result<Reconciled, CallError> {
        let moment = self.index.now();
        let (assessment, is_up_to_date) = {
            let snapshot = self.index.load();
            let Some(stored) = snapshot.exception(&name.namespace, &name.name) else {
                return Ok(Reconciled::Gone);
            };
            let assessment = catch_panic(|| Assessment::of(&snapshot, stored, moment))?;
            let is_up_to_date = assessment.says(stored.status);
            (assessment, is_up_to_date)
        };
        let settled = settled(moment, assessment.next);
        if is_up_to_date {
            return Ok(settled);
        }
        if !self.leadership.held() {
            // The next holder of the Lease reconciles it.
            return Ok(Reconciled::Failed);
        }
        let now = Timestamp::now();
        let mut changed = None;
        let written = write_if_changed(self.client, &exceptions(), name, STATUS_MANAGER, CLOCKS, |current| {
            // Check again: reading the object took time.
            if !self.leadership.held() {
                return current.status.clone();
            }
            changed = notice(&current.status, &assessment).map(|notice| (current.uid.clone(), notice));
            assessment.status(&current.status, now)
        })
        .await;
        self.metrics.status(&written);
        match written? {
            Outcome::Gone => return Ok(Reconciled::Gone),
            Outcome::Unchanged => return Ok(settled),
            Outcome::Written => {}
        }
        if self.trouble.over() {
            tracing::info!("The status of exceptions can be written again");
        }
        if let Some((uid, notice)) = changed {
            let regarding = Regarding {
                resource: &exceptions(),
                name,
                uid: &uid,
            };
            if let Err(error) = self.events.record(regarding, notice, now).await {
                // The status holds the same information.
                tracing::debug!(namespace = name.namespace, exception = name.name, %error, "Could not send an event");
            }
        }
        Ok(settled)
    }
}

/// The exceptions of the namespaces in which these apps are: one for a Deployment may concern any of them.
fn affected(snapshot: &Snapshot, apps: &[AppKey]) -> Vec<Key> {
    if snapshot.all_exceptions().next().is_none() {
        return Vec::new();
    }
    let namespaces: HashSet<&str> = apps.iter().map(|app| &*app.namespace).collect();
    keys(snapshot, |namespace| namespaces.contains(namespace))
}

/// The exceptions of some namespaces.
fn keys(snapshot: &Snapshot, is_in: impl Fn(&str) -> bool) -> Vec<Key> {
    let all = snapshot.all_exceptions().map(|stored| &stored.exception);
    let those = all.filter(|exception| is_in(&exception.namespace));
    let key = |namespace: &str, name: &str| Arc::new((Box::from(namespace), Box::from(name)));
    those
        .map(|exception| key(&exception.namespace, &exception.name))
        .collect()
}

#[cfg(test)]
mod tests;
