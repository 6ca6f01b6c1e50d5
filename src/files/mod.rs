//! File mode: personas from folders of YAML and JSON, as an API server would have stored them.
//!
//! Owns which files are read, what is kept when one of them breaks, and when to read again. A file that was good and is
//! broken now goes on serving its last good version, and is named with line and reason; a file that was never good
//! serves those of its documents that are. Of a file nothing is kept but a digest of its bytes and what it serves,
//! compiled. Knows no index and no server: the outcome is a plain value, [`Loaded`]. Start reading at
//! [`Folder::reload`]; [`watch`] calls it when something changes.

mod document;
mod serving;
mod walk;
mod watch;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};

use crate::api;
use crate::policy::ModeWish;
use crate::policy::quantity::Quantity;
use crate::schema::{Kinds, SchemaError};
use document::Contents;
pub use serving::Served;
use serving::{Known, Named, Thing};
pub use watch::{Watch, watch};

/// Namespace of an object that names none, as with `kubectl`.
pub const DEFAULT_NAMESPACE: &str = "default";
/// Largest file that is read, in bytes.
pub const LARGEST_FILE: u64 = 16 * 1024 * 1024;

/// What all files together hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Loaded {
    /// The personas to serve: valid, defaulted, each with a namespace, no two of the same namespace and name.
    pub personas: Vec<Served>,
    /// Namespaces that a document describes, with their labels.
    pub namespaces: Vec<(String, ModeWish)>,
    /// What could not be used, by file.
    pub problems: Vec<FileProblem>,
    /// What was odd but could be used, by file.
    pub warnings: Vec<FileProblem>,
    /// How many documents are none of our business.
    pub skipped: usize,
}

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
    /// Fingerprint of what was said last; none before.
    last: Option<u64>,
}

/// One file between two readings.
#[derive(Debug, Default)]
struct FileState {
    /// SHA-256 of the bytes last read, by which a file that did not change is known: sizes and times are too coarse for
    /// that, and keeping the bytes would cost more than what is made of them. None when they could not be read.
    digest: Option<[u8; 32]>,
    /// What it serves.
    serving: Box<[Thing]>,
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
            last: None,
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
        let listed: HashSet<&PathBuf> = order.iter().collect();
        // What stands in a folder that cannot be read for now is not gone.
        let hidden = |file: &PathBuf| walk.unreadable.iter().any(|folder| file.starts_with(folder));
        let gone = self
            .files
            .extract_if(|file, _| !listed.contains(file) && !hidden(file))
            .flat_map(|(_, state)| state.serving);
        let mut before: Vec<Thing> = gone.collect();
        let mut kept: Vec<PathBuf> = self
            .files
            .keys()
            .filter(|file| !listed.contains(*file))
            .cloned()
            .collect();
        kept.sort();

        let mut fresh = Vec::new();
        order.retain(|file| match self.read(file) {
            Reading::Gone => false,
            Reading::Same => true,
            Reading::New(replaced) => {
                before.extend(replaced);
                fresh.push(file.clone());
                true
            }
        });
        order.extend(kept);
        // Of what moved from file to file.
        let before = Known::of(&before);
        for file in fresh {
            if let Some(state) = self.files.get_mut(&file) {
                before.settle(&mut state.serving);
            }
        }
        let loaded = self.gather(&order, walk.problems);
        self.last = Some(fingerprint(&loaded));
        loaded
    }

    /// Like [`Folder::reload`], but none when everything is as it was.
    pub fn refresh(&mut self) -> Option<Loaded> {
        let before = self.last;
        let now = self.reload();
        (self.last != before).then_some(now)
    }

    /// Reads one file into its state.
    fn read(&mut self, file: &Path) -> Reading {
        let bytes = match read_bounded(file) {
            Ok(bytes) => bytes,
            // Removed since the folder was listed. A link to nothing is no removal: its file may be about to come.
            Err(ReadFailure::Io(error)) if error.kind() == ErrorKind::NotFound && !file.is_symlink() => {
                self.files.remove(file);
                return Reading::Gone;
            }
            Err(failure) => {
                let state = self.files.entry(file.to_owned()).or_default();
                state.digest = None;
                state.problems = vec![FileProblem::of_file(file, failure.to_string())];
                return Reading::Same;
            }
        };
        let found = <[u8; 32]>::try_from(digest(&SHA256, &bytes).as_ref()).ok();
        let state = self.files.entry(file.to_owned()).or_default();
        if found.is_some() && state.digest == found {
            return Reading::Same;
        }
        state.digest = found;
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
        Reading::New(state.take(contents))
    }

    /// Joins what the files serve, in order; of two objects with one name the first is served.
    fn gather(&self, order: &[PathBuf], problems: Vec<FileProblem>) -> Loaded {
        let mut loaded = Loaded {
            problems,
            ..Loaded::default()
        };
        let states: Vec<(&PathBuf, &FileState)> =
            order.iter().filter_map(|file| self.files.get_key_value(file)).collect();
        let count = states.iter().map(|(_, state)| state.serving.len()).sum();
        loaded.personas.reserve(count);
        let mut names: HashSet<Named<'_>> = HashSet::with_capacity(count);
        for (file, state) in states {
            loaded.problems.extend(state.problems.iter().cloned());
            loaded.warnings.extend(state.warnings.iter().cloned());
            loaded.skipped += state.skipped;
            for thing in &state.serving {
                let named = Named { file, thing };
                if let Some(first) = names.get(&named) {
                    let reason = format!(
                        "{thing} is already defined at {}:{}, which is the one that serves; remove one of them",
                        first.file.display(),
                        first.thing.line
                    );
                    loaded.problems.push(FileProblem::at(file, thing.line, reason));
                    continue;
                }
                names.insert(named);
                thing.add_to(&mut loaded);
            }
        }
        loaded
    }
}

/// What came of looking at a file.
enum Reading {
    Gone,
    /// It serves what it served.
    Same,
    /// It serves something else in place of this.
    New(Box<[Thing]>),
}

impl FileState {
    /// Takes a new version of the file, unless it is broken and there is a good one to go on with. Returns what is no
    /// longer served.
    fn take(&mut self, contents: Contents) -> Box<[Thing]> {
        let good = contents.problems.is_empty();
        self.problems = contents.problems;
        if !good && self.good {
            return Box::default();
        }
        self.good = good;
        self.warnings = contents.warnings;
        self.skipped = contents.skipped;
        let before = std::mem::replace(&mut self.serving, contents.things.into_boxed_slice());
        // At once, so that a new version of every file does not stand in memory beside the old one.
        Known::of(&before).settle(&mut self.serving);
        before
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
    let file = std::fs::File::open(file)?;
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST_FILE {
        Err(ReadFailure::TooLarge)
    } else {
        Ok(bytes)
    }
}

fn fingerprint(loaded: &Loaded) -> u64 {
    let mut hasher = DefaultHasher::new();
    loaded.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
