//! Replicas below the minimum (E1) or above the maximum (W3), in a Deployment and in its Scale.

use super::{Context, Found};
use crate::finding::{Fact, Finding, Place, Rule};

pub(super) fn judge<'a>(context: &Context<'a>, found: Found<'_, 'a>) {
    let observed = context.subject.replicas(context.workload);
    let mut breach = |rule, allowed| {
        found(Finding {
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
