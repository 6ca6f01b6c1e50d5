//! Values on both sides of each bound, for schemas and for metadata.

use serde_json::{Value, json};

pub(super) const QUANTITIES: [&str; 28] = [
    "", "0", "1", "500m", "0.5", ".5", "5.", "1Gi", "512Mi", "100k", "1e3", "1E", "-1", "+1", "2n", "1.5Ki", "12e-3",
    "007", "abc", " 1", "1 ", "1gb", "1KB", "m", "1,5", "1e", "--1", "0x10",
];
pub(super) const TIMES: [&str; 8] = [
    "2026-03-23T10:00:00Z",
    "2024-02-29T23:59:59.123Z",
    "2026-03-23T10:00:00+02:00",
    "2026-03-23t10:00:00z",
    "2026-02-30T10:00:00Z",
    "2026-03-23",
    "",
    "2026-03-23T25:00:00Z",
];
/// Numbers on both sides of every bound.
pub(super) fn numbers() -> Vec<Value> {
    vec![
        json!(0),
        json!(1),
        json!(-1),
        json!(101),
        json!(1.0),
        json!(-1.0),
        json!(1.5),
        json!(1e3),
        json!(-0.0),
        json!(i32::MAX),
        json!(i64::from(i32::MAX) + 1),
        json!(i32::MIN),
        json!(i64::from(i32::MIN) - 1),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(9_007_199_254_740_991.0),
        json!(9_007_199_254_740_992.0),
        json!(1e18),
        json!(1e300),
        json!(2.000_000_000_1),
        json!(1e-9),
    ]
}

/// Texts of many sorts, some as long as may be and some longer.
pub(super) fn texts() -> Vec<String> {
    let long = ["1".repeat(256), "1".repeat(257), "\u{e4}".repeat(256)];
    let short = ["", "x", "API", "api", "critical", "Balanced", "true", "1", "a\nb"];
    let short = short
        .iter()
        .chain(&QUANTITIES)
        .chain(&TIMES)
        .map(|text| (*text).to_owned());
    short.chain(long).collect()
}

/// Values for a field that its schema has an opinion on.
fn values(schema: &Value) -> Vec<Value> {
    let mut values = vec![
        json!(null),
        json!(true),
        json!(1),
        json!("x"),
        json!([]),
        json!([null]),
        json!({}),
    ];
    match schema["type"].as_str().unwrap() {
        "integer" => values.extend(numbers()),
        "boolean" => values.extend([json!(false), json!("true"), json!(0)]),
        "array" => {
            values.extend([json!([{}]), json!([[]]), json!(["a", 1])]);
            values.extend(counts(schema, "Items").map(|count| vec![least(&schema["items"]); count].into()));
        }
        "object" => values.extend([
            json!({ "colour": { "a": null } }),
            json!({ "colour": null, "Name": [] }),
        ]),
        _ if schema["enum"].is_array() => {
            values.extend(schema["enum"].as_array().unwrap().clone());
            values.extend([json!(""), json!("API"), json!("Balanced")]);
        }
        _ if schema["x-kubernetes-validations"].is_array() => values.extend(texts().into_iter().map(Value::from)),
        _ if schema["format"] == "date-time" => {
            // An API server lets a list pass as one.
            values.retain(|value| !value.is_array());
            values.extend(TIMES.map(Value::from));
        }
        _ => {
            values.extend([json!(""), json!("a\nb"), json!("\u{e4}".repeat(300))]);
            values.extend(counts(schema, "Length").map(|count| "\u{e4}".repeat(count).into()));
        }
    }
    values
}

/// Lengths on both sides of the bounds `min` and `max` of this suffix.
fn counts(schema: &Value, of: &str) -> impl Iterator<Item = usize> {
    let bounds = ["min", "max"].map(|side| schema[format!("{side}{of}")].as_u64());
    let bounds = bounds
        .into_iter()
        .flatten()
        .filter_map(|bound| usize::try_from(bound).ok());
    bounds.flat_map(|bound| [bound.saturating_sub(1), bound, bound + 1])
}

/// The least that a schema accepts.
pub(super) fn least(schema: &Value) -> Value {
    if let Some(allowed) = schema["enum"].as_array() {
        return allowed[0].clone();
    }
    match schema["type"].as_str().unwrap() {
        "object" => {
            // An exception is for one of the two.
            let both = ["app", "workload"].map(|name| schema["properties"][name].is_object());
            let target = (both == [true; 2]).then_some("app");
            let required = schema["required"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|name| name.as_str().unwrap());
            Value::Object(
                required
                    .chain(target)
                    .map(|name| (name.to_owned(), least(&schema["properties"][name])))
                    .collect(),
            )
        }
        "array" => {
            let count = schema["minItems"].as_u64().unwrap_or_default();
            (0..count).map(|_| least(&schema["items"])).collect()
        }
        "integer" => json!(1),
        "boolean" => json!(true),
        _ if schema["format"] == "date-time" => json!(TIMES[0]),
        _ => {
            let length = schema["minLength"].as_u64().unwrap_or(1);
            (0..length).map(|_| 'a').collect::<String>().into()
        }
    }
}

