//! Holds the folders of file mode and the state of their files. Decides which changed files are read now; until a file is
//! read, its last good version is served.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::bytes::{self, ReadFailure};
use super::rest::{self, Arrivals, Changing, REST};
use super::serving::{Known, Named};
use super::state::{FileState, Reading};
use super::walk::{self, Found, Walk};
use super::{DEFAULT_NAMESPACE, FileProblem, FolderError, Loaded, document};
use crate::api;
use crate::manifest::Node;
use crate::policy::quantity::Quantity;
use crate::schema::Kinds;

/// How long the first read waits for files that are being written.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Folders of manifests and the state of their files.
#[derive(Debug)]
pub struct Folder {
    roots: Vec<PathBuf>,
    kinds: Kinds,
    /// The namespace of an object that names none.
    namespace: String,
    /// Objects that are not read from the folders.
    beside: Vec<(PathBuf, FileState)>,
    files: HashMap<PathBuf, FileState>,
    /// Fingerprint of the last result; `None` before the first.
    last: Option<u64>,
    /// How many directory entries a walk visits at most.
    pub(super) most: usize,
}

/// The time of a refresh, and the renames reported before it.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) now: Instant,
    pub(super) arrivals: &'a Arrivals,
}

impl Folder {
    /// Accepts the folders to serve; their order decides which of two objects with one name is served. Nothing is read yet.
    ///
    /// # Errors
    /// A path that is not a readable folder.
    pub fn open(roots: &[PathBuf]) -> Result<Self, FolderError> {
        Folder::of(roots, false)
    }

    /// The same for a single read, in which a path may also be that of a file.
    ///
    /// # Errors
    /// A path that is neither a readable folder nor a file.
    pub fn of_paths(roots: &[PathBuf]) -> Result<Self, FolderError> {
        Folder::of(roots, true)
    }

