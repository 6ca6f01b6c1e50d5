//! Generates objects from a seed and the definitions: about half of them valid, the others invalid in one to three places, in
//! every way that a schema or metadata can be violated.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Map, Value, json};

use super::edges::{QUANTITIES, TIMES, least, metadata_edges, numbers, one_field_each, texts};

/// An object to create.
pub(super) struct Case {
    pub(super) kind: &'static str,
    pub(super) object: Value,
    /// How it was made invalid, for the failure message.
    pub(super) what: &'static str,
}

pub(super) struct Generator {
    random: Random,
    application: Value,
    cluster: Value,
    exception: Value,
}

const WORDS: [&str; 8] = [
    "orders",
    "a",
    "/healthz",
    "30s",
    "two words",
    "x: y",
    "\u{e4}\u{1f600}",
    "TCP",
];
const UNKNOWN: [&str; 6] = ["colour", "Name", "apiVersion", "metadata", "x-y", "nested"];

impl Generator {
    pub(super) fn new(seed: u64, crds: &[CustomResourceDefinition]) -> Self {
        let schema = |plural: &str| {
            let crd = crds.iter().find(|crd| crd.spec.names.plural == plural).unwrap();
            serde_json::to_value(&crd.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema).unwrap()
        };
        Self {
            random: Random(seed),
            application: schema("applicationpersonas"),
            cluster: schema("clusterpersonas"),
            exception: schema("personaexceptions"),
        }
    }

    /// The next object; `name` is what it is called unless its name is what is broken.
    pub(super) fn object(&mut self, name: &str) -> Case {
        let (kind, schema) = match self.random.below(10) {
            0..2 => ("ClusterPersona", self.cluster.clone()),
            2..4 => ("PersonaException", self.exception.clone()),
            _ => ("ApplicationPersona", self.application.clone()),
        };
        let mut spec = self.value(&schema["properties"]["spec"]);
        if kind == "PersonaException" && self.random.below(8) > 0 {
            spec["app"] = "orders".into();
            spec.as_object_mut().unwrap().remove("workload");
        }
        let mut object =
            json!({ "apiVersion": "dorgu.io/v1", "kind": kind, "metadata": { "name": name }, "spec": spec });
        if self.random.below(4) == 0 {
            object["metadata"]["labels"] = json!({ "app.kubernetes.io/name": "orders", "team": "" });
            object["metadata"]["annotations"] = json!({ "dorgu.io/mode": "enforcing" });
        }
        if self.random.below(6) == 0 {
            // Dropped unread, so it may be anything.
            object["status"] = self.junk();
        }
        let what = match self.random.below(20) {
            0..7 => "not at all",
            7..15 => {
                for _ in 0..=self.random.below(3) {
                    self.spoil(&mut object["spec"]);
                }
                "in its spec"
            }
            15..19 => {
                self.spoil_metadata(&mut object["metadata"], name, kind);
                "in its metadata"
            }
            _ => {
                self.spoil_root(&mut object);
                "at its root"
            }
        };
        lists_are_no_times(&mut object["spec"], &schema["properties"]["spec"]);
        Case { kind, object, what }
    }

    /// Objects that are good but for one field, on either side of every edge of every field.
    pub(super) fn edges(&self, name: &str) -> Vec<Case> {
        let mut cases = Vec::new();
        for (kind, schema) in [
            ("ApplicationPersona", &self.application),
            ("ClusterPersona", &self.cluster),
            ("PersonaException", &self.exception),
        ] {
            let spec = &schema["properties"]["spec"];
            let mut add = |what, spec: Value, metadata: Option<(&str, Value)>| {
                let mut object =
                    json!({ "apiVersion": "dorgu.io/v1", "kind": kind, "metadata": { "name": name }, "spec": spec });
                object["metadata"]["name"] = format!("{name}-{}", cases.len()).into();
                if let Some((field, value)) = metadata {
                    if field == "generateName" {
                        object["metadata"].as_object_mut().unwrap().remove("name");
                    }
                    object["metadata"][field] = value;
                }
                cases.push(Case { kind, object, what });
            };
            for spec in one_field_each(spec) {
                add("one field of its spec", spec, None);
            }
            // Metadata is judged alike for every kind in a namespace.
            let edges = metadata_edges(name, kind).len();
            for number in (0..edges).filter(|_| kind != "PersonaException") {
                // Generated again, for a name of its own.
                let edge = metadata_edges(&format!("{name}-{}{number}", kind.to_lowercase()), kind).swap_remove(number);
                add("one field of its metadata", least(spec), Some(edge));
            }
        }
        cases
    }

    /// The next status of an ApplicationPersona.
    pub(super) fn status(&mut self) -> Value {
        let schema = self.application["properties"]["status"].clone();
        let mut status = self.value(&schema);
        if self.random.below(2) == 0 {
            self.spoil(&mut status);
        }
        if self.random.below(4) == 0
            && let Some(conditions) = status.get_mut("conditions").and_then(Value::as_array_mut)
            && let Some(first) = conditions.first().cloned()
        {
            conditions.push(first);
        }
        lists_are_no_times(&mut status, &schema);
        status
    }

