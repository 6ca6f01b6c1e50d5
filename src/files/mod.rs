//! File mode: personas from folders of YAML and JSON, as an API server would have stored them.
//!
//! Owns which files are read, what is kept when one of them breaks, and when to read again. A file that was good and is
//! broken now goes on serving its last good version, and is named with line and reason; a file that was never good
//! serves those of its documents that are. Knows no index and no server: the outcome is a plain value, [`Loaded`].
//! Start reading at [`Folder::reload`]; [`watch`] calls it when something changes.

mod document;
mod walk;
mod watch;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::api::{self, ApplicationPersona};
use crate::policy::quantity::Quantity;
use crate::schema::{Kinds, SchemaError};
use document::{Contents, Thing};
pub use watch::{Watch, watch};

/// Namespace of an object that names none, as with `kubectl`.
pub const DEFAULT_NAMESPACE: &str = "default";
/// Largest file that is read, in bytes.
pub const LARGEST_FILE: u64 = 16 * 1024 * 1024;

/// What all files together hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Loaded {
    /// The personas to serve: valid, defaulted, each with a namespace, no two of the same namespace and name.
    pub personas: Vec<ApplicationPersona>,
    /// Namespaces that a document describes, with their labels.
    pub namespaces: Vec<(String, BTreeMap<String, String>)>,
    /// What could not be used, by file.
    pub problems: Vec<FileProblem>,
    /// What was odd but could be used, by file.
    pub warnings: Vec<FileProblem>,
    /// How many documents are none of our business.
    pub skipped: usize,
}

/// Something about a place in a file; prints as `personas/orders.yaml:14: spec.type: Required value`, on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileProblem {
    /// The file or folder, as it was reached from the folder given.
    pub file: PathBuf,
    /// Line in it, counted from 1; none when it is about the file itself.
    pub line: Option<usize>,
    /// What is the matter.
    pub reason: String,
}

