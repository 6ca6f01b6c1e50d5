//! From findings to changes.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::{Change, Level, NOBODY, Setting};
use crate::finding::{ContainerKind, ContainerRef, Escalation, Fact, Finding, Place, Rule};
use crate::privileged::is_root_account;
use crate::quantity::Quantity;
use crate::workload::{Container, PodSpec, ResourceList, Resources, SecurityContext, Workload};

const NON_ROOT: &str = "securityContext.runAsNonRoot";
const USER: &str = "securityContext.runAsUser";
const ACCOUNT: &str = "securityContext.windowsOptions.runAsUserName";
const HOST_PROCESS: &str = "securityContext.windowsOptions.hostProcess";
const ESCALATION: &str = "securityContext.allowPrivilegeEscalation";
const PRIVILEGED: &str = "securityContext.privileged";
const ADDED: &str = "securityContext.capabilities.add";
/// The only capability, in the only spelling, beside which an API server refuses `allowPrivilegeEscalation: false`.
const TIED_CAPABILITY: &str = "CAP_SYS_ADMIN";

/// Changes for one finding, on average.
const CHANGES_EACH: usize = 4;

/// How much more a plan may hold.
struct Room {
    findings: usize,
    changes: usize,
}

/// CPU or memory: where its limit and its request stand.
struct Resource {
    limit: &'static str,
    request: &'static str,
    of: fn(&ResourceList) -> Option<&Quantity>,
}

const CPU: Resource = Resource {
    limit: "resources.limits.cpu",
    request: "resources.requests.cpu",
    of: |list| list.cpu.as_ref(),
};
const MEMORY: Resource = Resource {
    limit: "resources.limits.memory",
    request: "resources.requests.memory",
    of: |list| list.memory.as_ref(),
};

/// What tells two changes apart: of a list, each item is changed by itself.
type Key<'a> = (Level<'a>, &'static str, Option<Cow<'a, str>>);

/// The changes for a set of findings.
#[derive(Debug, Default)]
pub struct Plan<'a> {
    /// Each field once, in the order of the findings, with the number of findings that need it changed.
    pub changes: Vec<(Change<'a>, usize)>,
    /// Findings that need more changes than there was room for.
    pub left: usize,
    positions: HashMap<Key<'a>, usize>,
}

impl<'a> Plan<'a> {
    /// The changes after which `findings` are gone from `workload`: those of the first `most` findings that need any of
    /// their own. What later ones need is in the plan already, or they are counted as left.
    pub fn new(findings: &[&Finding<'a>], workload: &'a Workload<'a>, most: usize) -> Plan<'a> {
        let pod = &workload.spec.template.spec;
        let mut planner = Planner {
            pod,
            about: About::new(findings, pod),
            wanted: Vec::new(),
            plan: Plan::default(),
        };
        let mut room = Room {
            findings: most,
            changes: most.saturating_mul(CHANGES_EACH),
        };
        for finding in findings {
            planner.change(finding);
            planner.take(&mut room);
        }
        planner.plan
    }

    /// The text that a field is changed to, if it is.
    fn text(&self, level: Level<'a>, field: &'static str) -> Option<&str> {
        let position = self.positions.get(&(level, field, None))?;
        match &self.changes.get(*position)?.0.to {
            Setting::Text(text) => Some(text),
            _ => None,
        }
    }
}

fn key<'a>(change: &Change<'a>) -> Key<'a> {
    let item = match (&change.to, &change.from) {
        (Setting::Removed, Setting::Text(item)) => Some(item.clone()),
        _ => None,
    };
    (change.level, change.field, item)
}

/// What the findings are about, known before the first change.
#[derive(Default)]
struct About<'a> {
    /// Whether every container that inherits a user, or an account, from the pod is found to run as root by it.
    all_inherit_user: bool,
    all_inherit_account: bool,
    /// Containers that lose `privileged`, and those that lose the tied capability.
    unprivileged: HashSet<Level<'a>>,
    untied: HashSet<Level<'a>>,
    /// The changes that make no container a host process are in the plan.
    no_host_process: bool,
}

