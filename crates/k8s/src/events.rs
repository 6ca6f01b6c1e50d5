//! Sends Events about objects. Events expire, so whatever matters is also stored elsewhere.
//!
//! This replaces kube's `Recorder`, which repeats the first note of an event that recurs. Here two different notes are two
//! events.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::events::v1::Event;
use kube::Client;
use serde_json::{Value, json};

use super::error::CallError;
use super::object::{create, merge};
use super::resource::{Name, Resource};
use super::time::micros;

/// An identical event within this time increments a count, as in client-go.
const SERIES_WINDOW: Duration = Duration::from_secs(6 * 60);
/// A name has 253 characters, of which some are reserved for the time.
const MAX_NAME: usize = 230;

/// The reporter in an event.
#[derive(Clone, Debug)]
pub struct Reporter {
    /// `reportingController`.
    pub controller: &'static str,
    /// `reportingInstance`: the pod.
    pub instance: String,
    /// The field manager of the requests.
    pub manager: &'static str,
}

/// The object that an event is about.
#[derive(Clone, Copy, Debug)]
pub struct Regarding<'a> {
    /// Its kind.
    pub resource: &'a Resource,
    /// Its name.
    pub name: &'a Name,
    /// `metadata.uid`.
    pub uid: &'a str,
}

/// The content of an event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Notice {
    /// Whether it is of type `Warning`; otherwise `Normal`.
    pub warning: bool,
    /// One CamelCase word.
    pub reason: &'static str,
    /// The action that was taken, one CamelCase word.
    pub action: &'static str,
    /// A sentence of at most 1,024 bytes.
    pub note: String,
}

/// An event that was sent.
struct Sent {
    name: Name,
    last: Timestamp,
    count: u32,
}

/// The request to send.
#[derive(Debug, PartialEq)]
enum Request {
    /// A whole event.
    Create(Value),
    /// The new count of an existing event.
    Count(Name, Value),
}

/// Sends events. Repeated events are counted.
pub struct EventRecorder {
    client: Client,
    reporter: Reporter,
    /// By uid.
    sent: Mutex<HashMap<(String, Notice), Sent>>,
}

impl EventRecorder {
    /// A recorder that has sent nothing yet.
    pub fn new(client: Client, reporter: Reporter) -> EventRecorder {
        EventRecorder {
            client,
            reporter,
            sent: Mutex::default(),
        }
    }

    /// Sends a notice about an object.
    ///
    /// # Errors
    /// See [`CallError`]. Nothing else depends on it.
    pub async fn record(&self, regarding: Regarding<'_>, notice: Notice, now: Timestamp) -> Result<(), CallError> {
        let key = (regarding.uid.to_owned(), notice);
        let (events, manager) = (Resource::of::<Event>(), self.reporter.manager);
        let sent = match self.request(regarding, &key, now) {
            Request::Create(object) => create(&self.client, &events, &regarding.name.namespace, manager, &object).await,
            Request::Count(name, series) => {
                let patched = merge(&self.client, &events, &name, None, manager, &series).await;
                patched.map(drop)
            }
        };
        if sent.is_err() {
            // An event that was never stored, or has expired, starts no series.
            self.sent().remove(&key);
        }
        sent
    }

    fn sent(&self) -> MutexGuard<'_, HashMap<(String, Notice), Sent>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new event, or the count of one that was sent recently.
    fn request(&self, regarding: Regarding<'_>, key: &(String, Notice), now: Timestamp) -> Request {
        let mut sent = self.sent();
        sent.retain(|_, sent| now.duration_since(sent.last).unsigned_abs() < SERIES_WINDOW);
        let time = micros(now);
        if let Some(again) = sent.get_mut(key) {
            again.count = again.count.saturating_add(1);
            again.last = now;
            let series = json!({"series": {"count": again.count, "lastObservedTime": time}});
            return Request::Count(again.name.clone(), series);
        }
        let (uid, notice) = key;
        let (kind, about, events) = (regarding.resource, regarding.name, Resource::of::<Event>());
        let name = Name {
            namespace: about.namespace.clone(),
            name: format!("{:.MAX_NAME$}.{:x}", about.name, now.as_nanosecond()),
        };
        let object = json!({
            "apiVersion": events.api_version(), "kind": events.kind,
            "metadata": {"namespace": name.namespace, "name": name.name},
            "eventTime": time,
            "type": if notice.warning { "Warning" } else { "Normal" },
            "reason": notice.reason, "action": notice.action, "note": notice.note,
            "regarding": {
                "apiVersion": kind.api_version(), "kind": kind.kind,
                "namespace": about.namespace, "name": about.name, "uid": uid,
            },
            "reportingController": self.reporter.controller, "reportingInstance": self.reporter.instance,
        });
        let first = Sent {
            name,
            last: now,
            count: 1,
        };
        sent.insert(key.clone(), first);
        Request::Create(object)
    }
}

#[cfg(test)]
mod tests;
