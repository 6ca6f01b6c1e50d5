//! Words what a changed field of a persona does to the Deployments that it governs.

use serde::Serialize;
use serde_json::Value;

use super::changes::{MODE, shown};
use crate::api::levels::Level;
use crate::policy::quantity::Quantity;
use crate::policy::{Rule, Severity};

/// The direction of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// What was fine may now be a finding.
    Stricter,
    /// What was a finding may now be fine.
    Looser,
    /// Both.
    Different,
    /// No check reads the field.
    Unchecked,
}

impl Effect {
    /// The word in lines for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Effect::Stricter => "stricter",
            Effect::Looser => "looser",
            Effect::Different => "different",
            Effect::Unchecked => "no check",
        }
    }
}

/// The effect of a change, and what it does. An absent value is null.
pub(super) fn meaning(field: &str, old: &Value, new: &Value) -> (Effect, String) {
    use Rule::*;
    match field {
        MODE => mode(old, new),
        "spec.name" => (
            Effect::Different,
            format!("it governs {} instead of {}", app(new), app(old)),
        ),
        "spec.selector" => match (old, new) {
            (Value::Null, _) => (
                Effect::Looser,
                "it governs only the workloads of its app that the selector matches".to_owned(),
            ),
            (_, Value::Null) => (Effect::Stricter, "it governs all workloads of its app".to_owned()),
            _ => (Effect::Different, "it governs other workloads of its app".to_owned()),
        },
        "spec.resources" => switch(new == "set", "containers without resource requests", RequestsMissing),
        "spec.resources.limits.cpu" => limit("CPU", old, new, CpuLimitAbovePersona, CpuLimitMissing),
        "spec.resources.limits.memory" => limit("memory", old, new, MemoryLimitAbovePersona, MemoryLimitMissing),
        "spec.scaling.minReplicas" => minimum(old.as_i64(), new.as_i64()),
        "spec.scaling.maxReplicas" => maximum(old.as_i64(), new.as_i64()),
        "spec.health.livenessPath" => probe("liveness", text(old), text(new), LivenessProbeMissing),
        "spec.health.readinessPath" => probe("readiness", text(old), text(new), ReadinessProbeMissing),
        "spec.policies.security.runAsNonRoot" => {
            demand(old, new, true, "containers that may run as root", RunAsNonRoot)
        }
        "spec.policies.security.readOnlyRootFilesystem" => demand(
            old,
            new,
            true,
            "containers with a writable root filesystem",
            WritableRootFilesystem,
        ),
        "spec.policies.security.allowPrivilegeEscalation" => demand(
            old,
            new,
            false,
            "containers that may gain privileges",
            PrivilegeEscalation,
        ),
        "spec.policies.images.registries" => registries(old, new),
        "spec.policies.images.denyLatest" => {
            demand(old, new, true, "images with the tag latest, or none", ImageTagLatest)
        }
        "spec.policies.images.requireDigest" => demand(old, new, true, "images without a digest", ImageDigestMissing),
        "spec.policies.binding" => match new.as_bool() {
            Some(true) => (
                Effect::Stricter,
                "it also governs apps that have a persona of their own".to_owned(),
            ),
            _ => (
                Effect::Looser,
                "it no longer governs apps that have a persona of their own".to_owned(),
            ),
        },
        _ => match rule_of(field) {
            Some(rule) => level(rule, old, new),
            None => (Effect::Unchecked, unchecked(field).to_owned()),
        },
    }
}

/// Whom a field without a check is for.
fn unchecked(field: &str) -> &'static str {
    let below = |parent: &str| field.strip_prefix(parent).is_some_and(|rest| rest.starts_with('.'));
    if below("spec.ownership") {
        "denials and lists show it to people"
    } else if below("spec.resources.requests") {
        "it is offered to containers without requests; no amount is compared"
    } else if field == "spec.type" || field == "spec.tier" {
        "lists show it to people"
    } else {
        "people and generators read it"
    }
}

