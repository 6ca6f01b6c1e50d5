//! The results of suites, as data.

use std::sync::Arc;

use super::coverage::Coverage;
use crate::report::ReportedFinding;

/// The result of a suite.
#[derive(Clone, Debug)]
pub struct SuiteResult {
    /// Its file.
    pub file: Arc<str>,
    /// `metadata.name`.
    pub name: String,
    /// Its tests.
    pub tests: Vec<TestResult>,
    /// What its tests have seen of what its personas demand.
    pub coverage: Coverage,
}

/// The result of a test.
#[derive(Clone, Debug)]
pub struct TestResult {
    /// Its name.
    pub name: String,
    /// The Deployment, as NAMESPACE/NAME, or as the test has it where there is none.
    pub deployment: String,
    /// Its line.
    pub line: usize,
    /// Every difference; empty where it passed.
    pub failures: Vec<Failure>,
    /// What was found.
    pub findings: Vec<ReportedFinding>,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind of difference it is.
    pub kind: Kind,
    /// What was expected, on one line.
    pub expected: String,
    /// What was found instead, a line each.
    pub found: Vec<String>,
}

/// The kinds of differences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A name that matches nothing.
    UnknownName,
    /// No finding is as expected.
    FindingMissing,
    /// A finding is not expected.
    FindingUnexpected,
    /// It is denied and should be allowed, or the other way round.
    Verdict,
    /// No persona governs it and one should, or the other way round.
    Governed,
    /// An API server would store no such object.
    Unreadable,
}

impl Kind {
    /// The word of reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::UnknownName => "unknown-name",
            Kind::FindingMissing => "finding-missing",
            Kind::FindingUnexpected => "finding-unexpected",
            Kind::Verdict => "verdict",
            Kind::Governed => "governed",
            Kind::Unreadable => "unreadable",
        }
    }
}
