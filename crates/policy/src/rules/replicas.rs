//! Replicas below the minimum (E1) or above the maximum (W3), in a Deployment and in its Scale.

use super::{Context, Subject};
use crate::finding::{Fact, Finding, Place, Rule};

pub(super) fn judge<'a>(context: &Context<'a>, findings: &mut Vec<Finding<'a>>) {
    let absent = match context.subject {
        Subject::Deployment => 1,
        // The encoder of a Scale leaves out a zero.
        Subject::Scale => 0,
    };
    let observed = context.workload.spec.replicas.unwrap_or(absent);
    let mut breach = |rule, allowed| {
        findings.push(Finding {
            rule,
            place: Place::Object("spec.replicas"),
            fact: Fact::Replicas { observed, allowed },
        });
    };
    if let Some(minimum) = context.persona.min_replicas
        && observed < minimum
    {
        breach(Rule::ReplicasBelowMinimum, minimum);
    }
    if let Some(maximum) = context.persona.max_replicas
        && observed > maximum
    {
        breach(Rule::ReplicasAboveMaximum, maximum);
    }
}
