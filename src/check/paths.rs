//! Finds the files to check: those named, those of folders, and those that a pattern matches. Nothing is followed out of a
//! folder that was named.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::render::{self, Options, Rendered};
use crate::report::Problem;

/// How many directory entries are visited. A folder with more is something like `/`, named by mistake.
const MAX_ENTRIES: usize = 1_000_000;
/// The deepest level of folders.
const MAX_DEPTH: usize = 64;

/// A file to check.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Input {
    /// Where it is; `None` for standard input.
    pub path: Option<PathBuf>,
    /// The name that the report has for it.
    pub name: Arc<str>,
    /// Its text, where it was rendered.
    pub rendered: Option<Arc<Rendered>>,
}

/// The files of some paths.
#[derive(Debug, Default)]
pub struct Inputs {
    /// Each once, in the order of the paths, those of a folder by name.
    pub files: Vec<Input>,
    /// Paths that lead to no file.
    pub problems: Vec<Problem>,
    /// What was left out, a line each.
    pub notes: Vec<String>,
}

impl Inputs {
    /// The files of these paths. Names in a report are relative to `root` where the file is below it.
    pub fn of(paths: &[PathBuf], root: &Path) -> Inputs {
        Inputs::rendering(paths, root, None)
    }

    /// The same. A path that is a chart or a kustomization is rendered where there are options for that.
    pub fn rendering(paths: &[PathBuf], root: &Path, options: Option<&Options>) -> Inputs {
        let mut finder = Finder {
            options,
            root: std::path::absolute(root).unwrap_or_else(|_| root.to_owned()),
            seen: HashSet::new(),
            left: MAX_ENTRIES,
            inputs: Inputs::default(),
        };
        for path in paths {
            finder.path(path);
        }
        finder.inputs
    }
}

struct Finder<'o> {
    options: Option<&'o Options>,
    root: PathBuf,
    seen: HashSet<PathBuf>,
    left: usize,
    inputs: Inputs,
}

