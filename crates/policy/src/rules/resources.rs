//! Limits above or missing (W1, W2), and missing requests (R3).

use super::Context;
use crate::finding::{ContainerKind, ContainerRef, Fact, Finding, Place, Rule};
use crate::persona::PersonaResources;
use crate::quantity::Quantity;
use crate::workload::{ResourceList, Resources};

/// One resource of the two: how to find it in each list, and which rules speak of it.
struct Kind {
    of_persona: fn(&PersonaResources) -> Option<&Quantity>,
    of_list: fn(&ResourceList) -> Option<&Quantity>,
    above: Rule,
    missing: Rule,
    /// Below a container and below the pod alike.
    field: &'static str,
}

const KINDS: [Kind; 2] = [
    Kind {
        of_persona: |resources| resources.cpu.as_ref(),
        of_list: |list| list.cpu.as_ref(),
        above: Rule::CpuLimitAbovePersona,
        missing: Rule::CpuLimitMissing,
        field: "resources.limits.cpu",
    },
    Kind {
        of_persona: |resources| resources.memory.as_ref(),
        of_list: |list| list.memory.as_ref(),
        above: Rule::MemoryLimitAbovePersona,
        missing: Rule::MemoryLimitMissing,
        field: "resources.limits.memory",
    },
];

pub(super) fn judge<'a>(context: &Context<'a>, findings: &mut Vec<Finding<'a>>) {
    let persona = context.persona;
    if !persona.has_resources {
        return;
    }
    let pod = &context.pod().resources;
    for (container, spec) in context.containers() {
        for kind in &KINDS {
            let Some(allowed) = (kind.of_persona)(&persona.limits) else {
                continue;
            };
            limit(context, kind, container, &spec.resources, allowed, findings);
        }
        let runs_with_the_app = container.kind != ContainerKind::Init;
        // Upstream shows this in status alone, and knows no pod level.
        let pod_speaks_for_it = context.complete() && !(pod.requests.is_empty() && pod.limits.is_empty());
        let is_shown = context.complete() || context.in_status();
        if is_shown && runs_with_the_app && spec.resources.requests.is_empty() && !pod_speaks_for_it {
            let (cpu, memory) = (persona.requests.cpu.as_ref(), persona.requests.memory.as_ref());
            let (rule, fact) = (Rule::RequestsMissing, Fact::RequestsMissing { cpu, memory });
            findings.push(Finding::container(rule, container, "resources.requests", fact));
        }
    }
    if context.complete() {
        for kind in &KINDS {
            let (Some(allowed), Some(observed)) = ((kind.of_persona)(&persona.limits), (kind.of_list)(&pod.limits))
            else {
                continue;
            };
            if observed > allowed {
                let fact = Fact::LimitAbove { observed, allowed };
                findings.push(Finding {
                    rule: kind.above,
                    place: Place::Pod(kind.field),
                    fact,
                });
            }
        }
    }
}

fn limit<'a>(
    context: &Context<'a>,
    kind: &Kind,
    container: ContainerRef<'a>,
    resources: &'a Resources,
    allowed: &'a Quantity,
    findings: &mut Vec<Finding<'a>>,
) {
    match (kind.of_list)(&resources.limits) {
        Some(observed) if observed > allowed => {
            let fact = Fact::LimitAbove { observed, allowed };
            findings.push(Finding::container(kind.above, container, kind.field, fact));
        }
        Some(_) => {}
        // A container without a limit may take the whole node. A run-once init container is gone when the app runs,
        // and a pod-level limit bounds its containers together.
        None => {
            let bounded = (kind.of_list)(&context.pod().resources.limits).is_some();
            if context.complete() && container.kind != ContainerKind::Init && !bounded {
                let fact = Fact::LimitMissing { allowed };
                findings.push(Finding::container(kind.missing, container, kind.field, fact));
            }
        }
    }
}
