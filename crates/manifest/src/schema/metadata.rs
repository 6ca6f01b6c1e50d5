//! Reads and validates object metadata, by rules that are the same for every kind. The fields have fixed types, unknown
//! fields are dropped, and names, labels and annotations have a syntax.
//!
//! Fields that only a server fills in (uid, resourceVersion, timestamps, managedFields, ...) are checked for their type and
//! dropped.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::field::{At, FieldError, Warning};
use super::validate::is_date_time;
use dorgu_api::names;

/// How many bytes the keys and values of all annotations may have together.
const ANNOTATIONS_SIZE: usize = 256 * 1024;

/// The metadata of one object, with the right types, not yet validated.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Metadata {
    name: String,
    generate_name: String,
    namespace: String,
    labels: Map<String, Value>,
    annotations: Map<String, Value>,
    finalizers: Vec<Value>,
    owners: Vec<Value>,
}

/// The types that metadata fields have.
#[derive(Debug, Clone, Copy)]
enum Type {
    Text,
    Time,
    Number,
    Flag,
    Anything,
    Texts,
    TextMap,
    Objects(Fields),
}

type Fields = &'static [(&'static str, Type)];

const METADATA: Fields = &[
    ("name", Type::Text),
    ("generateName", Type::Text),
    ("namespace", Type::Text),
    ("selfLink", Type::Text),
    ("uid", Type::Text),
    ("resourceVersion", Type::Text),
    ("generation", Type::Number),
    ("creationTimestamp", Type::Time),
    ("deletionTimestamp", Type::Time),
    ("deletionGracePeriodSeconds", Type::Number),
    ("labels", Type::TextMap),
    ("annotations", Type::TextMap),
    ("ownerReferences", Type::Objects(OWNER)),
    ("finalizers", Type::Texts),
    ("managedFields", Type::Objects(MANAGER)),
];

const OWNER: Fields = &[
    ("apiVersion", Type::Text),
    ("kind", Type::Text),
    ("name", Type::Text),
    ("uid", Type::Text),
    ("controller", Type::Flag),
    ("blockOwnerDeletion", Type::Flag),
];

const MANAGER: Fields = &[
    ("manager", Type::Text),
    ("operation", Type::Text),
    ("apiVersion", Type::Text),
    ("time", Type::Time),
    ("fieldsType", Type::Text),
    ("fieldsV1", Type::Anything),
    ("subresource", Type::Text),
];

impl Metadata {
    /// Reads the `metadata` of a manifest, with a warning for every unknown field.
    pub(super) fn read(value: Option<Value>) -> Result<(Self, Vec<Warning>), Vec<FieldError>> {
        let mut value = value.unwrap_or_default();
        let mut reading = Reading::default();
        if !value.is_null() {
            reading.object(&At::ROOT.key("metadata"), &mut value, METADATA);
        }
        if !reading.errors.is_empty() {
            return Err(reading.errors);
        }
        let mut take = |field: &str| value.get_mut(field).map(Value::take).unwrap_or_default();
        let text = |value: Value| {
            if let Value::String(text) = value {
                text
            } else {
                String::new()
            }
        };
        let map = |value: Value| {
            if let Value::Object(map) = value {
                map
            } else {
                Map::new()
            }
        };
        let list = |value: Value| {
            if let Value::Array(list) = value {
                list
            } else {
                Vec::new()
            }
        };
        let metadata = Self {
            name: text(take("name")),
            generate_name: text(take("generateName")),
            namespace: text(take("namespace")),
            labels: map(take("labels")),
            annotations: map(take("annotations")),
            finalizers: list(take("finalizers")),
            owners: distinct(list(take("ownerReferences"))),
        };
        Ok((metadata, reading.warnings))
    }

    /// Sets the default namespace where the object names none. A cluster-scoped object loses its namespace.
    pub(super) fn settle_namespace(&mut self, namespaced: bool, default: &str) {
        if !namespaced {
            self.namespace.clear();
        } else if self.namespace.is_empty() {
            default.clone_into(&mut self.namespace);
        }
    }

