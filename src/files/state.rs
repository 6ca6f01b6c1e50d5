//! What is known of one file between two readings.

use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};

use super::FileProblem;
use super::document::{self, Contents};
use super::rest::{Changing, Stamp};
use super::serving::{Known, Thing};
use crate::schema::Kinds;

/// One file between two readings.
#[derive(Debug, Default)]
pub(super) struct FileState {
    /// SHA-256 of the bytes last read, by which a file that did not change is known: sizes and times are too coarse for
    /// that, and keeping the bytes would cost more than what is made of them. None when they could not be read.
    digest: Option<[u8; 32]>,
    /// How it looked when it was last read.
    pub(super) look: u64,
    /// A change seen since, not read yet.
    pub(super) changing: Option<Box<Changing>>,
    /// What it serves.
    pub(super) serving: Box<[Thing]>,
    /// Whether `serving` is a whole version of the file, to fall back on.
    good: bool,
    pub(super) problems: Vec<FileProblem>,
    pub(super) warnings: Vec<FileProblem>,
    pub(super) skipped: usize,
}

/// What came of looking at a file.
pub(super) enum Reading {
    Gone,
    /// It serves what it served.
    Same,
    /// It serves something else in place of this.
    New(Box<[Thing]>),
}

impl FileState {
    /// Parses the bytes that the file holds now.
    pub(super) fn take(&mut self, file: &Path, bytes: &[u8], stamp: Stamp, kinds: &Kinds) -> Reading {
        self.look = stamp.look;
        self.changing = None;
        let digest = <[u8; 32]>::try_from(digest(&SHA256, bytes).as_ref()).ok();
        if digest.is_some() && self.digest == digest {
            return Reading::Same;
        }
        self.digest = digest;
        let contents = match std::str::from_utf8(bytes) {
            Ok(text) => document::load(file, text, kinds),
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

    /// Whether it could be read, and looks as it did then.
    pub(super) fn is_as_read(&self, stamp: Option<Stamp>) -> bool {
        self.digest.is_some() && stamp.is_some_and(|stamp| stamp.look == self.look)
    }

    /// The file cannot be read; it serves what it served.
    pub(super) fn fail(&mut self, stamp: Option<Stamp>, problem: FileProblem) {
        self.digest = None;
        self.look = stamp.map_or(0, |stamp| stamp.look);
        self.changing = None;
        self.problems = vec![problem];
    }

    /// Takes a new version of the file, unless it is broken and there is a good one to go on with. Returns what is no
    /// longer served.
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
        // At once, so that a new version of every file does not stand in memory beside the old one.
        Known::of(&before).settle(&mut self.serving);
        before
    }
}
