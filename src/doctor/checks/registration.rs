//! Compares each entry of the ValidatingWebhookConfiguration with the one that an installation with the same settings has.
//!
//! A check fails where reviews would not reach the process: another Service or path, missing rules, a selector that excludes
//! what `--match` covers or every Scale. The other differences are warnings that state their cost: another failurePolicy,
//! needless rules, other selectors, foreign conditions, a timeout outside 2 to 10 s. A URL in place of the Service is accepted.

mod of_parts;

use std::collections::BTreeMap;

use k8s_openapi::api::admissionregistration::v1::RuleWithOperations;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde::Serialize;
use serde_json::Value;

use super::configuration::{covers, shipped, unless_joined};
use super::{Entry, View, few, selects};
use crate::api::labels::{APP_NAME, VALIDATE};
use crate::api::names::SCALE_WEBHOOK;
use crate::doctor::finding::{Finding, Outcome, unless};
use crate::doctor::setup::Setup;
use crate::policy::Matching;

/// With less, a short overload of ours, answered by "retry in a second", leaves no time for the retry.
const MIN_TIMEOUT: i32 = 2;
/// An API server's own default. Every write of a Deployment waits this long when the webhook does not answer.
const MAX_TIMEOUT: i32 = 10;

pub(super) fn client_config(view: &View<'_>) -> Outcome {
    view.of_each(|entry| called(view, entry))
}

fn called(view: &View<'_>, entry: &Entry<'_>) -> Outcome {
    let called = &entry.webhook.client_config;
    if let Some(url) = &called.url {
        return Ok(format!("calls {url}"));
    }
    let shipped = entry.shipped.client_config.service.clone().unwrap_or_default();
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
        set(view, entry, "clientConfig/service", &shipped),
    )
    .into())
}

pub(super) fn failure_policy(view: &View<'_>) -> Outcome {
    view.of_each(|entry| policy(view, entry))
}

fn policy(view: &View<'_>, entry: &Entry<'_>) -> Outcome {
    let policy = entry.webhook.failure_policy.as_deref().unwrap_or("Fail");
    if policy == "Ignore" {
        return Ok("Ignore: while no pod answers, everything is admitted".to_owned());
    }
    let cause = match view.setup.is_of_a_part(&entry.webhook.name) {
        true => "while no pod answers, no one can write what is sent there",
        false => "while no pod answers, no one can write a Deployment in a namespace that opted in",
    };
    Err(Finding::warn(
        format!("failurePolicy is {policy}"),
        cause,
        set(view, entry, "failurePolicy", &"Ignore"),
    )
    .into())
}

pub(super) fn timeout(view: &View<'_>) -> Outcome {
    view.of_each(|entry| patience(view, entry))
}

fn patience(view: &View<'_>, entry: &Entry<'_>) -> Outcome {
    let seconds = entry.webhook.timeout_seconds.unwrap_or(MAX_TIMEOUT);
    if view.setup.is_of_a_part(&entry.webhook.name) {
        return of_parts::timeout(view, entry, seconds);
    }
    if (MIN_TIMEOUT..=MAX_TIMEOUT).contains(&seconds) {
        return Ok(format!("{seconds} s"));
    }
    let cause = if seconds < MIN_TIMEOUT {
        "a pod that is busy or starting says \"again in a second\", and by then it is over"
    } else {
        "every write of a Deployment may wait for so long when pods do not answer"
    };
    Err(Finding::warn(
        format!("timeoutSeconds is {seconds}"),
        cause,
        set(view, entry, "timeoutSeconds", &entry.shipped.timeout_seconds),
    )
    .into())
}

pub(super) fn rules(view: &View<'_>) -> Outcome {
    view.of_each(|entry| sent(view, entry))?;
    Ok("Deployments and their Scale, created or updated".to_owned())
}

fn sent(view: &View<'_>, entry: &Entry<'_>) -> Outcome {
    unless_joined(entry)?;
    let rules = entry.webhook.rules.as_deref().unwrap_or_default();
    let shipped = entry.shipped.rules.as_deref().unwrap_or_default();
    let group = shipped.iter().flat_map(|rule| rule.api_groups.iter().flatten()).next();
    let group = group.map_or("", String::as_str);
    let sent = |operation: &str, resource: &str| rules.iter().any(|rule| covers(rule, group, operation, resource));
    let unsent = shipped.iter().flat_map(|rule| {
        let resources = rule.resources.iter().flatten();
        resources.flat_map(|resource| {
            rule.operations
                .iter()
                .flatten()
                .map(move |operation| (operation, resource))
        })
    });
    let unsent = unsent.filter(|(operation, resource)| !sent(operation, resource));
    let unsent: Vec<String> = unsent
        .map(|(operation, resource)| format!("{operation} of {resource}"))
        .collect();
    if !unsent.is_empty() {
        return Err(Finding::fail(
            format!("not sent: {}", unsent.join(", ")),
            "the rules of the webhook configuration were changed; what is not sent is not checked",
            set(view, entry, "rules", &shipped),
        )
        .into());
    }
    let more: Vec<&str> = rules.iter().flat_map(|rule| beyond(rule, shipped)).collect();
    if !more.is_empty() {
        return Err(Finding::warn(
            format!("sent without need: {}", few(&more)),
            "no rule of dorgu looks at it; each such request waits for an answer all the same",
            set(view, entry, "rules", &shipped),
        )
        .into());
    }
    Ok(String::new())
}

