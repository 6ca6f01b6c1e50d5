//! Finds the files and folders to read.
//!
//! Hidden names are skipped: editors leave hidden files behind, and a mounted ConfigMap keeps its versions in `..data` and
//! similar folders, to which the visible names link. So every document is read once.
//!
//! Links are followed, since mounts consist of them. They are not followed into a file system of the kernel, whose files may
//! block or be endless, nor to a folder above the one that holds the link. The number of visited entries is bounded.

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;
use std::fs::{DirEntry, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

use super::problem::FileProblem;
use super::rest::Stamp;

/// How many directory entries one walk visits, hidden ones and other files included. A folder with more is something like `/`,
/// named by mistake.
pub(super) const MAX_ENTRIES: usize = 200_000;
/// The deepest level of folders.
const MAX_DEPTH: usize = 64;
/// The kernel's own file systems.
const KERNEL: [&str; 2] = ["/proc", "/sys"];

/// The outcome of a walk.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Manifest files, by folder and then by name, each once however many links lead to it.
    pub(super) files: Vec<Found>,
    /// Real folders in which a change can matter.
    pub(super) folders: BTreeSet<PathBuf>,
    /// Folders and links that could not be followed.
    pub(super) problems: Vec<FileProblem>,
    /// Folders whose files are unknown for now.
    pub(super) unreadable: Vec<PathBuf>,
    /// There are more entries than are visited, so a file that was not found may exist.
    pub(super) cut: bool,
    /// Changes when a file may have changed: its path, size, time or identity.
    pub(super) stamp: u64,
}

/// A manifest file.
#[derive(Debug)]
pub(super) struct Found {
    /// The path by which it was reached.
    pub(super) path: PathBuf,
    /// `None` when its metadata cannot be read. Reading the file then reports why.
    pub(super) stamp: Option<Stamp>,
}

/// Lists everything under `roots`, following links, without reading any file; visits at most `most` entries.
pub(super) fn walk(roots: &[PathBuf], most: usize) -> Walk {
    let mut walker = Walker {
        left: most,
        roots: roots.iter().filter_map(|root| root.canonicalize().ok()).collect(),
        ..Walker::default()
    };
    for root in roots {
        // A root that is a link is replaced in its parent folder.
        if let (true, Some(parent)) = (root.is_symlink(), root.parent()) {
            walker.watch(if parent.as_os_str().is_empty() {
                Path::new(".")
            } else {
                parent
            });
        }
        match std::fs::metadata(root).and_then(|meta| Ok((root.canonicalize()?, meta))) {
            Ok((real, meta)) if meta.is_file() => walker.file(root, &real, &meta),
            _ => walker.folder(root, 0),
        }
    }
    if let (true, Some(root)) = (walker.walk.cut, roots.first()) {
        let reason =
            format!("more than {most} entries below the persona folders; name folders that hold personas only");
        walker.walk.problems.push(FileProblem::of_file(root, reason));
    }
    walker.walk.stamp = walker.hasher.finish();
    walker.walk
}

/// The kernel's file system that a real path is in.
pub(super) fn of_the_kernel(real: &Path) -> Option<&'static str> {
    KERNEL.into_iter().find(|place| real.starts_with(place))
}

#[derive(Default)]
struct Walker {
    walk: Walk,
    /// The real names of the given folders.
    roots: HashSet<PathBuf>,
    seen: HashSet<PathBuf>,
    /// Entries that may still be visited.
    left: usize,
    hasher: DefaultHasher,
}

impl Walker {
    fn folder(&mut self, folder: &Path, depth: usize) {
        let real = match folder.canonicalize() {
            Ok(real) if self.seen.contains(&real) => return,
            Ok(real) => real,
            Err(error) => return self.unreadable(folder, &error),
        };
        let mut entries = match self.entries(folder) {
            Ok(entries) => entries,
            Err(error) => return self.unreadable(folder, &error),
        };
        self.seen.insert(real.clone());
        real.hash(&mut self.hasher);
        self.walk.folders.insert(real.clone());
        entries.sort_by_key(DirEntry::file_name);
        for entry in entries {
            if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                self.entry(&entry.path(), &real, depth);
            }
        }
    }

    /// The entries of a folder, as many as may still be visited.
    fn entries(&mut self, folder: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let Some(left) = self.left.checked_sub(1) else {
                self.walk.cut = true;
                break;
            };
            self.left = left;
            entries.push(entry);
        }
        Ok(entries)
    }

    /// One entry of the folder whose real name is `within`.
    fn entry(&mut self, path: &Path, within: &Path, depth: usize) {
        let found = std::fs::metadata(path).and_then(|meta| Ok((path.canonicalize()?, meta)));
        let (real, meta) = match found {
            Ok(found) => found,
            // Removed since the folder was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => return,
            // Reading it will report what is wrong.
            Err(_) if is_manifest(path) => return self.found(path, None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return self.unreadable(path, &error),
        };
        if meta.is_dir() {
            self.below(path, &real, within, depth);
        } else if meta.is_file() && is_manifest(path) {
            self.file(path, &real, &meta);
        }
    }

    /// A folder in the folder whose real name is `within`.
    fn below(&mut self, path: &Path, real: &Path, within: &Path, depth: usize) {
        if let Some(place) = of_the_kernel(real) {
            self.not_followed(path, &format!("leads into {place}"));
        } else if within.starts_with(real) {
            // A link to a folder that is walked anyway is not reported.
            if !self.seen.contains(real) && !self.roots.contains(real) {
                self.not_followed(path, "leads to a folder above the one it is in");
            }
        } else if depth >= MAX_DEPTH {
            self.not_followed(path, &format!("more than {MAX_DEPTH} folders deep"));
        } else {
            self.folder(path, depth + 1);
        }
    }

    fn file(&mut self, path: &Path, real: &Path, meta: &Metadata) {
        if let Some(place) = of_the_kernel(real) {
            return self.not_followed(path, &format!("leads into {place}"));
        }
        if !self.seen.insert(real.to_owned()) {
            return;
        }
        let stamp = Stamp::of(meta);
        (path, real, stamp.look).hash(&mut self.hasher);
        if path.is_symlink() {
            self.watch(real.parent().unwrap_or(real));
        }
        self.found(path, Some(stamp));
    }

    fn found(&mut self, path: &Path, stamp: Option<Stamp>) {
        self.walk.files.push(Found {
            path: path.to_owned(),
            stamp,
        });
    }

    fn not_followed(&mut self, path: &Path, why: &str) {
        let reason = format!("{why}; it is not followed");
        self.walk.problems.push(FileProblem::of_file(path, reason));
    }

    fn unreadable(&mut self, path: &Path, error: &io::Error) {
        self.walk
            .problems
            .push(FileProblem::of_file(path, format!("cannot be read: {error}")));
        self.walk.unreadable.push(path.to_owned());
    }

    fn watch(&mut self, folder: &Path) {
        self.walk.folders.extend(folder.canonicalize());
    }
}

fn is_manifest(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    ["yaml", "yml", "json"]
        .iter()
        .any(|known| extension.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests;