impl Finder<'_> {
    fn path(&mut self, path: &Path) {
        if path == Path::new("-") {
            self.inputs.files.push(Input {
                path: None,
                name: "-".into(),
                rendered: None,
            });
            return;
        }
        match std::fs::metadata(path) {
            Ok(meta) if meta.is_dir() => match self.options.and_then(|options| Some((options, render::kind(path)?))) {
                Some((options, kind)) => self.rendered(path, kind, options),
                None => self.named_folder(path),
            },
            Ok(_) => self.file(path),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && is_pattern(path) => self.pattern(path),
            Err(error) => self.problem(
                path,
                format!("{error}; name a file or a folder, or - for standard input"),
            ),
        }
    }

    fn rendered(&mut self, folder: &Path, kind: render::Kind, options: &Options) {
        match render::render(folder, kind, options, &self.root) {
            Ok(rendered) => self.inputs.files.push(Input {
                path: Some(folder.to_owned()),
                name: self.name(folder),
                rendered: Some(Arc::new(rendered)),
            }),
            Err(reason) => self.problem(folder, reason),
        }
    }

    fn named_folder(&mut self, path: &Path) {
        let before = self.inputs.files.len() + self.inputs.problems.len();
        match path.canonicalize() {
            Ok(within) => self.folder(path, &within, 0),
            Err(error) => self.problem(path, format!("cannot be read: {error}")),
        }
        if self.inputs.files.len() + self.inputs.problems.len() == before && self.inputs.notes.is_empty() {
            self.problem(
                path,
                "no manifest in it: no file ends in .yaml, .yml or .json".to_owned(),
            );
        }
    }

    fn pattern(&mut self, pattern: &Path) {
        let found = match pattern.to_str().map(glob::glob) {
            Some(Ok(found)) => found,
            Some(Err(error)) => return self.problem(pattern, format!("no valid pattern: {error}")),
            None => return self.problem(pattern, "a pattern has to be UTF-8 text".to_owned()),
        };
        let mut any = false;
        for path in found {
            any = true;
            match path {
                Ok(path) if path.is_dir() => {}
                Ok(path) => self.file(&path),
                Err(error) => self.problem(error.path(), format!("cannot be read: {}", error.error())),
            }
        }
        if !any {
            self.problem(pattern, "no file matches this pattern".to_owned());
        }
    }

    /// A folder below the one that was named, which is really `within`.
    fn folder(&mut self, folder: &Path, within: &Path, depth: usize) {
        if depth > MAX_DEPTH {
            return self.problem(folder, format!("more than {MAX_DEPTH} folders deep"));
        }
        let listed = std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut entries = match listed {
            Ok(entries) => entries,
            Err(error) => return self.problem(folder, format!("cannot be read: {error}")),
        };
        let Some(left) = self.left.checked_sub(entries.len()) else {
            return self.problem(
                folder,
                format!("more than {MAX_ENTRIES} entries; name folders of manifests"),
            );
        };
        self.left = left;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        let is_chart = entries.iter().any(|entry| entry.file_name() == "Chart.yaml");
        for entry in entries {
            let (name, path) = (entry.file_name(), entry.path());
            if name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            if is_chart && name == "templates" {
                let folder = folder.display();
                self.inputs.notes.push(format!(
                    "{folder}: a Helm chart, whose templates are no manifests; --render checks what `helm template` makes of them"
                ));
                continue;
            }
            match std::fs::metadata(&path) {
                // A link that leads nowhere.
                Err(error) if is_manifest(&path) => self.problem(&path, format!("cannot be read: {error}")),
                Err(_) => {}
                Ok(meta) if entry.path().is_symlink() && !self.stays(&path, within) => {
                    if meta.is_dir() || is_manifest(&path) {
                        let path = path.display();
                        self.inputs
                            .notes
                            .push(format!("{path}: leads out of the folder that was named; left out"));
                    }
                }
                // A folder to which a link leads is visited where it is.
                Ok(meta) if meta.is_dir() => {
                    if !path.is_symlink() {
                        self.folder(&path, within, depth + 1);
                    }
                }
                // A pipe would wait for a writer.
                Ok(meta) if meta.is_file() && is_manifest(&path) => self.file(&path),
                Ok(_) => {}
            }
        }
    }

    fn stays(&self, link: &Path, within: &Path) -> bool {
        link.canonicalize().is_ok_and(|target| target.starts_with(within))
    }

    fn file(&mut self, path: &Path) {
        // What cannot be resolved is reported when it is read.
        let real = match path.is_symlink() {
            true => path.canonicalize().ok(),
            false => std::path::absolute(path).ok(),
        };
        let real = real.unwrap_or_else(|| path.to_owned());
        let name = self.name(path);
        if self.seen.insert(real) {
            self.inputs.files.push(Input {
                path: Some(path.to_owned()),
                name,
                rendered: None,
            });
        }
    }

    fn name(&self, path: &Path) -> Arc<str> {
        name(path, &self.root)
    }

    fn problem(&mut self, path: &Path, reason: String) {
        let file = self.name(path).to_string();
        self.inputs.problems.push(Problem {
            file,
            line: None,
            reason,
        });
    }
}

/// The name of a path in a report: relative to the root where it is below that, with forward slashes.
pub fn name(path: &Path, root: &Path) -> Arc<str> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut plain = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    let shown = match plain.strip_prefix(root) {
        Ok(below) => below,
        Err(_) => path,
    };
    let steps = shown.components().filter_map(|component| match component {
        Component::Normal(step) => Some(step.to_string_lossy()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    let joined = steps.collect::<Vec<_>>().join("/");
    match shown.is_absolute() {
        true => format!("/{joined}").into(),
        // The root itself.
        false if joined.is_empty() => ".".into(),
        false => joined.into(),
    }
}

fn is_pattern(path: &Path) -> bool {
    path.as_os_str()
        .as_encoded_bytes()
        .iter()
        .any(|byte| b"*?[".contains(byte))
}

/// Whether a file may hold manifests, by its name.
pub(super) fn is_manifest(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    ["yaml", "yml", "json"]
        .iter()
        .any(|known| extension.eq_ignore_ascii_case(known))
}
