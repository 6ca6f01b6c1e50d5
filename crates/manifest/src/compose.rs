//! Builds one tree for each document from the events of the YAML parser. Here anchors and merge keys are expanded, and sizes
//! are bounded.

use std::collections::HashMap;

use serde_saphyr::granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span, Tag};

use super::{Content, Documents, Entry, MAX_COPIED, MAX_DEPTH, MAX_VALUES, Node, ReadError, scalar};

/// Reads every document of a YAML or JSON text, up to the first error.
pub fn read(text: &str) -> Documents {
    let mut documents = Vec::new();
    let error = each(text, |document| documents.push(document));
    Documents { documents, error }
}

/// Like [`read`], but passes on every document as soon as it is complete, so that only one tree of a long text is in memory.
/// Returns the error that ended reading, if any.
pub fn each(text: &str, mut take: impl FnMut(Node)) -> Option<ReadError> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    let mut composer = Composer::default();
    for event in Parser::new_from_str_with_options(text.trim_start_matches('\u{feff}'), options) {
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

#[derive(Default)]
struct Composer {
    /// The document that has just become complete.
    document: Option<Node>,
    /// Open lists and maps, the innermost last.
    open: Vec<Open>,
    /// Nodes with an anchor, by the parser's number for it.
    anchors: HashMap<usize, Sized>,
    /// The number of values so far.
    values: usize,
    /// The number of values that the anchors hold, those of earlier documents included.
    kept: usize,
    /// Bytes of text that anchors and aliases copied.
    copied: usize,
}

struct Open {
    line: usize,
    anchor: usize,
    size: Size,
    kind: OpenKind,
}

enum OpenKind {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        lines: HashMap<String, usize>,
        key: Option<Key>,
        merged: Vec<Node>,
    },
}

/// A key that waits for its value.
struct Key {
    text: String,
    line: usize,
    merge: bool,
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

impl Composer {
    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), ReadError> {
        let line = span.start.line();
        match event {
            Event::DocumentStart(..) => self.anchors.clear(),
            Event::Scalar(text, style, anchor, tag) => {
                let content = match scalar_content(&text, style, tag.as_deref()) {
                    Ok(content) => content,
                    Err(reason) => return mistake(line, reason),
                };
                let merge = style == ScalarStyle::Plain && tag.is_none() && text == "<<";
                let size = Size::of_text(text.len());
                self.place(
                    Sized {
                        node: Node { line, content },
                        size,
                        merge,
                    },
                    anchor,
                )?;
            }
            Event::SequenceStart(_, anchor, _) => {
                self.start(line, anchor, OpenKind::List(Vec::new()))?;
            }
            Event::MappingStart(_, anchor, _) => {
                let kind = OpenKind::Map {
                    entries: Vec::new(),
                    lines: HashMap::new(),
                    key: None,
                    merged: Vec::new(),
                };
                self.start(line, anchor, kind)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end()?,
            Event::Alias(anchor) => {
                let Some(named) = self.anchors.get(&anchor) else {
                    // The parser rejects unknown names, so this one is still open.
                    return mistake(line, "this alias stands inside the value that it names");
                };
                let copy = copied(&mut self.copied, named, line)?;
                self.place(copy, 0).map_err(|error| ReadError { line, ..error })?;
            }
            _ => {}
        }
        Ok(())
    }

    fn start(&mut self, line: usize, anchor: usize, kind: OpenKind) -> Result<(), ReadError> {
        if self.open.len() >= MAX_DEPTH {
            return mistake(line, format!("nested deeper than {MAX_DEPTH} levels"));
        }
        self.open.push(Open {
            line,
            anchor,
            size: Size::of_text(0),
            kind,
        });
        Ok(())
    }

    fn end(&mut self) -> Result<(), ReadError> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let content = match open.kind {
            OpenKind::List(items) => Content::List(items),
            OpenKind::Map {
                entries, lines, merged, ..
            } => Content::Map(merge(entries, lines, merged)?),
        };
        let node = Node {
            line: open.line,
            content,
        };
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
    fn place(&mut self, placed: Sized, anchor: usize) -> Result<(), ReadError> {
        self.values = self.values.saturating_add(placed.size.values);
        if self.values > MAX_VALUES {
            return mistake(placed.node.line, format!("more than {MAX_VALUES} values"));
        }
        if self.open.len() + placed.size.depth > MAX_DEPTH {
            return mistake(placed.node.line, format!("nested deeper than {MAX_DEPTH} levels"));
        }
        if anchor != 0 {
            // Every anchor keeps a copy, and anchored values may contain anchored values.
            self.kept = self.kept.saturating_add(placed.size.values);
            if self.kept > MAX_VALUES {
                return mistake(placed.node.line, format!("anchors hold more than {MAX_VALUES} values"));
            }
            let copy = copied(&mut self.copied, &placed, placed.node.line)?;
            self.anchors.insert(anchor, copy);
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
                    let line = placed.node.line;
                    if let Some(first) = lines.insert(text.clone(), line) {
                        return mistake(line, format!("key {text:?} is set twice, first at line {first}"));
                    }
                    *key = Some(Key {
                        text,
                        line,
                        merge: placed.merge,
                    });
                }
                Some(key) if key.merge => merged.push(placed.node),
                Some(key) => entries.push(Entry {
                    key: key.text,
                    line: key.line,
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

/// Adds the entries of other maps that `<<` brings in. The map's own entries win.
fn merge(
    mut entries: Vec<Entry>,
    mut lines: HashMap<String, usize>,
    merged: Vec<Node>,
) -> Result<Vec<Entry>, ReadError> {
    lines.remove("<<");
    let sources = merged.into_iter().flat_map(|node| match node.content {
        Content::List(nodes) => nodes,
        _ => vec![node],
    });
    for source in sources {
        let Content::Map(others) = source.content else {
            return mistake(source.line, "'<<' takes a map or a list of maps");
        };
        for entry in others {
            if lines.insert(entry.key.clone(), entry.line).is_none() {
                entries.push(entry);
            }
        }
    }
    Ok(entries)
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
        Content::Null => mistake(node.line, "a key must not be empty"),
        Content::List(_) | Content::Map(_) => mistake(node.line, "a key must be text, not a list or a map"),
    }
}
