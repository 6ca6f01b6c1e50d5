//! The result of `dorgu check` as data, and its formats: each turns a [`Report`] into text. A format decides nothing, so that all
//! of them hold the same findings and the exit code is that of the report. Pure but for `write`.

mod fingerprint;
mod format;
mod github;
mod gitlab;
mod json;
mod junit;
mod location;
mod markdown;
mod outputs;
mod sarif;
mod summary;
mod table;
mod words;
mod write;
mod yaml;

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

use crate::policy::{Rule, Severity};
pub use format::{Format, RenderError, Rendered, View, render, step_summary};
pub(crate) use junit::escape as xml;
pub use location::{Edit, Location, Position};
pub use outputs::{Output, Outputs};
pub use summary::Summary;
pub(crate) use words::clean;
pub use write::{Written, write};

/// What was found in some manifests.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The findings, by file and place. Infos are recorded and never count.
    pub findings: Vec<ReportedFinding>,
    /// What could not be read. It fails the run whatever was found.
    pub problems: Vec<Problem>,
    /// How much was read.
    pub counts: Counts,
    /// The page with a section for each rule; empty for no links.
    pub docs_url: String,
    /// Whether workloads that no persona governs fail the run.
    pub fails_ungoverned: bool,
}

/// How much was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Files, standard input included.
    pub files: usize,
    /// Workloads that were judged.
    pub workloads: usize,
    /// Workloads that no persona governs.
    pub ungoverned: usize,
    /// Documents of kinds that are not judged.
    pub skipped: usize,
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The file, as in [`Location::file`].
    pub file: String,
    /// The line, counted from 1; `None` where the whole file is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What is wrong and what to do, on one line.
    pub reason: String,
}

/// `FILE:LINE: REASON`, as compilers write it.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { file, line, reason } = self;
        match line {
            Some(line) => write!(f, "{file}:{line}: {reason}"),
            None => write!(f, "{file}: {reason}"),
        }
    }
}

/// One finding and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportedFinding {
    /// The rule.
    pub rule: Rule,
    /// Its severity: error for the level deny, warning for warn and for what an exception covers, info for audit.
    pub severity: Severity,
    /// Whether it counts, and why not.
    pub standing: Standing,
    /// Whether an API server would refuse the object for it, in the effective mode of its namespace and persona.
    pub denied: bool,
    /// The object it is about.
    pub object: ObjectName,
    /// The container, where it is about one.
    pub container: Option<String>,
    /// `metadata.name` of the persona whose demand it is; empty where none governs the object.
    pub persona: String,
    /// The field as a JSON pointer into the object. Containers are counted.
    pub field: String,
    /// The field as a path for people. Containers are named; empty where the finding is about no field of the object.
    pub path: String,
    /// What was found, on one line.
    pub message: String,
    /// What to change, a line for each field: `<field>: <observed> -> <wanted>`. Empty where no right value is known.
    pub fix: Vec<String>,
    /// The same as edits of the file's text. Empty where the text must be changed by hand.
    pub edits: Vec<Edit>,
    /// Where it stands.
    pub location: Location,
}

/// Whether a finding counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It counts.
    New,
    /// The old manifest had it, and it did not get worse.
    Before,
    /// An exception covers it.
    Excepted,
}

/// An object by its names.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ObjectName {
    /// Its kind, such as `Deployment`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// `metadata.name`, or `generateName` where it has no name.
    pub name: String,
}

/// Which findings fail a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FailOn {
    /// Errors.
    #[default]
    Error,
    /// Errors and warnings.
    Warning,
    /// None.
    Never,
}

impl FailOn {
    /// All of them.
    pub const ALL: [FailOn; 3] = [FailOn::Error, FailOn::Warning, FailOn::Never];

    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            FailOn::Error => "error",
            FailOn::Warning => "warning",
            FailOn::Never => "never",
        }
    }
}

impl ReportedFinding {
    /// Whether the finding fails a run.
    pub fn counts(&self, fail_on: FailOn) -> bool {
        let least = match fail_on {
            FailOn::Error => Severity::Error,
            FailOn::Warning => Severity::Warning,
            FailOn::Never => return false,
        };
        // What an exception covers is a warning like any other.
        self.standing != Standing::Before && self.severity >= least
    }
}

impl Report {
    /// How many findings fail the run.
    pub fn failing(&self, fail_on: FailOn) -> usize {
        self.findings.iter().filter(|finding| finding.counts(fail_on)).count()
    }

    /// The exit code of the run, the same for every format: 2 where something could not be read, 1 where a finding counts, or a
    /// workload that no persona governs.
    pub fn exit_code(&self, fail_on: FailOn) -> u8 {
        match (
            self.problems.is_empty(),
            self.failing(fail_on),
            self.failing_ungoverned(),
        ) {
            (false, ..) => 2,
            (true, 0, 0) => 0,
            (true, ..) => 1,
        }
    }

    /// How many workloads fail the run because no persona governs them.
    fn failing_ungoverned(&self) -> usize {
        if self.fails_ungoverned {
            self.counts.ungoverned
        } else {
            0
        }
    }

    /// The report as it is shown: with `quiet`, without the findings that do not count.
    pub fn shown(&self, view: View) -> Cow<'_, Report> {
        if !view.quiet {
            return Cow::Borrowed(self);
        }
        let counting = self.findings.iter().filter(|finding| finding.counts(view.fail_on));
        Cow::Owned(Report {
            findings: counting.cloned().collect(),
            problems: self.problems.clone(),
            counts: self.counts,
            docs_url: self.docs_url.clone(),
            fails_ungoverned: self.fails_ungoverned,
        })
    }

    /// The link to a rule's section; `None` where no page is known.
    pub fn link(&self, rule: Rule) -> Option<String> {
        (!self.docs_url.is_empty()).then(|| format!("{}#{}", self.docs_url, rule.name()))
    }
}