    pub(super) fn validate(&self, namespaced: bool, errors: &mut Vec<FieldError>) {
        let at = At::ROOT.key("metadata");
        let mut check = |at: &At<'_>, text: &str, verdict: Result<(), &str>| {
            if let Err(why) = verdict {
                errors.push(FieldError::invalid(at, &text.into(), why));
            }
        };
        if !self.generate_name.is_empty() {
            let verdict = names::dns_subdomain(&masked(&self.generate_name));
            check(&at.key("generateName"), &self.generate_name, verdict);
            if self.name.is_empty() {
                let name = generated(&self.generate_name);
                check(&at.key("name"), &name, names::dns_subdomain(&name));
            }
        }
        if !self.name.is_empty() {
            check(&at.key("name"), &self.name, names::dns_subdomain(&self.name));
        }
        if namespaced {
            check(&at.key("namespace"), &self.namespace, names::dns_label(&self.namespace));
        }
        for (key, value) in &self.labels {
            let value = value.as_str().unwrap_or_default();
            check(&at.key("labels"), key, names::qualified_name(key));
            check(&at.key("labels"), value, names::label_value(value));
        }
        for key in self.annotations.keys() {
            // Folds as Go does: letter by letter, each to one letter.
            let lower: String = key.chars().filter_map(|letter| letter.to_lowercase().next()).collect();
            check(&at.key("annotations"), key, names::qualified_name(&lower));
        }
        for finalizer in self.finalizers.iter().filter_map(Value::as_str) {
            check(&at.key("finalizers"), finalizer, names::qualified_name(finalizer));
        }
        for (index, owner) in self.owners.iter().enumerate() {
            let owners = at.key("ownerReferences");
            for field in ["apiVersion", "kind", "name", "uid"] {
                if owner.get(field).and_then(Value::as_str).is_none_or(str::is_empty) {
                    check(&owners.index(index).key(field), "", Err("must not be empty"));
                }
            }
        }
        if self
            .owners
            .iter()
            .filter(|owner| owner.get("controller") == Some(&Value::Bool(true)))
            .count()
            > 1
        {
            check(
                &at.key("ownerReferences"),
                "",
                Err("only one reference can have controller set to true"),
            );
        }
        if self.name.is_empty() && self.generate_name.is_empty() {
            errors.push(FieldError::new(
                &at.key("name"),
                "Required value: name or generateName is required".to_owned(),
            ));
        }
        let size: usize = self
            .annotations
            .iter()
            .map(|(key, value)| key.len() + value.as_str().map_or(0, str::len))
            .sum();
        if size > ANNOTATIONS_SIZE {
            let why = format!("Too long: may not be more than {ANNOTATIONS_SIZE} bytes together, is {size}");
            errors.push(FieldError::new(&at.key("annotations"), why));
        }
    }

    /// Like [`Metadata::validate`], for a Namespace: its name is required and must fit into one label.
    pub(super) fn validate_namespace(&self, errors: &mut Vec<FieldError>) {
        self.validate(false, errors);
        let at = At::ROOT.key("metadata");
        let name = at.key("name");
        if self.name.is_empty() && errors.is_empty() {
            errors.push(FieldError::required(&name));
        } else if let (true, Err(why)) = (errors.is_empty(), names::dns_label(&self.name)) {
            errors.push(FieldError::invalid(&name, &self.name.as_str().into(), why));
        }
    }

    pub(super) fn into_name_and_labels(self) -> (String, BTreeMap<String, String>) {
        let text = |value: Value| {
            if let Value::String(text) = value {
                text
            } else {
                String::new()
            }
        };
        (
            self.name,
            self.labels.into_iter().map(|(key, value)| (key, text(value))).collect(),
        )
    }

    /// The metadata as JSON, empty fields left out.
    pub(super) fn into_value(self) -> Value {
        let mut out = Map::new();
        for (key, text) in [
            ("name", self.name),
            ("generateName", self.generate_name),
            ("namespace", self.namespace),
        ] {
            if !text.is_empty() {
                out.insert(key.to_owned(), text.into());
            }
        }
        for (key, map) in [("labels", self.labels), ("annotations", self.annotations)] {
            if !map.is_empty() {
                out.insert(key.to_owned(), map.into());
            }
        }
        for (key, list) in [("finalizers", self.finalizers), ("ownerReferences", self.owners)] {
            if !list.is_empty() {
                out.insert(key.to_owned(), list.into());
            }
        }
        Value::Object(out)
    }
}

