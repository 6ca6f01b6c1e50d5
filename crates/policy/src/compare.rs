//! Compares two findings of two personas: whether both concern the same thing, and which one is stricter. This file knows no
//! mode and no words.

use std::borrow::Cow;

use super::finding::{Escalation, Fact, Finding, ModeHolder, Place, Rule};
use super::privileged::capability;

/// The subject of a finding. Used as a key, since an object may have thousands of containers and as many findings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct FindingSubject<'a> {
    rule: Rule,
    place: Place<'a>,
    detail: Detail<'a>,
}

/// Distinguishes two findings of one rule at one place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Detail<'a> {
    None,
    Capability(Cow<'a, str>),
    Persona(&'a str),
    Label(&'a str),
    Holder(ModeHolder<'a>),
}

impl<'a> Finding<'a> {
    /// Its subject: equal for findings about the same thing for another persona.
    pub(super) fn subject(&self) -> FindingSubject<'a> {
        let detail = match &self.fact {
            // Each capability is a subject of its own: adding ALL beside NET_ADMIN is a new finding.
            Fact::Escalation(Escalation::Capability(name, _)) => Detail::Capability(capability(name)),
            Fact::Unreadable { persona, .. } => Detail::Persona(persona),
            Fact::SelectorLabel { key, .. } => Detail::Label(key),
            Fact::ModeUnknown { holder, .. } | Fact::ModeMisplaced { holder, .. } => Detail::Holder(*holder),
            _ => Detail::None,
        };
        FindingSubject {
            rule: self.rule,
            place: self.place,
            detail,
        }
    }

    /// Whether this finding is stricter than `other` on the same subject, found for another persona. The limit that would
    /// satisfy both is the one to report.
    pub fn is_stricter_than(&self, other: &Finding<'_>) -> bool {
        match (&self.fact, &other.fact) {
            (Fact::LimitAbove { allowed: a, .. }, Fact::LimitAbove { allowed: b, .. })
            | (Fact::PodLimitAbove { each: a, .. }, Fact::PodLimitAbove { each: b, .. })
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
