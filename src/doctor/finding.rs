//! What a check says when not all is well.

use std::fmt::Display;

use serde::Serialize;

use super::facts::{Fetched, Unavailable};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It works, and something is odd, missing or about to break.
    Warn,
    /// Something does not work.
    Fail,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What was seen.
    pub seen: String,
    /// Why it is wrong, or how it comes about.
    pub cause: String,
    /// What to type next.
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

/// What a check says: one line about what is well, or what it says instead.
pub(super) type Outcome = Result<String, NotOk>;

/// What a check says instead of "all is well".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotOk {
    /// Findings; never none.
    Found(Vec<Finding>),
    /// There is nothing to look at, and another check says why, or that is how it was set up.
    Skip(String),
    /// It could not be looked at.
    Unavailable(Unavailable),
}

impl From<Finding> for NotOk {
    fn from(finding: Finding) -> NotOk {
        NotOk::Found(vec![finding])
    }
}

/// All is well, unless there are findings.
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
    /// It; or, for a check that cannot do without, what that check says. Of what is absent, some other check tells.
    pub(super) fn needed(&self, absent: impl Display) -> Result<&T, NotOk> {
        match self {
            Fetched::Here(seen) => Ok(seen),
            Fetched::Absent => skip(absent),
            Fetched::Unavailable(unseen) => Err(NotOk::Unavailable(unseen.clone())),
        }
    }

    /// It; or, for the check that is about its being there, `finding`.
    pub(super) fn or_found(&self, finding: impl FnOnce() -> Finding) -> Result<&T, NotOk> {
        match self {
            Fetched::Absent => Err(finding().into()),
            other => other.needed(""),
        }
    }
}
