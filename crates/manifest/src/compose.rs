//! Builds one tree for each document from the events of the YAML parser. Here aliases are expanded, and sizes are
//! bounded.

use std::collections::HashMap;

use serde_saphyr::granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span, StructureStyle, Tag};

use super::merge::{Merged, merge};
use super::spans::Spans;
use super::{Content, Documents, Entry, Link, MAX_COPIED, MAX_DEPTH, MAX_VALUES, Node, Place, ReadError, scalar};

/// Reads every document of a YAML or JSON text, up to the first error.
pub fn read(text: &str) -> Documents {
    let mut documents = Vec::new();
    let error = each(text, |document| documents.push(document));
    Documents { documents, error }
}

/// Like [`read`], but passes on every document as soon as it is complete, so that only one tree of a long text is in memory.
/// Returns the error that ended reading, if any.
pub fn each(text: &str, mut take: impl FnMut(Node)) -> Option<ReadError> {
    let spans = match Spans::new(text) {
        Ok(spans) => spans,
        Err(error) => return Some(error),
    };
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.emit_anchor_events = true;
    let parser = Parser::new_from_str_with_options(spans.text(), options);
    let mut composer = Composer::new(spans);
    for event in parser {
        let step = match event {
            Ok((event, span)) => composer.take(event, &span),
            Err(error) => Err(syntax(&error)),
        };
        if let Some(document) = composer.document.take() {
            take(document);
        }
        if let Err(error) = step {
            return Some(error);
        }
    }
    None
}

fn syntax(error: &ScanError) -> ReadError {
    ReadError {
        line: error.marker().line(),
        reason: format!("not valid YAML: {}", error.info()),
    }
}

fn mistake<T>(line: usize, reason: impl Into<String>) -> Result<T, ReadError> {
    Err(ReadError {
        line,
        reason: reason.into(),
    })
}

struct Composer<'t> {
    spans: Spans<'t>,
    /// The document that has just become complete.
    document: Option<Node>,
    /// Open lists and maps, the innermost last.
    open: Vec<Open>,
    /// A scalar whose anchor is the next event, and the parser's number for the anchor.
    anchored: Option<(Sized, usize)>,
    /// Nodes with an anchor, by the parser's number for it.
    anchors: HashMap<usize, Anchored>,
    /// The number of values so far.
    values: usize,
    /// The number of values that the anchors hold, those of earlier documents included.
    kept: usize,
    /// Bytes of text that anchors and aliases copied.
    copied: usize,
}

struct Open {
    place: Place,
    anchor: Option<(usize, Place)>,
    size: Size,
    kind: OpenKind,
}

enum OpenKind {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        lines: HashMap<String, usize>,
        key: Option<Key>,
        merged: Vec<Merged>,
    },
}

/// A key that waits for its value.
struct Key {
    text: String,
    place: Place,
    merge: bool,
}

/// A node that aliases may name, and its `&name`.
struct Anchored {
    value: Sized,
    anchor: Place,
}

/// The number of values in a node, its depth, and the bytes of its text.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    values: usize,
    depth: usize,
    bytes: usize,
}

impl Size {
    fn of_text(bytes: usize) -> Size {
        Size {
            values: 1,
            depth: 0,
            bytes,
        }
    }
}

#[derive(Clone)]
struct Sized {
    node: Node,
    size: Size,
    /// Whether the text is an unquoted `<<`, which has a meaning as a key.
    merge: bool,
}

