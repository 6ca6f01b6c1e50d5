//! Defines paths of fields in an object, and words errors and warnings about fields as an API server does.

use std::fmt;

use serde_json::Value;

/// One step into an object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// Into a field or a map entry.
    Key(String),
    /// Into a list item, counted from 0.
    Index(usize),
}

/// The path from the root of an object to a field; prints as `spec.networking.ports[0].port`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path(Vec<Step>);

impl Path {
    /// The steps from the root.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The path as a JSON pointer (RFC 6901).
    pub fn pointer(&self) -> String {
        let mut pointer = String::new();
        for step in &self.0 {
            pointer.push('/');
            match step {
                Step::Key(key) => pointer.push_str(&key.replace('~', "~0").replace('/', "~1")),
                Step::Index(index) => pointer.push_str(&index.to_string()),
            }
        }
        pointer
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if i == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// An error that makes an object unacceptable; prints as one line, path first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The wrong field. For a missing field, the field that is required.
    pub path: Path,
    /// What is wrong, such as `Invalid value: -1: should be greater than or equal to 0`.
    pub message: String,
}

impl FieldError {
    pub(super) fn new(at: &At<'_>, message: String) -> Self {
        Self {
            path: at.path(),
            message,
        }
    }

    pub(super) fn invalid(at: &At<'_>, value: &Value, why: &str) -> Self {
        Self::new(at, format!("Invalid value: {}: {why}", short(value)))
    }

    pub(super) fn required(at: &At<'_>) -> Self {
        Self::new(at, "Required value".to_owned())
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.0.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

/// A deviation that was corrected, such as an unknown field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The field.
    pub path: Path,
    /// The deviation in the API server's words: `unknown field "spec.colour"`.
    pub message: String,
}

impl Warning {
    pub(super) fn unknown_field(at: &At<'_>) -> Self {
        let path = at.path();
        Self {
            message: format!("unknown field \"{path}\""),
            path,
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// A position during a walk. It borrows the path back to the root, so that a valid object costs no allocation.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'a>(Option<(&'a At<'a>, Next<'a>)>);

#[derive(Debug, Clone, Copy)]
enum Next<'a> {
    Key(&'a str),
    Index(usize),
}

impl At<'static> {
    pub(super) const ROOT: At<'static> = At(None);
}

impl<'a> At<'a> {
    pub(super) fn key(&'a self, key: &'a str) -> At<'a> {
        At(Some((self, Next::Key(key))))
    }

    pub(super) fn index(&'a self, index: usize) -> At<'a> {
        At(Some((self, Next::Index(index))))
    }

    pub(super) fn path(&self) -> Path {
        let mut steps = Vec::new();
        let mut here = self;
        while let At(Some((parent, next))) = here {
            steps.push(match *next {
                Next::Key(key) => Step::Key(key.to_owned()),
                Next::Index(index) => Step::Index(index),
            });
            here = parent;
        }
        steps.reverse();
        Path(steps)
    }
}

/// A value as shown in an error: its JSON, on one line (JSON escapes control characters), shortened.
fn short(value: &Value) -> String {
    const MAX_LENGTH: usize = 80;
    let text = value.to_string();
    match text.char_indices().nth(MAX_LENGTH) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