/// Objects that are the least but for one field, for every field and every value of [`values`].
pub(super) fn one_field_each(schema: &Value) -> Vec<Value> {
    let mut found = values(schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        found.extend(one_field_each(property).into_iter().map(|value| {
            let mut object = least(schema);
            if name == "workload" {
                object.as_object_mut().unwrap().remove("app");
            }
            object[name.as_str()] = value;
            object
        }));
    }
    if schema["items"].is_object() {
        found.extend(one_field_each(&schema["items"]).into_iter().map(|item| json!([item])));
    }
    found
}

/// Metadata fields with values on both sides of what is allowed.
pub(super) fn metadata_edges(name: &str, kind: &str) -> Vec<(&'static str, Value)> {
    let (long, longer) = ("x".repeat(63), "x".repeat(64));
    let filled = |length: usize| format!("{}x", &format!("{name}.{}", "x.".repeat(200))[..length - 1]);
    let names = [
        format!("{name}.b-c"),
        name.to_uppercase(),
        format!("-{name}"),
        format!("{name}-"),
        format!("{name}..b"),
        format!("{name}_b"),
        format!("{name}/b"),
        format!("{name}.{longer}"),
        filled(253),
        filled(254),
        filled(255),
        String::new(),
        ".".to_owned(),
        format!("{name}\u{e4}"),
        format!("{name}%"),
    ];
    let keys = [
        "a",
        "A.b_c-1",
        "example.com/a",
        "Example.com/a",
        "example.com/",
        "/a",
        "a/b/c",
        "",
        "-a",
        "a-",
        "a b",
        "ex_ample.com/a",
        &long,
        &longer,
        &format!("{}com/a", "x.".repeat(125)),
        &format!("{}com/a", "x.".repeat(126)),
    ];
    let texts = ["", "a", "A.b_c-1", "-a", "a-", "a b", "a/b", &long, &longer, "\u{e4}"];
    let wrong = [
        json!(null),
        json!(true),
        json!(1),
        json!("x"),
        json!([]),
        json!({}),
        json!([null]),
        json!({ "a": 1 }),
    ];
    let owner = json!({ "apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "u" });

    let mut edges: Vec<(&str, Value)> = names.iter().map(|name| ("name", json!(name))).collect();
    for field in ["labels", "annotations"] {
        edges.extend(keys.iter().map(|key| (field, json!({ *key: "x" }))));
        edges.extend(texts.iter().map(|text| (field, json!({ "a": text }))));
        edges.extend(wrong.iter().map(|value| (field, json!({ "a": value }))));
        edges.extend(wrong.iter().map(|value| (field, value.clone())));
    }
    edges.extend((0..3).map(|more| ("annotations", json!({ "a": "x".repeat(256 * 1024 - 2 + more) }))));
    for field in [
        "name",
        "ownerReferences",
        "uid",
        "creationTimestamp",
        "generation",
        "selfLink",
        "deletionGracePeriodSeconds",
    ] {
        edges.extend(
            wrong
                .iter()
                .filter(|value| field != "name" || !value.is_string())
                .map(|value| (field, value.clone())),
        );
        edges.extend([(field, json!(5.0)), (field, json!(1.5))]);
    }
    edges.extend(
        TIMES[..4]
            .iter()
            .chain(&TIMES[5..])
            .map(|time| ("creationTimestamp", json!(time))),
    );
    // A valid namespace would be another request.
    edges.extend(
        [
            json!(""),
            json!("Other"),
            json!("a.b"),
            json!("-"),
            json!(5),
            json!(null),
        ]
        .map(|value| ("namespace", value)),
    );
    edges.extend([("colour", json!(1)), ("Name", json!("x"))]);
    for field in [
        "apiVersion",
        "kind",
        "name",
        "uid",
        "controller",
        "blockOwnerDeletion",
        "colour",
    ] {
        edges.extend(wrong.iter().map(|value| {
            let mut broken = owner.clone();
            broken[field] = value.clone();
            ("ownerReferences", json!([broken]))
        }));
    }
    let mut controller = owner.clone();
    controller["controller"] = json!(true);
    let mut other = controller.clone();
    other["uid"] = json!("v");
    edges.extend(
        [
            json!([owner]),
            json!([{}]),
            json!([controller, controller]),
            json!([controller, other]),
        ]
        .map(|list| ("ownerReferences", list)),
    );
    let cut = format!("{}.-", "x".repeat(57));
    let prefixes = [
        &cut,
        "generated-",
        "generated",
        "Generated-",
        "-",
        "--",
        "a.-",
        "a..",
        "a-.-",
        &long,
        &longer,
        "\u{e4}",
    ];
    edges.extend(prefixes.iter().map(|prefix| ("generateName", json!(prefix))));
    if kind == "ApplicationPersona" {
        let lists = [
            json!(["example.com/x"]),
            json!(["x/y/z"]),
            json!(["x y"]),
            json!([5]),
            json!([null]),
            json!({}),
            json!([]),
        ];
        edges.extend(lists.map(|list| ("finalizers", list)));
    }
    edges
}
