//! Defines problems of files and folders, and words their messages.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::schema::SchemaError;

/// A problem at a place in a file. Prints as `personas/orders.yaml:14: spec.type: Required value`, on one line.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileProblem {
    /// The file or folder, as it was reached from the folder given.
    pub file: PathBuf,
    /// Line in it, counted from 1; `None` when the problem concerns the file itself.
    pub line: Option<usize>,
    /// What is wrong.
    pub reason: String,
}

impl FileProblem {
    pub(super) fn of_file(file: &Path, reason: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            reason: reason.into(),
        }
    }

    pub(super) fn at(file: &Path, line: usize, reason: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: Some(line),
            reason: reason.into(),
        }
    }
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match self.line {
            Some(line) => format!("{}:{line}", self.file.display()),
            None => self.file.display().to_string(),
        };
        // Names come from outside: a control character must not reach a terminal or split a log line.
        for c in format!("{place}: {}", self.reason).chars() {
            if c.is_control() {
                write!(f, "{}", c.escape_default())?
            } else {
                write!(f, "{c}")?
            }
        }
        Ok(())
    }
}

/// Why a folder cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// There is no such folder, or it cannot be read.
    #[error("{}: {source}; name a folder with personas in it", path.display())]
    Unreadable {
        /// The folder as it was given.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The path is not a folder.
    #[error("{}: not a folder; name the folder that the file is in", path.display())]
    NotAFolder {
        /// The path as it was given.
        path: PathBuf,
    },
    /// The folder is in one of the kernel's file systems.
    #[error("{}: in {place}, which holds no personas; name a folder with personas in it", path.display())]
    Kernel {
        /// The folder as it was given.
        path: PathBuf,
        /// The kernel's file system.
        place: &'static str,
    },
    /// The folders hold too many entries to be folders of personas.
    #[error("{}: more than {most} entries in and below the persona folders; name folders that hold personas only", path.display())]
    TooMany {
        /// The first of the folders, as it was given.
        path: PathBuf,
        /// How many entries are allowed.
        most: usize,
    },
    /// A built-in schema cannot be applied to files, which is an internal error.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}
