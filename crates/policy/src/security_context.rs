//! Computes the effective security settings of a container: its own settings, otherwise those of its pod, without those that
//! its operating system ignores.
//!
//! A pod that names no operating system may run on Linux or on Windows. An absent setting then has the meaning that it has
//! on Linux; a setting for Windows takes effect as on Windows.

use super::finding::{Escalation, RootUser};
use super::power::{Power, System};
use super::privileged::{implies_escalation, is_root_account, kubelet_sees_root};
use super::workload::{Container, PodSpec, SecurityContext};

/// Whether a pod that names no operating system and no Windows account may run on Windows, as the user of its image. It may,
/// but no persona forbids it, since nearly every pod is like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// For a stored object, which has this power already.
    Counts,
    /// For a new object: not forbidden.
    Passes,
}

/// The effective settings of one container.
#[derive(Clone, Copy)]
pub(super) struct EffectiveSecurityContext<'a> {
    pod: &'a PodSpec<'a>,
    own: &'a SecurityContext<'a>,
}

impl<'a> EffectiveSecurityContext<'a> {
    pub(super) fn new(pod: &'a PodSpec<'a>, container: &'a Container<'a>) -> Self {
        let own = &container.security_context;
        EffectiveSecurityContext { pod, own }
    }

    /// The configured user, where it is root.
    pub(super) fn root_user(&self) -> Option<RootUser<'a>> {
        let id = self.user_id().filter(|(user, _)| *user == 0);
        let account = || self.account().filter(|(account, _)| is_root_account(account));
        let by_id = id.map(|(_, from_pod)| RootUser {
            from_pod,
            account: None,
        });
        by_id.or_else(|| {
            account().map(|(account, from_pod)| RootUser {
                from_pod,
                account: Some(account),
            })
        })
    }

    /// What its user allows on each system. A demand for a user other than root keeps a root user from starting, except for
    /// accounts that the kubelet does not know.
    pub(super) fn powers_of_user(&self, silence: Silence) -> impl Iterator<Item = Power<'static>> {
        let demanded = self.own.run_as_non_root.or(self.pod.security_context.run_as_non_root) == Some(true);
        let linux = (!self.pod.is_windows()).then(|| match self.user_id() {
            Some((0, _)) if !demanded => Some(Power::Root(System::Linux)),
            None if !demanded => Some(Power::UserOfTheImage(System::Linux)),
            _ => None,
        });
        let windows = (!self.pod.is_linux()).then(|| match self.account() {
            Some((account, _)) => {
                let starts_as_root = is_root_account(account) && !(demanded && kubelet_sees_root(account));
                starts_as_root.then_some(Power::Root(System::Windows))
            }
            None if demanded => None,
            None => match self.pod.is_windows() || silence == Silence::Counts {
                true => Some(Power::UserOfTheImage(System::Windows)),
                false => None,
            },
        });
        linux.flatten().into_iter().chain(windows.flatten())
    }

    /// Every way in which it gains privileges, with its field, in the order of the report.
    pub(super) fn escalations(&self, mut each: impl FnMut(&'static str, Escalation<'a>)) {
        let own = self.own;
        if !self.pod.is_windows() {
            if own.allow_privilege_escalation == Some(true) {
                each(ALLOW_ESCALATION, Escalation::Allowed);
            }
            if own.privileged == Some(true) {
                each("securityContext.privileged", Escalation::Privileged);
            }
            for (index, added) in own.capabilities.add.iter().enumerate() {
                if implies_escalation(added) {
                    each("securityContext.capabilities.add", Escalation::Capability(added, index));
                }
            }
        }
        if !self.pod.is_linux() {
            let pod = &self.pod.security_context.windows_options;
            if own.windows_options.host_process.or(pod.host_process) == Some(true) {
                let from_pod = own.windows_options.host_process.is_none();
                let how = Escalation::HostProcess { from_pod };
                each("securityContext.windowsOptions.hostProcess", how);
            }
        }
        if !self.pod.is_windows() && own.proc_mount.as_str() == "Unmasked" {
            each("securityContext.procMount", Escalation::ProcMount);
        }
    }

    /// Whether escalation is unset, which Linux reads as true. Windows has no such field.
    pub(super) fn leaves_escalation_unset(&self) -> bool {
        self.own.allow_privilege_escalation.is_none() && !self.pod.is_windows()
    }

    /// `runAsUser`, and whether it is the pod's.
    fn user_id(&self) -> Option<(i64, bool)> {
        let (own, pod) = (self.own.run_as_user, self.pod.security_context.run_as_user);
        let read = own.map(|user| (user, false)).or(pod.map(|user| (user, true)));
        read.filter(|_| !self.pod.is_windows())
    }

    /// The Windows account, and whether it is the pod's.
    fn account(&self) -> Option<(&'a str, bool)> {
        let own = self.own.windows_options.run_as_user_name.as_str();
        let pod = self.pod.security_context.windows_options.run_as_user_name.as_str();
        let read = if own.is_empty() { (pod, true) } else { (own, false) };
        Some(read).filter(|(account, _)| !account.is_empty() && !self.pod.is_linux())
    }
}

/// The field that allows or forbids escalation, below a container.
pub(super) const ALLOW_ESCALATION: &str = "securityContext.allowPrivilegeEscalation";
