//! Computes fingerprints of statuses, so that 100,000 statuses can be compared without being kept.

use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;
use serde_json::Value;

use crate::api::application_persona::status::Phase;
use crate::api::names::READY_TO_ENFORCE;
use crate::policy::Moment;

/// Keys whose change alone is no reason to write, at whatever depth.
pub const CLOCKS: &[&str] = &["lastUpdated", "lastCheck", "lastChecked", "lastTransitionTime"];

/// The fields that the persona controller decides. All others belong to other writers and are kept.
pub const DECIDED: [&str; 4] = ["observedGeneration", "phase", "health", "validation"];

/// The types of its conditions, in the order in which they are written.
pub const CONDITIONS: [&str; 6] = [
    "Ready",
    "Validated",
    "WorkloadFound",
    "SpecValid",
    "NameUnique",
    READY_TO_ENFORCE,
];

/// A status, reduced to hashes that differ when it differs. Small, since there may be 100,000 of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusFingerprint {
    /// Hash of everything that a controller derives, without timestamps and without `deployments`.
    pub verdict: u64,
    /// Hash of `deployments`, which a controller derives only when there is a Deployment.
    pub deployments: u64,
    /// `phase`, which `verdict` also covers; `None` where it is not a known phase.
    pub phase: Option<Phase>,
    /// `validation.cleanSince`, which `verdict` also covers, in seconds since 1970; 0 where there is none.
    pub clean_since: u32,
}

impl StatusFingerprint {
    /// The fingerprint of a status; `None` for an object without one.
    pub fn of(status: &Value) -> Option<StatusFingerprint> {
        status.is_object().then(|| StatusFingerprint {
            verdict: verdict(status),
            deployments: hashed(&status["deployments"]),
            phase: status["phase"].as_str().and_then(Phase::read),
            clean_since: clean_since(status)
                .and_then(|since| u32::try_from(since.0).ok())
                .unwrap_or_default(),
        })
    }

    /// `validation.cleanSince`.
    pub fn clean_since(self) -> Option<Moment> {
        (self.clean_since > 0).then_some(Moment(self.clean_since.into()))
    }
}

/// `validation.cleanSince` of a status; `None` for one that is no time, or is out of the reach of a fingerprint.
pub fn clean_since(status: &Value) -> Option<Moment> {
    let time: Timestamp = status["validation"]["cleanSince"].as_str()?.parse().ok()?;
    let second = time.as_second();
    u32::try_from(second).ok().filter(|second| *second > 0)?;
    Some(Moment(second))
}

/// The fields of an exception's status, all of which its controller decides.
pub const OF_EXCEPTION: [&str; 3] = ["observedGeneration", "phase", "findings"];

/// The types of its conditions, in the order in which they are written.
pub const CONDITIONS_OF_EXCEPTION: [&str; 2] = ["Active", "ExpiresSoon"];

/// The hash of an exception's status.
pub fn of_exception(status: &Value) -> u64 {
    decided(status, &OF_EXCEPTION, &CONDITIONS_OF_EXCEPTION)
}

/// The hash of what a controller derives, without `deployments`.
pub fn verdict(status: &Value) -> u64 {
    decided(status, &DECIDED, &CONDITIONS)
}

fn decided(status: &Value, keys: &[&str], kinds: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for key in keys {
        fold(&status[*key], &mut hasher);
    }
    let conditions = status["conditions"].as_array().map_or(&[][..], Vec::as_slice);
    // In our order, since the API server has its own.
    for kind in kinds {
        let condition = conditions.iter().find(|condition| condition["type"] == **kind);
        fold(condition.unwrap_or(&Value::Null), &mut hasher);
    }
    hasher.finish()
}

/// The hash of any value, without its timestamps.
pub fn hashed(value: &Value) -> u64 {
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
