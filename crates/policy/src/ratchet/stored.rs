//! Holds what the ratchet needs of the stored object. A container of it is found by name, whichever list it is in.

use std::cell::OnceCell;
use std::collections::HashMap;

use crate::finding::{ContainerKind, ContainerRef, Rule};
use crate::power::{Lifetime, Powers, StoredContainer};
use crate::quantity::Quantity;
use crate::workload::{Container, PodSpec, Resources};

/// The stored object. What takes a pass over its containers is made when the first finding needs it.
pub(super) struct Before<'q> {
    pub(super) replicas: i32,
    pub(super) pod: &'q PodSpec<'q>,
    pub(super) powers: OnceCell<Powers<'q>>,
    pub(super) containers: OnceCell<HashMap<&'q str, StoredContainer<'q>>>,
}

impl<'q> Before<'q> {
    /// What each container can do.
    pub(super) fn powers(&self) -> &Powers<'q> {
        self.powers.get_or_init(|| Powers::of(self.pod))
    }

    fn get(&self, container: ContainerRef<'_>) -> Option<StoredContainer<'q>> {
        let containers = self.containers.get_or_init(|| {
            let all = self.pod.all_containers();
            all.map(|(container, spec)| (container.name, (container.kind, spec)))
                .collect()
        });
        containers.get(container.name).copied()
    }

    /// The stored container of this name, if it runs at least as long.
    fn lasting(&self, container: ContainerRef<'_>) -> Option<&'q Container<'q>> {
        let (kind, spec) = self.get(container)?;
        (Lifetime::of(kind) >= Lifetime::of(container.kind)).then_some(spec)
    }

    /// The stored container of this name, if its probes counted.
    fn probed(&self, container: ContainerRef<'_>) -> Option<&'q Container<'q>> {
        let (kind, spec) = self.get(container)?;
        (kind == ContainerKind::App).then_some(spec)
    }

    /// Whether the container could use as much: its own limit, else the pod's, was not below `bound`. No limit is above all.
    pub(super) fn had_limit(&self, rule: Rule, container: ContainerRef<'_>, bound: Option<&Quantity>) -> bool {
        self.lasting(container).is_some_and(|spec| {
            let own = limit(rule, &spec.resources);
            is_no_higher(bound, own.or_else(|| limit(rule, &self.pod.resources)))
        })
    }

    /// Whether the pod as a whole could use as much.
    pub(super) fn had_pod_limit(&self, rule: Rule, bound: &Quantity) -> bool {
        is_no_higher(Some(bound), limit(rule, &self.pod.resources))
    }

    /// Whether neither the container nor its pod requested anything.
    pub(super) fn had_no_requests(&self, container: ContainerRef<'_>) -> bool {
        let of_pod = &self.pod.resources;
        self.get(container).is_some_and(|(kind, spec)| {
            kind != ContainerKind::Init
                && spec.resources.requests.is_empty()
                && of_pod.requests.is_empty()
                && of_pod.limits.is_empty()
        })
    }

    /// Whether the container could write its root filesystem. Windows ignores the field, and excuses nothing.
    pub(super) fn had_writable_root(&self, container: ContainerRef<'_>) -> bool {
        let is_writable = |spec: &Container<'_>| spec.security_context.read_only_root_filesystem != Some(true);
        !self.pod.is_windows() && self.lasting(container).is_some_and(is_writable)
    }

    /// Whether the container lacked the probe, too.
    pub(super) fn had_no_probe(&self, rule: Rule, container: ContainerRef<'_>) -> bool {
        self.probed(container).is_some_and(|spec| match rule {
            Rule::LivenessProbeMissing => spec.liveness_probe.is_none(),
            _ => spec.readiness_probe.is_none(),
        })
    }

    /// Whether the container had the same liveness path. Of two wrong paths neither is worse.
    pub(super) fn had_liveness_path(&self, container: ContainerRef<'_>, path: &str) -> bool {
        let probe = self.probed(container).and_then(|spec| spec.liveness_probe.as_ref());
        let get = probe.and_then(|probe| probe.http_get.as_ref());
        get.is_some_and(|get| get.path.as_str() == path)
    }

    /// Whether the container had an image of which this holds. Where it comes from matters as much for what runs once.
    pub(super) fn had_image(&self, container: ContainerRef<'_>, holds: impl Fn(&str) -> bool) -> bool {
        self.get(container).is_some_and(|(_, spec)| holds(&spec.image))
    }
}

/// The limit that a rule of limits is about.
pub(super) fn limit(rule: Rule, resources: &Resources) -> Option<&Quantity> {
    match rule {
        Rule::CpuLimitAbovePersona | Rule::CpuLimitMissing => resources.limits.cpu.as_ref(),
        _ => resources.limits.memory.as_ref(),
    }
}

fn is_no_higher(bound: Option<&Quantity>, before: Option<&Quantity>) -> bool {
    match (bound, before) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(bound), Some(before)) => bound <= before,
    }
}
