//! Compares two versions of a persona, field by field. `meaning` words what each change does.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::meaning::{Effect, meaning};
use crate::policy::ModeWish;
use crate::policy::text::{Shown, cut};

/// Longest value in a line for people.
const MAX_VALUE: usize = 200;

/// The field of the annotation by which a persona requests a mode. It is no part of the spec and decides what a finding does.
pub(super) const MODE: &str = "metadata.annotations[dorgu.io/mode]";

/// One changed field.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The field, such as `spec.scaling.minReplicas`. Items of `spec.policies.rules` are named by their rule.
    pub field: String,
    /// Its value before; null where it was not set.
    pub old: Value,
    /// Its value afterwards; null where it is no longer set.
    pub new: Value,
    /// The direction.
    pub effect: Effect,
    /// What the change does, as a sentence without a stop.
    pub meaning: String,
}

impl Change {
    /// The change on two lines.
    pub fn text(&self) -> String {
        let (old, new) = (shown(&self.old), shown(&self.new));
        let (field, effect, meaning) = (Shown(&self.field), self.effect.as_str(), Shown(&self.meaning));
        format!("{field}: {old} -> {new}\n  {effect}: {meaning}\n")
    }
}

/// A value for people. An absent one is `unset`.
pub(super) fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => return "unset".to_owned(),
        Value::String(text) if !text.is_empty() => text.clone(),
        other => other.to_string(),
    };
    cut(Shown(&text), MAX_VALUE)
}

/// What changes in the spec and in the mode, from one object to another, by field. Both have the defaults of an API server;
/// `old` is null where there is no object yet.
pub fn changes(old: &Value, new: &Value) -> Vec<Change> {
    let (old, new) = (fields(old), fields(new));
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    let changed = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
    let change = |field: &String| {
        let of = |fields: &BTreeMap<String, Value>| fields.get(field).cloned().unwrap_or_default();
        let (old, new) = (of(&old), of(&new));
        let (effect, meaning) = meaning(field, &old, &new);
        Change {
            field: field.clone(),
            old,
            new,
            effect,
            meaning,
        }
    };
    changed.map(change).collect()
}

/// The fields that are compared, each with its value.
fn fields(object: &Value) -> BTreeMap<String, Value> {
    let mut fields = BTreeMap::new();
    if let Some(mode) = object["metadata"]["annotations"].get(ModeWish::KEY) {
        fields.insert(MODE.to_owned(), mode.clone());
    }
    if !object["spec"].is_null() {
        collect("spec", &object["spec"], &mut fields);
    }
    // Its mere presence has checks look for requests.
    if object["spec"]["resources"].is_object() {
        fields.insert("spec.resources".to_owned(), json!("set"));
    }
    fields
}

/// Lists are values, and so is a selector, whose requirements count together. Levels are compared rule by rule.
fn collect(path: &str, value: &Value, fields: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) if !map.is_empty() && path != "spec.selector" => {
            for (key, value) in map {
                collect(&format!("{path}.{key}"), value, fields);
            }
        }
        Value::Array(rules) if path == "spec.policies.rules" => {
            for rule in rules {
                let name = rule["rule"].as_str().unwrap_or_default();
                fields.insert(format!("{path}[{name}]"), rule["level"].clone());
            }
        }
        Value::Null => {}
        // An object without fields demands nothing by itself.
        Value::Object(_) if path != "spec.selector" => {}
        value => {
            fields.insert(path.to_owned(), value.clone());
        }
    }
}
