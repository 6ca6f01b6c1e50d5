//! Decides when a change on disk is read.
//!
//! A file that is written in place is incomplete for a while, and an incomplete file can be valid YAML. So a file is read
//! when its size and modification time have not changed for a second; until then its last good version is served. A file
//! that arrived by a rename is complete and is read at once. A missing file counts as deleted after a short delay, since
//! editors delete a file and write a new one. This module knows no contents.

use std::collections::{HashMap, VecDeque};
use std::ffi::OsString;
use std::fs::Metadata;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// How long size and modification time must stay the same.
pub(super) const REST: Duration = Duration::from_secs(1);
/// How long a file must be missing to count as deleted.
pub(super) const GONE: Duration = Duration::from_millis(400);
/// How long a file that has rested waits for others that are about to have, so that an object that moves from one file to
/// another is never absent from both. A file that was deleted, or replaced by a rename, need not rest itself; it waits as long
/// as files that changed before it may need.
const GROUPING_DELAY: Duration = Duration::from_millis(300);
/// A file that keeps changing for this long is reported.
pub(super) const UNSETTLED: Duration = Duration::from_secs(30);
/// Links in one path, as on Linux.
const LINKS: usize = 40;

/// The metadata of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// A hash of size, modification time and identity; small, since it is kept for every file.
    pub(super) look: u64,
    /// `None` where the file system has no modification time.
    pub(super) modified: Option<SystemTime>,
}

impl Stamp {
    pub(super) fn of(meta: &Metadata) -> Stamp {
        let modified = meta.modified().ok();
        let mut hasher = DefaultHasher::new();
        // Device and inode distinguish a file from another one in its place. The change time reveals a change whose
        // modification time was set by hand.
        let changed = (meta.ctime(), meta.ctime_nsec());
        (meta.len(), modified, changed, meta.dev(), meta.ino()).hash(&mut hasher);
        Stamp {
            look: hasher.finish(),
            modified,
        }
    }
}

/// A change of a file that has not been read yet.
#[derive(Debug)]
pub(super) struct Changing {
    /// [`Stamp::look`] of the file now; `None` when it is missing.
    look: Option<u64>,
    /// When it was first seen like that.
    since: Instant,
    /// When it was first seen to differ from what was read.
    began: Instant,
    /// Whether it was already reported as unsettled.
    reported: bool,
    /// Whether the file arrived complete, by a rename.
    brought: bool,
}

impl Changing {
    /// Records the stamp of a file that differs from what was read.
    pub(super) fn record(before: &mut Option<Box<Changing>>, look: Option<u64>, brought: bool, now: Instant) {
        match before {
            Some(before) if before.look == look => before.brought |= brought,
            Some(before) => {
                before.look = look;
                before.since = now;
                before.brought = brought;
            }
            None => {
                *before = Some(Box::new(Changing {
                    look,
                    since: now,
                    began: now,
                    reported: false,
                    brought,
                }));
            }
        }
    }

    /// When it will have rested.
    pub(super) fn due(&self) -> Instant {
        self.since + self.rest()
    }

    fn rest(&self) -> Duration {
        match self.look {
            Some(_) if self.brought => Duration::ZERO,
            Some(_) => REST,
            None => GONE,
        }
    }

    /// How long it waits for other files, so that all are read together.
    fn waits(&self) -> Instant {
        self.due() + (REST - self.rest()) + GROUPING_DELAY
    }

    /// When it must be reported as unsettled; `None` once it was.
    pub(super) fn report_due(&self) -> Option<Instant> {
        (!self.reported).then(|| self.began + UNSETTLED)
    }

    /// `None` unless it is unsettled; then whether this is the first such call.
    pub(super) fn unsettled(&mut self, now: Instant) -> Option<bool> {
        let long = now >= self.began + UNSETTLED;
        long.then(|| !std::mem::replace(&mut self.reported, true))
    }
}

/// When the first of these files are due.
pub(super) fn due<'c>(changing: impl Iterator<Item = &'c Changing> + Clone) -> Option<Instant> {
    let first = changing.clone().min_by_key(|changing| changing.due())?;
    changing.map(Changing::due).filter(|due| *due <= first.waits()).max()
}

/// The targets of recent renames, and when each was reported.
#[derive(Debug, Default)]
pub(super) struct Arrivals(HashMap<PathBuf, SystemTime>);

impl Arrivals {
    pub(super) fn record(&mut self, path: PathBuf, reported: SystemTime) {
        self.0.insert(path, reported);
    }

    /// Whether the file arrived complete: it, a folder above it or a link on its path was the target of a rename, and the file
    /// was not written to since.
    pub(super) fn brought(&self, file: &Path, stamp: &Stamp) -> bool {
        let Some(modified) = stamp.modified.filter(|_| !self.0.is_empty()) else {
            return false;
        };
        resolution(file)
            .iter()
            .any(|step| self.0.get(step).is_some_and(|reported| modified <= *reported))
    }
}

/// Every directory entry that resolving a path passes through, links included, each with the real name of its folder.
fn resolution(file: &Path) -> Vec<PathBuf> {
    let Ok(start) = Path::new(".").canonicalize() else {
        return Vec::new();
    };
    let (mut here, mut steps, mut links) = (start, Vec::new(), 0);
    let mut ahead: VecDeque<OsString> = file.iter().map(ToOwned::to_owned).collect();
    while let Some(name) = ahead.pop_front() {
        match Path::new(&name).components().next() {
            Some(Component::Normal(name)) => {
                let next = here.join(name);
                match std::fs::read_link(&next) {
                    Ok(target) if links < LINKS => {
                        links += 1;
                        for step in target.iter().rev() {
                            ahead.push_front(step.to_owned());
                        }
                    }
                    _ => here.clone_from(&next),
                }
                steps.push(next);
            }
            Some(Component::ParentDir) => {
                here.pop();
            }
            Some(Component::RootDir) => here = PathBuf::from("/"),
            _ => {}
        }
    }
    steps
}
