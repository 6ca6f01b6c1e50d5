//! Builds the status from an assessment, and the fingerprint by which it is compared with a stored one.

use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::assess::{Assessment, CONDITIONS, severity};
use crate::api::Condition;
use crate::api::application_persona::status::{HealthState, Phase};
use crate::index::StatusFingerprint;
use crate::k8s::conditions::merge;
use crate::k8s::time;
use crate::policy::Severity;

/// Keys whose change alone is no reason to write, at whatever depth.
pub(super) const CLOCKS: &[&str] = &["lastUpdated", "lastCheck", "lastChecked", "lastTransitionTime"];

/// The fields that an assessment decides. All others belong to other writers and are kept.
const DECIDED: [&str; 4] = ["observedGeneration", "phase", "health", "validation"];

impl Assessment {
    /// The whole status: the decided fields, and the other fields of `previous`. `lastTransitionTime` changes only with the
    /// status of its condition.
    pub(super) fn status(&self, previous: &Value, now: Timestamp) -> Value {
        let clock = json!(time::seconds(now));
        let mut status = previous.as_object().cloned().unwrap_or_default();
        let decided = self.decided();
        status.extend(decided);
        match &self.deployments {
            Some(Value::Null) => drop(status.remove("deployments")),
            Some(deployments) => drop(status.insert("deployments".to_owned(), deployments.clone())),
            None => {}
        }
        for (key, of) in [("health", "lastCheck"), ("validation", "lastChecked")] {
            if let Some(Value::Object(fields)) = status.get_mut(key) {
                fields.insert(of.to_owned(), clock.clone());
            }
        }
        status.insert("lastUpdated".to_owned(), clock);
        let before = previous["conditions"].as_array().map_or(&[][..], Vec::as_slice);
        let mut conditions = self.conditions(before, now);
        conditions.extend(before.iter().filter(|old| !is_ours(old)).cloned());
        status.insert("conditions".to_owned(), conditions.into());
        Value::Object(status)
    }

    /// Whether the status with this fingerprint is equal.
    pub(super) fn says(&self, stored: Option<StatusFingerprint>) -> bool {
        let mut status = self.decided();
        // Times are not compared.
        status.insert(
            "conditions".to_owned(),
            self.conditions(&[], Timestamp::UNIX_EPOCH).into(),
        );
        let deployments = self.deployments.as_ref().map(hashed);
        stored.is_some_and(|stored| {
            stored.verdict == verdict(&Value::Object(status))
                && deployments.is_none_or(|deployments| deployments == stored.deployments)
        })
    }

    fn decided(&self) -> Map<String, Value> {
        let issues = self.issues.iter().map(|issue| {
            let mut entry = json!({"severity": severity(issue.severity), "message": issue.message});
            for (key, text) in [("field", &issue.field), ("suggestion", &issue.suggestion)] {
                if !text.is_empty() {
                    entry[key] = json!(text);
                }
            }
            entry
        });
        let mut validation = json!({"passed": self.passed});
        if !self.issues.is_empty() {
            validation["issues"] = issues.collect();
        }
        let health = json!({"status": self.health, "message": self.health_message});
        let values = [json!(self.generation), json!(self.phase), health, validation];
        DECIDED.map(str::to_owned).into_iter().zip(values).collect()
    }

    /// Our conditions. An invalid one in `before` is ignored.
    fn conditions(&self, before: &[Value], now: Timestamp) -> Vec<Value> {
        let before: Vec<Condition> = before
            .iter()
            .filter_map(|old| Condition::deserialize(old).ok())
            .collect();
        let merged = merge(&before, self.conditions.clone(), self.generation, now);
        merged.iter().map(|condition| json!(condition)).collect()
    }

    /// The worst error or warning: its message, and how many there are.
    pub(super) fn worst(&self) -> Option<(&str, usize)> {
        let told = || self.issues.iter().filter(|issue| issue.severity != Severity::Info);
        let worst = told()
            .find(|issue| issue.severity == Severity::Error)
            .or_else(|| told().next())?;
        Some((&worst.message, told().count()))
    }

    /// For a metric.
    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// For the log.
    pub(super) fn health(&self) -> HealthState {
        self.health
    }
}

/// The errors and warnings of a status.
pub(super) fn complaints(status: &Value) -> Vec<(&str, &str)> {
    let issues = status["validation"]["issues"].as_array().map_or(&[][..], Vec::as_slice);
    let mut told: Vec<(&str, &str)> = issues
        .iter()
        .filter(|issue| issue["severity"] != "info")
        .map(|issue| {
            (
                issue["field"].as_str().unwrap_or_default(),
                issue["message"].as_str().unwrap_or_default(),
            )
        })
        .collect();
    told.sort_unstable();
    told
}

/// The fingerprint of a status; `None` for an object without one.
pub fn fingerprint(status: &Value) -> Option<StatusFingerprint> {
    status.is_object().then(|| StatusFingerprint {
        verdict: verdict(status),
        deployments: hashed(&status["deployments"]),
        phase: status["phase"].as_str().and_then(Phase::read),
    })
}

fn verdict(status: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    for key in DECIDED {
        fold(&status[key], &mut hasher);
    }
    let conditions = status["conditions"].as_array().map_or(&[][..], Vec::as_slice);
    // In our order, since the API server has its own.
    for kind in CONDITIONS {
        let condition = conditions.iter().find(|condition| condition["type"] == kind);
        fold(condition.unwrap_or(&Value::Null), &mut hasher);
    }
    hasher.finish()
}

fn is_ours(condition: &Value) -> bool {
    condition["type"]
        .as_str()
        .is_some_and(|kind| CONDITIONS.contains(&kind))
}

fn hashed(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    fold(value, &mut hasher);
    hasher.finish()
}

/// Hashes a value without its timestamps. The order of an object's keys does not matter.
fn fold(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::Null => 0_u8.hash(hasher),
        Value::Bool(value) => (1_u8, value).hash(hasher),
        Value::Number(value) => (2_u8, value.to_string()).hash(hasher),
        Value::String(value) => (3_u8, value).hash(hasher),
        Value::Array(items) => {
            (4_u8, items.len()).hash(hasher);
            items.iter().for_each(|item| fold(item, hasher));
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields
                .iter()
                .filter(|(key, _)| !CLOCKS.contains(&key.as_str()))
                .collect();
            fields.sort_unstable_by_key(|(key, _)| key.as_str());
            (5_u8, fields.len()).hash(hasher);
            for (key, value) in fields {
                key.hash(hasher);
                fold(value, hasher);
            }
        }
    }
}
