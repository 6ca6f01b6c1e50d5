//! File mode: personas from folders of YAML and JSON, as an API server would have stored them.
//!
//! Owns which files are read, what is kept when one of them breaks, and when to read again. A file that was good and is
//! broken now serves its last good version, and is named with line and reason; a file that is still being written serves
//! it, too. A file that was never good serves those of its documents that are. Of a file nothing is kept but a digest of
//! its bytes and what it serves, compiled. Knows no index and no server: the outcome is a plain
//! value, [`Loaded`]. Start reading at [`Folder::first`]; [`watch`] reads again when something changes.

mod bytes;
mod document;
mod folder;
mod problem;
mod rest;
mod serving;
mod state;
mod walk;
mod watch;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use bytes::LARGEST_FILE;
pub use folder::Folder;
pub use problem::{FileProblem, FolderError};
pub use serving::Served;
pub use watch::{Watch, watch};

/// Namespace of an object that names none, as with `kubectl`.
pub const DEFAULT_NAMESPACE: &str = "default";

/// What all files together hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Loaded {
    /// The personas to serve: valid, defaulted, each with a namespace, no two of the same namespace and name.
    pub personas: Vec<Served>,
    /// Namespaces that a document describes, with their labels.
    pub namespaces: Vec<(String, BTreeMap<String, String>)>,
    /// What could not be used, by file.
    pub problems: Vec<FileProblem>,
    /// What was odd but could be used, by file.
    pub warnings: Vec<FileProblem>,
    /// How many documents are none of our business.
    pub skipped: usize,
    /// Files that have kept changing for 30 seconds; their last good version is served.
    pub unsettled: Vec<PathBuf>,
}

#[cfg(test)]
mod tests;
