//! What can be wrong with files and folders, in words.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::schema::SchemaError;

/// Something about a place in a file; prints as `personas/orders.yaml:14: spec.type: Required value`, on one line.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileProblem {
    /// The file or folder, as it was reached from the folder given.
    pub file: PathBuf,
    /// Line in it, counted from 1; none when it is about the file itself.
    pub line: Option<usize>,
    /// What is the matter.
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
        /// What the system says.
        source: std::io::Error,
    },
    /// It is something else than a folder.
    #[error("{}: not a folder; name the folder that the file is in", path.display())]
    NotAFolder {
        /// The path as it was given.
        path: PathBuf,
    },
    /// It is one of the kernel's.
    #[error("{}: in {place}, which holds no personas; name a folder with personas in it", path.display())]
    Kernel {
        /// The folder as it was given.
        path: PathBuf,
        /// The kernel's file system.
        place: &'static str,
    },
    /// It is not about personas.
    #[error("{}: more than {most} entries in and below the persona folders; name folders that hold personas only", path.display())]
    TooMany {
        /// The first of the folders, as it was given.
        path: PathBuf,
        /// How many may be there.
        most: usize,
    },
    /// A schema of ours cannot be applied to files, which would be a mistake in this program.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}
