//! Where the parts of a collection stand in the text.

use std::ops::Range;

use super::super::{Content, Entry, Link, Node, Place};
use super::editor::Editor;
use super::lines;

impl<'t> Editor<'t> {
    /// Where the entry of a key starts: at a `?` before it.
    pub(super) fn key_start(&self, key: Place) -> usize {
        let start = key.bytes().start;
        let line = lines::start(self.text, start);
        let before = self.text[line..start].trim_end_matches([' ', '\t']);
        match before.strip_suffix('?') {
            Some(before) => line + before.len(),
            None => start,
        }
    }

    /// Where a value's key ends, its colon and the value's anchor included.
    pub(super) fn head(&self, node: &Node, key: Place) -> usize {
        let key = key.bytes().end;
        let colon = key + lines::blanks(&self.text[key..]);
        let head = match self.text[colon..].starts_with(':') {
            true => colon + 1,
            false => key,
        };
        match node.link.as_deref() {
            Some(Link::Anchor { anchor }) => head.max(anchor.bytes().end),
            _ => head,
        }
    }

    /// The bytes of a value where it is used: of an alias, those of the alias; an anchor is included.
    pub(super) fn extent(&self, node: &Node) -> Range<usize> {
        let place = node.place.bytes();
        match node.link.as_deref() {
            Some(Link::Alias { alias, .. }) => alias.bytes(),
            Some(Link::Anchor { anchor }) => anchor.bytes().start.min(place.start)..place.end.max(anchor.bytes().end),
            _ => place,
        }
    }

    /// Where a collection starts behind its tag.
    pub(super) fn body(&self, node: &Node) -> usize {
        let start = node.place.bytes().start;
        let part = node.place.text(self.text);
        match part.starts_with('!') {
            true => {
                let tag = part.find(char::is_whitespace).unwrap_or(part.len());
                lines::skip(self.text, start + tag).min(node.place.bytes().end)
            }
            false => start,
        }
    }

    pub(super) fn is_block(&self, node: &Node) -> bool {
        matches!(node.content, Content::List(_) | Content::Map(_)) && !self.is_flow(node)
    }

    pub(super) fn is_flow(&self, node: &Node) -> bool {
        self.text[self.body(node)..].starts_with(['{', '['])
    }

    /// What stands between the brackets of a collection.
    pub(super) fn inside(&self, node: &Node) -> &'t str {
        let end = node.place.bytes().end;
        self.text
            .get(self.body(node) + 1..end.saturating_sub(1))
            .unwrap_or_default()
    }
}

pub(super) fn is_merged(node: &Node) -> bool {
    matches!(node.link.as_deref(), Some(Link::Merge { .. }))
}

pub(super) fn merge_key(entry: &Entry) -> Option<Place> {
    match entry.value.link.as_deref() {
        Some(Link::Merge { key, .. }) => Some(*key),
        _ => None,
    }
}
