//! Defines a finding as data: which rule, where, what was observed and what the persona allows. `render` words it.

use std::sync::Arc;

pub use super::place::{ContainerKind, ContainerRef, Place};
pub use super::rule::{Rule, Severity};

use super::image::Registries;
use super::persona::{Persona, Problem};
use super::quantity::Quantity;

/// How a container gains privileges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escalation<'a> {
    /// `allowPrivilegeEscalation: true` (E3).
    Allowed,
    /// `privileged: true`, which implies it.
    Privileged,
    /// An added capability that implies it, as written, and its position in the list.
    Capability(&'a str, usize),
    /// `windowsOptions.hostProcess: true`: the Windows form of privileged.
    HostProcess {
        /// The container inherits it from the pod.
        from_pod: bool,
    },
    /// `procMount: Unmasked`.
    ProcMount,
}

/// What was observed and what the persona allows.
#[derive(Clone, Debug)]
pub enum Fact<'a> {
    /// A limit above the persona's.
    LimitAbove {
        /// The container's or pod's limit.
        observed: &'a Quantity,
        /// The persona's limit.
        allowed: &'a Quantity,
    },
    /// A limit on the pod above what the persona allows its containers together.
    PodLimitAbove {
        /// The pod's limit.
        observed: &'a Quantity,
        /// The sum of what the containers may have.
        allowed: Quantity,
        /// The persona's limit, which each of them may have.
        each: &'a Quantity,
        /// How many run at the same time.
        containers: usize,
    },
    /// No limit where the persona sets one.
    LimitMissing {
        /// The persona's limit.
        allowed: &'a Quantity,
    },
    /// Neither CPU nor memory requested.
    RequestsMissing {
        /// What the persona would request.
        cpu: Option<&'a Quantity>,
        /// What the persona would request.
        memory: Option<&'a Quantity>,
    },
    /// A replica count out of range; the rule says on which side.
    Replicas {
        /// The desired count.
        observed: i32,
        /// The bound it violates.
        allowed: i32,
    },
    /// The pod level does not demand a non-root user.
    NonRootNotDemanded {
        /// The pod level's value.
        observed: Option<bool>,
        /// The containers that do not demand it themselves either. In a denied update, only those for which that is new. Empty
        /// under upstream rules, which do not read containers.
        containers: Vec<&'a str>,
    },
    /// A container may run as root, or will.
    RunsAsRoot {
        /// Whether the container itself switches the demand off.
        switched_off: bool,
        /// The root user it runs as; absent when only the demand for another is switched off.
        user: Option<RootUser<'a>>,
        /// The user that the persona names instead.
        wanted: Option<i64>,
    },
    /// A container gains privileges.
    Escalation(Escalation<'a>),
    /// `allowPrivilegeEscalation` unset, which Kubernetes reads as true.
    EscalationUnset,
    /// The root filesystem is writable.
    WritableRoot {
        /// The container's value.
        observed: Option<bool>,
    },
    /// No probe of a kind for which the persona names a path.
    ProbeMissing {
        /// The persona's path.
        path: &'a str,
        /// The persona's port, if any.
        port: Option<i32>,
    },
    /// A liveness probe asks for another path.
    PathDiffers {
        /// The probe's path.
        observed: &'a str,
        /// The persona's path.
        allowed: &'a str,
    },
    /// An image from where the persona allows none, or one that cannot be read.
    ImageNotAllowed {
        /// The image, as written.
        image: &'a str,
        /// Where images may come from.
        allowed: &'a Registries,
    },
    /// An image whose tag is `latest`, or one that cannot be read.
    ImageLatest {
        /// The image, as written.
        image: &'a str,
    },
    /// An image without a digest, or one that cannot be read.
    DigestMissing {
        /// The image, as written.
        image: &'a str,
    },
    /// The label that named the app is gone or names another app, which no persona governs.
    Label {
        /// The new value; empty when removed.
        observed: &'a str,
        /// The value it had.
        allowed: &'a str,
        /// The persona that governed the workload.
        persona: &'a str,
        /// The default personas that govern it under the new value, since no other does.
        defaults: &'a [Arc<Persona>],
    },
    /// No label names an app.
    LabelMissing {
        /// The name of the app, as far as the object suggests one.
        wanted: Option<&'a str>,
    },
    /// A label that the selector of a persona reads has changed, so that the persona no longer governs the workload.
    SelectorLabel {
        /// Its key.
        key: &'a str,
        /// The new value; absent when removed.
        observed: Option<&'a str>,
        /// The value it had; absent when it was not there.
        allowed: Option<&'a str>,
        /// The persona that governed the workload.
        persona: &'a str,
    },
    /// A value of the persona cannot be read.
    Unreadable {
        /// `metadata.name` of the persona.
        persona: &'a str,
        /// Which value, and what is wrong with it.
        problem: &'a Problem,
    },
    /// Several personas claim one app.
    Duplicate {
        /// These personas, in the order of their `metadata.name`.
        personas: &'a [Arc<Persona>],
        /// The `spec.name` they share.
        app: &'a str,
    },
    /// A `dorgu.io/mode` that is a label where an annotation counts, or the other way round.
    ModeMisplaced {
        /// The object with the mode.
        holder: ModeHolder<'a>,
        /// Its value.
        observed: &'a str,
    },
    /// An undefined `dorgu.io/mode`.
    ModeUnknown {
        /// The object with the mode.
        holder: ModeHolder<'a>,
        /// Its value.
        observed: &'a str,
    },
}

/// An effective user that is root, and where it is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RootUser<'a> {
    /// The container inherits it from the pod.
    pub from_pod: bool,
    /// The Windows account, as written; absent for `runAsUser: 0`.
    pub account: Option<&'a str>,
}

/// The object with a `dorgu.io/mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModeHolder<'a> {
    /// A namespace, by label.
    Namespace(&'a str),
    /// A persona, by annotation.
    Persona(&'a str),
}

/// One deviation from the persona.
#[derive(Clone, Debug)]
pub struct Finding<'a> {
    /// The rule.
    pub rule: Rule,
    /// Where.
    pub place: Place<'a>,
    /// What was observed and what is allowed.
    pub fact: Fact<'a>,
}

impl<'a> Finding<'a> {
    /// A finding about a container's field.
    pub(super) fn container(rule: Rule, container: ContainerRef<'a>, field: &'static str, fact: Fact<'a>) -> Self {
        Finding {
            rule,
            place: Place::Container(container, field),
            fact,
        }
    }
}