impl<'t> Composer<'t> {
    fn new(spans: Spans<'t>) -> Self {
        Composer {
            spans,
            document: None,
            open: Vec::new(),
            anchored: None,
            anchors: HashMap::new(),
            values: 0,
            kept: 0,
            copied: 0,
        }
    }

    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), ReadError> {
        match event {
            Event::DocumentStart(explicit, _) => {
                self.anchors.clear();
                if explicit {
                    self.spans.pass(span);
                }
            }
            Event::DocumentEnd => self.spans.pass(span),
            Event::Scalar(text, style, anchor, tag) => {
                let place = self.spans.scalar(span, style, self.after_key() && anchor == 0);
                let content = match scalar_content(&text, style, tag.as_deref()) {
                    Ok(content) => content,
                    Err(reason) => return mistake(place.line(), reason),
                };
                let scalar = Sized {
                    node: Node::new(place, content),
                    size: Size::of_text(text.len()),
                    merge: style == ScalarStyle::Plain && tag.is_none() && text == "<<",
                };
                if anchor == 0 {
                    self.place(scalar, None)?;
                } else {
                    self.anchored = Some((scalar, anchor));
                }
            }
            Event::Anchor(number, _) => {
                let place = self.spans.anchor(span);
                match (self.anchored.take(), self.open.last_mut()) {
                    (Some((scalar, number)), _) => self.place(scalar, Some((number, place)))?,
                    (None, Some(open)) => open.anchor = Some((number, place)),
                    (None, None) => {}
                }
            }
            Event::SequenceStart(style, ..) => {
                let dashed = style == StructureStyle::Block && self.after_key();
                let place = self.spans.open(span, dashed);
                self.start(place, OpenKind::List(Vec::new()))?;
            }
            Event::MappingStart(..) => {
                let kind = OpenKind::Map {
                    entries: Vec::new(),
                    lines: HashMap::new(),
                    key: None,
                    merged: Vec::new(),
                };
                let place = self.spans.open(span, false);
                self.start(place, kind)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span)?,
            Event::Alias(number) => {
                let alias = self.spans.alias(span);
                let line = alias.line();
                let Some(named) = self.anchors.get(&number) else {
                    // The parser rejects unknown names, so this one is still open.
                    return mistake(line, "this alias stands inside the value that it names");
                };
                let mut copy = copied(&mut self.copied, &named.value, line)?;
                let anchor = named.anchor;
                copy.node = copy.node.linked(Link::Alias { alias, anchor });
                self.place(copy, None).map_err(|error| ReadError { line, ..error })?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether the next node is the value of a map's entry.
    fn after_key(&self) -> bool {
        let innermost = self.open.last().map(|open| &open.kind);
        matches!(innermost, Some(OpenKind::Map { key: Some(_), .. }))
    }

    fn start(&mut self, place: Place, kind: OpenKind) -> Result<(), ReadError> {
        if self.open.len() >= MAX_DEPTH {
            return mistake(place.line(), format!("nested deeper than {MAX_DEPTH} levels"));
        }
        self.open.push(Open {
            place,
            anchor: None,
            size: Size::of_text(0),
            kind,
        });
        Ok(())
    }

    fn end(&mut self, span: &Span) -> Result<(), ReadError> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let content = match open.kind {
            OpenKind::List(items) => Content::List(items),
            OpenKind::Map {
                entries, lines, merged, ..
            } => Content::Map(merge(entries, lines, merged)?),
        };
        let node = Node::new(self.spans.close(open.place, span), content);
        // The children were counted when they were placed. Only the collection itself is new.
        self.values = self.values.saturating_sub(open.size.values.saturating_sub(1));
        self.place(
            Sized {
                node,
                size: open.size,
                merge: false,
            },
            open.anchor,
        )
    }

    /// Adds a complete node to the innermost open collection, or to the documents.
    fn place(&mut self, mut placed: Sized, anchor: Option<(usize, Place)>) -> Result<(), ReadError> {
        let line = placed.node.place.line();
        self.values = self.values.saturating_add(placed.size.values);
        if self.values > MAX_VALUES {
            return mistake(line, format!("more than {MAX_VALUES} values"));
        }
        if self.open.len() + placed.size.depth > MAX_DEPTH {
            return mistake(line, format!("nested deeper than {MAX_DEPTH} levels"));
        }
        if let Some((number, anchor)) = anchor {
            // Every anchor keeps a copy, and anchored values may contain anchored values.
            self.kept = self.kept.saturating_add(placed.size.values);
            if self.kept > MAX_VALUES {
                return mistake(line, format!("anchors hold more than {MAX_VALUES} values"));
            }
            placed.node = placed.node.linked(Link::Anchor { anchor });
            let value = copied(&mut self.copied, &placed, line)?;
            self.anchors.insert(number, Anchored { value, anchor });
        }
        let Some(open) = self.open.last_mut() else {
            if placed.node.content != Content::Null {
                self.document = Some(placed.node);
            }
            return Ok(());
        };
        open.size.values = open.size.values.saturating_add(placed.size.values);
        open.size.depth = open.size.depth.max(placed.size.depth + 1);
        open.size.bytes = open.size.bytes.saturating_add(placed.size.bytes);
        match &mut open.kind {
            OpenKind::List(items) => items.push(placed.node),
            OpenKind::Map {
                entries,
                lines,
                key,
                merged,
            } => match key.take() {
                None => {
                    let text = key_text(&placed.node)?;
                    let place = match placed.node.link.as_deref() {
                        Some(Link::Alias { alias, .. }) => *alias,
                        _ => placed.node.place,
                    };
                    if let Some(first) = lines.insert(text.clone(), line) {
                        return mistake(line, format!("key {text:?} is set twice, first at line {first}"));
                    }
                    *key = Some(Key {
                        text,
                        place,
                        merge: placed.merge,
                    });
                }
                Some(key) if key.merge => merged.push(Merged {
                    key: key.place,
                    source: placed.node,
                }),
                Some(key) => entries.push(Entry {
                    key: key.text,
                    place: key.place,
                    value: placed.node,
                }),
            },
        }
        Ok(())
    }
}

/// A copy of a node, unless so much text was copied already that a small file would fill the memory.
fn copied(so_far: &mut usize, named: &Sized, line: usize) -> Result<Sized, ReadError> {
    *so_far = so_far.saturating_add(named.size.bytes);
    if *so_far > MAX_COPIED {
        return mistake(
            line,
            format!("anchors and aliases hold more than {MAX_COPIED} bytes of text"),
        );
    }
    Ok(named.clone())
}

fn scalar_content(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Content, String> {
    let Some(tag) = tag else {
        return match style {
            ScalarStyle::Plain => scalar::resolve(text),
            _ => Ok(Content::Text(text.to_owned())),
        };
    };
    let wanted = if tag.handle() == "tag:yaml.org,2002:" {
        tag.suffix()
    } else {
        "str"
    };
    let content = match wanted {
        "str" | "timestamp" => Content::Text(text.to_owned()),
        "binary" => return Err("binary values are not supported in manifests".to_owned()),
        _ => scalar::resolve(text)?,
    };
    let fits = match (wanted, &content) {
        ("null", Content::Null) | ("bool", Content::Bool(_)) | ("float", Content::Number(_)) => true,
        ("int", Content::Number(number)) => !number.is_f64(),
        ("null" | "bool" | "float" | "int", _) => false,
        _ => true,
    };
    if fits {
        Ok(content)
    } else {
        Err(format!("{text:?} is not a !!{wanted}"))
    }
}

/// A key as text, since JSON has no other keys.
fn key_text(node: &Node) -> Result<String, ReadError> {
    match &node.content {
        Content::Text(text) => Ok(text.clone()),
        Content::Bool(flag) => Ok(flag.to_string()),
        Content::Number(number) => Ok(number.to_string()),
        Content::Null => mistake(node.place.line(), "a key must not be empty"),
        Content::List(_) | Content::Map(_) => mistake(node.place.line(), "a key must be text, not a list or a map"),
    }
}
