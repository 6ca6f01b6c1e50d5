//! What is generated from values.yaml and from the manifests: the schema, the README's tables, the CustomResourceDefinitions.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use dorgu::install::Installation;
use serde_json::{Map, Value, json};

use super::values::{Entry, Holds, read};
use super::{chart, manifests};

/// Everything behind it in the README is made.
const MARK: &str =
    "<!-- Everything below is generated from values.yaml: DORGU_REWRITE=1 cargo test --test it generated -->\n";

/// What of a default fits into a table.
const SHORT: usize = 60;

fn entries() -> Vec<Entry> {
    let text = fs::read_to_string(chart().join("values.yaml")).unwrap();
    read(&text).unwrap_or_else(|error| panic!("{error:#}"))
}

/// What Helm holds values against before it renders.
fn schema(entries: &[Entry]) -> Value {
    let mut schema = group(entries);
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("Values of the chart dorgu-operator");
    // Helm gives it to every chart that is part of another.
    schema["properties"]["global"] = json!({"type": "object", "description": "Of a chart that this one is part of."});
    schema
}

fn group(entries: &[Entry]) -> Value {
    let properties: Map<String, Value> = entries.iter().map(|entry| (entry.key.clone(), one(entry))).collect();
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

fn one(entry: &Entry) -> Value {
    let mut schema = match &entry.holds {
        Holds::Group(entries) => group(entries),
        Holds::Default(value) => json!({"type": type_of(value), "default": value}),
    };
    if !entry.meaning.is_empty() {
        schema["description"] = json!(entry.meaning);
    }
    for (key, value) in entry.schema.iter().flat_map(|more| more.as_object().expect("a map")) {
        schema[key] = value.clone();
    }
    schema
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A table for each section.
fn tables(entries: &[Entry]) -> String {
    let mut rows = Vec::new();
    collect(entries, "", &mut rows);
    let (mut text, mut section) = (String::new(), "");
    for (of, key, default, meaning) in &rows {
        if of != &section {
            section = of;
            write!(
                text,
                "\n### {section}\n\n| value | default | meaning |\n|---|---|---|\n"
            )
            .unwrap();
        }
        writeln!(text, "| `{key}` | {default} | {meaning} |").unwrap();
    }
    text
}

fn collect<'a>(entries: &'a [Entry], above: &str, rows: &mut Vec<(&'a str, String, String, String)>) {
    for entry in entries {
        let key = format!("{above}{}", entry.key);
        let meaning = cell(&with_choices(entry));
        match &entry.holds {
            Holds::Group(below) => {
                if !meaning.is_empty() {
                    rows.push((&entry.section, format!("{key}.*"), String::new(), meaning));
                }
                collect(below, &format!("{key}."), rows);
            }
            Holds::Default(value) => {
                let default = value.to_string();
                let default = match default.len() {
                    0..=SHORT => format!("`{}`", cell(&default)),
                    _ => "[see there](values.yaml)".to_owned(),
                };
                rows.push((&entry.section, key, default, meaning));
            }
        }
    }
}

/// The words, and the values there are unless the words name them already.
fn with_choices(entry: &Entry) -> String {
    let choices = entry.schema.as_ref().and_then(|schema| schema["enum"].as_array());
    let choices: Vec<String> = choices
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .filter(|choice| !choice.is_empty())
        .map(|choice| format!("`{choice}`"))
        .collect();
    let named = choices.iter().all(|choice| entry.meaning.contains(choice.as_str()));
    if named {
        return entry.meaning.clone();
    }
    format!("{} One of {}.", entry.meaning, choices.join(", "))
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// Compares a file with what it should hold, or rewrites it when asked to.
fn assert_current(name: &str, wanted: &str) {
    let path = chart().join(name);
    if std::env::var_os("DORGU_REWRITE").is_some() {
        fs::write(&path, wanted).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "charts/dorgu-operator/{name} differs from what it is made from; run: DORGU_REWRITE=1 cargo test --test it generated"
    );
}

#[test]
fn the_schema_is_that_of_the_values() {
    let schema = serde_json::to_string_pretty(&schema(&entries())).unwrap();
    assert_current("values.schema.json", &(schema + "\n"));
}

#[test]
fn the_readme_explains_every_value() {
    let readme = fs::read_to_string(chart().join("README.md")).unwrap();
    let (by_hand, _) = readme
        .split_once(MARK)
        .expect("the README says where the made part begins");
    assert_current("README.md", &format!("{by_hand}{MARK}{}", tables(&entries())));
}

#[test]
fn the_custom_resource_definitions_are_those_of_the_manifests() {
    let crds = dorgu::api::crd::render(dorgu::api::crds()).unwrap();
    for (name, text) in &crds {
        assert_current(&format!("files/crds/{name}"), text);
    }
    let there = fs::read_dir(chart().join("files/crds")).unwrap().count();
    assert_eq!(there, crds.len());
    assert!(manifests().join("crds").is_dir());
}

/// What a right is for, by the resource it is about; everything else is always needed.
const OCCASIONS: [(&str, &str); 5] = [
    ("validatingwebhookconfigurations", "webhook"),
    ("secrets", "webhook"),
    ("tokenreviews", "secure metrics"),
    ("subjectaccessreviews", "secure metrics"),
    ("leases", "leader election"),
];

/// The rules of the manifests' roles, each with its place, its occasion, and the chart's words for names.
fn rights() -> String {
    let installation = Installation::of(dorgu::serve::parts::declared());
    let names = [
        (
            installation.webhook_secret(),
            r#"{{ include "dorgu.webhookSecret" . }}"#,
        ),
        (
            installation.webhook_configuration(),
            r#"{{ include "dorgu.named" (list . "deployment") }}"#,
        ),
    ];
    let files: BTreeMap<String, String> = installation.objects().render().unwrap().into_iter().collect();
    let mut rights = Vec::new();
    for (place, file) in [("cluster", "cluster-role.yaml"), ("namespace", "role.yaml")] {
        let Some(role) = files.get(file) else { continue };
        let mut role: Value = serde_saphyr::from_str(role).unwrap();
        for rule in role["rules"].as_array_mut().unwrap() {
            let names_of = rule.get_mut("resourceNames").and_then(Value::as_array_mut);
            for name in names_of.into_iter().flatten() {
                if let Some((_, words)) = names.iter().find(|(known, _)| name == known) {
                    *name = json!(words);
                }
                assert!(
                    !name.as_str().unwrap().contains("dorgu-operator"),
                    "no chart's word for {name}"
                );
            }
            let resource = rule["resources"][0].as_str().unwrap();
            let when = OCCASIONS
                .iter()
                .find(|(about, _)| *about == resource)
                .map_or("always", |(_, when)| when);
            rights.push(json!({"place": place, "when": when, "rule": rule}));
        }
    }
    let rights = serde_saphyr::to_string(&rights).unwrap();
    format!("# Made from the manifests: DORGU_REWRITE=1 cargo test --test it generated\n{rights}")
}

#[test]
fn the_rights_are_those_of_the_manifests() {
    assert_current("files/rights.yaml", &rights());
}

#[test]
fn the_chart_has_the_version_of_the_program() {
    let chart: Value = serde_saphyr::from_str(&fs::read_to_string(chart().join("Chart.yaml")).unwrap()).unwrap();
    assert_eq!(chart["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn a_schema_adds_to_the_type_of_the_default() {
    let entries = read("# How many.\n# @schema {minimum: 1}\ncount: 2\ngroup:\n  # On.\n  on: true\n").unwrap();
    let schema = schema(&entries);
    let count = json!({"type": "integer", "default": 2, "description": "How many.", "minimum": 1});
    assert_eq!(schema["properties"]["count"], count);
    assert_eq!(schema["properties"]["group"]["additionalProperties"], false);
    assert_eq!(schema["properties"]["group"]["properties"]["on"]["type"], "boolean");
}
