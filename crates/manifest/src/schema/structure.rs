//! Parses a structural schema into the few keywords that our custom resources use.
//!
//! An unknown keyword is an error on purpose: an API server would enforce the keyword, and file mode would not.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use dorgu_api::rules::{self, Pattern, Rule};

/// A schema that this engine cannot apply: a keyword it does not know, or a rule or pattern without a Rust twin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("schema at '{path}': {reason}")]
pub struct SchemaError {
    path: String,
    reason: String,
}

impl SchemaError {
    pub(super) fn new(path: &str, reason: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }
}

/// The schema of one value.
#[derive(Debug)]
pub(super) struct Structure {
    pub(super) shape: Shape,
    pub(super) default: Option<Value>,
    pub(super) allowed: Vec<Value>,
    pub(super) rules: Vec<&'static Rule>,
}

/// The type of a value, with the keywords that apply to that type only.
#[derive(Debug)]
pub(super) enum Shape {
    Object {
        properties: BTreeMap<String, Structure>,
        required: Vec<String>,
        values: Option<Box<Structure>>,
    },
    Array {
        items: Box<Structure>,
        count: (Option<u64>, Option<u64>),
        map_keys: Vec<String>,
    },
    Text {
        length: (Option<u64>, Option<u64>),
        pattern: Option<&'static Pattern>,
        date_time: bool,
    },
    Integer {
        range: (Option<i64>, Option<i64>),
        format: IntegerFormat,
    },
    Boolean,
}

impl Shape {
    /// The schema's name of the type.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Object { .. } => "object",
            Self::Array { .. } => "array",
            Self::Text { .. } => "string",
            Self::Integer { .. } => "integer",
            Self::Boolean => "boolean",
        }
    }
}

/// The width of an integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IntegerFormat {
    Int32,
    Int64,
}

impl Structure {
    pub(super) fn read(schema: &Value) -> Result<Self, SchemaError> {
        Keywords::of("", schema)?.structure()
    }

    pub(super) fn property(&self, name: &str) -> Option<&Structure> {
        match &self.shape {
            Shape::Object { properties, .. } => properties.get(name),
            _ => None,
        }
    }
}

/// The keywords of one schema that were not read yet.
struct Keywords<'a> {
    path: &'a str,
    left: Map<String, Value>,
}

impl<'a> Keywords<'a> {
    fn of(path: &'a str, schema: &Value) -> Result<Self, SchemaError> {
        let left = schema
            .as_object()
            .cloned()
            .ok_or_else(|| SchemaError::new(path, "is not an object"))?;
        Ok(Self { path, left })
    }

    fn error<T>(&self, reason: impl Into<String>) -> Result<T, SchemaError> {
        Err(SchemaError::new(self.path, reason))
    }

    fn structure(mut self) -> Result<Structure, SchemaError> {
        self.left.remove("description");
        let default = self.left.remove("default");
        let allowed = self.list("enum")?;
        let rules = self.rules()?;
        let shape = match self.text("type")?.as_deref() {
            Some("object") => self.object()?,
            Some("array") => self.array()?,
            Some("string") => self.string()?,
            Some("integer") => self.integer()?,
            Some("boolean") => Shape::Boolean,
            other => return self.error(format!("type {other:?} is not supported")),
        };
        match self.left.keys().next() {
            Some(keyword) => self.error(format!("keyword '{keyword}' is not supported here")),
            None => Ok(Structure {
                shape,
                default,
                allowed,
                rules,
            }),
        }
    }

    fn object(&mut self) -> Result<Shape, SchemaError> {
        let mut properties = BTreeMap::new();
        if let Some(schemas) = self.left.remove("properties") {
            for (name, schema) in schemas.as_object().into_iter().flatten() {
                let path = if self.path.is_empty() {
                    name.clone()
                } else {
                    format!("{}.{name}", self.path)
                };
                properties.insert(name.clone(), Keywords::of(&path, schema)?.structure()?);
            }
        }
        let values = match self.left.remove("additionalProperties") {
            None => None,
            Some(schema) => Some(Box::new(
                Keywords::of(&format!("{}.*", self.path), &schema)?.structure()?,
            )),
        };
        match self.text("x-kubernetes-map-type")?.as_deref() {
            None | Some("atomic") => {}
            Some(other) => return self.error(format!("map type '{other}' is not supported")),
        }
        Ok(Shape::Object {
            properties,
            required: self.texts("required")?,
            values,
        })
    }

