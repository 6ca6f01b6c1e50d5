//! Plans changes of users and privileges: those that a finding requires, and those that an API server then requires as well.

use std::collections::HashSet;

use super::Planner;
use crate::finding::{Escalation, Fact, Finding, Place};
use crate::fix::{Level, NOBODY, Setting};
use crate::privileged::is_root_account;
use crate::workload::{Container, PodSpec, SecurityContext};

pub(super) const NON_ROOT: &str = "securityContext.runAsNonRoot";
const USER: &str = "securityContext.runAsUser";
const ACCOUNT: &str = "securityContext.windowsOptions.runAsUserName";
const HOST_PROCESS: &str = "securityContext.windowsOptions.hostProcess";
pub(super) const ESCALATION: &str = "securityContext.allowPrivilegeEscalation";
const PRIVILEGED: &str = "securityContext.privileged";
const ADDED: &str = "securityContext.capabilities.add";
/// The only capability, in the only spelling, with which an API server rejects `allowPrivilegeEscalation: false`.
const TIED_CAPABILITY: &str = "CAP_SYS_ADMIN";

/// Properties of the findings that must be known before the first change.
#[derive(Default)]
pub(super) struct About<'a> {
    /// Whether every container that inherits a user, or an account, from the pod has a finding about it.
    all_inherit_user: bool,
    all_inherit_account: bool,
    /// Containers that lose `privileged`, and those that lose the tied capability.
    unprivileged: HashSet<Level<'a>>,
    untied: HashSet<Level<'a>>,
    /// The state of the changes that make no container a host process.
    host_processes: Tied,
}

/// Changes that are tied to the first finding of a kind and to all that follow.
#[derive(Clone, Copy, Default, PartialEq)]
enum Tied {
    /// No finding needs them so far.
    #[default]
    Unasked,
    /// The current finding needs them.
    Asked,
    /// They are in the plan.
    Planned,
    /// There was no room for them, so that no finding of the kind has any.
    Left,
}

impl<'a> About<'a> {
    pub(super) fn new(findings: &[&Finding<'a>], pod: &PodSpec<'_>) -> Self {
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
                    let own = pod.container(container).map(|spec| &spec.security_context);
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

    /// The changes for the current finding are in the plan.
    pub(super) fn settle(&mut self) {
        if self.host_processes == Tied::Asked {
            self.host_processes = Tied::Planned;
        }
    }

    /// The finding at hand is left.
    pub(super) fn leave(&mut self) {
        if self.host_processes == Tied::Asked {
            self.host_processes = Tied::Left;
        }
    }
}

impl<'a> Planner<'a> {
    /// Demands non-root on the pod where all of its containers without a value lack it, and on containers elsewhere.
    pub(super) fn demand(&mut self, observed: Option<bool>, names: &[&'a str]) {
        let is_silent = |spec: &Container<'_>| spec.security_context.run_as_non_root != Some(true);
        let silent = self.pod.all_containers().filter(move |(_, spec)| is_silent(spec));
        // Only containers without a value are named, in their order; upstream's rules name none.
        if names.is_empty() || silent.clone().count() == names.len() {
            return self.set(Level::Pod, NON_ROOT, Setting::flag(observed), Setting::Flag(true));
        }
        let mut names = names.iter().peekable();
        for (container, spec) in silent {
            if names.next_if(|name| **name == container.name).is_some() {
                let from = Setting::flag(spec.security_context.run_as_non_root);
                self.set(Level::Container(container), NON_ROOT, from, Setting::Flag(true));
            }
        }
    }

    /// Both a user and an account may be root, where the pod does not name its operating system.
    pub(super) fn user(&mut self, level: Level<'a>, wanted: Option<i64>) {
        let Some(own) = self.security(level) else { return };
        let pod = &self.pod.security_context;
        let pod_is_root = pod.run_as_user == Some(0);
        let (user, number) = (own.run_as_user, Setting::number);
        match user {
            None if pod_is_root && self.about.all_inherit_user => {
                self.set(Level::Pod, USER, number(Some(0)), number(wanted));
            }
            None if pod_is_root => self.set(level, USER, Setting::Unset, number(wanted.or(Some(NOBODY)))),
            // Where the container's own value is removed, the pod's takes effect.
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

    pub(super) fn escalation(&mut self, level: Level<'a>, how: Escalation<'a>) {
        let (on, off) = (Setting::Flag(true), Setting::Flag(false));
        match how {
            // An API server rejects `false` while another field implies escalation. That field stays, since no finding is about it.
            Escalation::Allowed if self.is_tied(level) => self.set(level, ESCALATION, on, Setting::Unset),
            Escalation::Allowed => {
                self.set(level, ESCALATION, on, off);
                // All of them are among the findings, so none may be left for a later round.
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
                // An API server requires all containers of a pod to be of one kind.
                match self.about.host_processes {
                    Tied::Unasked => {
                        self.about.host_processes = Tied::Asked;
                        self.tie_host_processes();
                    }
                    Tied::Left => self.is_left = true,
                    Tied::Asked | Tied::Planned => {}
                }
            }
        }
    }

    fn tie_host_processes(&mut self) {
        let is_set = |context: &SecurityContext<'_>| context.windows_options.host_process == Some(true);
        let containers = self
            .pod
            .all_containers()
            .filter(|(_, spec)| is_set(&spec.security_context));
        let containers = containers.map(|(container, _)| Level::Container(container));
        let pod = is_set(&self.pod.security_context).then_some(Level::Pod);
        let levels: Vec<Level<'a>> = pod.into_iter().chain(containers).collect();
        for level in levels {
            self.tie(level, HOST_PROCESS, Setting::Flag(true), Setting::Flag(false));
        }
    }

    /// Removes what an API server rejects beside `allowPrivilegeEscalation: false`.
    pub(super) fn untie(&mut self, level: Level<'a>) {
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

    /// Whether a setting stays that an API server rejects beside `allowPrivilegeEscalation: false`.
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

    fn security(&self, level: Level<'a>) -> Option<&'a SecurityContext<'a>> {
        match level {
            Level::Object | Level::Label(_) => None,
            Level::Pod => Some(&self.pod.security_context),
            Level::Container(container) => self.pod.container(container).map(|spec| &spec.security_context),
        }
    }
}
