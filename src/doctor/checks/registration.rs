//! Compares the ValidatingWebhookConfiguration with the one that an installation with the same settings has.
//!
//! A check fails where reviews would not reach the process: no configuration or no entry of ours, another Service or path,
//! missing rules, a condition that was edited or excludes what `--match` covers. The other differences are warnings that
//! state their cost: another failurePolicy, needless rules, other selectors, foreign or missing conditions, a timeout
//! outside 2 to 10 s. A URL in place of the Service is accepted.

use std::collections::BTreeMap;

use k8s_openapi::api::admissionregistration::v1::{RuleWithOperations, ValidatingWebhook};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Entry, View, few, selects};
use crate::api::labels::VALIDATE;
use crate::doctor::finding::{Finding, Outcome, unless};

use crate::doctor::setup::Setup;

/// The name of the condition that admits unlabelled objects without a review.
const LABELLED: &str = "labelled";
/// With less, a short overload of ours, answered by "retry in a second", leaves no time for the retry.
const MIN_TIMEOUT: i32 = 2;
/// An API server's own default. Every write of a Deployment waits this long when the webhook does not answer.
const MAX_TIMEOUT: i32 = 10;

/// The shipped entry, for this installation's names and `--match`.
pub(in crate::doctor) fn shipped(setup: &Setup) -> ValidatingWebhook {
    let objects = setup.installation().objects();
    let mut entries = objects.validating_webhook.webhooks.into_iter().flatten();
    let mut entry = entries.next().unwrap_or_default();
    if let Some(service) = &mut entry.client_config.service {
        service.name.clone_from(&setup.service);
    }
    entry
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
    let ours = shipped(view.setup).name;
    let entries: Vec<&str> = configuration
        .webhooks
        .iter()
        .flatten()
        .map(|one| one.name.as_str())
        .collect();
    let others: Vec<&str> = entries.iter().copied().filter(|name| *name != ours).collect();
    if others.len() == entries.len() {
        return Err(Finding::fail(
            format!("{name} has no entry {ours}"),
            "somebody else's configuration of that name, or one that was edited",
            view.install_again(),
        )
        .into());
    }
    if !others.is_empty() {
        return Err(Finding::warn(
            format!("{name} has entries beside ours: {}", few(&others)),
            "dorgu keeps the caBundle of its own entry only",
            view.commands
                .kubectl(format_args!("edit validatingwebhookconfiguration {name}")),
        )
        .into());
    }
    Ok(format!("{name} has its one entry"))
}

pub(super) fn client_config(view: &View<'_>) -> Outcome {
    let entry = view.entry()?;
    let called = &entry.webhook.client_config;
    if let Some(url) = &called.url {
        return Ok(format!("calls {url}"));
    }
    let shipped = shipped(view.setup).client_config.service.unwrap_or_default();
    let called = called.service.clone().unwrap_or_default();
    let port = |port: Option<i32>| port.unwrap_or(443);
    let same = called.namespace == shipped.namespace && called.name == shipped.name && called.path == shipped.path;
    let shown = format!(
        "calls {}/{}:{}{}",
        called.namespace,
        called.name,
        port(called.port),
        called.path.as_deref().unwrap_or("/")
    );
    if same {
        return Ok(shown);
    }
    Err(Finding::fail(
        format!(
            "{shown} and not {}/{}{}",
            shipped.namespace,
            shipped.name,
            shipped.path.as_deref().unwrap_or("/")
        ),
        "the process does not answer there, or its certificate is for another name",
        set(view, &entry, "clientConfig/service", &shipped),
    )
    .into())
}

pub(super) fn failure_policy(view: &View<'_>) -> Outcome {
    let entry = view.entry()?;
    let policy = entry.webhook.failure_policy.as_deref().unwrap_or("Fail");
    if policy == "Ignore" {
        return Ok("Ignore: while no pod answers, everything is admitted".to_owned());
    }
    Err(Finding::warn(
        format!("failurePolicy is {policy}"),
        "while no pod answers, no one can write a Deployment in a namespace that opted in",
        set(view, &entry, "failurePolicy", &"Ignore"),
    )
    .into())
}

