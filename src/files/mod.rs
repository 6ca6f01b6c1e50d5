//! File mode: personas from folders of YAML and JSON, as an API server would have stored them.
//!
//! This module decides which files are read, what is served when one of them becomes invalid, and when to read again. A file
//! that was valid and is invalid now is reported with line and reason, and its last good version is served. The last good
//! version is also served while a file is being written. A file that was never valid serves those of its documents that are.
//!
//! Of a file only a digest of its bytes and its compiled objects are kept. The module knows no index and no server: the
//! outcome is a plain value, [`Loaded`]. Start reading at [`Folder::first`]; [`watch`] reads again when something changes.

mod bytes;
mod document;
mod folder;
mod problem;
mod rest;
mod serving;
mod state;
mod walk;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;

use crate::api::levels::PlatformRule;
use crate::policy::{Exception, ModeWish};

pub use bytes::MAX_FILE_SIZE;
pub use folder::Folder;
pub use problem::{FileProblem, FolderError};
pub use serving::Served;
pub use watch::{Watch, watch};

/// Namespace of an object that names none, as with `kubectl`.
pub const DEFAULT_NAMESPACE: &str = "default";

/// The content of all files together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Loaded {
    /// The personas to serve: valid, defaulted, each with a namespace, no two of the same namespace and name.
    pub personas: Vec<Served>,
    /// Namespaces that a document describes, each with the mode it requests.
    pub namespaces: Vec<(String, ModeWish)>,
    /// ClusterPersonas, each with what it requires of single rules.
    pub cluster_rules: Vec<(String, Vec<PlatformRule>)>,
    /// Exceptions, no two of the same namespace and name.
    pub exceptions: Vec<Arc<Exception>>,
    /// Errors, by file. Their objects are not served.
    pub problems: Vec<FileProblem>,
    /// Warnings, by file. Their objects are served.
    pub warnings: Vec<FileProblem>,
    /// How many documents are of other kinds.
    pub skipped: usize,
    /// Files that have kept changing for 30 seconds; their last good version is served.
    pub unsettled: Vec<PathBuf>,
}

#[cfg(test)]
mod tests;