/// What a rule sends beyond the shipped ones.
fn beyond<'a>(rule: &'a RuleWithOperations, shipped: &[RuleWithOperations]) -> Vec<&'a str> {
    type List = fn(&RuleWithOperations) -> &Option<Vec<String>>;
    let lists: [List; 3] = [|rule| &rule.api_groups, |rule| &rule.resources, |rule| &rule.operations];
    let unknown = lists.into_iter().flat_map(|list| {
        let known = |word: &str| {
            shipped
                .iter()
                .flat_map(|rule| list(rule).iter().flatten())
                .any(|one| one == word)
        };
        let words = list(rule).iter().flatten().map(String::as_str);
        words.filter(|word| !known(word)).collect::<Vec<_>>()
    });
    unknown.collect()
}

pub(super) fn namespace_selector(view: &View<'_>) -> Outcome {
    view.of_each(|entry| namespaces(view, entry))
}

fn namespaces(view: &View<'_>, entry: &Entry<'_>) -> Outcome {
    if view.setup.is_of_a_part(&entry.webhook.name) {
        return of_parts::namespace_selector(view, entry);
    }
    let selector = entry.webhook.namespace_selector.clone().unwrap_or_default();
    let sends = |name: &str, opted_in: bool| {
        let mut labels = BTreeMap::from([("kubernetes.io/metadata.name".to_owned(), name.to_owned())]);
        if opted_in {
            labels.insert(VALIDATE.to_owned(), "true".to_owned());
        }
        selects(&selector, &labels)
    };
    let cure = set(view, entry, "namespaceSelector", &entry.shipped.namespace_selector);
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
    view.of_each(|entry| objects(view, entry))
}

fn objects(view: &View<'_>, entry: &Entry<'_>) -> Outcome {
    if view.setup.is_of_a_part(&entry.webhook.name) {
        return of_parts::object_selector(view, entry);
    }
    unless_joined(entry)?;
    let (how, judges_unlabelled) = match (view.setup.matching, view.setup.requires_label) {
        (Matching::Chain, _) => ("--match=chain", true),
        (Matching::Label, true) => ("--require-label", true),
        (Matching::Label, false) => ("--match=label", false),
    };
    let shipped = entry.shipped.object_selector.clone().unwrap_or_default();
    let stored = entry.webhook.object_selector.clone().unwrap_or_default();
    if stored == shipped {
        return Ok(match shipped.match_expressions {
            Some(_) => format!("objects with the label {APP_NAME}, as {how} has it"),
            None => "none".to_owned(),
        });
    }
    let cure = set(view, entry, "objectSelector", &shipped);
    let labelled = |labels: &[&str]| labels.iter().map(|key| ((*key).to_owned(), "x".to_owned())).collect();
    let sends = |labels: &[&str]| selects(&stored, &labelled(labels));
    if entry.webhook.name == SCALE_WEBHOOK {
        return match sends(&[]) {
            true => Ok("one that every Scale passes".to_owned()),
            false => Err(Finding::fail(
                format!(
                    "no Scale is sent, but only objects with these labels: {}",
                    told(&stored)
                ),
                "a Scale has no labels",
                cure,
            )
            .into()),
        };
    }
    let finding = match (judges_unlabelled, sends(&[APP_NAME]), sends(&[])) {
        (false, true, true) => Finding::warn(
            format!("objects without the label {APP_NAME} are sent"),
            format!("with {how} they are of no persona, and each such request waits for an answer"),
            cure,
        ),
        (true, true, false) => Finding::fail(
            format!(
                "only objects with these labels are sent, and the process runs with {how}: {}",
                told(&stored)
            ),
            match view.setup.matching {
                Matching::Label => "Deployments without the app label are findings",
                Matching::Chain => "Deployments without the app label could be matched by other names",
            },
            cure,
        ),
        _ => Finding::warn(
            format!("only objects with these labels are sent: {}", told(&stored)),
            "the author of a Deployment decides on its labels, so anyone can leave dorgu out",
            cure,
        ),
    };
    Err(finding.into())
}

pub(super) fn match_conditions(view: &View<'_>) -> Outcome {
    view.of_each(|entry| conditions(view, entry))
}

fn conditions(view: &View<'_>, entry: &Entry<'_>) -> Outcome {
    unless_joined(entry)?;
    // Wrapping a long line does not change the expression.
    let bare = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let shipped = entry.shipped.match_conditions.as_deref().unwrap_or_default();
    let stored = entry.webhook.match_conditions.iter().flatten();
    let foreign = stored.filter(|one| !shipped.contains(one));
    let findings = foreign.map(|one| {
        Finding::warn(
            format!("condition '{}' is not dorgu's: {}", one.name, bare(&one.expression)),
            "what it leaves out is not checked, and an API server evaluates it for every request; that may be meant",
            set(view, entry, "matchConditions", &shipped),
        )
    });
    unless(findings.collect(), "none")
}

fn set(view: &View<'_>, entry: &Entry<'_>, field: &str, value: &impl Serialize) -> String {
    // API types always serialise.
    let value: Value = serde_json::to_value(value).unwrap_or_default();
    view.commands.set_field(view.setup, entry.at, field, &value)
}

fn told(selector: &LabelSelector) -> String {
    serde_json::to_string(selector).unwrap_or_default()
}
