//! Derives what the status of an exception says. Pure: the time is an argument.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::trigger::text;
use super::count::findings;
use crate::api::Condition;
use crate::index::fingerprint::{CONDITIONS_OF_EXCEPTION, OF_EXCEPTION, of_exception};
use crate::index::{Snapshot, StoredException};
use crate::k8s::conditions::{Draft, merge};
use crate::policy::exception::{ExceptionPhase, MaxLength};
use crate::policy::{Exception, Moment};

const DAY: i64 = 24 * 60 * 60;

/// How long before its end an exception ends soon, and the reason from then on; the last first.
pub(super) const SOON: [(i64, &str, &str); 2] = [(DAY, "OneDay", "a day"), (7 * DAY, "SevenDays", "seven days")];

/// The whole status of an exception, without timestamps.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Assessment {
    generation: i64,
    pub(super) phase: ExceptionPhase,
    pub(super) findings: u64,
    conditions: [Draft; 2],
    /// When something of it changes next without any event.
    pub(super) next: Option<Moment>,
}

impl Assessment {
    /// What the status of this exception says at this time.
    pub(super) fn of(snapshot: &Snapshot, stored: &StoredException, now: Moment) -> Assessment {
        let exception: &Arc<Exception> = &stored.exception;
        let max = snapshot.max_exception();
        let phase = exception.phase(now, max);
        let findings = findings(snapshot, exception, now);
        let soon = SOON.map(|(before, ..)| Moment(exception.expires.0.saturating_sub(before)));
        let is_valid = phase != ExceptionPhase::Invalid;
        let edges = soon.into_iter().filter(|edge| is_valid && *edge > now);
        Assessment {
            generation: stored.generation,
            phase,
            findings,
            conditions: [
                active(exception, phase, max, findings),
                expires_soon(exception, phase, now),
            ],
            next: edges.chain(exception.next_change(now, max)).min(),
        }
    }

    /// Whether the status with this fingerprint is equal.
    pub(super) fn says(&self, stored: Option<u64>) -> bool {
        // Times are not compared.
        stored == Some(of_exception(&self.status(&Value::Null, Timestamp::UNIX_EPOCH)))
    }

    /// The whole status after `previous`.
    pub(super) fn status(&self, previous: &Value, now: Timestamp) -> Value {
        let before = previous["conditions"].as_array().map_or(&[][..], Vec::as_slice);
        let before: Vec<Condition> = before
            .iter()
            .filter_map(|old| Condition::deserialize(old).ok())
            .collect();
        let conditions = merge(&before, self.conditions.clone(), self.generation, now);
        let values = [json!(self.generation), json!(self.phase), json!(self.findings)];
        let mut status: Map<String, Value> = OF_EXCEPTION.map(str::to_owned).into_iter().zip(values).collect();
        status.insert("conditions".to_owned(), json!(conditions));
        Value::Object(status)
    }

    /// The condition that says whether it ends soon.
    pub(super) fn soon(&self) -> &Draft {
        &self.conditions[1]
    }

    /// The sentence about its phase.
    pub(super) fn message(&self) -> &str {
        &self.conditions[0].message
    }
}

fn active(exception: &Exception, phase: ExceptionPhase, max: MaxLength, findings: u64) -> Draft {
    let until = &exception.until;
    let (reason, message) = match phase {
        ExceptionPhase::Pending => ("Pending", format!("Begins at {}", text(exception.starts))),
        ExceptionPhase::Active => ("Active", format!("Covers findings until {until}")),
        ExceptionPhase::Expired if findings == 0 => ("Expired", format!("Ended at {until}")),
        ExceptionPhase::Expired => (
            "Expired",
            format!(
                "Ended at {until}; {} without cover",
                counted(findings, "stands", "stand")
            ),
        ),
        ExceptionPhase::Invalid => (
            "TooLong",
            format!(
                "Covers nothing: it lasts {}, and the platform allows {}",
                length(exception.length()),
                length(max.0)
            ),
        ),
    };
    Draft {
        kind: CONDITIONS_OF_EXCEPTION[0],
        status: Some(phase == ExceptionPhase::Active),
        reason,
        message,
    }
}

fn expires_soon(exception: &Exception, phase: ExceptionPhase, now: Moment) -> Draft {
    let left = exception.expires.0.saturating_sub(now.0);
    let soon = SOON.into_iter().find(|(before, ..)| left <= *before);
    let until = &exception.until;
    let (status, reason, message) = match (phase, soon) {
        (ExceptionPhase::Active, Some((_, reason, time))) => (true, reason, format!("Ends at {until}, within {time}")),
        (ExceptionPhase::Active | ExceptionPhase::Pending, _) => (false, "Later", format!("Ends at {until}")),
        (ExceptionPhase::Expired, _) => (false, "Expired", format!("Ended at {until}")),
        (ExceptionPhase::Invalid, _) => (false, "NeverActive", "It covers nothing".to_owned()),
    };
    Draft {
        kind: CONDITIONS_OF_EXCEPTION[1],
        status: Some(status),
        reason,
        message,
    }
}

/// Such as `1 finding stands` or `2 findings stand`.
pub(super) fn counted(findings: u64, one: &str, several: &str) -> String {
    match findings {
        1 => format!("1 finding {one}"),
        count => format!("{count} findings {several}"),
    }
}

/// A length in days, where it is more than two, otherwise in hours or seconds.
fn length(seconds: i64) -> String {
    const HOUR: i64 = 60 * 60;
    match seconds {
        _ if seconds <= 0 => "no time".to_owned(),
        _ if seconds % DAY == 0 || seconds > 9 * DAY => {
            let more = if seconds % DAY == 0 { "" } else { "more than " };
            format!("{more}{} days", seconds / DAY)
        }
        _ if seconds % HOUR == 0 => format!("{} hours", seconds / HOUR),
        _ => format!("{seconds} seconds"),
    }
}
