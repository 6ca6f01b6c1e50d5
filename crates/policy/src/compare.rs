//! Two findings side by side, of two versions of an object or of two personas: are they about the same thing, and which
//! is worse. Knows no mode and no words.

use std::borrow::Cow;
use std::collections::HashSet;

use super::finding::{Escalation, Fact, Finding, ModeHolder, Place, Rule, capability};

/// What a finding is about. A key, since an object may have thousands of containers and as many findings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct FindingSubject<'a> {
    rule: Rule,
    place: Place<'a>,
    detail: Detail<'a>,
}

/// What tells two findings of one rule at one place apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Detail<'a> {
    None,
    Capability(Cow<'a, str>),
    Persona(&'a str),
    Holder(ModeHolder<'a>),
}

impl<'a> Finding<'a> {
    /// What it is about: equal for findings on the same thing in another version of the object or for another persona.
    pub(super) fn subject(&self) -> FindingSubject<'a> {
        let detail = match &self.fact {
            // Each capability is a subject of its own: adding ALL beside NET_ADMIN is a new finding.
            Fact::Escalation(Escalation::Capability(name, _)) => Detail::Capability(match capability(name) {
                name if name.bytes().any(|byte| byte.is_ascii_lowercase()) => name.to_ascii_uppercase().into(),
                name => name.into(),
            }),
            Fact::Unreadable { persona, .. } => Detail::Persona(persona),
            Fact::ModeUnknown { holder, .. } => Detail::Holder(*holder),
            _ => Detail::None,
        };
        FindingSubject {
            rule: self.rule,
            place: self.place,
            detail,
        }
    }

    /// Whether this finding is further from what is allowed than `old`, a finding on the same subject. An equal
    /// or smaller distance is an old violation that an update may keep.
    pub fn is_worse_than(&self, old: &Finding<'_>) -> bool {
        match (&self.fact, &old.fact) {
            (Fact::LimitAbove { observed: new, .. }, Fact::LimitAbove { observed: old, .. }) => new > old,
            (Fact::Replicas { observed: new, .. }, Fact::Replicas { observed: old, .. }) => {
                if self.rule == Rule::ReplicasBelowMinimum {
                    new < old
                } else {
                    new > old
                }
            }
            (Fact::NonRootNotDemanded { containers: new, .. }, Fact::NonRootNotDemanded { containers: old, .. }) => {
                let old: HashSet<&str> = old.iter().copied().collect();
                new.iter().any(|name| !old.contains(name))
            }
            (
                Fact::RunsAsRoot {
                    user: new,
                    demanded: still,
                    ..
                },
                Fact::RunsAsRoot {
                    user: old,
                    demanded: before,
                    ..
                },
            ) => (new.is_some() && old.is_none()) || (*before && !*still),
            _ => false,
        }
    }

    /// Whether this finding is stricter than `other` on the same subject, found for another persona: the limit that
    /// would satisfy both is the one to tell.
    pub fn is_stricter_than(&self, other: &Finding<'_>) -> bool {
        match (&self.fact, &other.fact) {
            (Fact::LimitAbove { allowed: a, .. }, Fact::LimitAbove { allowed: b, .. })
            | (Fact::LimitMissing { allowed: a }, Fact::LimitMissing { allowed: b }) => a < b,
            (Fact::Replicas { allowed: a, .. }, Fact::Replicas { allowed: b, .. }) => {
                if self.rule == Rule::ReplicasBelowMinimum {
                    a > b
                } else {
                    a < b
                }
            }
            _ => false,
        }
    }
}