fn mode(old: &Value, new: &Value) -> (Effect, String) {
    match (new.as_str(), old.as_str()) {
        (Some("enforcing"), _) => (
            Effect::Stricter,
            "findings of severity error deny the request".to_owned(),
        ),
        (Some("advisory") | None, Some("enforcing")) => (
            Effect::Looser,
            "findings of severity error only warn, unless the namespace or the process enforces".to_owned(),
        ),
        (Some("advisory") | None, _) => (Effect::Unchecked, "advisory is the default".to_owned()),
        (Some(_), Some("enforcing")) => (
            Effect::Looser,
            "the value is no mode, so the persona requests none".to_owned(),
        ),
        (Some(_), _) => (
            Effect::Unchecked,
            "the value is no mode, so the persona requests none".to_owned(),
        ),
    }
}

fn app(name: &Value) -> String {
    match name.as_str() {
        Some("*") => "the apps that have no persona of their own".to_owned(),
        Some(name) => format!("Deployments with app.kubernetes.io/name: {name}"),
        None => "nothing".to_owned(),
    }
}

/// What happens to something that violates the persona, with the rule to look up.
fn verdict(rule: Rule) -> String {
    let verdict = match rule.severity() {
        Severity::Error => "are denied where the persona is enforced",
        Severity::Warning => "are warned about",
        Severity::Info => "are listed in the status",
    };
    format!("{verdict} ({})", rule.name())
}

fn switch(is_on: bool, what: &str, rule: Rule) -> (Effect, String) {
    match is_on {
        true => (Effect::Stricter, format!("{what} {}", verdict(rule))),
        false => (
            Effect::Looser,
            format!("{what} are no longer a finding ({})", rule.name()),
        ),
    }
}

/// A field that demands something with one of its two values.
fn demand(old: &Value, new: &Value, demanding: bool, what: &str, rule: Rule) -> (Effect, String) {
    let is_on = |value: &Value| value.as_bool() == Some(demanding);
    match is_on(old) == is_on(new) {
        true => (Effect::Unchecked, "neither value demands anything".to_owned()),
        false => switch(is_on(new), what, rule),
    }
}

fn limit(what: &str, old: &Value, new: &Value, above: Rule, missing: Rule) -> (Effect, String) {
    let read = |value: &Value| {
        Some(value.as_str()?)
            .filter(|text| !text.is_empty())
            .map(Quantity::parse)
    };
    match (read(old), read(new)) {
        (_, Some(Err(_))) => (
            Effect::Looser,
            format!(
                "it is not a quantity, so {what} limits are not checked ({})",
                Rule::PersonaValueUnreadable.name()
            ),
        ),
        (Some(Ok(old)), Some(Ok(new))) if old == new => (Effect::Unchecked, "it is the same amount".to_owned()),
        (Some(Ok(before)), Some(Ok(now))) => {
            let effect = if now > before { Effect::Looser } else { Effect::Stricter };
            let (now, before) = (shown(new), shown(old));
            (
                effect,
                format!("{what} limits above {now} instead of {before} {}", verdict(above)),
            )
        }
        (_, Some(Ok(_))) => (
            Effect::Stricter,
            format!(
                "{what} limits above {} {}, and so are missing ones ({})",
                shown(new),
                verdict(above),
                missing.name()
            ),
        ),
        (_, None) => (
            Effect::Looser,
            format!("{what} limits are no longer checked ({})", above.name()),
        ),
    }
}

fn minimum(old: Option<i64>, new: Option<i64>) -> (Effect, String) {
    let rule = Rule::ReplicasBelowMinimum;
    match (old, new) {
        (_, None) => (
            Effect::Looser,
            format!("any number of replicas is enough ({})", rule.name()),
        ),
        (old, Some(new)) => {
            let effect = if old.is_some_and(|old| new < old) {
                Effect::Looser
            } else {
                Effect::Stricter
            };
            let instead = old.map(|old| format!(" instead of {old}")).unwrap_or_default();
            (effect, format!("fewer replicas than {new}{instead} {}", verdict(rule)))
        }
    }
}

