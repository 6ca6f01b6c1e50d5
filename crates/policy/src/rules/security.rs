//! Reports containers that may run as root (E2), gain privileges (E3) or write to their root filesystem (R10).

use super::{Context, Found};
use crate::finding::{ContainerRef, Escalation, Fact, Finding, Place, Rule};
use crate::security_context::{ALLOW_ESCALATION, EffectiveSecurityContext};
use crate::workload::Container;

/// The field that demands a user other than root, below a pod and below a container.
const NON_ROOT: &str = "securityContext.runAsNonRoot";

/// E2 on the pod level. Upstream reads only that; we judge the effective settings of each container.
pub(super) fn judge_pod<'a>(context: &Context<'a>, found: Found<'_, 'a>) {
    let observed = context.pod().security_context.run_as_non_root;
    if !context.persona.run_as_non_root || observed == Some(true) {
        return;
    }
    let mut containers = Vec::new();
    if context.complete() {
        let silent = |spec: &Container<'_>| spec.security_context.run_as_non_root != Some(true);
        let silent = context.containers().filter(move |(_, spec)| silent(spec));
        // Counted first: a list that doubles would need three times its size.
        containers.reserve_exact(silent.clone().count());
        containers.extend(silent.map(|(container, _)| container.name));
        if containers.is_empty() {
            return;
        }
    }
    found(Finding {
        rule: Rule::RunAsNonRoot,
        place: Place::Pod(NON_ROOT),
        fact: Fact::NonRootNotDemanded { observed, containers },
    });
}

pub(super) fn judge_container<'a>(
    context: &Context<'a>,
    container: ContainerRef<'a>,
    spec: &'a Container<'a>,
    found: Found<'_, 'a>,
) {
    let persona = context.persona;
    if persona.run_as_non_root && context.complete() {
        runs_as_root(context, container, spec, found);
    }
    if persona.forbids_privilege_escalation {
        privilege_escalation(context, container, spec, found);
    }
    // Upstream shows this in status only. The API server rejects the field on Windows pods, so demanding it there could not be
    // satisfied.
    let is_shown = match context.complete() {
        true => !context.pod().is_windows(),
        false => context.in_status(),
    };
    let observed = spec.security_context.read_only_root_filesystem;
    if persona.read_only_root_filesystem && is_shown && observed != Some(true) {
        let (rule, field) = (Rule::WritableRootFilesystem, "securityContext.readOnlyRootFilesystem");
        let fact = Fact::WritableRoot { observed };
        found(Finding::container(rule, container, field, fact));
    }
}

/// E2 by the effective settings of a container.
fn runs_as_root<'a>(context: &Context<'a>, container: ContainerRef<'a>, spec: &'a Container<'a>, found: Found<'_, 'a>) {
    let user = EffectiveSecurityContext::new(context.pod(), spec).root_user();
    let switched_off = spec.security_context.run_as_non_root == Some(false);
    if user.is_some() || switched_off {
        let fact = Fact::RunsAsRoot {
            switched_off,
            user,
            wanted: context.persona.run_as_user,
        };
        found(Finding::container(Rule::RunAsNonRoot, container, NON_ROOT, fact));
    }
}

/// E3 and what implies it.
fn privilege_escalation<'a>(
    context: &Context<'a>,
    container: ContainerRef<'a>,
    spec: &'a Container<'a>,
    found: Found<'_, 'a>,
) {
    let mut gains = |field, how| {
        let fact = Fact::Escalation(how);
        found(Finding::container(Rule::PrivilegeEscalation, container, field, fact));
    };
    if !context.complete() {
        if spec.security_context.allow_privilege_escalation == Some(true) {
            gains(ALLOW_ESCALATION, Escalation::Allowed);
        }
        return;
    }
    let effective = EffectiveSecurityContext::new(context.pod(), spec);
    effective.escalations(gains);
    if effective.leaves_escalation_unset() {
        let (rule, fact) = (Rule::PrivilegeEscalationUnset, Fact::EscalationUnset);
        found(Finding::container(rule, container, ALLOW_ESCALATION, fact));
    }
}
