//! The ValidatingWebhookConfiguration as a whole: whether it is there, with our entries and no others, and in which form. Their
//! fields are compared in `registration`.

use k8s_openapi::api::admissionregistration::v1::{RuleWithOperations, ValidatingWebhook};
use serde_json::{Value, json};

use super::{Entry, View, few};
use crate::api::names::{SCALE_WEBHOOK, WEBHOOK};
use crate::doctor::finding::{Finding, NotOk, Outcome, skip, unless};
use crate::doctor::setup::Setup;

/// The shipped entry for workloads, for this installation's names and `--match`.
pub(in crate::doctor) fn shipped(setup: &Setup) -> ValidatingWebhook {
    shipped_entries(setup).into_iter().next().unwrap_or_default()
}

/// All shipped entries.
pub(super) fn shipped_entries(setup: &Setup) -> Vec<ValidatingWebhook> {
    let mut entries = setup.installation().webhook_entries();
    entries.retain(|entry| !setup.switched_off.contains(&entry.name.as_str()));
    for service in entries
        .iter_mut()
        .filter_map(|entry| entry.client_config.service.as_mut())
    {
        service.name.clone_from(&setup.service);
    }
    entries
}

pub(super) fn configuration(view: &View<'_>) -> Outcome {
    let name = &view.setup.configuration;
    if !view.setup.webhook {
        return match view.facts.configuration.here() {
            Some(_) => Err(Finding::fail(
                format!("{name} has API servers call a webhook that the Deployment does not serve"),
                "the Deployment runs without --enable-webhook",
                view.commands
                    .kubectl(format_args!("delete validatingwebhookconfiguration {name}")),
            )
            .into()),
            None => view.webhook_is_wanted().map(|()| String::new()),
        };
    }
    view.unless_uninstalled(&view.facts.configuration)?;
    let configuration = view.facts.configuration.or_found(|| {
        Finding::fail(
            format!("ValidatingWebhookConfiguration {name} does not exist"),
            "it was never applied, or deleted, which is the emergency stop: nothing is checked",
            view.install_again(),
        )
    })?;
    let all = shipped_entries(view.setup);
    let stored = configuration.webhooks.as_deref().unwrap_or_default();
    let Ok(workloads) = view.entry() else {
        return Err(Finding::fail(
            format!("{name} has no entry {}", shipped(view.setup).name),
            "somebody else's configuration of that name, or one that was edited",
            view.install_again(),
        )
        .into());
    };
    let mut findings = Vec::new();
    let is_ours = |name: &str| all.iter().any(|ours| ours.name == name);
    let others = stored.iter().map(|entry| entry.name.as_str());
    let others: Vec<&str> = others.filter(|name| !is_ours(name)).collect();
    if !others.is_empty() {
        findings.push(Finding::warn(
            format!("{name} has entries beside ours: {}", few(&others)),
            "dorgu ships no such entry; it keeps the caBundle of entries that call its Service",
            view.commands
                .kubectl(format_args!("edit validatingwebhookconfiguration {name}")),
        ));
    }
    let missing = all.iter().map(|ours| ours.name.as_str());
    let missing = missing.filter(|name| !stored.iter().any(|entry| entry.name == *name));
    let (of_parts, missing): (Vec<&str>, Vec<&str>) = missing.partition(|name| view.setup.is_of_a_part(name));
    let whole = form(view, &workloads, stored.len(), &missing);
    // Its cure brings those of parts, too.
    if whole.is_none() && !of_parts.is_empty() {
        findings.push(Finding::warn(
            format!("{name} has no entry {}", few(&of_parts)),
            "it is of an earlier version, or was edited; writes of these objects get no warnings",
            view.install_again(),
        ));
    }
    findings.extend(whole);
    unless(findings, format!("{name} has its {} entries", all.len()))
}

/// What is wrong with the entries as a whole: one is missing, or that for workloads has Scale, too, as in the form before.
fn form(view: &View<'_>, workloads: &Entry<'_>, entries: usize, missing: &[&str]) -> Option<Finding> {
    let name = &view.setup.configuration;
    let joined = has_scale(workloads);
    if joined && *missing == [SCALE_WEBHOOK] {
        let split = view.commands.patch(view.setup, &split(workloads, entries));
        return Some(Finding::warn(
            format!("{name} has one entry for Deployments and their Scale, as before"),
            "for every Deployment an API server evaluates conditions in CEL, or calls though there is no label",
            format!("{split} && {}", view.install_again()),
        ));
    }
    if !missing.is_empty() {
        return Some(Finding::fail(
            format!("{name} has no entry {}", few(missing)),
            "it was edited, or is of another version; what it would send is not checked",
            view.install_again(),
        ));
    }
    joined.then(|| {
        Finding::warn(
            format!("{name} sends every Scale twice: {} has it, too", workloads.webhook.name),
            "the way from one entry to two was not gone to its end; each Scale waits for two answers",
            view.install_again(),
        )
    })
}

/// Gives Scale an entry of its own, with the caBundle of the one that had it so far, so that no moment is without. `entries` is
/// how many there are.
fn split(workloads: &Entry<'_>, entries: usize) -> Value {
    let (from, to) = (format!("/webhooks/{}", workloads.at), format!("/webhooks/{entries}"));
    let mut patch = vec![
        json!({"op": "test", "path": format!("{from}/name"), "value": WEBHOOK}),
        json!({"op": "copy", "from": from, "path": to}),
        json!({"op": "replace", "path": format!("{to}/name"), "value": SCALE_WEBHOOK}),
        json!({"op": "replace", "path": format!("{to}/rules/0/resources"), "value": ["deployments/scale"]}),
        json!({"op": "replace", "path": format!("{to}/rules/0/operations"), "value": ["UPDATE"]}),
    ];
    if workloads.webhook.match_conditions.is_some() {
        patch.push(json!({"op": "remove", "path": format!("{to}/matchConditions")}));
    }
    Value::Array(patch)
}

/// Whether the entry for workloads sends Scale, too: the form of the registration before Scale got an entry of its own.
fn has_scale(workloads: &Entry<'_>) -> bool {
    let rules = workloads.webhook.rules.iter().flatten();
    workloads.webhook.name == WEBHOOK
        && rules
            .into_iter()
            .any(|rule| covers(rule, "apps", "UPDATE", "deployments/scale"))
}

/// Skips what cannot be compared with the shipped entry while that is of the form before.
pub(super) fn unless_joined(entry: &Entry<'_>) -> Result<(), NotOk> {
    if has_scale(entry) {
        return skip("the entry is of the form before, which webhook-configuration reports");
    }
    Ok(())
}

fn has(list: &Option<Vec<String>>, wanted: &str) -> bool {
    list.iter().flatten().any(|one| one == wanted || one == "*")
}

/// Whether a rule sends this, of the version v1 of its group.
pub(super) fn covers(rule: &RuleWithOperations, group: &str, operation: &str, resource: &str) -> bool {
    let everything = || rule.resources.iter().flatten().any(|one| one == "*/*");
    let of_kind = || match resource.split_once('/') {
        None => has(&rule.resources, resource),
        // `*` covers kinds, not their subresources.
        Some((kind, below)) => rule
            .resources
            .iter()
            .flatten()
            .any(|one| one == resource || *one == format!("{kind}/*") || *one == format!("*/{below}")),
    };
    let scope = rule.scope.as_deref().unwrap_or("*");
    has(&rule.api_groups, group)
        && has(&rule.api_versions, "v1")
        && has(&rule.operations, operation)
        && (scope == "*" || scope == "Namespaced")
        && (everything() || of_kind())
}
