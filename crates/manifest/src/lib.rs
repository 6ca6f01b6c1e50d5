//! Reads YAML manifests into trees in which every key and value knows its place in the text.
//!
//! One parser reads YAML and JSON. It understands scalars as `kubectl` does (YAML 1.1: `yes` is true, `010` is eight), expands
//! anchors and merge keys, rejects a key that is set twice, and bounds sizes. It knows no Kubernetes kind and no file. Start
//! reading at [`each`]; [`Node::nearest`] finds the place of a field, and [`edit`] changes values in a text.

mod compose;
pub mod edit;
mod merge;
mod place;
mod scalar;
pub mod schema;
mod spans;

use std::sync::Arc;

use serde_json::{Map, Number, Value};

pub use compose::{each, read};
pub use place::{Found, Link, Place};

/// How many values (scalars, lists and maps, after anchors are expanded) one text may hold.
pub const MAX_VALUES: usize = 1_000_000;
/// How many bytes of text anchors and aliases may copy.
pub const MAX_COPIED: usize = 64 << 20;
/// Deepest nesting of lists and maps.
pub const MAX_DEPTH: usize = 200;

/// The content of a text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Documents {
    /// The documents before the first error, empty ones left out.
    pub documents: Vec<Node>,
    /// The error that ended reading, if any.
    pub error: Option<ReadError>,
}

/// A text that is invalid from a line on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct ReadError {
    /// Line of the error, counted from 1.
    pub line: usize,
    /// What is wrong, on one line.
    pub reason: String,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it stands; for a value that an alias or a merge key brings in, where its anchor's value stands.
    pub place: Place,
    /// Why it may stand at several paths, if it may. Shared, as few nodes have one and one merge key may link many.
    pub link: Option<Arc<Link>>,
    /// The value.
    pub content: Content,
}

/// A value with the types of JSON.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// `null`, `~` or no text.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer or a finite float.
    Number(Number),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the text. Keys are unique.
    Map(Vec<Entry>),
}

/// One entry of a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key, as text.
    pub key: String,
    /// Where the key stands.
    pub place: Place,
    /// The value.
    pub value: Node,
}

impl Node {
    fn new(place: Place, content: Content) -> Self {
        Node {
            place,
            link: None,
            content,
        }
    }

    /// The entry of a map. `None` where the key is absent, and where the node is not a map.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.content {
            Content::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The text under a key of a map; `None` when the value is no text.
    pub fn text(&self, key: &str) -> Option<&str> {
        match &self.entry(key)?.value.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The items of a list; empty for anything else.
    pub fn items(&self) -> &[Node] {
        match &self.content {
            Content::List(items) => items,
            _ => &[],
        }
    }

    /// The value without its places.
    pub fn to_value(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Bool(flag) => Value::Bool(*flag),
            Content::Number(number) => Value::Number(number.clone()),
            Content::Text(text) => Value::String(text.clone()),
            Content::List(items) => items.iter().map(Node::to_value).collect(),
            Content::Map(entries) => {
                let map: Map<String, Value> = entries
                    .iter()
                    .map(|entry| (entry.key.clone(), entry.value.to_value()))
                    .collect();
                Value::Object(map)
            }
        }
    }
}

#[cfg(test)]
mod tests;
