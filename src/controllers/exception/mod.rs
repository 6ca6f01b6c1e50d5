//! Keeps the status of every PersonaException up to date: its phase, and how many findings it covers. An Event says when one
//! ends soon, and when it has ended. `reconciler` writes them.

mod assess;
mod count;
mod events;

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use self::assess::Assessment;
use super::metrics::{self, Metrics};
use super::reconciler::{self, Derived, Key, Settings, Statuses, Step, key};
use super::trigger::Trigger;
use crate::api::PersonaException;
use crate::api::crd::definition;
use crate::index::{AppKey, Index, Snapshot};
use crate::k8s::{Name, Notice, Resource};
use crate::policy::Moment;
use crate::runtime::{About, Grant, Part};

/// The declaration of this part: it writes the status of its kind, and Events about it.
pub static ABOUT: About = About {
    definitions: || vec![definition::<PersonaException>()],
    grants: &[Grant::everywhere("dorgu.io", "personaexceptions/status", &["patch"])],
    ..About::named("exceptions")
};

/// The controller as a part of the process, and its trigger.
pub fn part(index: Arc<Index>, settings: Settings, metrics: Metrics) -> (Trigger, Part) {
    reconciler::part(&ABOUT, Exceptions, index, settings, metrics)
}

/// The statuses of exceptions.
struct Exceptions;

impl Statuses for Exceptions {
    type Derived = Assessment;
    const CONTROLLER: metrics::Controller = metrics::Controller::Exception;
    const WORDS: [&'static str; 2] = ["an exception", "exceptions"];

    fn resource() -> Resource {
        Resource::of::<PersonaException>()
    }

    /// Those of the namespaces in which the apps are: one for a Deployment may concern any of them.
    fn keys(snapshot: &Snapshot, apps: Option<&[AppKey]>) -> Vec<Key> {
        if snapshot.all_exceptions().next().is_none() {
            return Vec::new();
        }
        let namespaces: Option<HashSet<&str>> = apps.map(|apps| apps.iter().map(|app| &*app.namespace).collect());
        let is_in = |namespace: &str| {
            namespaces
                .as_ref()
                .is_none_or(|namespaces| namespaces.contains(namespace))
        };
        let all = snapshot.all_exceptions().map(|stored| &stored.exception);
        all.filter(|exception| is_in(&exception.namespace))
            .map(|exception| key(&exception.namespace, &exception.name))
            .collect()
    }

    fn derive(&self, snapshot: &Snapshot, name: &Name, now: Moment) -> Step<Assessment> {
        let Some(stored) = snapshot.exception(&name.namespace, &name.name) else {
            return Step::Gone;
        };
        let assessment = Assessment::of(snapshot, stored, now);
        match assessment.says(stored.status) {
            true => Step::UpToDate(assessment.next),
            false => Step::Changed(Box::new(assessment)),
        }
    }
}

impl Derived for Assessment {
    fn status(&self, previous: &Value, now: Timestamp) -> Value {
        self.status(previous, now)
    }

    fn next(&self, _: &Value) -> Option<Moment> {
        self.next
    }

    fn notice(&self, previous: &Value, _: &Value) -> Option<Notice> {
        events::notice(previous, self)
    }
}

#[cfg(test)]
mod tests;
