//! Which files and folders there are.
//!
//! Names that begin with a dot are passed over: editors leave hidden files behind, and a mounted ConfigMap keeps its
//! versions in `..data` and its like, which the visible names link to. So every document is read once.

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::FileProblem;

/// What stands under some folders.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Manifest files, by folder and then by name, each once however many links lead to it.
    pub(super) files: Vec<PathBuf>,
    /// Real folders in which a change can matter.
    pub(super) folders: BTreeSet<PathBuf>,
    /// Folders and links that could not be followed.
    pub(super) problems: Vec<FileProblem>,
    /// Folders whose files are unknown for now.
    pub(super) unreadable: Vec<PathBuf>,
    /// Changes when a file may have changed: its place, size, time or identity.
    pub(super) stamp: u64,
}

/// Looks at everything under `roots`, following links, without reading any file.
pub(super) fn walk(roots: &[PathBuf]) -> Walk {
    let mut walker = Walker::default();
    for root in roots {
        // A root that is a link is swapped in the folder that holds it.
        if let (true, Some(parent)) = (root.is_symlink(), root.parent()) {
            walker.watch(if parent.as_os_str().is_empty() {
                Path::new(".")
            } else {
                parent
            });
        }
        walker.folder(root);
    }
    walker.walk.stamp = walker.hasher.finish();
    walker.walk
}

#[derive(Default)]
struct Walker {
    walk: Walk,
    seen: HashSet<PathBuf>,
    hasher: DefaultHasher,
}

impl Walker {
    fn folder(&mut self, folder: &Path) {
        let entries = folder.canonicalize().and_then(|real| {
            let entries = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, io::Error>>()?;
            Ok((real, entries))
        });
        let (real, mut entries) = match entries {
            Ok(found) => found,
            Err(error) => return self.unreadable(folder, &error),
        };
        if !self.seen.insert(real.clone()) {
            return;
        }
        real.hash(&mut self.hasher);
        self.walk.folders.insert(real);
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                self.entry(&entry.path());
            }
        }
    }

    fn entry(&mut self, path: &Path) {
        let found = std::fs::metadata(path).and_then(|meta| Ok((path.canonicalize()?, meta)));
        let (real, meta) = match found {
            Ok(found) => found,
            // Removed since the folder was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => return,
            // Whoever reads it will say what is wrong with it.
            Err(_) if is_manifest(path) => return self.walk.files.push(path.to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return self.unreadable(path, &error),
        };
        if meta.is_dir() {
            return self.folder(path);
        }
        if !meta.is_file() || !is_manifest(path) {
            return;
        }
        if !self.seen.insert(real.clone()) {
            return;
        }
        (
            path,
            &real,
            meta.len(),
            meta.modified().unwrap_or(SystemTime::UNIX_EPOCH),
        )
            .hash(&mut self.hasher);
        if path.is_symlink() {
            self.watch(real.parent().unwrap_or(&real));
        }
        self.walk.files.push(path.to_owned());
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
