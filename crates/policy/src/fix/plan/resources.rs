//! Plans changes of limits and requests: those that a finding requires, and those that an API server then requires as well.

use super::Planner;
use crate::finding::{ContainerRef, Rule};
use crate::fix::{Change, Level, Setting};
use crate::quantity::Quantity;
use crate::workload::{ResourceList, Resources};

/// The fields of CPU or memory.
pub(super) struct Resource {
    limit: &'static str,
    request: &'static str,
    of: fn(&ResourceList) -> Option<&Quantity>,
}

pub(super) const CPU: Resource = Resource {
    limit: "resources.limits.cpu",
    request: "resources.requests.cpu",
    of: |list| list.cpu.as_ref(),
};
pub(super) const MEMORY: Resource = Resource {
    limit: "resources.limits.memory",
    request: "resources.requests.memory",
    of: |list| list.memory.as_ref(),
};

impl<'a> Planner<'a> {
    /// Changes a limit, and the request that may not exceed it. `each` is what one container may have.
    pub(super) fn limit(&mut self, level: Level<'a>, resource: &Resource, allowed: &Quantity, each: &Quantity) {
        // A limit of zero means none, so a persona that allows no more cannot be satisfied.
        if !is_some(allowed) {
            return;
        }
        self.bound(level, resource, allowed, true, false);
        // An API server requires that no container's limit exceeds the pod's, and that their requests together do not.
        if level == Level::Pod {
            let lowered = (resource.of)(&self.pod.resources.requests).is_some_and(|request| request > allowed);
            let containers: Vec<ContainerRef<'a>> = self.pod.all_containers().map(|(container, _)| container).collect();
            for container in containers {
                let level = Level::Container(container);
                let Some(own) = self.resources(level) else { continue };
                let above = (resource.of)(&own.limits).is_some_and(|limit| limit > allowed);
                if above || lowered {
                    self.bound(level, resource, each, above, true);
                }
            }
        }
    }

    /// Lowers values above `allowed` at one level, and sets a missing limit.
    fn bound(&mut self, level: Level<'a>, resource: &Resource, allowed: &Quantity, limit: bool, tied: bool) {
        let Some(own) = self.resources(level) else { return };
        if limit {
            let from = text((resource.of)(&own.limits));
            let (field, to) = (resource.limit, text(Some(allowed)));
            self.want(Change { level, field, from, to }, tied);
        }
        if let Some(request) = (resource.of)(&own.requests).filter(|request| *request > allowed) {
            self.tie(level, resource.request, text(Some(request)), text(Some(allowed)));
        }
    }

    /// Sets a request as the persona has it, or the limit where that is lower.
    pub(super) fn request(&mut self, level: Level<'a>, resource: &Resource, wanted: Option<&'a Quantity>) {
        let Some(wanted) = wanted.filter(|wanted| is_some(wanted)) else {
            return;
        };
        let planned = self
            .plan
            .text(level, resource.limit)
            .and_then(|limit| Quantity::parse(limit).ok());
        let own = self
            .resources(level)
            .and_then(|own| (resource.of)(&own.limits))
            .cloned();
        let limit = planned.or(own).filter(is_some);
        let wanted = limit.filter(|limit| limit < wanted).unwrap_or_else(|| wanted.clone());
        self.set(level, resource.request, Setting::Unset, text(Some(&wanted)));
    }

    fn resources(&self, level: Level<'a>) -> Option<&'a Resources> {
        match level {
            Level::Object | Level::Label(_) => None,
            Level::Pod => Some(&self.pod.resources),
            Level::Container(container) => self.pod.container(container).map(|spec| &spec.resources),
        }
    }
}

pub(super) fn resource(rule: Rule) -> &'static Resource {
    match rule {
        Rule::CpuLimitAbovePersona | Rule::CpuLimitMissing => &CPU,
        _ => &MEMORY,
    }
}

/// Whether it is a positive amount: Kubernetes reads zero as unset, and rejects less.
fn is_some(quantity: &Quantity) -> bool {
    !quantity.is_zero() && !quantity.is_negative()
}

fn text<'a>(quantity: Option<&Quantity>) -> Setting<'a> {
    quantity.map_or(Setting::Unset, |quantity| Setting::Text(quantity.to_string().into()))
}
