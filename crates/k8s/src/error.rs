//! Defines why a request failed ([`CallError`]), and turns a panic into an error ([`catch_panic`]).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use kube::Error;

/// Longest wait for an answer.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// The class of a [`CallError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The API server answered with this HTTP status.
    Refused(u16),
    /// No answer: the connection failed, or the deadline passed.
    NoAnswer,
    /// The request could not be built, or the answer could not be read.
    Malformed,
    /// Code of this process panicked.
    Panicked,
}

/// Why a request failed, in one line.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text}")]
pub struct CallError {
    /// The class, by which callers decide.
    pub kind: Failure,
    /// The text of the API server or of the connection error.
    pub text: String,
}

impl CallError {
    /// The request could not be built, or the answer could not be parsed.
    pub(super) fn malformed(error: &dyn std::error::Error) -> CallError {
        CallError {
            kind: Failure::Malformed,
            text: error_chain(error),
        }
    }

    /// The deadline passed.
    pub(super) fn no_answer() -> CallError {
        CallError {
            kind: Failure::NoAnswer,
            text: "the API server does not answer".to_owned(),
        }
    }

    /// Another writer was faster. Read again and decide again.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.kind == Failure::Refused(409)
    }

    /// The account lacks the right.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        self.kind == Failure::Refused(403)
    }

    /// The object or the kind does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.kind == Failure::Refused(404)
    }
}

impl From<Error> for CallError {
    fn from(error: Error) -> CallError {
        let kind = match &error {
            Error::Api(status) => {
                return CallError {
                    kind: Failure::Refused(status.code),
                    text: format!("{} ({})", status.message.replace(['\n', '\r'], " "), status.code),
                };
            }
            Error::SerdeError(_) | Error::BuildRequest(_) | Error::FromUtf8(_) => Failure::Malformed,
            _ => Failure::NoAnswer,
        };
        CallError {
            kind,
            text: error_chain(&error),
        }
    }
}

impl From<Panicked> for CallError {
    fn from(panicked: Panicked) -> CallError {
        CallError {
            kind: Failure::Panicked,
            text: panicked.to_string(),
        }
    }
}

/// Code panicked that must not. The panic hook has logged where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the program failed on this object (a defect of its own)")]
pub struct Panicked;

/// Runs code that must not panic. A defect then costs only the object it concerns. Without this it would end the thread that
/// follows the cluster, on which the webhook depends, and would do so again after every restart.
///
/// # Errors
/// The code panicked.
pub fn catch_panic<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| Panicked)
}

/// An error and its causes on one line. A cause that the text before already contains is left out.
pub(super) fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text.replace(['\n', '\r'], " ")
}