/// Each owner once, however often a manifest names it.
fn distinct(owners: Vec<Value>) -> Vec<Value> {
    let mut found: Vec<Value> = Vec::new();
    for owner in owners {
        if !found.contains(&owner) {
            found.push(owner);
        }
    }
    found
}

/// The prefix of a generated name, validated as an API server does: a dash may be last, since more characters follow.
fn masked(prefix: &str) -> Cow<'_, str> {
    match prefix.strip_suffix('-') {
        Some(stem) if !stem.is_empty() => {
            let mut masked = stem.to_owned();
            masked.pop();
            masked.push('a');
            Cow::Owned(masked)
        }
        _ => Cow::Borrowed(prefix),
    }
}

/// An example of the names that an API server makes from a prefix: cut so that five characters fit a DNS label.
fn generated(prefix: &str) -> String {
    const PREFIX_LENGTH: usize = 58;
    let cut = prefix
        .char_indices()
        .map(|(start, _)| start)
        .find(|start| *start >= PREFIX_LENGTH);
    format!("{}xxxxx", &prefix[..cut.unwrap_or(prefix.len())])
}

/// Errors and warnings found while reading.
#[derive(Default)]
struct Reading {
    errors: Vec<FieldError>,
    warnings: Vec<Warning>,
}

impl Reading {
    /// Checks that a value has the type of its field; a value of another type is an error. Callers handle nulls before: see
    /// `text` and `object`, which it calls for items of lists and maps.
    fn value(&mut self, at: &At<'_>, value: &mut Value, wanted: Type) {
        let whole = super::shape::whole(value).is_some();
        match (&mut *value, wanted) {
            (_, Type::Anything) | (Value::String(_), Type::Text) | (Value::Bool(_), Type::Flag) => {}
            (Value::Number(_), Type::Number) if whole => {}
            // In metadata, unlike elsewhere, the letters must be capitals.
            (Value::String(text), Type::Time) if is_date_time(text) && !text.contains(['t', 'z']) => {}
            (Value::Array(list), Type::Texts) => {
                for (index, value) in list.iter_mut().enumerate() {
                    self.text(&at.index(index), value);
                }
            }
            (Value::Object(map), Type::TextMap) => {
                for (key, value) in map {
                    self.text(&at.key(key), value);
                }
            }
            (Value::Array(list), Type::Objects(fields)) => {
                for (index, value) in list.iter_mut().enumerate() {
                    self.object(&at.index(index), value, fields);
                }
            }
            (_, wanted) => self.errors.push(FieldError::invalid(at, value, wanted.demand())),
        }
    }

    /// Checks an item of a list or map of texts. A null becomes an empty text, as at an API server.
    fn text(&mut self, at: &At<'_>, value: &mut Value) {
        if value.is_null() {
            *value = "".into();
        }
        self.value(at, value, Type::Text);
    }

    /// Checks the fields of an object. Unknown fields are removed with a warning each; a field that is null is removed silently.
    fn object(&mut self, at: &At<'_>, value: &mut Value, fields: Fields) {
        let Some(object) = value.as_object_mut() else {
            self.errors
                .push(FieldError::invalid(at, value, "must be of type object"));
            return;
        };
        let mut unknown = Vec::new();
        for (key, value) in &mut *object {
            match fields.iter().find(|(name, _)| name == key) {
                Some((_, wanted)) if !value.is_null() => self.value(&at.key(key), value, *wanted),
                Some(_) => {}
                None => unknown.push(key.clone()),
            }
        }
        for key in unknown {
            object.remove(&key);
            self.warnings.push(Warning::unknown_field(&at.key(&key)));
        }
        object.retain(|_, value| !value.is_null());
    }
}

impl Type {
    fn demand(self) -> &'static str {
        match self {
            Self::Text => "must be of type string; quote it if it is one",
            Self::Time => "must be a date and time such as 2006-01-02T15:04:05Z",
            Self::Number => "must be of type integer",
            Self::Flag => "must be of type boolean",
            Self::Texts => "must be a list of strings",
            Self::TextMap => "must be an object whose values are strings",
            Self::Objects(_) => "must be a list of objects",
            Self::Anything => "must be there",
        }
    }
}
