//! A document while operations are applied to it: a tree that knows which of its values are old.

use serde_json::{Map, Value};

use super::super::{Content, Link, Node};
use super::{Action, EditError, Operation};

/// A value that is old, changed or new.
#[derive(Debug)]
pub(super) struct Draft<'n> {
    /// What stands there in the text; `None` for a value that is new.
    pub(super) node: Option<&'n Node>,
    /// What is to stand there.
    pub(super) now: Now<'n>,
}

/// What is to stand at a place.
#[derive(Debug)]
pub(super) enum Now<'n> {
    /// What stands there.
    Same,
    /// This.
    New(Value),
    /// A list of these.
    List(Vec<Draft<'n>>),
    /// A map of these.
    Map(Vec<(String, Draft<'n>)>),
}

impl<'n> Draft<'n> {
    pub(super) fn same(node: &'n Node) -> Self {
        Draft {
            node: Some(node),
            now: Now::Same,
        }
    }

    fn new(value: Value) -> Self {
        Draft {
            node: None,
            now: Now::New(value),
        }
    }

    /// Whether no operation was applied.
    pub(super) fn is_untouched(&self) -> bool {
        matches!(self.now, Now::Same)
    }

    /// The value without its places.
    pub(super) fn to_value(&self) -> Value {
        match &self.now {
            Now::Same => self.node.map_or(Value::Null, Node::to_value),
            Now::New(value) => value.clone(),
            Now::List(items) => items.iter().map(Draft::to_value).collect(),
            Now::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| (key.clone(), value.to_value()));
                Value::Object(entries.collect::<Map<_, _>>())
            }
        }
    }

    /// Whether a node has this value.
    pub(super) fn is(&self, node: &Node) -> bool {
        match (&self.now, &node.content) {
            (Now::Same, _) => self.node.is_some_and(|old| alike(old, node)),
            (Now::New(value), _) => *value == node.to_value(),
            (Now::List(meant), Content::List(items)) => {
                meant.len() == items.len() && meant.iter().zip(items).all(|(meant, item)| meant.is(item))
            }
            (Now::Map(meant), Content::Map(entries)) => {
                let there = |key: &str| node.entry(key).map(|entry| &entry.value);
                meant.len() == entries.len()
                    && (meant.iter()).all(|(key, meant)| there(key).is_some_and(|value| meant.is(value)))
            }
            _ => false,
        }
    }

    /// Applies an operation.
    pub(super) fn apply(&mut self, document: &'n Node, operation: &Operation) -> Result<(), EditError> {
        let pointer = &operation.pointer;
        let missing = || EditError::Missing {
            line: document.nearest(pointer).line(),
            pointer: pointer.clone(),
        };
        let (parent, last) = pointer.rsplit_once('/').ok_or_else(missing)?;
        let mut at = self;
        guard(at.node, document)?;
        for token in parent.split('/').skip(1) {
            at = at.child(&decoded(token)).ok_or_else(missing)?;
            guard(at.node, document)?;
        }
        at.expand();
        let old = at.node;
        match &mut at.now {
            Now::Map(entries) => change_key(entries, old, document, &decoded(last), &operation.action),
            Now::List(items) => change_item(items, document, last, &operation.action),
            _ => Ok(false),
        }?
        .then_some(())
        .ok_or_else(missing)
    }

    fn child(&mut self, token: &str) -> Option<&mut Draft<'n>> {
        self.expand();
        match &mut self.now {
            Now::Map(entries) => entries.iter_mut().find(|(key, _)| key == token).map(|(_, value)| value),
            Now::List(items) => items.get_mut(position(token)?),
            _ => None,
        }
    }

    /// Makes the children of a collection drafts of their own.
    fn expand(&mut self) {
        let expanded = match (&mut self.now, self.node.map(|node| &node.content)) {
            (Now::Same, Some(Content::List(items))) => Now::List(items.iter().map(Draft::same).collect()),
            (Now::Same, Some(Content::Map(entries))) => {
                let entries = entries.iter().map(|it| (it.key.clone(), Draft::same(&it.value)));
                Now::Map(entries.collect())
            }
            (Now::New(Value::Array(items)), _) => {
                Now::List(std::mem::take(items).into_iter().map(Draft::new).collect())
            }
            (Now::New(Value::Object(entries)), _) => {
                let entries = std::mem::take(entries).into_iter();
                Now::Map(entries.map(|(key, value)| (key, Draft::new(value))).collect())
            }
            _ => return,
        };
        self.now = expanded;
    }
}

