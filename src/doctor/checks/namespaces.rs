//! Checks which namespaces opted in, in which mode, and with which personas.

use std::collections::BTreeSet;

use super::registration::{never, shipped};
use super::{View, few, selects};
use crate::api::labels::{MODE, VALIDATE};
use crate::doctor::commands::word;
use crate::doctor::facts::Namespace;
use crate::doctor::finding::{Finding, NotOk, Outcome, unless};

use crate::policy::text::{Shown, cut};
use crate::policy::{Mode, ModeWish};

/// The namespaces whose Deployments are sent, by the stored selector or, without one, by the shipped one.
pub(in crate::doctor) fn sent<'a>(view: &'a View<'_>) -> Result<Vec<&'a Namespace>, NotOk> {
    let namespaces = view.facts.namespaces.needed("there are none")?;
    let stored = view.entry().ok().map(|entry| entry.webhook.clone());
    let selector = stored.unwrap_or_else(|| shipped(view.setup)).namespace_selector;
    let selector = selector.unwrap_or_default();
    let sent = namespaces.iter().filter(|one| selects(&selector, &one.labels));
    Ok(sent.collect())
}

pub(super) fn opt_in(view: &View<'_>) -> Outcome {
    view.webhook_is_wanted()?;
    let sent = sent(view)?;
    let namespaces = view.facts.namespaces.needed("there are none")?;
    let mut findings = Vec::new();
    // Users write `false` for "not here".
    let meant = |namespace: &&Namespace| {
        !matches!(
            namespace.labels.get(VALIDATE).map(String::as_str),
            None | Some("true" | "false")
        )
    };
    for namespace in namespaces.iter().filter(meant) {
        let (name, value) = (&namespace.name, namespace.labels.get(VALIDATE));
        findings.push(Finding::warn(
            format!(
                "namespace {name} has {VALIDATE}={}",
                value.map(String::as_str).unwrap_or_default()
            ),
            "only the value true opts in",
            view.commands.kubectl(format_args!(
                "label namespace {} {VALIDATE}=true --overwrite",
                word(name)
            )),
        ));
    }
    if sent.is_empty() && findings.is_empty() {
        let governed = view.facts.personas.here().and_then(|personas| personas.first());
        let example = governed.map_or("default", |persona| persona.namespace.as_str());
        findings.push(Finding::warn(
            "no namespace has opted in",
            format!("a namespace is checked only when it is labelled {VALIDATE}=true"),
            view.commands
                .kubectl(format_args!("label namespace {} {VALIDATE}=true", word(example))),
        ));
    }
    let names: Vec<&str> = sent.iter().map(|namespace| namespace.name.as_str()).collect();
    unless(findings, few(&names))
}

pub(super) fn excluded(view: &View<'_>) -> Outcome {
    view.webhook_is_wanted()?;
    let namespaces = view.facts.namespaces.needed("there are none")?;
    let never = never(view.setup);
    let labelled = |namespace: &&Namespace| {
        never.contains(&namespace.name) && namespace.labels.get(VALIDATE).is_some_and(|value| value == "true")
    };
    let findings = namespaces.iter().filter(labelled).map(|namespace| {
        let name = &namespace.name;
        Finding::warn(
            format!("namespace {name} is labelled {VALIDATE}=true and is not checked"),
            "it is always left out, since the cluster, or dorgu itself, must not wait for dorgu",
            view.commands
                .kubectl(format_args!("label namespace {} {VALIDATE}-", word(name))),
        )
    });
    unless(findings.collect(), "none is labelled that is always left out")
}

pub(super) fn modes(view: &View<'_>) -> Outcome {
    let mut findings = Vec::new();
    let cause = "it is not one of advisory, enforcing, so it counts as unset";
    let mut wishes = 0;
    for namespace in view.facts.namespaces.needed("there are none")? {
        match ModeWish::read_beside(namespace.labels.get(MODE), namespace.misplaced_mode.as_ref()) {
            ModeWish::Unset => {}
            ModeWish::Misplaced(value) => {
                let name = &namespace.name;
                // Any text may stand in an annotation, and a label has to be a mode to count.
                let wanted = match ModeWish::read(Some(&value)) {
                    ModeWish::Set(mode) => mode,
                    _ => Mode::Enforcing,
                };
                findings.push(Finding::warn(
                    format!("namespace {name} has an annotation {MODE}={}", cut(Shown(&value), 64)),
                    "a namespace's mode is a label, so the annotation counts as unset",
                    view.commands
                        .kubectl(format_args!("label namespace {} {MODE}={wanted}", word(name))),
                ));
            }
            ModeWish::Set(_) => wishes += 1,
            ModeWish::Unknown(value) => {
                let name = &namespace.name;
                findings.push(Finding::warn(
                    format!("namespace {name} has {MODE}={value}"),
                    cause,
                    view.commands.kubectl(format_args!(
                        "label namespace {} {MODE}=enforcing --overwrite",
                        word(name)
                    )),
                ));
            }
        }
    }
    // Without the definition there are no personas; another check reports that.
    for persona in view.facts.personas.here().into_iter().flatten() {
        match &persona.mode {
            ModeWish::Unset => {}
            ModeWish::Set(_) => wishes += 1,
            ModeWish::Misplaced(value) => findings.push(Finding::warn(
                format!(
                    "ApplicationPersona {}/{} has a label {MODE}={value}",
                    persona.namespace, persona.name
                ),
                "a persona's mode is an annotation, so the label counts as unset",
                view.commands.kubectl_in(
                    &persona.namespace,
                    format_args!(
                        "annotate applicationpersona {} {MODE}={}",
                        word(&persona.name),
                        word(value)
                    ),
                ),
            )),
            ModeWish::Unknown(value) => findings.push(Finding::warn(
                format!(
                    "ApplicationPersona {}/{} has {MODE}={value}",
                    persona.namespace, persona.name
                ),
                cause,
                view.commands.kubectl_in(
                    &persona.namespace,
                    format_args!(
                        "annotate applicationpersona {} {MODE}=enforcing --overwrite",
                        word(&persona.name)
                    ),
                ),
            )),
        }
    }
    let process = view.setup.rulebook.mode;
    unless(
        findings,
        format!("the process is {process}; {wishes} namespaces and personas ask for a mode"),
    )
}

pub(super) fn personas(view: &View<'_>) -> Outcome {
    view.webhook_is_wanted()?;
    let sent = sent(view)?;
    let personas = view.facts.personas.needed("there is no definition of them")?;
    let governed: BTreeSet<&str> = personas.iter().map(|persona| persona.namespace.as_str()).collect();
    let findings = sent
        .iter()
        .filter(|namespace| !governed.contains(namespace.name.as_str()) && !namespace.terminating)
        .map(|namespace| {
            let name = word(&namespace.name);
            Finding::warn(
                format!("namespace {name} has opted in and has no ApplicationPersona"),
                "its Deployments are sent and admitted unchecked",
                view.commands.kubectl(format_args!(
                    "label namespace {name} {VALIDATE}-   # or write its personas: kubectl explain applicationpersona.spec"
                )),
            )
        });
    unless(
        findings.collect(),
        format!("{} personas in {} namespaces", personas.len(), governed.len()),
    )
}