fn maximum(old: Option<i64>, new: Option<i64>) -> (Effect, String) {
    let rule = Rule::ReplicasAboveMaximum;
    match (old, new) {
        (_, None) => (
            Effect::Looser,
            format!("no number of replicas is too many ({})", rule.name()),
        ),
        (old, Some(new)) => {
            let effect = if old.is_some_and(|old| new > old) {
                Effect::Looser
            } else {
                Effect::Stricter
            };
            let instead = old.map(|old| format!(" instead of {old}")).unwrap_or_default();
            (effect, format!("more replicas than {new}{instead} {}", verdict(rule)))
        }
    }
}

/// The text of a value; an empty one is as good as none.
fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}

fn probe(what: &str, old: Option<&str>, new: Option<&str>, rule: Rule) -> (Effect, String) {
    match (old, new) {
        (None, Some(_)) => (
            Effect::Stricter,
            format!("app containers without a {what} probe {}", verdict(rule)),
        ),
        (Some(_), None) => (
            Effect::Looser,
            format!("{what} probes are no longer checked ({})", rule.name()),
        ),
        (Some(_), Some(new)) if rule == Rule::LivenessProbeMissing => (
            Effect::Different,
            format!(
                "liveness probes with another path than {new} {}",
                verdict(Rule::LivenessPathDiffers)
            ),
        ),
        _ => (
            Effect::Unchecked,
            format!("only the presence of a {what} probe is checked, not its path"),
        ),
    }
}

fn registries(old: &Value, new: &Value) -> (Effect, String) {
    let list = |value: &Value| -> Vec<String> {
        let items = value.as_array().into_iter().flatten();
        items.filter_map(|item| Some(item.as_str()?.to_owned())).collect()
    };
    let (old, new) = (list(old), list(new));
    let rule = Rule::ImageRegistryNotAllowed;
    if new.is_empty() {
        return (
            Effect::Looser,
            format!("images may come from everywhere ({})", rule.name()),
        );
    }
    let is_in = |list: &[String], other: &[String]| list.iter().all(|one| other.contains(one));
    let effect = match (old.is_empty(), is_in(&old, &new), is_in(&new, &old)) {
        (false, true, true) => return (Effect::Unchecked, "they are the same registries".to_owned()),
        (false, true, false) => Effect::Looser,
        (true, ..) | (false, false, true) => Effect::Stricter,
        (false, false, false) => Effect::Different,
    };
    (
        effect,
        format!("images from elsewhere than {} {}", new.join(", "), verdict(rule)),
    )
}

/// The rule of a field `spec.policies.rules[RULE]`.
fn rule_of(field: &str) -> Option<Rule> {
    let name = field.strip_prefix("spec.policies.rules[")?.strip_suffix(']')?;
    Rule::by_name(name)
}

fn level(rule: Rule, old: &Value, new: &Value) -> (Effect, String) {
    let read = |value: &Value| value.as_str().and_then(Level::by_name).unwrap_or(rule.built_in());
    let (before, now) = (read(old), read(new));
    let does = match now {
        Level::Off => "are not reported",
        Level::Audit => "are counted and listed in the status",
        Level::Warn => "warn",
        Level::Deny => "are denied where the persona is enforced",
    };
    let effect = match now.cmp(&before) {
        std::cmp::Ordering::Less => Effect::Looser,
        std::cmp::Ordering::Equal => return (Effect::Unchecked, format!("its findings {does}, as before")),
        std::cmp::Ordering::Greater => Effect::Stricter,
    };
    (
        effect,
        format!("its findings {does}, unless the platform requires more"),
    )
}
