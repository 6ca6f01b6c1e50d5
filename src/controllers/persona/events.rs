//! Builds the Event about a persona. There is one when the set of errors and warnings in its status changes. Pure.

use serde_json::Value;

use super::assess::Assessment;
use super::status::complaints;
use crate::k8s::Notice;
use crate::policy::text::{Shown, cut};

/// Longest note in bytes; an API server accepts at most 1,024.
const MAX_NOTE: usize = 1_000;

/// The notice for a status that replaces `previous`. `None` when the errors and warnings are the same.
pub(super) fn notice(previous: &Value, status: &Value, assessment: &Assessment) -> Option<Notice> {
    if !assessment.compared || complaints(previous) == complaints(status) {
        return None;
    }
    let (reason, note) = match assessment.worst() {
        Some((worst, 1)) => ("PersonaViolated", worst.to_owned()),
        Some((worst, count)) => ("PersonaViolated", format!("{} (1 of {count} issues)", cut(worst, 900))),
        None => ("PersonaCompliant", "The Deployment meets this persona".to_owned()),
    };
    Some(Notice {
        warning: reason == "PersonaViolated",
        reason,
        action: "Validate",
        note: cut(Shown(&note), MAX_NOTE),
    })
}
