//! Derives whether a persona could be enforced: the condition `ReadyToEnforce`, and since when nothing in its status would be
//! denied. Pure; the time is a part of what was observed.

use super::super::trigger::text;
use super::assess::Observed;
use crate::api::names::READY_TO_ENFORCE;
use crate::k8s::conditions::Draft;
use crate::policy::text::{Shown, cut};
use crate::policy::{Issue, Mode, Moment, Severity};

/// How many findings stand in the message; the rest is counted.
const MAX_NAMED: usize = 3;
/// Longest text of one of them.
const MAX_FINDING: usize = 512;

/// What decides about enforcing a persona.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Promotion {
    found: Found,
    /// Whether it is enforced already, so that there is no condition.
    is_enforced: bool,
    now: Moment,
    /// In seconds.
    ready_after: i64,
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
            .map(|issue| {
                let Issue {
                    field,
                    message,
                    suggestion,
                    ..
                } = issue;
                cut(format_args!("{field}: {message}. {suggestion}"), MAX_FINDING)
            })
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
            now: observed.now,
            ready_after: observed.ready_after,
            command: format!(
                "kubectl annotate applicationpersona {name} --namespace {namespace} dorgu.io/mode=enforcing --overwrite"
            ),
        }
    }

    /// Since when nothing would be denied. What cannot be compared neither begins nor ends that time.
    pub(super) fn clean_since(&self, before: Option<Moment>) -> Option<Moment> {
        match self.found {
            Found::Clean => Some(before.unwrap_or(self.now)),
            Found::Denied(_) => None,
            Found::Uncompared(..) => before,
        }
    }

    /// The condition of a status with this `cleanSince`; `None` where the persona is enforced.
    pub(super) fn condition(&self, since: Option<Moment>) -> Option<Draft> {
        if self.is_enforced {
            return None;
        }
        let (status, reason, message) = match &self.found {
            Found::Uncompared(reason, message) => (None, *reason, message.clone()),
            Found::Denied(message) => (Some(false), "WouldDeny", message.clone()),
            Found::Clean => {
                let since = since.unwrap_or(self.now);
                let (from, due) = (text(since), self.due(since));
                match due <= self.now {
                    true => (
                        Some(true),
                        "NothingToDeny",
                        format!("Nothing would be denied since {from}; to enforce: {}", self.command),
                    ),
                    false => (
                        Some(false),
                        "TooRecent",
                        format!("Nothing would be denied since {from}; ready at {}", text(due)),
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

    /// When the condition of a status with this `cleanSince` changes by itself; `None` where it does not.
    pub(super) fn changes_at(&self, since: Option<Moment>) -> Option<Moment> {
        let is_open = !self.is_enforced && self.found == Found::Clean;
        let due = self.due(since.filter(|_| is_open)?);
        Some(due).filter(|due| *due > self.now)
    }

    fn due(&self, since: Moment) -> Moment {
        Moment(since.0.saturating_add(self.ready_after))
    }
}
