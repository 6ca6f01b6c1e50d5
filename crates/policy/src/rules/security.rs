//! Root users (E2), privilege escalation (E3) and writable root filesystems (R10).

use super::Context;
use crate::finding::{ContainerRef, Escalation, Fact, Finding, Place, RootUser, Rule};
use crate::privileged::{implies_escalation, is_root_account};
use crate::workload::{Container, SecurityContext};

pub(super) fn judge<'a>(context: &Context<'a>, findings: &mut Vec<Finding<'a>>) {
    let persona = context.persona;
    if persona.run_as_non_root {
        run_as_non_root(context, findings);
    }
    if persona.forbids_privilege_escalation {
        for (container, spec) in context.containers() {
            privilege_escalation(context, container, spec, findings);
        }
    }
    // Upstream shows this in status alone. The API server refuses the field on Windows pods, so asking for it there
    // could not be answered.
    let is_shown = match context.complete() {
        true => !context.pod().is_windows(),
        false => context.in_status(),
    };
    if persona.read_only_root_filesystem && is_shown {
        for (container, spec) in context.containers() {
            let observed = spec.security_context.read_only_root_filesystem;
            if observed != Some(true) {
                let (rule, field) = (Rule::WritableRootFilesystem, "securityContext.readOnlyRootFilesystem");
                findings.push(Finding::container(
                    rule,
                    container,
                    field,
                    Fact::WritableRoot { observed },
                ));
            }
        }
    }
}

/// E2. Upstream looks at the pod level alone; we look at what each container ends up with.
fn run_as_non_root<'a>(context: &Context<'a>, findings: &mut Vec<Finding<'a>>) {
    const FIELD: &str = "securityContext.runAsNonRoot";
    let pod = &context.pod().security_context;
    let observed = pod.run_as_non_root;
    let demanded_by_pod = observed == Some(true);
    let mut not_demanding: Vec<&str> = Vec::new();
    if !demanded_by_pod && context.complete() {
        let containers = context.containers();
        let silent = containers.filter(|(_, spec)| spec.security_context.run_as_non_root != Some(true));
        not_demanding.extend(silent.map(|(container, _)| container.name));
    }
    if !demanded_by_pod && (!context.complete() || !not_demanding.is_empty()) {
        let fact = Fact::NonRootNotDemanded {
            observed,
            containers: not_demanding,
        };
        findings.push(Finding {
            rule: Rule::RunAsNonRoot,
            place: Place::Pod(FIELD),
            fact,
        });
    }
    if !context.complete() {
        return;
    }
    for (container, spec) in context.containers() {
        let own = &spec.security_context;
        let user = root_user(own, pod);
        let switched_off = own.run_as_non_root == Some(false);
        if user.is_some() || switched_off {
            let fact = Fact::RunsAsRoot {
                demanded: own.run_as_non_root.or(pod.run_as_non_root) == Some(true),
                switched_off,
                user,
                wanted: context.persona.run_as_user,
            };
            findings.push(Finding::container(Rule::RunAsNonRoot, container, FIELD, fact));
        }
    }
}

/// The effective user, if it is root: the container's own setting hides the pod's.
fn root_user<'a>(own: &'a SecurityContext<'a>, pod: &'a SecurityContext<'a>) -> Option<RootUser<'a>> {
    if own.run_as_user.or(pod.run_as_user) == Some(0) {
        let from_pod = own.run_as_user.is_none();
        return Some(RootUser {
            from_pod,
            account: None,
        });
    }
    let (own, pod) = (
        &own.windows_options.run_as_user_name,
        &pod.windows_options.run_as_user_name,
    );
    let from_pod = own.is_empty();
    let account = if from_pod { pod } else { own }.as_str();
    is_root_account(account).then_some(RootUser {
        from_pod,
        account: Some(account),
    })
}

/// E3 and what implies it.
fn privilege_escalation<'a>(
    context: &Context<'a>,
    container: ContainerRef<'a>,
    spec: &'a Container<'a>,
    findings: &mut Vec<Finding<'a>>,
) {
    const RULE: Rule = Rule::PrivilegeEscalation;
    const ALLOWED: &str = "securityContext.allowPrivilegeEscalation";
    let own = &spec.security_context;
    let mut gains = |field, how| findings.push(Finding::container(RULE, container, field, Fact::Escalation(how)));
    if own.allow_privilege_escalation == Some(true) {
        gains(ALLOWED, Escalation::Allowed);
    }
    if !context.complete() {
        return;
    }
    if own.privileged == Some(true) {
        gains("securityContext.privileged", Escalation::Privileged);
    }
    for (index, added) in own.capabilities.add.iter().enumerate() {
        if implies_escalation(added) {
            gains("securityContext.capabilities.add", Escalation::Capability(added, index));
        }
    }
    let pod = &context.pod().security_context.windows_options;
    if own.windows_options.host_process.or(pod.host_process) == Some(true) {
        let from_pod = own.windows_options.host_process.is_none();
        gains(
            "securityContext.windowsOptions.hostProcess",
            Escalation::HostProcess { from_pod },
        );
    }
    if own.proc_mount.as_str() == "Unmasked" {
        gains("securityContext.procMount", Escalation::ProcMount);
    }
    // The API server refuses the field on Windows pods, so asking for it there could not be answered.
    if own.allow_privilege_escalation.is_none() && !context.pod().is_windows() {
        let (rule, fact) = (Rule::PrivilegeEscalationUnset, Fact::EscalationUnset);
        findings.push(Finding::container(rule, container, ALLOWED, fact));
    }
}
