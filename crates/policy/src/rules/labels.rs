//! Builds the findings about an update that removes or changes the app label, or a label that a persona's selector reads, so
//! that no persona governs the new object or fewer do (class 10 of docs/bypass.md).
//!
//! This file only builds the findings. `decision` and `left` detect such an update.

use std::sync::Arc;

use crate::finding::{Fact, Finding, Place, Rule};
use crate::left::ChangedLabel;
use crate::persona::Persona;
use crate::place::APP_LABEL;

/// The finding for an update whose old object was governed by `persona` and whose new object, labelled `now`, is
/// governed by none but `defaults`. `before` is the name by which the old object was found.
pub(crate) fn escaped<'a>(
    persona: &'a Persona,
    before: &'a str,
    now: &'a str,
    defaults: &'a [Arc<Persona>],
) -> Finding<'a> {
    Finding {
        rule: if now.is_empty() {
            Rule::AppLabelRemoved
        } else {
            Rule::AppLabelChanged
        },
        place: Place::Object(APP_LABEL),
        fact: Fact::Label {
            observed: now,
            allowed: before,
            persona: &persona.name,
            defaults,
        },
    }
}

/// The finding for an update that changes a label which the selector of a persona reads, so that the persona no longer governs
/// the object, and no other does instead.
pub(crate) fn unselected<'a>(persona: &'a Persona, changed: &'a ChangedLabel) -> Finding<'a> {
    Finding {
        rule: match changed.now {
            None => Rule::AppLabelRemoved,
            Some(_) => Rule::AppLabelChanged,
        },
        place: Place::Object("metadata.labels"),
        fact: Fact::SelectorLabel {
            key: &changed.key,
            observed: changed.now.as_deref(),
            allowed: changed.before.as_deref(),
            persona: &persona.name,
        },
    }
}
