//! Builds the Event about an exception: when it ends soon, when it has ended, and when it is too long. Pure.

use serde_json::Value;

use super::assess::{Assessment, SOON, counted};
use crate::k8s::Notice;
use crate::policy::exception::ExceptionPhase;

/// The notice for a status that replaces `previous`. A new exception gets none for what its author knows: that it ends soon.
pub(super) fn notice(previous: &Value, assessment: &Assessment) -> Option<Notice> {
    let before = previous["phase"].as_str();
    let phase = assessment.phase;
    let has_new_phase = before != Some(phase.as_str());
    let (warning, reason, note) = match phase {
        ExceptionPhase::Invalid if has_new_phase => (true, "ExceptionTooLong", assessment.message().to_owned()),
        ExceptionPhase::Expired if has_new_phase && before.is_some() => (
            assessment.findings > 0,
            "ExceptionExpired",
            assessment.message().to_owned(),
        ),
        ExceptionPhase::Active if before.is_some() => {
            let soon = assessment.soon();
            let is_soon = SOON.into_iter().any(|(_, reason, _)| reason == soon.reason);
            if !is_soon || has_reason(previous, soon.reason) {
                return None;
            }
            let covered = counted(assessment.findings, "is covered", "are covered");
            (true, "ExceptionExpiresSoon", format!("{}; {covered}", soon.message))
        }
        _ => return None,
    };
    Some(Notice {
        warning,
        reason,
        action: "Except",
        note,
    })
}

/// Whether a condition of a status has this reason.
fn has_reason(status: &Value, reason: &str) -> bool {
    let conditions = status["conditions"].as_array();
    conditions.is_some_and(|conditions| conditions.iter().any(|condition| condition["reason"] == reason))
}
