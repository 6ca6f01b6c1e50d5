//! Derives whether a persona could be enforced: the condition `ReadyToEnforce`, and since when nothing in its status would be
//! denied. Pure; the time is an argument.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::assess::Observed;
use crate::api::names::READY_TO_ENFORCE;
use crate::k8s::conditions::Draft;
use crate::k8s::time;
use crate::policy::text::{Shown, cut};
use crate::policy::{Issue, Mode, Severity};

/// The default of `--ready-after`.
pub(super) const READY_AFTER: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// How many findings stand in the message; the rest is counted.
const MAX_NAMED: usize = 3;
/// Longest text of one of them.
const MAX_FINDING: usize = 512;

/// What decides about enforcing a persona, besides the time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Promotion {
    found: Found,
    /// Whether it is enforced already, so that there is no condition.
    is_enforced: bool,
    ready_after: SignedDuration,
    /// The command that enforces it.
    command: String,
}

/// What stands in the status.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Found {
    /// Nothing that would be denied.
    Clean,
    /// This.
    Denied(String),
    /// Nothing was compared: a reason, and a sentence.
    Uncompared(&'static str, String),
}

impl Found {
    /// What would be denied, of issues of which so many are errors.
    pub(super) fn of(issues: &[Issue], errors: usize) -> Found {
        if errors == 0 {
            return Found::Clean;
        }
        let errors_of = issues.iter().filter(|issue| issue.severity == Severity::Error);
        // The line that counts the rest names no field.
        let named = errors_of.filter(|issue| !issue.field.is_empty()).take(MAX_NAMED);
        let named: Vec<String> = named
            .map(|issue| cut(format_args!("{}: {}", issue.message, issue.suggestion), MAX_FINDING))
            .collect();
        let more = match errors - named.len().min(errors) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        Found::Denied(format!("{errors} would be denied: {}{more}", named.join("; ")))
    }
}

impl Promotion {
    pub(super) fn new(observed: &Observed<'_>, found: Found) -> Promotion {
        let (namespace, name) = (Shown(&observed.persona.namespace), Shown(&observed.persona.name));
        Promotion {
            found,
            is_enforced: observed.mode == Mode::Enforcing,
            ready_after: SignedDuration::try_from(observed.ready_after).unwrap_or(SignedDuration::MAX),
            command: format!(
                "kubectl annotate applicationpersona {name} --namespace {namespace} dorgu.io/mode=enforcing --overwrite"
            ),
        }
    }

    /// Since when nothing would be denied. What cannot be compared neither begins nor ends that time.
    pub(super) fn clean_since(&self, before: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        match self.found {
            Found::Clean => Some(before.unwrap_or_else(|| time::in_seconds(now).0)),
            Found::Denied(_) => None,
            Found::Uncompared(..) => before,
        }
    }

    /// The condition; `None` where the persona is enforced.
    pub(super) fn condition(&self, since: Option<Timestamp>, now: Timestamp) -> Option<Draft> {
        if self.is_enforced {
            return None;
        }
        let (status, reason, message) = match (&self.found, since) {
            (Found::Uncompared(reason, message), _) => (None, *reason, message.clone()),
            (Found::Denied(message), _) => (Some(false), "WouldDeny", message.clone()),
            (Found::Clean, since) => {
                let since = since.unwrap_or(now);
                let (from, due) = (time::seconds(since), self.due(since));
                match due.is_some_and(|due| due <= now) {
                    true => (
                        Some(true),
                        "NothingToDeny",
                        format!("Nothing would be denied since {from}; to enforce: {}", self.command),
                    ),
                    false => (
                        Some(false),
                        "TooRecent",
                        format!(
                            "Nothing would be denied since {from}; ready at {}",
                            due.map_or_else(|| "no time".to_owned(), time::seconds)
                        ),
                    ),
                }
            }
        };
        Some(Draft {
            kind: READY_TO_ENFORCE,
            status,
            reason,
            message,
        })
    }

    /// How long until the condition changes by itself; `None` where it does not.
    pub(super) fn changes_in(&self, since: Option<Timestamp>, now: Timestamp) -> Option<Duration> {
        if self.is_enforced || self.found != Found::Clean {
            return None;
        }
        let left = self.due(since?)?.duration_since(now);
        Duration::try_from(left).ok().filter(|left| !left.is_zero())
    }

    fn due(&self, since: Timestamp) -> Option<Timestamp> {
        since.checked_add(self.ready_after).ok()
    }
}
