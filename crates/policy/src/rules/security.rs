//! Root users (E2), privilege escalation (E3) and writable root filesystems (R10).

use super::Context;
use crate::effective::{ALLOW_ESCALATION, Effective};
use crate::finding::{ContainerRef, Escalation, Fact, Finding, Place, Rule};
use crate::workload::Container;

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
    let observed = context.pod().security_context.run_as_non_root;
    let demanded_by_pod = observed == Some(true);
    let mut not_demanding = Vec::new();
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
        let user = Effective::new(context.pod(), spec).root_user();
        let switched_off = spec.security_context.run_as_non_root == Some(false);
        if user.is_some() || switched_off {
            let fact = Fact::RunsAsRoot {
                switched_off,
                user,
                wanted: context.persona.run_as_user,
            };
            findings.push(Finding::container(Rule::RunAsNonRoot, container, FIELD, fact));
        }
    }
}

/// E3 and what implies it.
fn privilege_escalation<'a>(
    context: &Context<'a>,
    container: ContainerRef<'a>,
    spec: &'a Container<'a>,
    findings: &mut Vec<Finding<'a>>,
) {
    let mut gains = |field, how| {
        let fact = Fact::Escalation(how);
        findings.push(Finding::container(Rule::PrivilegeEscalation, container, field, fact));
    };
    if !context.complete() {
        if spec.security_context.allow_privilege_escalation == Some(true) {
            gains(ALLOW_ESCALATION, Escalation::Allowed);
        }
        return;
    }
    let effective = Effective::new(context.pod(), spec);
    effective.escalations(gains);
    if effective.leaves_escalation_unset() {
        let (rule, fact) = (Rule::PrivilegeEscalationUnset, Fact::EscalationUnset);
        findings.push(Finding::container(rule, container, ALLOW_ESCALATION, fact));
    }
}
