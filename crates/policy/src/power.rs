//! What a container can do that a persona may forbid, which of it includes what else, and for how long: the order of
//! docs/rules.md.

use std::borrow::Cow;
use std::collections::HashMap;

use super::effective::Effective;
use super::finding::{ContainerKind, ContainerRef, Escalation};
use super::privileged::{EVERY_CAPABILITY, capability};
use super::workload::PodSpec;

/// One thing that a container can do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Power<'a> {
    /// Runs as root, since a user is named who is root.
    Root,
    /// Runs as the user of its image, who may be root.
    UserOfTheImage,
    /// Does what the host may do: `privileged`, and on Windows `hostProcess`.
    Host,
    /// Has every capability.
    EveryCapability,
    /// Has this capability, which lets a process gain privileges.
    Capability(Cow<'a, str>),
    /// Sees the whole of `/proc`.
    Proc,
    /// A process may gain more privileges than its parent has.
    Escalation,
}

impl<'a> From<Escalation<'a>> for Power<'a> {
    fn from(how: Escalation<'a>) -> Self {
        match how {
            Escalation::Allowed => Power::Escalation,
            Escalation::Privileged | Escalation::HostProcess { .. } => Power::Host,
            Escalation::ProcMount => Power::Proc,
            Escalation::Capability(name, _) => match capability(name) {
                name if name == EVERY_CAPABILITY => Power::EveryCapability,
                name => Power::Capability(name),
            },
        }
    }
}

impl Power<'_> {
    /// What stands above it in the order: what has that power has this one, too. Escalation stands below too many to list
    /// them; [`Powers`] keeps it beside each of those.
    fn above(&self) -> &'static [Power<'static>] {
        match self {
            Power::UserOfTheImage => &[Power::Root],
            Power::Capability(_) => &[Power::EveryCapability, Power::Host],
            Power::EveryCapability | Power::Proc => &[Power::Host],
            Power::Root | Power::Host | Power::Escalation => &[],
        }
    }
}

/// For how long a container has a power. What runs for ever is worse than what runs once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tenure {
    /// Until it ends, before the app starts.
    Once,
    /// As long as the pod runs.
    Permanent,
}

impl Tenure {
    pub(super) fn of(container: ContainerRef<'_>) -> Tenure {
        match container.kind {
            ContainerKind::Init => Tenure::Once,
            ContainerKind::App | ContainerKind::Sidecar => Tenure::Permanent,
        }
    }
}

/// What each container of a workload can do. A container is known by its name, whichever list it stands in; of several
/// with one name, each lends its powers to all.
#[derive(Debug)]
pub(super) struct Powers<'a>(HashMap<(&'a str, Power<'a>), Tenure>);

impl<'a> Powers<'a> {
    pub(super) fn of(pod: &'a PodSpec<'a>) -> Self {
        let count = pod.containers.len() + pod.init_containers.len();
        let mut powers = Powers(HashMap::with_capacity(2 * count));
        for (container, spec) in pod.all_containers() {
            let effective = Effective::new(pod, spec);
            let mut escalates = effective.leaves_escalation_unset();
            effective.escalations(|_, how| {
                escalates |= how != Escalation::ProcMount;
                powers.add(container, how.into());
            });
            if escalates {
                powers.add(container, Power::Escalation);
            }
            if let Some(power) = effective.power_of_user() {
                powers.add(container, power);
            }
        }
        powers
    }

    fn add(&mut self, container: ContainerRef<'a>, power: Power<'a>) {
        let tenure = Tenure::of(container);
        let kept = self.0.entry((container.name, power)).or_insert(tenure);
        *kept = tenure.max(*kept);
    }

    /// Whether the container of this name can do this already, for as long as `container` is going to run.
    pub(super) fn include(&self, container: ContainerRef<'a>, power: &Power<'a>) -> bool {
        let held = |power: Power<'a>| self.0.get(&(container.name, power)).copied();
        let above = power.above().iter().cloned();
        let tenures = std::iter::once(power.clone()).chain(above).filter_map(held);
        tenures.max() >= Some(Tenure::of(container))
    }
}
