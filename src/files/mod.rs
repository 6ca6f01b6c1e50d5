//! File mode: reads personas, ClusterPersonas, exceptions and the modes of namespaces from folders of YAML and JSON instead of
//! a cluster. The objects are validated and defaulted like those that an API server stores.
//!
//! This module decides which files are read, and when they are read again. It also decides what is used while a file is
//! invalid. If a file was valid before, its last valid version stays in use, and the error is reported with its line. The last
//! valid version also stays in use while the file is being written. If a file was never valid, its valid documents are used.
//!
//! Between two reads, the module keeps a digest of each file's bytes and its compiled objects, not its text. The result is the
//! plain value [`Loaded`]; nothing here depends on the persona index or on the server. Start reading at [`Folder::first`];
//! [`watch`] reads again after a change.

mod bytes;
mod document;
mod folder;
mod problem;
mod rest;
mod serving;
mod state;
mod text;
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
pub use text::read_text;
pub use watch::{Watch, watch};

/// Namespace of an object that names none, as with `kubectl`.
pub const DEFAULT_NAMESPACE: &str = "default";

/// The kind of the documents that `dorgu test` reads. They may stand beside personas, which they test, and are in no cluster.
pub const SUITE_KIND: &str = "PersonaTest";

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
