//! `dorgu fix`: changes manifests so that no error is found in them, by what `policy` says to change. Each file is planned
//! (`plan`, pure) and written whole or not at all (`write`).

pub mod forms;
pub mod plan;
pub mod write;

use std::sync::Arc;

use crate::check::paths::{Input, Inputs};
use crate::check::read;
use plan::{Planned, Rejected, Settings, plan};

/// What came of the files.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Each file, in the order of the paths.
    pub files: Vec<FileOutcome>,
}

/// What came of one file.
#[derive(Debug)]
pub struct FileOutcome {
    /// The path, as in a report.
    pub name: Arc<str>,
    /// Its text before.
    pub before: String,
    /// The result.
    pub result: FileResult,
}

/// The result for one file.
#[derive(Debug)]
pub enum FileResult {
    /// It was fixed, or would be.
    Fixed(Planned),
    /// Nothing of it is changed.
    Rejected(Rejected),
    /// It cannot be read.
    Unreadable(String),
}

/// Whether files are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// They are.
    Files,
    /// None is.
    Nothing,
}

/// Fixes the files one after the other.
pub fn run(inputs: &Inputs, settings: Settings<'_>, writing: Writing) -> Outcome {
    let files = inputs.files.iter().map(|input| {
        let (before, result) = match read(input.path.as_deref()) {
            Ok(before) => {
                let result = fix(input, &before, settings, writing);
                (before, result)
            }
            Err(reason) => (String::new(), FileResult::Unreadable(reason)),
        };
        FileOutcome {
            name: Arc::clone(&input.name),
            before,
            result,
        }
    });
    Outcome { files: files.collect() }
}

fn fix(input: &Input, before: &str, settings: Settings<'_>, writing: Writing) -> FileResult {
    let planned = match plan(before, settings) {
        Ok(planned) => planned,
        Err(rejected) => return FileResult::Rejected(rejected),
    };
    if writing == Writing::Nothing || planned.edits.is_empty() {
        return FileResult::Fixed(planned);
    }
    let rejected = |reason: String| FileResult::Rejected(Rejected { line: None, reason });
    let Some(path) = &input.path else {
        return rejected(match planned.templates.as_slice() {
            [] => "standard input cannot be written; name a file, or print the fixes with -o".to_owned(),
            templates => format!(
                "it was rendered from {}; change that, or print the fixes with -o",
                templates.join(", ")
            ),
        });
    };
    match write::replace(path, before, &planned.text) {
        Ok(()) => FileResult::Fixed(planned),
        Err(error) => rejected(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