    fn array(&mut self) -> Result<Shape, SchemaError> {
        let Some(items) = self.left.remove("items") else {
            return self.error("an array without items");
        };
        let items = Keywords::of(&format!("{}[]", self.path), &items)?.structure()?;
        let map_keys = self.texts("x-kubernetes-list-map-keys")?;
        match self.text("x-kubernetes-list-type")?.as_deref() {
            None | Some("atomic") => {}
            Some("map") if !map_keys.is_empty() => {}
            Some(other) => return self.error(format!("list type '{other}' is not supported")),
        }
        Ok(Shape::Array {
            items: Box::new(items),
            count: self.bounds("minItems", "maxItems")?,
            map_keys,
        })
    }

    fn string(&mut self) -> Result<Shape, SchemaError> {
        let pattern = match self.text("pattern")? {
            None => None,
            Some(regex) => match rules::PATTERNS.iter().find(|pattern| pattern.regex == regex) {
                Some(pattern) => Some(pattern),
                None => return self.error(format!("pattern '{regex}' has no twin in api::rules::PATTERNS")),
            },
        };
        let date_time = match self.text("format")?.as_deref() {
            None => false,
            Some("date-time") => true,
            Some(other) => return self.error(format!("format '{other}' is not supported")),
        };
        Ok(Shape::Text {
            length: self.bounds("minLength", "maxLength")?,
            pattern,
            date_time,
        })
    }

    fn integer(&mut self) -> Result<Shape, SchemaError> {
        let format = match self.text("format")?.as_deref() {
            Some("int32") => IntegerFormat::Int32,
            None | Some("int64") => IntegerFormat::Int64,
            Some(other) => return self.error(format!("format '{other}' is not supported")),
        };
        Ok(Shape::Integer {
            range: (self.whole("minimum")?, self.whole("maximum")?),
            format,
        })
    }

    fn rules(&mut self) -> Result<Vec<&'static Rule>, SchemaError> {
        let mut found = Vec::new();
        for rule in self.list("x-kubernetes-validations")? {
            let twin = rules::ALL.iter().find(|twin| twin.to_entry() == rule);
            match twin {
                Some(twin) => found.push(twin),
                None => return self.error(format!("rule {} has no twin in api::rules::ALL", rule["rule"])),
            }
        }
        Ok(found)
    }

    fn list(&mut self, keyword: &str) -> Result<Vec<Value>, SchemaError> {
        match self.left.remove(keyword) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => Ok(items),
            Some(_) => self.error(format!("{keyword} is not a list")),
        }
    }

    fn texts(&mut self, keyword: &str) -> Result<Vec<String>, SchemaError> {
        let items = self.list(keyword)?;
        let texts: Option<Vec<String>> = items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
        texts.ok_or_else(|| SchemaError::new(self.path, format!("{keyword} holds something else than text")))
    }

    fn text(&mut self, keyword: &str) -> Result<Option<String>, SchemaError> {
        match self.left.remove(keyword) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => self.error(format!("{keyword} is not text")),
        }
    }

    /// The least and the most of a length.
    fn bounds(&mut self, least: &str, most: &str) -> Result<(Option<u64>, Option<u64>), SchemaError> {
        let [least, most] = [self.whole(least)?, self.whole(most)?].map(|bound| bound.map(i64::unsigned_abs));
        Ok((least, most))
    }

    /// A whole number. The CRD type holds bounds as floats.
    fn whole(&mut self, keyword: &str) -> Result<Option<i64>, SchemaError> {
        let Some(value) = self.left.remove(keyword) else {
            return Ok(None);
        };
        match super::shape::whole(&value) {
            Some(number) => Ok(Some(number)),
            None => self.error(format!("{keyword} is not a whole number")),
        }
    }
}
