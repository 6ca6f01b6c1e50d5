//! Builds the finding about an update that removes or changes the app label, so that no persona governs the new object
//! (class 10 of docs/bypass.md).
//!
//! This file only builds the finding. `decision` detects such an update, and asks for the finding only if no persona governs
//! the new object.

use std::sync::Arc;

use crate::finding::{Fact, Finding, Place, Rule};
use crate::persona::Persona;

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
        place: Place::Object("metadata.labels[app.kubernetes.io/name]"),
        fact: Fact::Label {
            observed: now,
            allowed: before,
            persona: &persona.name,
            defaults,
        },
    }
}
