//! Holds what is remembered of one file between two reads: the digest of its bytes, a hash of its size, modification time
//! and identity, and the objects that it serves.

use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};

use super::FileProblem;
use super::document::{self, Contents};
use super::rest::{Changing, Stamp};
use super::serving::{Known, Thing};
use crate::schema::Kinds;

/// One file between two reads.
#[derive(Debug, Default)]
pub(super) struct FileState {
    /// SHA-256 of the bytes last read, which shows whether a file changed. Sizes and times are too coarse for that, and keeping
    /// the bytes would cost more memory than the compiled objects. `None` when they could not be read.
    digest: Option<[u8; 32]>,
    /// The stamp when it was last read.
    pub(super) look: u64,
    /// A change seen since, not read yet.
    pub(super) changing: Option<Box<Changing>>,
    /// What it serves.
    pub(super) serving: Box<[Thing]>,
    /// Whether `serving` is a complete version of the file, and thus a fallback.
    good: bool,
    pub(super) problems: Vec<FileProblem>,
    pub(super) warnings: Vec<FileProblem>,
    pub(super) skipped: usize,
}

/// The outcome of a read.
pub(super) enum Reading {
    Gone,
    /// It serves the same as before.
    Same,
    /// It serves new objects; these are the previous ones.
    New(Box<[Thing]>),
}

impl FileState {
    /// A file whose contents are not read from disk.
    pub(super) fn given(contents: Contents) -> FileState {
        let mut state = FileState::default();
        state.replace(contents);
        state
    }

    /// Parses the file's current bytes.
    pub(super) fn take(
        &mut self,
        file: &Path,
        bytes: &[u8],
        stamp: Stamp,
        (kinds, namespace): (&Kinds, &str),
    ) -> Reading {
        self.look = stamp.look;
        self.changing = None;
        let digest = <[u8; 32]>::try_from(digest(&SHA256, bytes).as_ref()).ok();
        if digest.is_some() && self.digest == digest {
            return Reading::Same;
        }
        self.digest = digest;
        let contents = match std::str::from_utf8(bytes) {
            Ok(text) => document::load(file, text, kinds, namespace),
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
        Reading::New(self.replace(contents))
    }

    /// Whether it could be read, and its stamp is still the same.
    pub(super) fn is_as_read(&self, stamp: Option<Stamp>) -> bool {
        self.digest.is_some() && stamp.is_some_and(|stamp| stamp.look == self.look)
    }

    /// The file cannot be read; it continues to serve the same.
    pub(super) fn fail(&mut self, stamp: Option<Stamp>, problem: FileProblem) {
        self.digest = None;
        self.look = stamp.map_or(0, |stamp| stamp.look);
        self.changing = None;
        self.problems = vec![problem];
    }

    /// Takes a new version of the file, unless it is invalid and there is a good one to keep. Returns what is no longer served.
    fn replace(&mut self, contents: Contents) -> Box<[Thing]> {
        let good = contents.problems.is_empty();
        self.problems = contents.problems;
        if !good && self.good {
            return Box::default();
        }
        self.good = good;
        self.warnings = contents.warnings;
        self.skipped = contents.skipped;
        let before = std::mem::replace(&mut self.serving, contents.things.into_boxed_slice());
        // Immediately, so that memory does not hold old and new versions of all files at once.
        Known::of(&before).settle(&mut self.serving);
        before
    }
}