    /// A value that a schema mostly accepts.
    fn value(&mut self, schema: &Value) -> Value {
        if let Some(allowed) = schema["enum"].as_array() {
            return self.random.pick(allowed).clone();
        }
        match schema["type"].as_str().unwrap() {
            "object" => self.fields(schema),
            "array" => (0..self
                .random
                .below(3)
                .max(schema["minItems"].as_u64().unwrap_or_default()))
                .map(|_| self.value(&schema["items"]))
                .collect(),
            "string" if schema["x-kubernetes-validations"].is_array() => {
                // The later third of them is no quantity.
                let most = if self.random.below(8) == 0 {
                    QUANTITIES.len()
                } else {
                    18
                };
                (*self.random.pick(&QUANTITIES[..most])).into()
            }
            "string" if schema["format"] == "date-time" => (*self.random.pick(&TIMES[..4])).into(),
            "string" if schema["pattern"].is_string() => (*self.random.pick(&["Ready", "A", "Validated_1"])).into(),
            "string" => {
                let words = schema["minLength"].as_u64().unwrap_or(1);
                let word = *self.random.pick(&WORDS);
                (0..words).map(|_| word).collect::<String>().into()
            }
            "integer" => self.integer(schema),
            "boolean" => (self.random.below(2) == 0).into(),
            other => panic!("the definitions have a type that is not generated: {other}"),
        }
    }

    fn fields(&mut self, schema: &Value) -> Value {
        let mut object = Map::new();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let required = schema["required"]
                .as_array()
                .is_some_and(|list| list.contains(&name.as_str().into()));
            if required || self.random.below(3) == 0 {
                object.insert(name.clone(), self.value(property));
            }
        }
        if schema["additionalProperties"].is_object() {
            for _ in 0..self.random.below(3) {
                object.insert(
                    (*self.random.pick(&WORDS)).to_owned(),
                    self.value(&schema["additionalProperties"]),
                );
            }
        }
        Value::Object(object)
    }

    fn integer(&mut self, schema: &Value) -> Value {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the bounds of the definitions are small whole numbers"
        )]
        let bound = |keyword: &str| schema[keyword].as_f64().map(|float| float as i64);
        let least = bound("minimum").unwrap_or(-3);
        let most = bound("maximum").unwrap_or(least + 8);
        #[expect(clippy::cast_possible_wrap, reason = "the range is small")]
        let number = least + self.random.below(most.abs_diff(least) + 1) as i64;
        #[expect(clippy::cast_precision_loss, reason = "the number is small")]
        if self.random.below(12) == 0 {
            json!(number as f64)
        } else {
            json!(number)
        }
    }

    /// Changes one place of a value.
    fn spoil(&mut self, value: &mut Value) {
        let places = places(value);
        let place = self.random.pick(&places).clone();
        let junk = self.junk();
        let target = value.pointer_mut(&place).unwrap();
        match (self.random.below(8), &mut *target) {
            (0..2, Value::Object(fields)) => {
                let names: Vec<String> = fields.keys().cloned().collect();
                if !names.is_empty() {
                    fields.remove(self.random.pick(&names));
                }
            }
            (2..4, Value::Object(fields)) => {
                fields.insert((*self.random.pick(&UNKNOWN)).to_owned(), junk);
            }
            (4, Value::Object(fields)) => fields.clear(),
            (0..3, Value::Array(list)) => list.push(junk),
            (0..5, Value::String(text)) => *text = self.text(),
            (0..5, Value::Number(_)) => *target = self.number(),
            (5, target) => *target = Value::Null,
            (_, target) => *target = junk,
        }
    }

    fn spoil_root(&mut self, object: &mut Value) {
        let junk = self.junk();
        let fields = object.as_object_mut().unwrap();
        match self.random.below(6) {
            0 => drop(fields.remove("spec")),
            1 => drop(fields.insert("spec".to_owned(), junk)),
            2 => drop(fields.insert("spec".to_owned(), json!({}))),
            3 => drop(fields.insert("colour".to_owned(), junk)),
            4 => drop(fields.insert("metadata".to_owned(), junk)),
            _ => drop(fields.remove("metadata")),
        }
    }

    fn spoil_metadata(&mut self, metadata: &mut Value, name: &str, kind: &str) {
        let edges = metadata_edges(name, kind);
        let (field, value) = self.random.pick(&edges).clone();
        if field == "generateName" && self.random.below(2) == 0 {
            metadata.as_object_mut().unwrap().remove("name");
        }
        metadata[field] = value;
    }

    /// Something that fits almost nowhere.
    fn junk(&mut self) -> Value {
        match self.random.below(14) {
            0 => Value::Null,
            1 => json!(true),
            2..5 => self.number(),
            5..8 => json!(self.text()),
            8 => json!([]),
            9 => json!([null]),
            10 => json!([self.text(), self.number()]),
            11 => json!([{}]),
            12 => json!({}),
            _ => json!({ (*self.random.pick(&UNKNOWN)): self.number(), "name": self.text(), "cpu": null }),
        }
    }

    fn number(&mut self) -> Value {
        self.random.pick(&numbers()).clone()
    }

    fn text(&mut self) -> String {
        self.random.pick(&texts()).clone()
    }
}

/// JSON pointers to a value and everything in it.
fn places(value: &Value) -> Vec<String> {
    let mut found = vec![String::new()];
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| (key.replace('~', "~0").replace('/', "~1"), value))
            .collect(),
        Value::Array(list) => list
            .iter()
            .enumerate()
            .map(|(index, value)| (index.to_string(), value))
            .collect(),
        _ => Vec::new(),
    };
    for (step, value) in inner {
        found.extend(places(value).into_iter().map(|place| format!("/{step}{place}")));
    }
    found
}

/// Takes lists out of fields for times. An API server lets a list pass as a date-time; nothing that reads one does, and
/// we do not follow it there.
fn lists_are_no_times(value: &mut Value, schema: &Value) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                lists_are_no_times(value, &schema["properties"][key.as_str()]);
            }
        }
        Value::Array(_) if schema["format"] == "date-time" => *value = Value::Null,
        Value::Array(list) => list
            .iter_mut()
            .for_each(|value| lists_are_no_times(value, &schema["items"])),
        _ => {}
    }
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        #[expect(clippy::cast_possible_truncation, reason = "below the length of a list")]
        &list[self.below(list.len() as u64) as usize]
    }
}
