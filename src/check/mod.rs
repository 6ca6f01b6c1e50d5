//! `dorgu check`: judges the workloads of manifests as the webhook would, before an API server sees them. One engine: the
//! index finds the personas and `policy` decides, both as at admission.
//!
//! [`run`] does the IO; all that it calls but [`paths`], [`old`] and [`render`] is pure.

mod found;
mod git;
mod judge;
mod manifest;
pub mod old;
pub mod paths;
pub mod render;
mod stored;

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;

pub use self::found::{File, Findings, findings};
pub use self::judge::{Judge, Judgement};
pub use self::manifest::{Found, Manifest};
pub use self::stored::Stored;

use self::old::OldObjects;
use self::paths::{Input, Inputs};
use crate::report::{Counts, Problem, Report, ReportedFinding};

/// The largest file that is read, in bytes.
pub const MAX_FILE_SIZE: u64 = 16 << 20;

/// How manifests are read.
#[derive(Clone, Debug)]
pub struct Reading<'o> {
    /// The namespace of an object that names none.
    pub namespace: String,
    /// What the objects replace.
    pub old: Option<&'o OldObjects>,
}

/// The outcome of a check.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What was found.
    pub report: Report,
    /// The namespaces of the workloads.
    pub namespaces: BTreeSet<String>,
}

/// The outcome for one file.
#[derive(Debug, Default)]
struct Checked {
    namespaces: BTreeSet<String>,
    findings: Vec<ReportedFinding>,
    problems: Vec<Problem>,
    counts: Counts,
}

/// Checks the files, several at once.
pub fn run(inputs: &Inputs, judge: &Judge<'_>, reading: &Reading<'_>) -> Outcome {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(inputs.files.len()));
    let work = || {
        let mut mine = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(input) = inputs.files.get(index) else { break };
            mine.push((index, check(input, judge, reading)));
        }
        done.lock().unwrap_or_else(PoisonError::into_inner).extend(mine);
    };
    let threads = available_parallelism().map_or(1, usize::from).min(inputs.files.len());
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let mut all = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    all.sort_by_key(|(index, _)| *index);
    let mut report = Report {
        problems: inputs.problems.clone(),
        ..Report::default()
    };
    let mut namespaces = BTreeSet::new();
    for (_, checked) in all {
        namespaces.extend(checked.namespaces);
        report.findings.extend(checked.findings);
        report.problems.extend(checked.problems);
        report.counts.files += 1;
        report.counts.workloads += checked.counts.workloads;
        report.counts.ungoverned += checked.counts.ungoverned;
        report.counts.skipped += checked.counts.skipped;
    }
    Outcome { report, namespaces }
}

fn check(input: &Input, judge: &Judge<'_>, reading: &Reading<'_>) -> Checked {
    if let Some(rendered) = &input.rendered {
        return check_text(input, &rendered.text, judge, reading);
    }
    match read(input.path.as_deref()) {
        Ok(text) => check_text(input, &text, judge, reading),
        Err(reason) => Checked {
            problems: vec![Problem {
                file: input.name.to_string(),
                line: None,
                reason,
            }],
            ..Checked::default()
        },
    }
}

fn check_text(input: &Input, text: &str, judge: &Judge<'_>, reading: &Reading<'_>) -> Checked {
    let manifest = Manifest::read(text);
    let mut checked = Checked::default();
    checked.counts.skipped = manifest.skipped;
    let problem = |line: usize, reason: String| match &input.rendered {
        None => Problem {
            file: input.name.to_string(),
            line: Some(line),
            reason,
        },
        // No file has that line.
        Some(_) => Problem {
            file: input.name.to_string(),
            line: None,
            reason: format!("line {line} of what was rendered: {reason}"),
        },
    };
    for found in &manifest.workloads {
        let Some(node) = manifest.node(found) else { continue };
        let file = found::File {
            name: match (&input.rendered, &found.source) {
                (Some(rendered), source) => rendered.file(source.as_deref()),
                (None, Some(source)) => source.as_str().into(),
                (None, None) => Arc::clone(&input.name),
            },
            is_template: input.rendered.is_some() || found.source.is_some(),
            text,
            manifest: &manifest,
        };
        let new = Stored::of(node.to_value(), &reading.namespace);
        let old = reading.old.and_then(|old| old.get(&new, &input.name));
        match found::findings(&file, found, judge, &new, old) {
            Ok(findings) => {
                checked.counts.workloads += 1;
                if !checked.namespaces.contains(&new.namespace) {
                    checked.namespaces.insert(new.namespace.clone());
                }
                checked.counts.ungoverned += usize::from(findings.personas.is_empty());
                checked.findings.extend(findings.list);
            }
            Err(reason) => {
                let reason = format!("Deployment {}: {reason}", new.name);
                checked.problems.push(problem(node.place.line(), reason));
            }
        }
    }
    if let Some(error) = &manifest.error {
        checked.problems.push(problem(error.line, error.reason.clone()));
    }
    checked.findings.sort_by(|a, b| a.location.cmp(&b.location));
    checked
}

/// The text of a file, or of standard input.
///
/// # Errors
/// What is wrong with it, and what to do.
pub fn read(path: Option<&Path>) -> Result<String, String> {
    let mut bytes = Vec::new();
    let limit = MAX_FILE_SIZE + 1;
    let read = match path {
        Some(path) => std::fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)),
        None => std::io::stdin().lock().take(limit).read_to_end(&mut bytes),
    };
    read.map_err(|error| format!("cannot be read: {error}"))?;
    text(bytes)
}

/// Bytes as text.
///
/// # Errors
/// They are too many, or no UTF-8.
pub(crate) fn text(bytes: Vec<u8>) -> Result<String, String> {
    if bytes.len() as u64 > MAX_FILE_SIZE {
        return Err(too_large());
    }
    String::from_utf8(bytes).map_err(|_| "not UTF-8 text; save the file as UTF-8".to_owned())
}

pub(crate) fn too_large() -> String {
    format!("larger than {MAX_FILE_SIZE} bytes; split it")
}
