//! Defines where keys and values stand in a text, and finds the place of a field by its JSON pointer.
//!
//! A value that an alias or a merge key brings in stands where its anchor is: its text is there. The [`Link`] names both ends.

use std::ops::Range;
use std::sync::Arc;

use super::{Content, Node};

/// Where a key or a value stands: its bytes, and line and column of the first one.
///
/// A tag belongs to its value, an anchor does not. An omitted value has an empty place, behind the `:` or `-` that it lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) line: u32,
    pub(super) column: u32,
}

impl Place {
    /// Line of the first character, counted from 1.
    pub fn line(&self) -> usize {
        self.line as usize
    }

    /// Column of the first character, counted from 1 in Unicode code points. A byte order mark is not counted.
    pub fn column(&self) -> usize {
        self.column as usize
    }

    /// The bytes in the text that was read, a byte order mark included.
    pub fn bytes(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// What stands there. Empty where `text` is not the text that was read.
    pub fn text<'t>(&self, text: &'t str) -> &'t str {
        text.get(self.bytes()).unwrap_or_default()
    }

    /// Line and column behind the last character, both as those of the first one.
    pub fn end(&self, text: &str) -> (usize, usize) {
        let here = self.text(text);
        let Some(last) = here.rfind(['\n', '\r']) else {
            return (self.line(), self.column() + here.chars().count());
        };
        (self.line() + breaks(here), here[last + 1..].chars().count() + 1)
    }

    /// Column of the first character, counted from 1 in UTF-16 code units.
    pub fn utf16_column(&self, text: &str) -> usize {
        let before = text.get(..self.start as usize).unwrap_or_default();
        let mark = |c: &char| *c != '\u{feff}';
        let units = line_before(before).chars().filter(mark).map(char::len_utf16);
        units.sum::<usize>() + 1
    }
}

/// The part of the last line of a text that is there.
pub(super) fn line_before(text: &str) -> &str {
    text.rfind(['\n', '\r']).map_or(text, |last| &text[last + 1..])
}

/// The number of line breaks in a text. CR LF is one.
pub(super) fn breaks(text: &str) -> usize {
    let bytes = text.as_bytes();
    let second = |index: usize| index > 0 && bytes[index - 1] == b'\r';
    let is_break = |(index, byte): (usize, &u8)| *byte == b'\r' || (*byte == b'\n' && !second(index));
    bytes.iter().enumerate().filter(|&it| is_break(it)).count()
}

/// Why a value may stand at several paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Link {
    /// The value has an anchor; [`Node::used`] says whether an alias names it.
    Anchor {
        /// `&name`.
        anchor: Place,
    },
    /// An alias stands for the value.
    Alias {
        /// `*name`.
        alias: Place,
        /// `&name`.
        anchor: Place,
    },
    /// A merge key brings the entry in.
    Merge {
        /// `<<`.
        key: Place,
        /// `&name`; `None` where the map stands behind the merge key itself.
        anchor: Option<Place>,
    },
}

/// The node that a JSON pointer leads to, or its nearest ancestor that exists.
#[derive(Debug, Clone)]
pub struct Found<'n> {
    /// The node.
    pub node: &'n Node,
    /// Its key; `None` for a document and for the item of a list.
    pub key: Option<Place>,
    /// How many steps of the pointer lead no further; 0 when this is the node asked for.
    pub missing: usize,
    /// The links from the document down to the node, both included, the outermost first.
    pub links: Vec<Link>,
}

impl Found<'_> {
    /// Line of the key, where there is one, else of the value.
    pub fn line(&self) -> usize {
        self.key.unwrap_or(self.node.place).line()
    }
}

impl Node {
    /// The node that a JSON pointer (RFC 6901) leads to, or its nearest ancestor that exists. The pointer starts at this node.
    pub fn nearest(&self, pointer: &str) -> Found<'_> {
        let mut found = Found {
            node: self,
            key: None,
            missing: 0,
            links: self.link.as_deref().copied().into_iter().collect(),
        };
        let mut tokens = pointer.split('/').skip(1);
        while let Some(token) = tokens.next() {
            let Some((key, node)) = found.node.child(token) else {
                found.missing = 1 + tokens.count();
                break;
            };
            found.links.extend(node.link.as_deref().copied());
            (found.node, found.key) = (node, key);
        }
        found
    }

    /// A child by one escaped token of a JSON pointer.
    fn child(&self, token: &str) -> Option<(Option<Place>, &Node)> {
        match &self.content {
            Content::Map(_) => {
                let entry = match token.contains('~') {
                    true => self.entry(&token.replace("~1", "/").replace("~0", "~")),
                    false => self.entry(token),
                };
                entry.map(|entry| (Some(entry.place), &entry.value))
            }
            Content::List(items) => {
                // `01` and `+1` are no positions.
                let plain = token == "0" || token.starts_with(|first: char| ('1'..='9').contains(&first));
                let index: usize = token.parse().ok().filter(|_| plain)?;
                items.get(index).map(|item| (None, item))
            }
            _ => None,
        }
    }

    /// The first alias or merge key below this node that an anchor's value is brought in by.
    pub fn used(&self, anchor: Place) -> Option<Place> {
        let own = match self.link.as_deref() {
            Some(Link::Alias { alias, anchor: named }) if *named == anchor => Some(*alias),
            Some(Link::Merge { key, anchor: named }) if *named == Some(anchor) => Some(*key),
            _ => None,
        };
        own.or_else(|| match &self.content {
            Content::List(items) => items.iter().find_map(|item| item.used(anchor)),
            Content::Map(entries) => entries.iter().find_map(|entry| entry.value.used(anchor)),
            _ => None,
        })
    }

    pub(super) fn linked(mut self, link: Link) -> Node {
        self.link = Some(Arc::new(link));
        self
    }
}
