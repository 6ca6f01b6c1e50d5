//! Events about a persona, when what is to be said of it changes: they expire, so the same facts stand in its status.
//!
//! Not kube's `Recorder`: of an event that comes again it repeats the first note, and here the note is the news.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use serde_json::{Value, json};

use super::assess::Assessment;
use super::status::complaints;
use crate::k8s::{CallError, Name, Resource, create, merge};
use crate::policy::text::{Shown, cut};

const EVENTS: Resource = Resource::new("events.k8s.io", "v1", "events");
/// Who reports, in every event.
const CONTROLLER: &str = "dorgu.io/operator";
/// The same event within this time is one event that is counted, as client-go does it.
const SERIES: Duration = Duration::from_secs(6 * 60);
/// An API server takes at most 1,024 bytes.
const LONGEST_NOTE: usize = 1_000;
/// Of the 253 characters of a name some are kept for the time.
const LONGEST_NAME: usize = 230;

/// What is told of a persona.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct News {
    /// `PersonaViolated` or `PersonaCompliant`.
    pub(super) reason: &'static str,
    /// One sentence.
    pub(super) note: String,
}

impl News {
    /// What has changed for people between a status and the assessment that replaces it: the set of issues they have to
    /// act on. None when that stayed.
    pub(super) fn between(previous: &Value, status: &Value, assessment: &Assessment) -> Option<News> {
        if !assessment.compared || complaints(previous) == complaints(status) {
            return None;
        }
        let (reason, note) = match assessment.worst() {
            Some((worst, 1)) => ("PersonaViolated", worst.to_owned()),
            Some((worst, count)) => ("PersonaViolated", format!("{} (1 of {count} issues)", cut(worst, 900))),
            None => ("PersonaCompliant", "The Deployment meets this persona".to_owned()),
        };
        let note = cut(Shown(&note), LONGEST_NOTE);
        Some(News { reason, note })
    }
}

/// An event that was sent.
struct Sent {
    name: Name,
    last: Timestamp,
    count: u32,
}

/// What is sent.
#[derive(Debug, PartialEq)]
enum Telling {
    /// A whole event.
    First(Value),
    /// A change of one that is there.
    Again(Name, Value),
}

/// Sends events, those that repeat as one.
pub(super) struct Chronicle {
    client: Client,
    /// `reportingInstance`: this pod.
    instance: String,
    sent: Mutex<HashMap<(String, News), Sent>>,
}

impl Chronicle {
    pub(super) fn new(client: Client, instance: String) -> Chronicle {
        Chronicle {
            client,
            instance,
            sent: Mutex::default(),
        }
    }

    /// Tells of the persona with that uid.
    ///
    /// # Errors
    /// See [`CallError`]; nothing else depends on it.
    pub(super) async fn tell(&self, persona: &Name, uid: &str, news: News, now: Timestamp) -> Result<(), CallError> {
        let key = (uid.to_owned(), news);
        let told = match self.telling(persona, &key, now) {
            Telling::First(object) => create(&self.client, EVENTS, &persona.namespace, super::MANAGER, &object).await,
            Telling::Again(name, series) => {
                let patched = merge(&self.client, EVENTS, &name, None, super::MANAGER, &series).await;
                patched.map(drop)
            }
        };
        if told.is_err() {
            // What was never stored, or is gone, is no beginning of a series.
            self.sent().remove(&key);
        }
        told
    }

    fn sent(&self) -> MutexGuard<'_, HashMap<(String, News), Sent>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The event, or the count of the one that was sent a while ago.
    fn telling(&self, persona: &Name, key: &(String, News), now: Timestamp) -> Telling {
        let mut sent = self.sent();
        sent.retain(|_, sent| now.duration_since(sent.last).unsigned_abs() < SERIES);
        let time = now.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
        if let Some(again) = sent.get_mut(key) {
            again.count = again.count.saturating_add(1);
            again.last = now;
            let series = json!({"series": {"count": again.count, "lastObservedTime": time}});
            return Telling::Again(again.name.clone(), series);
        }
        let (uid, news) = key;
        let name = Name {
            namespace: persona.namespace.clone(),
            name: format!("{:.LONGEST_NAME$}.{:x}", persona.name, now.as_nanosecond()),
        };
        let is_well = news.reason == "PersonaCompliant";
        let object = json!({
            "apiVersion": EVENTS.api_version(), "kind": "Event",
            "metadata": {"namespace": name.namespace, "name": name.name},
            "eventTime": time,
            "type": if is_well { "Normal" } else { "Warning" },
            "reason": news.reason, "action": "Validate", "note": news.note,
            "regarding": {
                "apiVersion": super::PERSONAS.api_version(), "kind": "ApplicationPersona",
                "namespace": persona.namespace, "name": persona.name, "uid": uid,
            },
            "reportingController": CONTROLLER, "reportingInstance": self.instance,
        });
        let first = Sent {
            name,
            last: now,
            count: 1,
        };
        sent.insert(key.clone(), first);
        Telling::First(object)
    }
}

#[cfg(test)]
mod tests;
