//! Words the conditions about a persona itself: whether its values can be read, and whether others share its name.

use super::assess::Parts;
use super::observed::Observed;
use crate::policy::RuleSet;
use crate::policy::persona::{Flaw, Problem};
use crate::policy::text::{Quoted, Shown};

pub(super) fn spec_valid(observed: &Observed<'_>) -> Parts {
    let is_read = |problem: &&Problem| observed.set == RuleSet::Complete || !problem.flaw.is_of_a_selector();
    let problems = || observed.persona.problems.iter().filter(is_read);
    if problems().next().is_none() {
        return (Some(true), "Valid", "Every value can be read".to_owned());
    }
    let told = problems().map(|problem| {
        let value = Shown(&problem.value);
        format!("{} '{value}' {}", problem.field, problem.flaw.as_str())
    });
    let unreadable = problems().any(|problem| problem.flaw != Flaw::FractionOfAByte);
    let reason = if unreadable {
        "UnreadableValue"
    } else {
        "FractionOfAByte"
    };
    (Some(false), reason, told.collect::<Vec<_>>().join("; "))
}

pub(super) fn name_unique(observed: &Observed<'_>) -> Parts {
    let names = observed.sharing.iter().map(|persona| persona.name.as_str());
    let others = names.filter(|name| *name != observed.persona.name);
    let count = observed.sharing.len().saturating_sub(1);
    let app = Shown(&observed.persona.app);
    if count == 0 {
        let message = match observed.are_apart {
            true => format!("No other ApplicationPersona with spec.name '{app}' governs the same Deployment"),
            false => format!("No other ApplicationPersona has spec.name '{app}'"),
        };
        return (Some(true), "Unique", message);
    }
    let names = Quoted(others);
    (
        Some(false),
        "NameShared",
        format!("spec.name '{app}' is also that of {names}; all apply"),
    )
}