/// Returns whether the operation fits.
fn change_key<'n>(
    entries: &mut Vec<(String, Draft<'n>)>,
    old: Option<&'n Node>,
    document: &'n Node,
    key: &str,
    action: &Action,
) -> Result<bool, EditError> {
    let found = entries.iter().position(|(there, _)| there == key);
    if let Some(found) = found {
        spare(entries[found].1.node, document)?;
    }
    match (action, found) {
        (Action::Remove, Some(found)) => drop(entries.remove(found)),
        (Action::Add(value) | Action::Replace(value), Some(found)) => entries[found].1.now = Now::New(value.clone()),
        (Action::Add(value), None) => {
            // A key that an earlier operation removed stands in the text yet.
            let node = old.and_then(|old| old.entry(key)).map(|entry| &entry.value);
            let now = Now::New(value.clone());
            entries.push((key.to_owned(), Draft { node, now }));
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Returns whether the operation fits.
fn change_item<'n>(
    items: &mut Vec<Draft<'n>>,
    document: &'n Node,
    token: &str,
    action: &Action,
) -> Result<bool, EditError> {
    let index = match token {
        "-" => Some(items.len()),
        _ => position(token),
    };
    match (action, index) {
        (Action::Add(value), Some(index)) if index <= items.len() => items.insert(index, Draft::new(value.clone())),
        (Action::Remove, Some(index)) if index < items.len() => {
            spare(items[index].node, document)?;
            items.remove(index);
        }
        (Action::Replace(value), Some(index)) if index < items.len() => {
            spare(items[index].node, document)?;
            items[index].now = Now::New(value.clone());
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Rejects a node that also stands elsewhere.
fn guard(node: Option<&Node>, document: &Node) -> Result<(), EditError> {
    let Some(node) = node else { return Ok(()) };
    match node.link.as_deref() {
        None => Ok(()),
        Some(Link::Alias { alias, anchor }) => Err(EditError::Shared {
            anchor: anchor.line(),
            alias: alias.line(),
        }),
        Some(Link::Merge { key, .. }) => Err(EditError::Merged {
            key: key.line(),
            from: node.place.line(),
        }),
        Some(Link::Anchor { anchor }) => match document.used(*anchor) {
            None => Ok(()),
            Some(alias) => Err(EditError::Shared {
                anchor: anchor.line(),
                alias: alias.line(),
            }),
        },
    }
}

/// Rejects a node that cannot be replaced, since it, or a value in it, also stands elsewhere.
fn spare(node: Option<&Node>, document: &Node) -> Result<(), EditError> {
    guard(node, document)?;
    match node.map(|node| &node.content) {
        Some(Content::List(items)) => items.iter().try_for_each(|item| spare_anchors(item, document)),
        Some(Content::Map(entries)) => entries.iter().try_for_each(|it| spare_anchors(&it.value, document)),
        _ => Ok(()),
    }
}

/// Like [`spare`], for a value in what is replaced: what an alias brings in stays where its anchor is.
fn spare_anchors(node: &Node, document: &Node) -> Result<(), EditError> {
    match node.link.as_deref() {
        Some(Link::Alias { .. } | Link::Merge { .. }) => Ok(()),
        _ => spare(Some(node), document),
    }
}

/// Whether two nodes have the same value.
fn alike(one: &Node, other: &Node) -> bool {
    match (&one.content, &other.content) {
        (Content::List(items), Content::List(others)) => {
            items.len() == others.len() && items.iter().zip(others).all(|(item, other)| alike(item, other))
        }
        (Content::Map(entries), Content::Map(others)) => {
            // Unchanged ones keep their order; the order of what merge keys bring in may differ.
            let same = |index: usize, key: &str| {
                let there = others.get(index).filter(|other| other.key == key);
                there.or_else(|| other.entry(key))
            };
            entries.len() == others.len()
                && (entries.iter().enumerate())
                    .all(|(index, it)| same(index, &it.key).is_some_and(|other| alike(&it.value, &other.value)))
        }
        (one, other) => one == other,
    }
}

/// The position that a token of a pointer names: `01` and `+1` name none.
fn position(token: &str) -> Option<usize> {
    let plain = token == "0" || token.starts_with(|first: char| ('1'..='9').contains(&first));
    token.parse().ok().filter(|_| plain)
}

/// A token of a pointer without its escapes.
fn decoded(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}
