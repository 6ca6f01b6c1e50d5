//! Builds the JSON of a status from an [`Assessment`], and decides whether the stored status is up to date already: `says`
//! compares the fingerprint in the index, without a call to the API server.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::assess::{Assessment, severity};
use crate::api::Condition;
use crate::api::application_persona::status::{HealthState, Phase};
use crate::index::StatusFingerprint;
use crate::index::fingerprint::{CONDITIONS, DECIDED, hashed, verdict};
use crate::k8s::conditions::merge;
use crate::k8s::time;
use crate::policy::Severity;

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

fn is_ours(condition: &Value) -> bool {
    condition["type"]
        .as_str()
        .is_some_and(|kind| CONDITIONS.contains(&kind))
}
