//! Compares the CustomResourceDefinitions with those that `dorgu crd` prints.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{View, few};
use crate::api::VERSION;
use crate::doctor::facts::Fetched;
use crate::doctor::finding::{Finding, NotOk, Outcome, unless};

pub(super) fn definitions(view: &View<'_>) -> Outcome {
    let mut findings = Vec::new();
    for definition in view.setup.installation().definitions() {
        let name = definition.metadata.name.clone().unwrap_or_default();
        // Our definitions always serialise. One that did not would differ from everything.
        let ours = serde_json::to_value(&definition).unwrap_or_default();
        let found = view.facts.definitions.iter().find(|(found, _)| *found == name);
        match found.map(|(_, seen)| seen) {
            Some(Fetched::Here(stored)) => findings.extend(compared(view, &name, &ours, stored)),
            Some(Fetched::Unavailable(unavailable)) => return Err(NotOk::Unavailable(unavailable.clone())),
            Some(Fetched::Absent) | None => findings.push(Finding::fail(
                format!("{name} does not exist"),
                "it was not installed, or deleted, and every object of its kind with it",
                cure(view),
            )),
        }
    }
    unless(
        findings,
        format!("both are served as {VERSION}, with the schema of this dorgu"),
    )
}

fn cure(view: &View<'_>) -> String {
    format!("dorgu crd | {}", view.commands.kubectl("apply -f -"))
}

fn compared(view: &View<'_>, name: &str, ours: &Value, stored: &Value) -> Option<Finding> {
    let conditions = stored["status"]["conditions"].as_array().into_iter().flatten();
    let refused = conditions
        .clone()
        .find(|one| one["type"] == "NamesAccepted" && one["status"] == "False");
    if let Some(condition) = refused {
        return Some(Finding::fail(
            format!(
                "{name} is not accepted: {}",
                condition["message"].as_str().unwrap_or("no reason is given")
            ),
            "another definition has taken its names",
            view.commands
                .kubectl("get crds   # then delete the one that took the names, if it is not needed"),
        ));
    }
    let Some(version) = version(stored).filter(|version| version["served"] == true) else {
        return Some(Finding::fail(
            format!("{name} is not served as {VERSION}"),
            "somebody else's definition of that name, or one that was edited",
            cure(view),
        ));
    };
    let known = self::version(ours)?;
    let mut differences = Differences::default();
    for (part, at) in [
        ("schema", ""),
        ("subresources", "subresources"),
        ("selectableFields", "selectableFields"),
    ] {
        differences.between(&known[part], &version[part], at);
    }
    differences.finding(view, name)
}

fn version(definition: &Value) -> Option<&Value> {
    let versions = definition["spec"]["versions"].as_array()?;
    versions.iter().find(|version| version["name"] == VERSION)
}

/// The differences between two schemas, by field name.
#[derive(Default)]
struct Differences {
    /// In our schema only.
    lacks: BTreeSet<String>,
    /// In the cluster's schema only.
    adds: BTreeSet<String>,
    /// Different in both.
    differs: BTreeSet<String>,
}

impl Differences {
    fn between(&mut self, ours: &Value, theirs: &Value, at: &str) {
        match (ours, theirs) {
            (Value::Object(ours), Value::Object(theirs)) => self.fields(ours, theirs, at),
            (Value::Null, Value::Null) => {}
            (_, Value::Null) => self.note(|this| &mut this.lacks, at),
            (Value::Null, _) => self.note(|this| &mut this.adds, at),
            _ if same(ours, theirs) => {}
            _ => self.note(|this| &mut this.differs, at),
        }
    }

    fn fields(&mut self, ours: &Map<String, Value>, theirs: &Map<String, Value>, at: &str) {
        let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
        for name in names {
            let (ours, theirs) = (&ours.get(name), &theirs.get(name));
            let value = |side: &Option<&Value>| side.cloned().unwrap_or_default();
            let (ours, theirs) = (value(ours), value(theirs));
            // A description has no effect. A field of that name is an object.
            if name == "description" && !ours.is_object() && !theirs.is_object() {
                continue;
            }
            let below = match name.as_str() {
                // These keys are schema structure, not field names.
                "properties" | "items" | "additionalProperties" | "openAPIV3Schema" => at.to_owned(),
                name if at.is_empty() => name.to_owned(),
                name => format!("{at}.{name}"),
            };
            self.between(&ours, &theirs, &below);
        }
    }

    fn note(&mut self, side: impl Fn(&mut Differences) -> &mut BTreeSet<String>, at: &str) {
        let at = if at.is_empty() { "the schema" } else { at };
        side(self).insert(at.to_owned());
    }

    fn finding(&self, view: &View<'_>, name: &str) -> Option<Finding> {
        let listed = |places: &BTreeSet<String>| few(&places.iter().map(String::as_str).collect::<Vec<_>>());
        let upgrade =
            "the definition is older than this dorgu, so an API server drops, or refuses, what personas say there";
        match (self.lacks.is_empty(), self.adds.is_empty(), self.differs.is_empty()) {
            (true, true, true) => None,
            (true, false, true) => Some(Finding::warn(
                format!("{name} knows more: {}", listed(&self.adds)),
                "the definition is newer than this dorgu, which takes no notice of what it does not know",
                "dorgu version   # compare it with the image of the pods, and use the newer one",
            )),
            (false, _, _) => Some(Finding::fail(
                format!("{name} lacks {}", listed(&self.lacks)),
                upgrade,
                cure(view),
            )),
            (true, _, false) => Some(Finding::fail(
                format!("{name} differs in {}", listed(&self.differs)),
                "the definition is of another version than this dorgu, or was edited",
                cure(view),
            )),
        }
    }
}

/// Compares numbers by value, since `0` and `0.0` are equal to a schema, and lists without their order, since an API server
/// stores sets in any order.
fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Number(ours), Value::Number(theirs)) => ours.as_f64() == theirs.as_f64(),
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().all(|one| theirs.iter().any(|other| same(one, other)))
        }
        (Value::Object(ours), Value::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours
                    .iter()
                    .all(|(key, value)| theirs.get(key).is_some_and(|other| same(value, other)))
        }
        _ => ours == theirs,
    }
}
