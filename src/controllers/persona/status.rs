//! Builds the JSON of a status from an [`Assessment`], and decides whether the stored status is up to date already: `says`
//! compares the fingerprint in the index, without a call to the API server.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::trigger::text;
use super::assess::{Assessment, severity};
use crate::api::Condition;
use crate::api::application_persona::status::{HealthState, Phase};
use crate::index::StatusFingerprint;
use crate::index::fingerprint::{CONDITIONS, DECIDED, clean_since, hashed, verdict};
use crate::k8s::conditions::merge;
use crate::k8s::time;
use crate::policy::{Moment, Severity};

impl Assessment {
    /// The whole status: the decided fields, and the other fields of `previous`. `lastTransitionTime` changes only with the
    /// status of its condition.
    pub(super) fn status(&self, previous: &Value, now: Timestamp) -> Value {
        let clock = json!(time::seconds(now));
        let mut status = previous.as_object().cloned().unwrap_or_default();
        let since = self.clean_since(previous);
        let decided = self.decided(since);
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
        let mut conditions = self.conditions(before, since, now);
        conditions.extend(before.iter().filter(|old| !is_ours(old)).cloned());
        status.insert("conditions".to_owned(), conditions.into());
        Value::Object(status)
    }

    /// Since when nothing would be denied, after a status. A generation of the persona begins without.
    pub(super) fn clean_since(&self, previous: &Value) -> Option<Moment> {
        let is_same = previous["observedGeneration"] == self.generation;
        let before = clean_since(previous).filter(|_| is_same);
        self.promotion.as_ref()?.clean_since(before)
    }

    /// When the status with this `cleanSince` changes by itself, if it does.
    pub(super) fn changes_at(&self, since: Option<Moment>) -> Option<Moment> {
        self.promotion.as_ref()?.changes_at(since)
    }

    /// Whether the status with this fingerprint is equal.
    pub(super) fn says(&self, stored: Option<StatusFingerprint>) -> bool {
        // Of another generation it differs anyway.
        let before = stored.and_then(StatusFingerprint::clean_since);
        let promotion = self.promotion.as_ref();
        let since = promotion.and_then(|promotion| promotion.clean_since(before));
        let mut status = self.decided(since);
        // Times of conditions are not compared.
        let conditions = self.conditions(&[], since, Timestamp::UNIX_EPOCH);
        status.insert("conditions".to_owned(), conditions.into());
        let deployments = self.deployments.as_ref().map(hashed);
        stored.is_some_and(|stored| {
            stored.verdict == verdict(&Value::Object(status))
                && deployments.is_none_or(|deployments| deployments == stored.deployments)
        })
    }

    fn decided(&self, since: Option<Moment>) -> Map<String, Value> {
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
        if let Some(since) = since {
            validation["cleanSince"] = json!(text(since));
        }
        let health = json!({"status": self.health, "message": self.health_message});
        let values = [json!(self.generation), json!(self.phase), health, validation];
        DECIDED.map(str::to_owned).into_iter().zip(values).collect()
    }

    /// Our conditions. An invalid one in `before` is ignored.
    fn conditions(&self, before: &[Value], since: Option<Moment>, now: Timestamp) -> Vec<Value> {
        let before: Vec<Condition> = before
            .iter()
            .filter_map(|old| Condition::deserialize(old).ok())
            .collect();
        let promotion = self.promotion.as_ref();
        let promotion = promotion.and_then(|promotion| promotion.condition(since));
        let drafts = self.conditions.iter().cloned().chain(promotion);
        let merged = merge(&before, drafts, self.generation, now);
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
