//! What the edits of a document are collected in, and what they are about.

use std::ops::Range;

use serde_json::Value;

use super::super::{Content, Link, Node, Place};
use super::TextEdit;
use super::write::Style;

/// How deep lines are indented where nothing in a document shows it.
const STEP: usize = 2;

/// Collects the edits of a document.
pub(super) struct Editor<'t> {
    pub(super) text: &'t str,
    pub(super) edits: Vec<TextEdit>,
    /// Whether the document is JSON.
    pub(super) json: bool,
    /// By how many blanks a map is indented below its key.
    pub(super) step: usize,
}

/// Where a value stands.
#[derive(Clone, Copy)]
pub(super) enum Slot<'s> {
    /// A document.
    Document,
    /// The value of a key on a line of its own.
    Entry(Place),
    /// The item of a list with dashes.
    Item,
    /// In brackets, in the style of its collection.
    Flow(&'s Style),
}

/// An entry or item: its bytes, and whether it stays.
pub(super) struct Element {
    pub(super) bytes: Range<usize>,
    pub(super) stays: bool,
}

impl<'t> Editor<'t> {
    pub(super) fn new(text: &'t str, document: &Node) -> Self {
        let whole = document.place.text(text);
        Editor {
            text,
            edits: Vec::new(),
            json: whole.starts_with(['{', '[']) && serde_json::from_str::<Value>(whole).is_ok(),
            step: step(document).unwrap_or(STEP),
        }
    }

    pub(super) fn edit(&mut self, bytes: Range<usize>, text: String) {
        self.edits.push(TextEdit { bytes, text });
    }
}

/// By how much the first map below a key is indented more than the key.
fn step(node: &Node) -> Option<usize> {
    match &node.content {
        Content::List(items) => items.iter().find_map(step),
        Content::Map(entries) => entries.iter().find_map(|entry| {
            let value = &entry.value;
            if matches!(value.link.as_deref(), Some(Link::Alias { .. } | Link::Merge { .. })) {
                return None;
            }
            let own = match &value.content {
                Content::Map(inner) if inner.first().is_some_and(|it| it.place.line() > entry.place.line()) => {
                    let inner = inner.first()?;
                    inner.place.column().checked_sub(entry.place.column())
                }
                _ => None,
            };
            own.filter(|step| *step > 0).or_else(|| step(value))
        }),
        _ => None,
    }
}
