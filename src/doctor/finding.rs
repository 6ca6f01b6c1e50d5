//! Defines the result of a check: one line if it passed, otherwise findings, or why nothing was checked.

use std::fmt::Display;

use serde::Serialize;

use super::facts::{Fetched, Unavailable};

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It works, but something is unusual, missing or about to fail.
    Warn,
    /// Something does not work.
    Fail,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its severity.
    pub severity: Severity,
    /// What was observed.
    pub seen: String,
    /// Why it is wrong, or its cause.
    pub cause: String,
    /// The command to run next.
    pub cure: String,
}

impl Finding {
    pub(super) fn fail(seen: impl Display, cause: impl Display, cure: impl Display) -> Finding {
        Finding {
            severity: Severity::Fail,
            seen: seen.to_string(),
            cause: cause.to_string(),
            cure: cure.to_string(),
        }
    }

    pub(super) fn warn(seen: impl Display, cause: impl Display, cure: impl Display) -> Finding {
        Finding {
            severity: Severity::Warn,
            ..Finding::fail(seen, cause, cure)
        }
    }
}

/// The result of a check: one line if it passed.
pub(super) type Outcome = Result<String, NotOk>;

/// The result of a check that did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotOk {
    /// Findings; never empty.
    Found(Vec<Finding>),
    /// There is nothing to check: another check says why, or the installation is set up so.
    Skip(String),
    /// It could not be read.
    Unavailable(Unavailable),
}

impl From<Finding> for NotOk {
    fn from(finding: Finding) -> NotOk {
        NotOk::Found(vec![finding])
    }
}

/// Passes, unless there are findings.
pub(super) fn unless(findings: Vec<Finding>, well: impl Display) -> Outcome {
    if findings.is_empty() {
        Ok(well.to_string())
    } else {
        Err(NotOk::Found(findings))
    }
}

pub(super) fn skip<T>(reason: impl Display) -> Result<T, NotOk> {
    Err(NotOk::Skip(reason.to_string()))
}

impl<T> Fetched<T> {
    /// The object. Otherwise the result of a check that requires it; another check reports the absence.
    pub(super) fn needed(&self, absent: impl Display) -> Result<&T, NotOk> {
        match self {
            Fetched::Here(seen) => Ok(seen),
            Fetched::Absent => skip(absent),
            Fetched::Unavailable(unseen) => Err(NotOk::Unavailable(unseen.clone())),
        }
    }

    /// The object. Otherwise `finding`, for the check that reports the absence.
    pub(super) fn or_found(&self, finding: impl FnOnce() -> Finding) -> Result<&T, NotOk> {
        match self {
            Fetched::Absent => Err(finding().into()),
            other => other.needed(""),
        }
    }
}
