//! Lists what the policies of a persona do not say, and why.

use serde::Serialize;

use crate::policy::text::{Shown, cut};
use crate::policy::{Persona, Rule};

/// Longest value of a persona in a text.
const MAX_VALUE: usize = 100;

/// Something that dorgu does and the policies do not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotCovered {
    /// A rule by its name, or what else is left out.
    pub what: String,
    /// Why.
    pub why: String,
}

impl NotCovered {
    fn new(what: impl Into<String>, why: impl Into<String>) -> NotCovered {
        NotCovered {
            what: what.into(),
            why: why.into(),
        }
    }

    /// A rule that only records.
    pub(super) fn audited(rule: Rule) -> NotCovered {
        NotCovered::new(
            rule.name(),
            "its level is audit: it is recorded and neither warns nor denies",
        )
    }

    /// What the policies of this persona leave out, whatever its levels are.
    pub(super) fn of(persona: &Persona) -> Vec<NotCovered> {
        let mut list = vec![
            NotCovered::new(
                "PersonaExceptions",
                "CEL has no clock, so a policy cannot know when an exception ends: what one covers is denied",
            ),
            NotCovered::new(
                "other personas",
                "a policy reads no persona: print the policies of each persona of the app, and again after each change",
            ),
            NotCovered::new(
                Rule::AppLabelChanged.name(),
                "a policy cannot know whether another persona governs the new name",
            ),
            NotCovered::new(
                "large objects",
                "an API server stops an expression at a fixed cost and then admits the object; dorgu denies what is too large to \
                 be judged",
            ),
        ];
        if persona.min_replicas.is_some() || persona.max_replicas.is_some() {
            list.push(NotCovered::new(
                "kubectl scale, autoscalers",
                "a Scale has no labels, so a policy cannot know the app of its Deployment",
            ));
        }
        if persona.selector.is_some() {
            list.push(NotCovered::new(
                format!("{} of a label that spec.selector reads", Rule::AppLabelRemoved.name()),
                "a policy cannot know whether another persona governs the Deployment then",
            ));
        }
        if persona.forbids_privilege_escalation {
            list.push(NotCovered::new(
                format!(
                    "{} of a capability with letters outside ASCII",
                    Rule::PrivilegeEscalation.name()
                ),
                "it is denied where it is new; CEL cannot find a stored one that differs in the case of such letters",
            ));
        }
        for problem in &persona.problems {
            let value = cut(Shown(&problem.value), MAX_VALUE);
            list.push(NotCovered::new(
                format!("{} '{value}'", problem.field),
                format!("it {}", problem.flaw.as_str()),
            ));
        }
        list
    }
}
