//! Why a command about personas failed: one line and one exit code for each cause.

use std::fmt;

use crate::k8s::{Conflict, MissingRight};

/// Exit codes of all commands but `diff`.
pub(super) const CODES: &str = "Exit codes: 0 success, 1 failure, 2 wrong usage, 3 the cluster lacks the \
                                CustomResourceDefinition, 4 the object does not exist, 5 a right is missing, 6 the \
                                cluster cannot be reached, 7 another field manager owns a field.";

/// How a command ended whose failures, if any, have been printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    Well,
    /// Some objects failed, the first with this exit code.
    Failed(u8),
    /// `diff` found a change.
    Differs,
}

#[derive(Debug)]
pub(super) enum Failure {
    /// Anything without a code of its own.
    Other(String),
    /// The API server does not know the kind.
    KindMissing(String),
    /// The object does not exist.
    ObjectMissing(String),
    /// A right is missing.
    Forbidden(MissingRight),
    /// The API server does not accept the credentials.
    Unauthorized(String),
    /// The API server cannot be found or does not answer.
    Unreachable(String),
    /// Other field managers own what would change.
    Conflicts {
        /// The object, as people name it.
        object: String,
        conflicts: Vec<Conflict>,
    },
}

impl Failure {
    pub(super) fn code(&self) -> u8 {
        match self {
            Failure::Other(_) => 1,
            Failure::KindMissing(_) => 3,
            Failure::ObjectMissing(_) => 4,
            Failure::Forbidden(_) | Failure::Unauthorized(_) => 5,
            Failure::Unreachable(_) => 6,
            Failure::Conflicts { .. } => 7,
        }
    }

    /// Whether the next object would fail in the same way.
    pub(super) fn is_of_the_cluster(&self) -> bool {
        matches!(
            self,
            Failure::KindMissing(_) | Failure::Unauthorized(_) | Failure::Unreachable(_)
        )
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Other(text)
            | Failure::KindMissing(text)
            | Failure::ObjectMissing(text)
            | Failure::Unauthorized(text)
            | Failure::Unreachable(text) => f.write_str(text),
            Failure::Forbidden(right) => {
                write!(f, "a right is missing: {right}; a Role must grant it to {}", right.user)
            }
            Failure::Conflicts { object, conflicts } => {
                write!(f, "{object} is not applied: ")?;
                for (position, Conflict { manager, field }) in conflicts.iter().enumerate() {
                    let comma = if position == 0 { "" } else { ", " };
                    write!(f, "{comma}field manager {manager:?} owns {field}")?;
                }
                f.write_str("; --force-conflicts takes the fields over")
            }
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Failure {
        Failure::Other(crate::cli::one_line(&error))
    }
}
