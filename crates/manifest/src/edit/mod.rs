//! Changes values in the text of a manifest and nothing else: comments, order, quotes, indentation, anchors, line ends and a byte
//! order mark stay as they are.
//!
//! [`edit`] takes RFC 6902 operations. They are applied to a [`draft`] of the document, which remembers what is old; `block` and
//! `flow` turn the differences into replacements of bytes, in the style of what stands beside them; and the new text is read
//! again. What would not be read as meant is rejected, so that no caller has to trust this module.

mod block;
mod draft;
mod editor;
mod flow;
mod lines;
mod parts;
mod write;

use std::ops::Range;

use serde_json::Value;

use super::{Node, read};
use draft::Draft;
use editor::{Editor, Slot};

/// One operation of RFC 6902 on a document. Those of the kind `test` are the caller's.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// The target, as a JSON pointer from the document's root.
    pub pointer: String,
    /// What happens there.
    pub action: Action,
}

/// What an operation does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Sets a key, or inserts an item into a list.
    Add(Value),
    /// Replaces a value that is there.
    Replace(Value),
    /// Removes a key or an item that is there.
    Remove,
}

/// A replacement of a part of a text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TextEdit {
    /// The bytes that are replaced; an empty range inserts.
    pub bytes: Range<usize>,
    /// The new text.
    pub text: String,
}

/// Why a text cannot be edited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// Other places use the value, or the value is that of another place.
    #[error(
        "line {alias} uses the value that has an anchor at line {anchor}; change it by hand, or write it out at both"
    )]
    Shared {
        /// Line of the anchor.
        anchor: usize,
        /// Line of the first alias.
        alias: usize,
    },
    /// A merge key brings the value in.
    #[error("the merge key at line {key} brings the value in from line {from}; change it there, or write it out")]
    Merged {
        /// Line of the merge key.
        key: usize,
        /// Line of the value.
        from: usize,
    },
    /// New lines would need an indentation with tabs.
    #[error("line {line}: tabs in the indentation; replace them by spaces")]
    Tabs {
        /// The line.
        line: usize,
    },
    /// The operation does not fit the document.
    #[error("line {line}: nothing can be changed at {pointer}")]
    Missing {
        /// Line of the nearest parent that is there.
        line: usize,
        /// The operation's pointer.
        pointer: String,
    },
    /// The edited text would not be read as what was meant.
    #[error("line {line}: what stands here is written in a way that cannot be edited; change it by hand")]
    Unsupported {
        /// The line.
        line: usize,
    },
}

/// The replacements that change documents of a text by their operations, sorted and apart from each other. `documents` are those
/// of the whole text, as [`read`] returns them; each change names one by its position.
///
/// # Errors
/// An operation does not fit, or the value is shared or written in a way that cannot be edited.
pub fn edit(text: &str, documents: &[Node], changes: &[(usize, &[Operation])]) -> Result<Vec<TextEdit>, EditError> {
    let mut drafts: Vec<Draft<'_>> = documents.iter().map(Draft::same).collect();
    for (position, operations) in changes {
        let (Some(document), Some(draft)) = (documents.get(*position), drafts.get_mut(*position)) else {
            return Err(EditError::Unsupported { line: 1 });
        };
        for operation in *operations {
            draft.apply(document, operation)?;
        }
    }
    let mut edits = Vec::new();
    for (document, draft) in documents.iter().zip(&drafts) {
        if draft.is_untouched() {
            continue;
        }
        let mut editor = Editor::new(text, document);
        editor.value(draft, Slot::Document)?;
        edits.append(&mut editor.edits);
    }
    let edits = joined(text, edits)?;
    verify(text, &edits, &drafts)?;
    Ok(edits)
}

/// A text with replacements made, which are sorted and apart from each other.
pub fn apply(text: &str, edits: &[TextEdit]) -> String {
    let mut edited = String::with_capacity(text.len());
    let mut from = 0;
    for edit in edits {
        edited.push_str(text.get(from..edit.bytes.start).unwrap_or_default());
        edited.push_str(&edit.text);
        from = edit.bytes.end;
    }
    edited.push_str(text.get(from..).unwrap_or_default());
    edited
}

/// Line and column of a byte, counted from 1 in Unicode code points. A byte order mark is not counted.
pub fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or_default();
    let line = before.get(lines::start(before, before.len())..).unwrap_or_default();
    (lines::number(text, byte), line.chars().count() + 1)
}

/// Sorts replacements and joins those that touch.
fn joined(text: &str, mut edits: Vec<TextEdit>) -> Result<Vec<TextEdit>, EditError> {
    // Stable, since what is inserted at one place has an order.
    edits.sort_by_key(|edit| (edit.bytes.start, edit.bytes.end));
    let mut apart: Vec<TextEdit> = Vec::with_capacity(edits.len());
    for edit in edits {
        match apart.last_mut() {
            Some(last) if edit.bytes.start < last.bytes.end => {
                let line = lines::number(text, edit.bytes.start);
                return Err(EditError::Unsupported { line });
            }
            Some(last) if edit.bytes.start == last.bytes.end => {
                last.bytes.end = edit.bytes.end;
                last.text.push_str(&edit.text);
            }
            _ => apart.push(edit),
        }
    }
    apart.retain(|edit| text.get(edit.bytes.clone()) != Some(&edit.text));
    Ok(apart)
}

/// Reads the edited text and compares it with what was meant.
fn verify(text: &str, edits: &[TextEdit], meant: &[Draft<'_>]) -> Result<(), EditError> {
    let after = read(&apply(text, edits));
    let same = after.error.is_none()
        && after.documents.len() == meant.len()
        && after.documents.iter().zip(meant).all(|(after, meant)| meant.is(after));
    if same {
        return Ok(());
    }
    let first = edits.first().map_or(0, |edit| edit.bytes.start);
    Err(EditError::Unsupported {
        line: lines::number(text, first),
    })
}

#[cfg(test)]
mod tests;
