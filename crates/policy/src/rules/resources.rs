//! Reports limits above the persona's and missing limits (W1, W2), and missing requests (R3).
//!
//! A limit on the pod bounds its containers together. So it is compared with the sum of what the persona allows for the
//! containers that run at the same time. A container without a limit of its own may use the whole limit of its pod.

use super::{Context, Found};
use crate::finding::{ContainerKind, ContainerRef, Fact, Finding, Place, Rule};
use crate::persona::PersonaResources;
use crate::quantity::Quantity;
use crate::workload::{Container, ResourceList, Resources};

/// CPU or memory: how to find it in each list, and its rules.
struct Kind {
    of_persona: fn(&PersonaResources) -> Option<&Quantity>,
    of_list: fn(&ResourceList) -> Option<&Quantity>,
    above: Rule,
    missing: Rule,
    /// The same below a container and below the pod.
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

pub(super) fn judge_container<'a>(
    context: &Context<'a>,
    container: ContainerRef<'a>,
    spec: &'a Container<'a>,
    found: Found<'_, 'a>,
) {
    let persona = context.persona;
    let pod = &context.pod().resources;
    for kind in &KINDS {
        let Some(allowed) = (kind.of_persona)(&persona.limits) else {
            continue;
        };
        limit(context, kind, container, &spec.resources, allowed, found);
    }
    let runs_with_the_app = container.kind != ContainerKind::Init;
    // Upstream shows this in status only, and knows no pod level.
    let pod_speaks_for_it = context.complete() && !(pod.requests.is_empty() && pod.limits.is_empty());
    let is_shown = context.complete() || context.in_status();
    if persona.has_resources
        && is_shown
        && runs_with_the_app
        && spec.resources.requests.is_empty()
        && !pod_speaks_for_it
    {
        let [cpu, memory] = persona.offered_requests();
        let (rule, fact) = (Rule::RequestsMissing, Fact::RequestsMissing { cpu, memory });
        found(Finding::container(rule, container, "resources.requests", fact));
    }
}

/// Judges a limit on the pod, which upstream does not know.
pub(super) fn judge_pod<'a>(context: &Context<'a>, found: Found<'_, 'a>) {
    let (persona, pod) = (context.persona, &context.pod().resources);
    if context.complete() {
        let together = context
            .containers()
            .filter(|(container, _)| container.kind != ContainerKind::Init);
        let containers = together.count();
        for kind in &KINDS {
            let (Some(each), Some(observed)) = ((kind.of_persona)(&persona.limits), (kind.of_list)(&pod.limits)) else {
                continue;
            };
            let allowed = each.times(containers.max(1));
            if *observed > allowed {
                let fact = Fact::PodLimitAbove {
                    observed,
                    allowed,
                    each,
                    containers,
                };
                found(Finding {
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
    found: Found<'_, 'a>,
) {
    match (kind.of_list)(&resources.limits) {
        Some(observed) if observed > allowed => {
            let fact = Fact::LimitAbove { observed, allowed };
            found(Finding::container(kind.above, container, kind.field, fact));
        }
        Some(_) => {}
        // A container without a limit may use the whole node, or all that the pod has. A run-once init container has ended when
        // the app runs.
        None => {
            let of_pod = (kind.of_list)(&context.pod().resources.limits);
            let bounded = of_pod.is_some_and(|of_pod| of_pod <= allowed);
            if context.complete() && container.kind != ContainerKind::Init && !bounded {
                let fact = Fact::LimitMissing { allowed };
                found(Finding::container(kind.missing, container, kind.field, fact));
            }
        }
    }
}