    fn of(roots: &[PathBuf], may_be_files: bool) -> Result<Self, FolderError> {
        for path in roots {
            let read = std::fs::metadata(path).and_then(|meta| match meta.is_dir() {
                true => std::fs::read_dir(path).map(|_| true),
                false => Ok(may_be_files && meta.is_file()),
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
            let real = path.canonicalize().unwrap_or_else(|_| path.clone());
            if let Some(place) = walk::of_the_kernel(&real) {
                return Err(FolderError::Kernel {
                    path: path.clone(),
                    place,
                });
            }
        }
        let kinds = Kinds::read(&api::crds(), |text| Quantity::parse(text).is_ok())?;
        Ok(Self {
            roots: roots.to_vec(),
            kinds,
            namespace: DEFAULT_NAMESPACE.to_owned(),
            beside: Vec::new(),
            files: HashMap::new(),
            last: None,
            most: walk::MAX_ENTRIES,
        })
    }

    /// The same, where an object that names no namespace is in this one.
    #[must_use]
    pub fn in_namespace(self, namespace: &str) -> Self {
        Folder {
            namespace: namespace.to_owned(),
            ..self
        }
    }

    /// Adds objects that stand in a file of another kind. They come before those of the folders.
    pub fn add(&mut self, file: &Path, objects: &[&Node]) {
        let contents = document::load_nodes(file, objects, &self.kinds, &self.namespace);
        self.beside.push((file.to_owned(), FileState::given(contents)));
    }

    pub(super) fn walk(&self) -> Walk {
        walk::walk(&self.roots, self.most)
    }

    /// Reads for the first time. A file that is being written has no last good version yet, so this waits until it has rested,
    /// some seconds at most. It blocks on the file system.
    ///
    /// # Errors
    /// There are more entries than a walk visits, so an arbitrary part of the personas would be served.
    pub fn first(&mut self) -> Result<Loaded, FolderError> {
        let began = Instant::now();
        loop {
            let walk = self.walk();
            if walk.cut {
                let path = self.roots.first().cloned().unwrap_or_default();
                return Err(FolderError::TooMany { path, most: self.most });
            }
            let Some((file, rests)) = walk.files.iter().filter_map(youngest).max_by_key(|(_, rests)| *rests) else {
                break;
            };
            if began.elapsed() >= TIMEOUT {
                tracing::warn!(
                    file = %file.display(),
                    "A persona file is being written while dorgu starts; it is served as it stands"
                );
                break;
            }
            // A resting file causes no event, so only time can be awaited.
            std::thread::sleep(rests);
        }
        Ok(self.reload())
    }

    /// Reads every file that differs from what was read, whether or not it has rested, and returns what all files hold now. It
    /// blocks on the file system.
    pub fn reload(&mut self) -> Loaded {
        self.load(None)
    }

    /// Reads the files that have changed and rested since; `None` when nothing changed.
    pub(super) fn refresh(&mut self, at: At<'_>) -> Option<Loaded> {
        let before = self.last;
        let now = self.load(Some(at));
        (self.last != before).then_some(now)
    }

    /// When [`Folder::refresh`] is due without an event: a file will have rested, or must be reported as unsettled.
    pub(super) fn due(&self) -> Option<Instant> {
        let reports = self.changing().filter_map(Changing::report_due).min();
        [rest::due(self.changing()), reports].into_iter().flatten().min()
    }

    fn changing(&self) -> impl Iterator<Item = &Changing> + Clone {
        self.files.values().filter_map(|state| state.changing.as_deref())
    }

    fn load(&mut self, at: Option<At<'_>>) -> Loaded {
        let mut walk = self.walk();
        if walk.cut {
            // Which files were found is arbitrary, so the state stays as it is.
            walk.files.clear();
        }
        let (kept, missing) = self.missing(&walk);
        if let Some(at) = at {
            self.record(&walk.files, &missing, &kept, at);
        }
        let due = rest::due(self.changing());
        let settled = |changing: Option<&Changing>| match (changing, at) {
            (Some(changing), Some(at)) => due.is_some_and(|due| due <= at.now) && changing.due() <= at.now,
            _ => true,
        };

        // Where no file differs, none is read. A file that never rests causes many such calls.
        let same = |found: &Found| {
            let state = self.files.get(&found.path);
            state.is_some_and(|state| match state.changing.as_deref() {
                Some(changing) => !settled(Some(changing)),
                None => state.is_as_read(found.stamp),
            })
        };
        let idle = at.is_some() && walk.files.iter().all(same);

        let (mut before, mut gone) = (Vec::new(), Vec::new());
        for file in missing {
            if !settled(self.files.get(&file).and_then(|state| state.changing.as_deref())) {
                gone.push(file);
            } else if let Some(state) = self.files.remove(&file) {
                before.extend(state.serving);
            }
        }
        let (mut order, mut fresh) = (Vec::new(), Vec::new());
        for found in walk.files {
            let state = self.files.get(&found.path);
            if !idle && settled(state.and_then(|state| state.changing.as_deref())) {
                match self.read(&found, at) {
                    Reading::Gone => continue,
                    Reading::Same => {}
                    Reading::New(replaced) => {
                        before.extend(replaced);
                        fresh.push(found.path.clone());
                    }
                }
            }
            order.push(found.path);
        }
        order.extend(kept);
        // To recognise objects that moved from file to file.
        let before = Known::of(&before);
        for file in fresh {
            if let Some(state) = self.files.get_mut(&file) {
                before.settle(&mut state.serving);
            }
        }
        let mut loaded = self.gather(&order, &gone, walk.problems);
        if let Some(at) = at {
            loaded.unsettled = self.unsettled(at.now);
        }
        self.last = Some(fingerprint(&loaded));
        loaded
    }

    /// The known files that the walk did not find: those that it could not see, and those that are missing.
    fn missing(&self, walk: &Walk) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let listed: HashSet<&PathBuf> = walk.files.iter().map(|found| &found.path).collect();
        let missing = self.files.keys().filter(|file| !listed.contains(*file)).cloned();
        // Files in a folder that cannot be read for now count as present.
        let (mut kept, mut gone): (Vec<_>, Vec<_>) =
            missing.partition(|file| walk.cut || walk.unreadable.iter().any(|folder| file.starts_with(folder)));
        kept.sort();
        gone.sort();
        (kept, gone)
    }

    /// Records every file that differs from what was read.
    fn record(&mut self, found: &[Found], missing: &[PathBuf], unknown: &[PathBuf], at: At<'_>) {
        for Found { path, stamp } in found {
            let look = self.files.get(path).map_or(0, |state| state.look);
            let changed = stamp.filter(|stamp| stamp.look != look);
            let changed = changed.map(|stamp| (stamp.look, at.arrivals.brought(path, &stamp)));
            match (self.files.get_mut(path), changed) {
                (Some(state), Some((look, brought))) => {
                    Changing::record(&mut state.changing, Some(look), brought, at.now);
                }
                (Some(state), None) => state.changing = None,
                (None, Some((look, brought))) => {
                    let mut state = FileState::default();
                    Changing::record(&mut state.changing, Some(look), brought, at.now);
                    self.files.insert(path.clone(), state);
                }
                (None, None) => {}
            }
        }
        for file in missing {
            if let Some(state) = self.files.get_mut(file) {
                Changing::record(&mut state.changing, None, false, at.now);
            }
        }
        for file in unknown {
            if let Some(state) = self.files.get_mut(file) {
                state.changing = None;
            }
        }
    }

    /// The files that have been changing for long. Logs each once.
    fn unsettled(&mut self, now: Instant) -> Vec<PathBuf> {
        let mut unsettled = Vec::new();
        for (file, state) in &mut self.files {
            let Some(new) = state.changing.as_mut().and_then(|changing| changing.unsettled(now)) else {
                continue;
            };
            if new {
                tracing::warn!(
                    file = %file.display(),
                    "A persona file keeps changing; its last good version is served until it has rested for a second"
                );
            }
            unsettled.push(file.clone());
        }
        unsettled.sort();
        unsettled
    }

    /// Reads one file into its state.
    fn read(&mut self, found: &Found, at: Option<At<'_>>) -> Reading {
        let file = found.path.as_path();
        let (bytes, stamp) = match bytes::read(file) {
            Ok(read) => read,
            // Removed since the folder was listed. A dangling link is not a removal: its file may be about to appear.
            Err(ReadFailure::Io(error)) if error.kind() == ErrorKind::NotFound && !file.is_symlink() => {
                return match (at, self.files.get_mut(file)) {
                    (Some(at), Some(state)) => {
                        Changing::record(&mut state.changing, None, false, at.now);
                        Reading::Same
                    }
                    _ => {
                        self.files.remove(file);
                        Reading::Gone
                    }
                };
            }
            Err(failure) => {
                let problem = FileProblem::of_file(file, failure.to_string());
                self.files
                    .entry(file.to_owned())
                    .or_default()
                    .fail(found.stamp, problem);
                return Reading::Same;
            }
        };
        let state = self.files.entry(file.to_owned()).or_default();
        if let Some(at) = at.filter(|_| found.stamp != Some(stamp)) {
            // It was written to while it was read.
            Changing::record(&mut state.changing, Some(stamp.look), false, at.now);
            return Reading::Same;
        }
        state.take(file, &bytes, stamp, (&self.kinds, &self.namespace))
    }

    fn states(&self, files: &[PathBuf]) -> Vec<(&PathBuf, &FileState)> {
        let known = files.iter().filter_map(|file| self.files.get_key_value(file));
        known.collect()
    }

    /// Joins what the files serve, in order. Of two objects with one name the first is served. An object of a missing file
    /// yields to any other without a problem, because it was moved.
    fn gather(&self, order: &[PathBuf], gone: &[PathBuf], problems: Vec<FileProblem>) -> Loaded {
        let mut loaded = Loaded {
            problems,
            ..Loaded::default()
        };
        let (here, gone) = (self.states(order), self.states(gone));
        let all = || {
            let beside = self.beside.iter().map(|(file, state)| (file, state, false));
            beside
                .chain(here.iter().map(|(file, state)| (*file, *state, false)))
                .chain(gone.iter().map(|(file, state)| (*file, *state, true)))
        };
        let count = all().map(|(_, state, _)| state.serving.len()).sum();
        loaded.personas.reserve(count);
        let mut names: HashSet<Named<'_>> = HashSet::with_capacity(count);
        for (file, state, gone) in all() {
            loaded.problems.extend(state.problems.iter().cloned());
            loaded.warnings.extend(state.warnings.iter().cloned());
            loaded.skipped += state.skipped;
            for thing in &state.serving {
                let named = Named { file, thing };
                match names.get(&named) {
                    Some(_) if gone => continue,
                    Some(first) => {
                        let reason = format!(
                            "{thing} is already defined at {}:{}, which is the one that serves; remove one of them",
                            first.file.display(),
                            first.thing.line
                        );
                        loaded.problems.push(FileProblem::at(file, thing.line, reason));
                        continue;
                    }
                    None => {}
                }
                names.insert(named);
                thing.add_to(&mut loaded);
            }
        }
        loaded
    }
}

/// A file that was written to less than [`REST`] ago, and the rest of that time. A modification time in the future is not
/// waited for, since it proves nothing.
fn youngest(found: &Found) -> Option<(&Path, Duration)> {
    let age = found.stamp?.modified?.elapsed().ok()?;
    let rests = REST.checked_sub(age).filter(|rests| !rests.is_zero())?;
    Some((found.path.as_path(), rests))
}

fn fingerprint(loaded: &Loaded) -> u64 {
    fn hash(value: impl Hash) -> u64 {
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        hasher.finish()
    }
    // Objects in another order are the same objects.
    let personas = loaded.personas.iter().map(hash).fold(0, u64::wrapping_add);
    let namespaces = loaded.namespaces.iter().map(hash).fold(0, u64::wrapping_add);
    let cluster_rules = loaded.cluster_rules.iter().map(hash).fold(0, u64::wrapping_add);
    let exceptions = loaded.exceptions.iter().map(hash).fold(0, u64::wrapping_add);
    let said = (&loaded.problems, &loaded.warnings, loaded.skipped, &loaded.unsettled);
    hash((personas, namespaces, cluster_rules, exceptions, said))
}

#[cfg(test)]
mod tests;