impl<'a> About<'a> {
    fn new(findings: &[&Finding<'a>], pod: &PodSpec<'_>) -> Self {
        let mut about = About::default();
        let (mut users, mut accounts) = (0, 0);
        let inherits_user = |own: &SecurityContext<'_>| own.run_as_user.is_none();
        let inherits_account = |own: &SecurityContext<'_>| own.windows_options.run_as_user_name.is_empty();
        for finding in findings {
            let Place::Container(container, _) = finding.place else {
                continue;
            };
            let level = Level::Container(container);
            match &finding.fact {
                Fact::RunsAsRoot { user: Some(_), .. } => {
                    let own = spec(pod, container).map(|spec| &spec.security_context);
                    users += usize::from(own.is_some_and(inherits_user));
                    accounts += usize::from(own.is_some_and(inherits_account));
                }
                Fact::Escalation(Escalation::Privileged) => {
                    about.unprivileged.insert(level);
                }
                Fact::Escalation(Escalation::Capability(TIED_CAPABILITY, _)) => {
                    about.untied.insert(level);
                }
                _ => {}
            }
        }
        let count = |inherits: &dyn Fn(&SecurityContext<'_>) -> bool| {
            let containers = pod.containers.iter().chain(&pod.init_containers);
            containers.filter(|spec| inherits(&spec.security_context)).count()
        };
        about.all_inherit_user = users > 0 && users == count(&inherits_user);
        about.all_inherit_account = accounts > 0 && accounts == count(&inherits_account);
        about
    }
}

struct Planner<'a> {
    pod: &'a PodSpec<'a>,
    about: About<'a>,
    /// The changes for the finding at hand, and which of them are only tied to it.
    wanted: Vec<(Change<'a>, bool)>,
    plan: Plan<'a>,
}

impl<'a> Planner<'a> {
    /// Moves what is wanted into the plan, as far as there is room.
    fn take(&mut self, room: &mut Room) {
        let new = |(change, _): &&(Change<'a>, bool)| !self.plan.positions.contains_key(&key(change));
        let needed = self.wanted.iter().filter(new).count();
        if needed > 0 {
            if room.findings == 0 || needed > room.changes {
                self.plan.left += 1;
                // One finding may be about more containers than there will ever be room for.
                self.wanted.truncate(if room.findings == 0 { 0 } else { room.changes });
            }
            room.findings = room.findings.saturating_sub(1);
            room.changes = room.changes.saturating_sub(needed);
        }
        for (change, tied) in self.wanted.drain(..) {
            let next = self.plan.changes.len();
            let position = *self.plan.positions.entry(key(&change)).or_insert(next);
            match self.plan.changes.get_mut(position) {
                Some((_, findings)) => *findings += usize::from(!tied),
                None => self.plan.changes.push((change, usize::from(!tied))),
            }
        }
    }

    fn set(&mut self, level: Level<'a>, field: &'static str, from: Setting<'a>, to: Setting<'a>) {
        self.wanted.push((Change { level, field, from, to }, false));
    }

    /// A change that no finding asks for, and an API server does.
    fn tie(&mut self, level: Level<'a>, field: &'static str, from: Setting<'a>, to: Setting<'a>) {
        self.wanted.push((Change { level, field, from, to }, true));
    }

    fn change(&mut self, finding: &Finding<'a>) {
        let level = match finding.place {
            Place::Object(_) => Level::Object,
            Place::Pod(_) => Level::Pod,
            Place::Container(container, _) => Level::Container(container),
        };
        match &finding.fact {
            Fact::LimitAbove { allowed, .. } | Fact::LimitMissing { allowed } => {
                self.limit(level, resource(finding.rule), allowed, allowed);
            }
            Fact::PodLimitAbove { allowed, each, .. } => self.limit(level, resource(finding.rule), allowed, each),
            Fact::RequestsMissing { cpu, memory } => {
                self.request(level, &CPU, *cpu);
                self.request(level, &MEMORY, *memory);
            }
            Fact::Replicas { observed, allowed } => {
                let (from, to) = (i64::from(*observed), i64::from(*allowed));
                self.set(level, "spec.replicas", Setting::Number(from), Setting::Number(to));
            }
            Fact::NonRootNotDemanded { observed, containers } => self.demand(*observed, containers),
            Fact::RunsAsRoot {
                user,
                wanted,
                switched_off,
                ..
            } => {
                if user.is_some() {
                    self.user(level, *wanted);
                }
                if *switched_off {
                    self.set(level, NON_ROOT, Setting::Flag(false), Setting::Flag(true));
                }
            }
            Fact::Escalation(how) => self.escalation(level, *how),
            Fact::EscalationUnset => {
                self.set(level, ESCALATION, Setting::Unset, Setting::Flag(false));
                self.untie(level);
            }
            Fact::WritableRoot { observed } => self.set(
                level,
                "securityContext.readOnlyRootFilesystem",
                Setting::flag(*observed),
                Setting::Flag(true),
            ),
            Fact::PathDiffers { observed, allowed } => self.set(
                level,
                "livenessProbe.httpGet.path",
                Setting::Text((*observed).into()),
                Setting::Text((*allowed).into()),
            ),
            Fact::Label { observed, allowed, .. } => {
                let from = match *observed {
                    "" => Setting::Removed,
                    observed => Setting::Text(observed.into()),
                };
                let to = Setting::Text((*allowed).into());
                self.set(level, "metadata.labels[app.kubernetes.io/name]", from, to);
            }
            // A probe without a port is none, and the port is not always known here; the others are about the persona or
            // the namespace.
            Fact::ProbeMissing { .. }
            | Fact::Unreadable { .. }
            | Fact::Duplicate { .. }
            | Fact::ModeUnknown { .. }
            | Fact::ModeMisplaced { .. } => {}
        }
    }

    /// A limit, and the request that may not exceed it. `each` is what one container may have.
    fn limit(&mut self, level: Level<'a>, resource: &Resource, allowed: &Quantity, each: &Quantity) {
        // A limit of zero is none, so a persona that allows no more cannot be satisfied.
        if !is_some(allowed) {
            return;
        }
        self.bound(level, resource, allowed, true, false);
        // An API server wants no container's limit above the pod's, and their requests together within the pod's.
        if level == Level::Pod {
            let lowered = (resource.of)(&self.pod.resources.requests).is_some_and(|request| request > allowed);
            let containers: Vec<ContainerRef<'a>> = self.containers().map(|(container, _)| container).collect();
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

    /// Lowers what is above `allowed` at one level; a limit that is missing is set.
    fn bound(&mut self, level: Level<'a>, resource: &Resource, allowed: &Quantity, limit: bool, tied: bool) {
        let Some(own) = self.resources(level) else { return };
        if limit {
            let from = text((resource.of)(&own.limits));
            let (field, to) = (resource.limit, text(Some(allowed)));
            self.wanted.push((Change { level, field, from, to }, tied));
        }
        if let Some(request) = (resource.of)(&own.requests).filter(|request| *request > allowed) {
            self.tie(level, resource.request, text(Some(request)), text(Some(allowed)));
        }
    }

    /// A request as the persona has it, or the limit where that is lower.
    fn request(&mut self, level: Level<'a>, resource: &Resource, wanted: Option<&'a Quantity>) {
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

    /// Non-root is demanded by the pod where all its silent containers lack the demand, and by containers elsewhere.
    fn demand(&mut self, observed: Option<bool>, names: &[&'a str]) {
        let silent = |spec: &Container<'_>| spec.security_context.run_as_non_root != Some(true);
        let silent: Vec<(ContainerRef<'a>, &Container<'a>)> =
            self.containers().filter(|(_, spec)| silent(spec)).collect();
        let names: HashSet<&str> = names.iter().copied().collect();
        // Upstream's rules name no container.
        if names.is_empty() || silent.iter().all(|(container, _)| names.contains(container.name)) {
            return self.set(Level::Pod, NON_ROOT, Setting::flag(observed), Setting::Flag(true));
        }
        for (container, spec) in silent {
            if names.contains(container.name) {
                let from = Setting::flag(spec.security_context.run_as_non_root);
                self.set(Level::Container(container), NON_ROOT, from, Setting::Flag(true));
            }
        }
    }

    /// Both a user and an account may be root, where the pod does not say which system it is for.
    fn user(&mut self, level: Level<'a>, wanted: Option<i64>) {
        let Some(own) = self.security(level) else { return };
        let pod = &self.pod.security_context;
        let pod_is_root = pod.run_as_user == Some(0);
        let (user, number) = (own.run_as_user, Setting::number);
        match user {
            None if pod_is_root && self.about.all_inherit_user => {
                self.set(Level::Pod, USER, number(Some(0)), number(wanted));
            }
            None if pod_is_root => self.set(level, USER, Setting::Unset, number(wanted.or(Some(NOBODY)))),
            // Where the container's own is taken away, the pod's takes its place.
            Some(0) if pod_is_root && !self.about.all_inherit_user => {
                self.set(level, USER, number(user), number(wanted.or(Some(NOBODY))));
            }
            Some(0) => self.set(level, USER, number(user), number(wanted)),
            _ => {}
        }
        let (own, pod) = (
            own.windows_options.run_as_user_name.as_str(),
            pod.windows_options.run_as_user_name.as_str(),
        );
        let (from, to) = (
            |name: &'a str| Setting::Text(name.into()),
            Setting::Text("ContainerUser".into()),
        );
        match own {
            "" if is_root_account(pod) && self.about.all_inherit_account => {
                self.set(Level::Pod, ACCOUNT, from(pod), to);
            }
            "" if is_root_account(pod) => self.set(level, ACCOUNT, Setting::Unset, to),
            own if is_root_account(own) => self.set(level, ACCOUNT, from(own), to),
            _ => {}
        }
    }

    fn escalation(&mut self, level: Level<'a>, how: Escalation<'a>) {
        let (on, off) = (Setting::Flag(true), Setting::Flag(false));
        match how {
            // Beside what implies it an API server takes no `false`, and what stays there is no finding.
            Escalation::Allowed if self.is_tied(level) => self.set(level, ESCALATION, on, Setting::Unset),
            Escalation::Allowed => {
                self.set(level, ESCALATION, on, off);
                // All of it is among the findings; none of it may come in a later round.
                self.untie(level);
            }
            Escalation::Privileged => self.set(level, PRIVILEGED, on, off),
            Escalation::Capability(name, _) => {
                self.set(level, ADDED, Setting::Text(name.into()), Setting::Removed);
            }
            Escalation::ProcMount => {
                let from = Setting::Text("Unmasked".into());
                self.set(
                    level,
                    "securityContext.procMount",
                    from,
                    Setting::Text("Default".into()),
                );
            }
            Escalation::HostProcess { from_pod } => {
                let holder = if from_pod { Level::Pod } else { level };
                self.set(holder, HOST_PROCESS, on, off);
                // An API server wants all containers of a pod to be of one kind.
                if !std::mem::replace(&mut self.about.no_host_process, true) {
                    self.tie_host_processes();
                }
            }
        }
    }

    fn tie_host_processes(&mut self) {
        let is_set = |context: &SecurityContext<'_>| context.windows_options.host_process == Some(true);
        let containers = self.containers().filter(|(_, spec)| is_set(&spec.security_context));
        let containers = containers.map(|(container, _)| Level::Container(container));
        let pod = is_set(&self.pod.security_context).then_some(Level::Pod);
        let levels: Vec<Level<'a>> = pod.into_iter().chain(containers).collect();
        for level in levels {
            self.tie(level, HOST_PROCESS, Setting::Flag(true), Setting::Flag(false));
        }
    }

    /// Takes away what an API server does not take beside `allowPrivilegeEscalation: false`.
    fn untie(&mut self, level: Level<'a>) {
        let Some(own) = self.security(level) else { return };
        if own.privileged == Some(true) {
            self.tie(level, PRIVILEGED, Setting::Flag(true), Setting::Flag(false));
        }
        if own
            .capabilities
            .add
            .iter()
            .any(|added| added.as_str() == TIED_CAPABILITY)
        {
            self.tie(level, ADDED, Setting::Text(TIED_CAPABILITY.into()), Setting::Removed);
        }
    }

    /// Whether something stays that an API server does not take beside `allowPrivilegeEscalation: false`.
    fn is_tied(&self, level: Level<'a>) -> bool {
        let Some(own) = self.security(level) else { return false };
        let privileged = own.privileged == Some(true) && !self.about.unprivileged.contains(&level);
        let tied = own
            .capabilities
            .add
            .iter()
            .any(|added| added.as_str() == TIED_CAPABILITY);
        privileged || (tied && !self.about.untied.contains(&level))
    }

    fn resources(&self, level: Level<'a>) -> Option<&'a Resources> {
        match level {
            Level::Object => None,
            Level::Pod => Some(&self.pod.resources),
            Level::Container(container) => spec(self.pod, container).map(|spec| &spec.resources),
        }
    }

    fn security(&self, level: Level<'a>) -> Option<&'a SecurityContext<'a>> {
        match level {
            Level::Object => None,
            Level::Pod => Some(&self.pod.security_context),
            Level::Container(container) => spec(self.pod, container).map(|spec| &spec.security_context),
        }
    }

    /// All containers. Sidecars and init containers stand in one list, which is all that a change needs to know.
    fn containers(&self) -> impl Iterator<Item = (ContainerRef<'a>, &'a Container<'a>)> + use<'a> {
        let listed = |kind, list: &'a [Container<'a>]| {
            list.iter().enumerate().map(move |(index, spec)| {
                let name = spec.name.as_str();
                (ContainerRef { kind, index, name }, spec)
            })
        };
        listed(ContainerKind::App, &self.pod.containers).chain(listed(ContainerKind::Init, &self.pod.init_containers))
    }
}

fn spec<'s>(pod: &'s PodSpec<'_>, container: ContainerRef<'_>) -> Option<&'s Container<'s>> {
    let list = match container.kind {
        ContainerKind::App => &pod.containers,
        ContainerKind::Sidecar | ContainerKind::Init => &pod.init_containers,
    };
    list.get(container.index)
}

fn resource(rule: Rule) -> &'static Resource {
    match rule {
        Rule::CpuLimitAbovePersona | Rule::CpuLimitMissing => &CPU,
        _ => &MEMORY,
    }
}

/// Whether it is an amount at all: Kubernetes reads zero as none, and takes nothing below it.
fn is_some(quantity: &Quantity) -> bool {
    !quantity.is_zero() && !quantity.is_negative()
}

fn text<'a>(quantity: Option<&Quantity>) -> Setting<'a> {
    quantity.map_or(Setting::Unset, |quantity| Setting::Text(quantity.to_string().into()))
}
