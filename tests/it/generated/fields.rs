//! docs/crds.md, from the definitions: every field of every kind.

use std::fmt::Write as _;

use serde_json::Value;

use super::{assert_text_is_current, cell};

const INTRODUCTION: &str = "\
# Custom resources

<!-- Made from crates/api: DORGU_REWRITE=1 cargo test --test it generated -->

Every field of every kind, as in the definitions (`dorgu crd`). `[]` is a list's element, `{}` a map's value. **Bold** fields are
required if their parent is present. Files of `--personas` are validated in the same way. Which fields are checked:
[personas](personas.md#fields-that-are-checked). What the status fields mean: [status](status.md).
";

/// One row a field, depth first.
fn rows(schema: &Value, path: &str, text: &mut String) {
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let (place, inner) = place(&format!("{path}{name}"), field);
        let shown = if required.contains(&name.as_str()) {
            format!("**`{place}`**")
        } else {
            format!("`{place}`")
        };
        let default = match &field["default"] {
            Value::Null => "–".to_owned(),
            default => format!("`{}`", cell(&default.to_string())),
        };
        let description = field["description"].as_str().unwrap_or_default();
        writeln!(
            text,
            "| {shown} | {} | {default} | {} | {} |",
            type_of(field),
            cell(&validation(field, inner)),
            cell(description)
        )
        .unwrap();
        rows(inner, &format!("{place}."), text);
    }
}

/// Where the fields below it are, and their schema: a list's element's, a map's value's, or its own.
fn place<'a>(path: &str, field: &'a Value) -> (String, &'a Value) {
    match (&field["items"], &field["additionalProperties"]) {
        (items @ Value::Object(_), _) => (format!("{path}[]"), items),
        (_, values @ Value::Object(_)) => (format!("{path}{{}}"), values),
        _ => (path.to_owned(), field),
    }
}

fn type_of(field: &Value) -> String {
    let own = match (field["type"].as_str(), &field["x-kubernetes-int-or-string"]) {
        (_, Value::Bool(true)) => "integer or string".to_owned(),
        (Some(own), _) => own.to_owned(),
        (None, _) => "any".to_owned(),
    };
    let of = |inner: &Value| inner["type"].as_str().unwrap_or("any").to_owned();
    match own.as_str() {
        "array" => format!("list of {}", of(&field["items"])),
        "object" if field["additionalProperties"].is_object() => {
            format!("map of {}", of(&field["additionalProperties"]))
        }
        _ => match field["format"].as_str() {
            Some(format) => format!("{own} ({format})"),
            None => own,
        },
    }
}

/// What a value has to be besides its type, of the field and of a list's element.
fn validation(field: &Value, inner: &Value) -> String {
    const BOUNDS: [(&str, &str); 8] = [
        ("minimum", "at least"),
        ("maximum", "at most"),
        ("minLength", "length at least"),
        ("maxLength", "length at most"),
        ("minItems", "items at least"),
        ("maxItems", "items at most"),
        ("minProperties", "keys at least"),
        ("maxProperties", "keys at most"),
    ];
    let mut said = Vec::new();
    let both = [field, inner];
    let places = if std::ptr::eq(field, inner) {
        &both[..1]
    } else {
        &both[..]
    };
    for schema in places {
        if let Some(values) = schema["enum"].as_array() {
            let values: Vec<String> = values
                .iter()
                .filter_map(Value::as_str)
                .map(|value| format!("`{value}`"))
                .collect();
            said.push(values.join(", "));
        }
        for (key, words) in BOUNDS {
            if !schema[key].is_null() {
                said.push(format!("{words} {}", schema[key]));
            }
        }
        if let Some(pattern) = schema["pattern"].as_str() {
            said.push(format!("matches `{pattern}`"));
        }
        for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
            let message = rule["message"].as_str().or_else(|| rule["rule"].as_str());
            said.push(message.unwrap_or_default().to_owned());
        }
    }
    if said.is_empty() {
        "–".to_owned()
    } else {
        said.join("; ")
    }
}

fn page() -> String {
    let mut text = INTRODUCTION.to_owned();
    for crd in dorgu::api::crd::crds() {
        let crd = serde_json::to_value(crd).unwrap();
        let (names, spec) = (&crd["spec"]["names"], &crd["spec"]);
        let version = &spec["versions"][0];
        let schema = whole(version["schema"]["openAPIV3Schema"].clone());
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        write!(
            text,
            "\n## {}\n\n{}\n\n`apiVersion: {}/{}`, {}; short name `{}`.\n",
            word(&names["kind"]),
            word(&schema["description"]),
            word(&spec["group"]),
            word(&version["name"]),
            word(&spec["scope"]).to_lowercase(),
            word(&names["shortNames"][0]),
        )
        .unwrap();
        if let Some(fields) = version["selectableFields"].as_array() {
            let fields: Vec<String> = fields.iter().map(|field| word(&field["jsonPath"])).collect();
            let fields: Vec<String> = fields
                .iter()
                .map(|field| format!("`{}`", field.trim_start_matches('.')))
                .collect();
            writeln!(text, "Selectable with `--field-selector`: {}.", fields.join(", ")).unwrap();
        }
        for part in ["spec", "status"] {
            let part_of = &schema["properties"][part];
            write!(text, "\n### {part} of {}\n\n", word(&names["kind"])).unwrap();
            writeln!(text, "{}\n", word(&part_of["description"])).unwrap();
            let rule = validation(part_of, part_of);
            if rule != "–" {
                writeln!(text, "Has to hold: {rule}.\n").unwrap();
            }
            text.push_str("| field | type | default | validation | meaning |\n|---|---|---|---|---|\n");
            rows(part_of, &format!("{part}."), &mut text);
        }
    }
    text
}

/// `minimum: 0.0` reads as if fractions were meant.
fn whole(mut value: Value) -> Value {
    match &mut value {
        Value::Number(number) => {
            if let Some(float) = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0) {
                return format!("{float}").parse::<i64>().map_or(value, Value::from);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = whole(item.take())),
        Value::Object(fields) => fields.values_mut().for_each(|field| *field = whole(field.take())),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
    value
}

#[test]
fn the_page_of_custom_resources_is_current() {
    assert_text_is_current("docs/crds.md", &page());
}

#[test]
fn every_field_is_explained() {
    let page = page();
    let rows: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("| `") || line.starts_with("| **`"))
        .collect();
    assert!(rows.len() > 100, "{}", rows.len());
    let silent: Vec<&&str> = rows.iter().filter(|row| row.ends_with("|  |")).collect();
    assert!(silent.is_empty(), "{silent:#?}");
}
