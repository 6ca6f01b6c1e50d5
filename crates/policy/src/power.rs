//! Defines the powers that a persona may forbid a container, such as running as root. Determines which powers each container
//! of a workload has and for how long, and which power includes which other. docs/rules.md describes this order.

use std::borrow::Cow;
use std::collections::HashMap;

use super::finding::{ContainerKind, ContainerRef, Escalation};
use super::privileged::{EVERY_CAPABILITY, capability};
use super::security_context::{EffectiveSecurityContext, Silence};
use super::workload::{Container, PodSpec};

/// An operating system that a pod runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum System {
    /// Reads `runAsUser`, `privileged`, capabilities and escalation.
    Linux,
    /// Reads `windowsOptions`.
    Windows,
}

/// One thing that a container can do. A pod without an operating system may run on either, and what its containers can do on
/// one does not include the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Power<'a> {
    /// Runs as root, since the configured user is root.
    Root(System),
    /// Runs as the user of its image, who may be root.
    UserOfTheImage(System),
    /// Does what the host may do: `privileged` on Linux, `hostProcess` on Windows.
    Host(System),
    /// Has every capability.
    EveryCapability,
    /// Has this capability, which lets a process gain privileges.
    Capability(Cow<'a, str>),
    /// Reads and writes the whole of `/proc`.
    Proc,
    /// A process may gain more privileges than its parent has.
    Escalation,
}

impl<'a> From<Escalation<'a>> for Power<'a> {
    fn from(how: Escalation<'a>) -> Self {
        match how {
            Escalation::Allowed => Power::Escalation,
            Escalation::Privileged => Power::Host(System::Linux),
            Escalation::HostProcess { .. } => Power::Host(System::Windows),
            Escalation::ProcMount => Power::Proc,
            Escalation::Capability(name, _) => match capability(name) {
                name if name == EVERY_CAPABILITY => Power::EveryCapability,
                name => Power::Capability(name),
            },
        }
    }
}

impl Power<'_> {
    /// The powers above it in the order, which include it. Escalation has too many to list here; [`Powers`] stores it beside
    /// each of those.
    fn above(&self) -> &'static [Power<'static>] {
        use System::{Linux, Windows};
        match self {
            Power::UserOfTheImage(Linux) => &[Power::Root(Linux)],
            Power::UserOfTheImage(Windows) => &[Power::Root(Windows)],
            Power::Capability(_) => &[Power::EveryCapability, Power::Host(Linux), Power::Host(Windows)],
            Power::EveryCapability => &[Power::Host(Linux), Power::Host(Windows)],
            Power::Proc => &[Power::Host(Linux)],
            Power::Root(_) | Power::Host(_) | Power::Escalation => &[],
        }
    }
}

/// For how long a container has a power. A permanent power is worse than a temporary one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lifetime {
    /// Until it ends, before the app starts.
    Once,
    /// As long as the pod runs.
    Permanent,
}

impl Lifetime {
    pub(super) fn of(kind: ContainerKind) -> Lifetime {
        match kind {
            ContainerKind::Init => Lifetime::Once,
            ContainerKind::App | ContainerKind::Sidecar => Lifetime::Permanent,
        }
    }
}

/// What each container of a workload can do. A container is identified by its name, whichever list it is in. Several with one
/// name share their powers.
#[derive(Debug)]
pub(super) struct Powers<'a>(HashMap<(&'a str, Power<'a>), Lifetime>);

/// A container of the stored object, kept by its name beside its powers.
pub(super) type StoredContainer<'a> = (ContainerKind, &'a Container<'a>);

/// How many powers most containers have: escalation, and a user on either system.
pub(super) const USUAL_POWERS: usize = 3;

impl<'a> Powers<'a> {
    pub(super) fn of(pod: &'a PodSpec<'a>) -> Self {
        let count = pod.containers.len() + pod.init_containers.len();
        let mut powers = Powers(HashMap::with_capacity(USUAL_POWERS * count));
        for (container, spec) in pod.all_containers() {
            let effective = EffectiveSecurityContext::new(pod, spec);
            let mut escalates = effective.leaves_escalation_unset();
            effective.escalations(|_, how| {
                escalates |= how != Escalation::ProcMount;
                powers.add(container, how.into());
            });
            if escalates {
                powers.add(container, Power::Escalation);
            }
            for power in effective.powers_of_user(Silence::Counts) {
                powers.add(container, power);
            }
        }
        powers
    }

    fn add(&mut self, container: ContainerRef<'a>, power: Power<'a>) {
        let lifetime = Lifetime::of(container.kind);
        let kept = self.0.entry((container.name, power)).or_insert(lifetime);
        *kept = lifetime.max(*kept);
    }

    /// Whether the container of this name can already do this, for as long as `container` will run.
    pub(super) fn include(&self, container: ContainerRef<'a>, power: &Power<'a>) -> bool {
        let held = |power: Power<'a>| self.0.get(&(container.name, power)).copied();
        let above = power.above().iter().cloned();
        let lifetimes = std::iter::once(power.clone()).chain(above).filter_map(held);
        lifetimes.max() >= Some(Lifetime::of(container.kind))
    }
}