impl FileProblem {
    fn of_file(file: &Path, reason: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            reason: reason.into(),
        }
    }

    fn at(file: &Path, line: usize, reason: impl Into<String>) -> Self {
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
    /// A schema of ours cannot be applied to files, which would be a mistake in this program.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

/// Folders of manifests and what is known of their files.
#[derive(Debug)]
pub struct Folder {
    roots: Vec<PathBuf>,
    kinds: Kinds,
    files: HashMap<PathBuf, FileState>,
    last: Loaded,
}

/// One file between two readings.
#[derive(Debug, Default)]
struct FileState {
    /// Fingerprint of the bytes last read; none when they could not be read.
    digest: Option<u64>,
    /// What it serves.
    serving: Vec<Thing>,
    /// Whether `serving` is a whole version of the file, to fall back on.
    good: bool,
    problems: Vec<FileProblem>,
    warnings: Vec<FileProblem>,
    skipped: usize,
}

impl Folder {
    /// Takes the folders to serve, in the order that settles who comes first. Nothing is read yet.
    ///
    /// # Errors
    /// A path that is no readable folder.
    pub fn open(roots: &[PathBuf]) -> Result<Self, FolderError> {
        for path in roots {
            let read = std::fs::metadata(path).and_then(|meta| {
                if meta.is_dir() {
                    std::fs::read_dir(path).map(|_| true)
                } else {
                    Ok(false)
                }
            });
            match read {
                Ok(true) => {}
                Ok(false) => return Err(FolderError::NotAFolder { path: path.clone() }),
                Err(source) => {
                    return Err(FolderError::Unreadable {
                        path: path.clone(),
                        source,
                    });
                }
            }
        }
        let kinds = Kinds::read(&api::crds(), |text| Quantity::parse(text).is_ok())?;
        Ok(Self {
            roots: roots.to_vec(),
            kinds,
            files: HashMap::new(),
            last: Loaded::default(),
        })
    }

    /// The folders that were given.
    pub fn roots(&self) -> &[PathBuf] {
        &self.roots
    }

    /// Reads what changed and says what all files hold now. Blocks on the file system.
    pub fn reload(&mut self) -> Loaded {
        let walk = walk::walk(&self.roots);
        let mut order = walk.files;
        let listed: HashSet<PathBuf> = order.iter().cloned().collect();
        // What stands in a folder that cannot be read for now is not gone.
        let hidden = |file: &PathBuf| walk.unreadable.iter().any(|folder| file.starts_with(folder));
        self.files.retain(|file, _| listed.contains(file) || hidden(file));
        let mut kept: Vec<PathBuf> = self
            .files
            .keys()
            .filter(|file| !listed.contains(*file))
            .cloned()
            .collect();
        kept.sort();

        order.retain(|file| self.read(file));
        order.extend(kept);
        self.last = self.gather(&order, walk.problems);
        self.last.clone()
    }

    /// Like [`Folder::reload`], but none when everything is as it was.
    pub fn refresh(&mut self) -> Option<Loaded> {
        let before = std::mem::take(&mut self.last);
        let now = self.reload();
        (now != before).then_some(now)
    }

    /// Reads one file into its state; false when it is gone.
    fn read(&mut self, file: &Path) -> bool {
        let bytes = match read_bounded(file) {
            Ok(bytes) => bytes,
            // Removed since the folder was listed. A link to nothing is no removal: its file may be about to come.
            Err(ReadFailure::Io(error)) if error.kind() == ErrorKind::NotFound && !file.is_symlink() => {
                self.files.remove(file);
                return false;
            }
            Err(failure) => {
                let state = self.files.entry(file.to_owned()).or_default();
                state.digest = None;
                state.problems = vec![FileProblem::of_file(file, failure.to_string())];
                return true;
            }
        };
        let digest = digest(&bytes);
        let state = self.files.entry(file.to_owned()).or_default();
        if state.digest == Some(digest) {
            return true;
        }
        state.digest = Some(digest);
        let contents = match std::str::from_utf8(&bytes) {
            Ok(text) => document::load(file, text, &self.kinds),
            Err(error) => {
                let line = 1 + bytes[..error.valid_up_to()]
                    .iter()
                    .filter(|byte| **byte == b'\n')
                    .count();
                let problems = vec![FileProblem::at(file, line, "not UTF-8 text; save the file as UTF-8")];
                Contents {
                    problems,
                    ..Contents::default()
                }
            }
        };
        state.take(contents);
        true
    }

    /// Joins what the files serve, in order; of two objects with one name the first is served.
    fn gather(&self, order: &[PathBuf], problems: Vec<FileProblem>) -> Loaded {
        let mut loaded = Loaded {
            problems,
            ..Loaded::default()
        };
        let mut places: HashMap<(&str, &str, &str), (&Path, usize)> = HashMap::new();
        for file in order {
            let Some(state) = self.files.get(file) else { continue };
            loaded.problems.extend(state.problems.iter().cloned());
            loaded.warnings.extend(state.warnings.iter().cloned());
            loaded.skipped += state.skipped;
            for thing in &state.serving {
                let name = thing.identity();
                if let Some((first, line)) = places.get(&name) {
                    let reason = format!(
                        "{thing} is already defined at {}:{line}, which is the one that serves; remove one of them",
                        first.display()
                    );
                    loaded.problems.push(FileProblem::at(file, thing.line, reason));
                    continue;
                }
                places.insert(name, (file, thing.line));
                thing.add_to(&mut loaded);
            }
        }
        loaded
    }
}

impl FileState {
    /// Takes a new version of the file, unless it is broken and there is a good one to go on with.
    fn take(&mut self, contents: Contents) {
        let good = contents.problems.is_empty();
        self.problems = contents.problems;
        if good || !self.good {
            self.serving = contents.things;
            self.good = good;
            self.warnings = contents.warnings;
            self.skipped = contents.skipped;
        }
    }
}

/// Why a file's bytes could not be had.
#[derive(Debug, thiserror::Error)]
enum ReadFailure {
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    #[error("larger than {LARGEST_FILE} bytes; split it")]
    TooLarge,
}

fn read_bounded(file: &Path) -> Result<Vec<u8>, ReadFailure> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(file)?
        .take(LARGEST_FILE + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST_FILE {
        Err(ReadFailure::TooLarge)
    } else {
        Ok(bytes)
    }
}

fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
