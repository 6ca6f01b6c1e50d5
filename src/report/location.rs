//! Where a finding stands in a file, and edits of its text.

use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

/// A part of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The path, with forward slashes, relative to the root of the report where it is below that; `-` for standard input.
    pub file: Arc<str>,
    /// The first character.
    pub start: Position,
    /// Behind the last one.
    pub end: Position,
}

/// A character of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Position {
    /// Its line, counted from 1.
    pub line: usize,
    /// Its column, counted from 1 in Unicode code points. A byte order mark is not counted.
    pub column: usize,
}

/// A replacement of a part of a file's text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Edit {
    /// The bytes of the file that are replaced; an empty range inserts.
    pub bytes: Range<usize>,
    /// The same as positions.
    pub start: Position,
    /// Behind the last replaced character.
    pub end: Position,
    /// The new text.
    pub text: String,
}