pub(super) fn timeout(view: &View<'_>) -> Outcome {
    let entry = view.entry()?;
    let seconds = entry.webhook.timeout_seconds.unwrap_or(MAX_TIMEOUT);
    if (MIN_TIMEOUT..=MAX_TIMEOUT).contains(&seconds) {
        return Ok(format!("{seconds} s"));
    }
    let cause = if seconds < MIN_TIMEOUT {
        "a pod that is busy or starting says \"again in a second\", and by then it is over"
    } else {
        "every write of a Deployment may wait for so long when pods do not answer"
    };
    let shipped = shipped(view.setup).timeout_seconds;
    Err(Finding::warn(
        format!("timeoutSeconds is {seconds}"),
        cause,
        set(view, &entry, "timeoutSeconds", &shipped),
    )
    .into())
}

pub(super) fn rules(view: &View<'_>) -> Outcome {
    let entry = view.entry()?;
    let rules = entry.webhook.rules.as_deref().unwrap_or_default();
    let shipped = shipped(view.setup).rules.unwrap_or_default();
    let wanted = [
        ("CREATE", "deployments"),
        ("UPDATE", "deployments"),
        // A Scale is never created.
        ("UPDATE", "deployments/scale"),
    ];
    let sent = |(operation, resource): &(&str, &str)| rules.iter().any(|rule| covers(rule, operation, resource));
    let unseen = wanted.iter().filter(|one| !sent(one));
    let unseen: Vec<String> = unseen
        .map(|(operation, resource)| format!("{operation} of {resource}"))
        .collect();
    if !unseen.is_empty() {
        return Err(Finding::fail(
            format!("not sent: {}", unseen.join(", ")),
            "the rules of the webhook configuration were changed; what is not sent is not checked",
            set(view, &entry, "rules", &shipped),
        )
        .into());
    }
    let more: Vec<&str> = rules.iter().flat_map(beyond).collect();
    if !more.is_empty() {
        return Err(Finding::warn(
            format!("sent without need: {}", few(&more)),
            "no rule of dorgu looks at it; each such request waits for an answer all the same",
            set(view, &entry, "rules", &shipped),
        )
        .into());
    }
    Ok("Deployments and their Scale, created or updated".to_owned())
}

fn has(list: &Option<Vec<String>>, wanted: &str) -> bool {
    list.iter().flatten().any(|one| one == wanted || one == "*")
}

fn covers(rule: &RuleWithOperations, operation: &str, resource: &str) -> bool {
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
    has(&rule.api_groups, "apps")
        && has(&rule.api_versions, "v1")
        && has(&rule.operations, operation)
        && (scope == "*" || scope == "Namespaced")
        && (everything() || of_kind())
}

/// What a rule sends beyond the shipped ones.
fn beyond(rule: &RuleWithOperations) -> Vec<&str> {
    let lists: [(&Option<Vec<String>>, &[&str]); 3] = [
        (&rule.api_groups, &["apps"]),
        (&rule.resources, &["deployments", "deployments/scale"]),
        (&rule.operations, &["CREATE", "UPDATE"]),
    ];
    let unknown = lists.into_iter().flat_map(|(list, known)| {
        let words = list.iter().flatten().map(String::as_str);
        words.filter(|word| !known.contains(word))
    });
    unknown.collect()
}

pub(super) fn namespace_selector(view: &View<'_>) -> Outcome {
    let entry = view.entry()?;
    let selector = entry.webhook.namespace_selector.clone().unwrap_or_default();
    let sends = |name: &str, opted_in: bool| {
        let mut labels = BTreeMap::from([("kubernetes.io/metadata.name".to_owned(), name.to_owned())]);
        if opted_in {
            labels.insert(VALIDATE.to_owned(), "true".to_owned());
        }
        selects(&selector, &labels)
    };
    let shipped = shipped(view.setup).namespace_selector;
    let cure = set(view, &entry, "namespaceSelector", &shipped);
    // No namespace can have this name.
    let any = "-";
    let mut findings = Vec::new();
    if !sends(any, true) {
        findings.push(Finding::warn(
            format!("label {VALIDATE}=true does not opt a namespace in: {}", told(&selector)),
            "the selector asks for something else, so namespaces that follow the documentation are not checked",
            cure.clone(),
        ));
    }
    if sends(any, false) {
        findings.push(Finding::warn(
            format!("namespaces are sent that never opted in: {}", told(&selector)),
            "the selector does not ask for the label",
            cure.clone(),
        ));
    }
    let never = never(view.setup);
    let sent: Vec<&str> = never
        .iter()
        .map(String::as_str)
        .filter(|name| sends(name, true))
        .collect();
    if !sent.is_empty() {
        findings.push(Finding::warn(
            format!("namespaces are sent that must not wait for dorgu: {}", sent.join(", ")),
            "the selector does not leave them out, so a label there is enough to make the cluster, or dorgu, wait for dorgu",
            cure,
        ));
    }
    unless(
        findings,
        format!("namespaces with {VALIDATE}=true, never {}", never.join(", ")),
    )
}

