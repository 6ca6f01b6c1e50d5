//! Compares the replica count of a Deployment or of its Scale with the persona. The rows E1 (below `scaling.minReplicas`)
//! and W3 (above `scaling.maxReplicas`) are those of docs/contract.md, section 2.4.

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