/// The namespaces that are never sent, as shipped.
pub(super) fn never(setup: &Setup) -> Vec<String> {
    let selector = shipped(setup).namespace_selector.unwrap_or_default();
    let expressions = selector.match_expressions.into_iter().flatten();
    let never = expressions.filter(|one| one.operator == "NotIn");
    never.flat_map(|one| one.values.unwrap_or_default()).collect()
}

pub(super) fn object_selector(view: &View<'_>) -> Outcome {
    let entry = view.entry()?;
    match &entry.webhook.object_selector {
        Some(selector) if *selector != LabelSelector::default() => Err(Finding::warn(
            format!("only objects with these labels are sent: {}", told(selector)),
            "the author of a Deployment decides on its labels, so anyone can leave dorgu out; and no Scale has labels",
            set(view, &entry, "objectSelector", &json!({})),
        )
        .into()),
        _ => Ok("none".to_owned()),
    }
}

pub(super) fn match_conditions(view: &View<'_>) -> Outcome {
    let entry = view.entry()?;
    let shipped = shipped(view.setup).match_conditions.unwrap_or_default();
    let found = entry.webhook.match_conditions.clone().unwrap_or_default();
    // Wrapping a long line does not change the expression.
    let bare = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let same = |name: &str, expression: &str| {
        let of_name = shipped.iter().find(|one| one.name == name);
        of_name.map(|one| bare(&one.expression) == bare(expression))
    };
    let how = view.setup.matching.as_str();
    // Foreign conditions stay. Ours are replaced by the shipped ones.
    let theirs = found
        .iter()
        .filter(|one| one.name != LABELLED && same(&one.name, &one.expression).is_none());
    let mended: Vec<_> = shipped.iter().chain(theirs.clone()).cloned().collect();
    let cure = set(view, &entry, "matchConditions", &mended);
    let mut findings = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for one in &found {
        match same(&one.name, &one.expression) {
            Some(true) => names.push(&one.name),
            Some(false) => findings.push(Finding::fail(
                format!("condition '{}' is not as shipped: {}", one.name, bare(&one.expression)),
                "it was edited, or is of another version; what it leaves out is not checked",
                cure.clone(),
            )),
            None if one.name == LABELLED => findings.push(Finding::fail(
                format!("condition '{LABELLED}' is there, and the process runs with --match={how}"),
                "Deployments without the app label are not sent, although they could be matched by other names",
                cure.clone(),
            )),
            None => findings.push(Finding::warn(
                format!("condition '{}' is not dorgu's: {}", one.name, bare(&one.expression)),
                "what it leaves out is not checked; that may be meant",
                set(view, &entry, "matchConditions", &shipped),
            )),
        }
    }
    for one in shipped
        .iter()
        .filter(|one| !found.iter().any(|other| other.name == one.name))
    {
        findings.push(Finding::warn(
            format!(
                "condition '{}' is missing, and the process runs with --match={how}",
                one.name
            ),
            "more is sent than is looked at, and each such request waits for an answer",
            cure.clone(),
        ));
    }
    unless(findings, format!("{}, as --match={how} has them", names.join(", ")))
}

fn set(view: &View<'_>, entry: &Entry<'_>, field: &str, value: &impl Serialize) -> String {
    // API types always serialise.
    let value: Value = serde_json::to_value(value).unwrap_or_default();
    view.commands.set_field(view.setup, entry.at, field, &value)
}

fn told(selector: &LabelSelector) -> String {
    serde_json::to_string(selector).unwrap_or_default()
}
