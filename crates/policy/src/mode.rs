//! Defines the modes advisory and enforcing, reads which mode a label or an annotation requests, and chooses the stricter of
//! two.

use std::fmt;
use std::str::FromStr;

/// Whether findings of severity error deny a request or only warn about it (contract 2.5).
///
/// Ordered by strictness, so that the strictest of several is their maximum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Every finding is reported as a warning; nothing is denied.
    #[default]
    Advisory,
    /// A finding of severity error denies the request.
    Enforcing,
}

impl Mode {
    /// Both, the milder first.
    pub const ALL: [Mode; 2] = [Mode::Advisory, Mode::Enforcing];

    /// The word used in flags, labels, annotations and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Advisory => "advisory",
            Mode::Enforcing => "enforcing",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A mode in an undefined spelling. Upstream silently read such a value as advisory.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("mode '{0}' is not one of advisory, enforcing")]
pub struct UnknownMode(pub String);

impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        match text {
            "advisory" => Ok(Mode::Advisory),
            "enforcing" => Ok(Mode::Enforcing),
            other => Err(UnknownMode(other.to_owned())),
        }
    }
}

/// The mode that a label or an annotation `dorgu.io/mode` requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum ModeWish {
    /// No value.
    #[default]
    Unset,
    /// A known mode.
    Set(Mode),
    /// Another value. It counts as unset and is named in a warning.
    Unknown(Box<str>),
    /// A label where an annotation counts, or the other way round. It counts as unset and is named in a warning.
    Misplaced(Box<str>),
}

impl ModeWish {
    /// The label (namespace) or annotation (persona).
    pub const KEY: &str = "dorgu.io/mode";

    /// Reads the value found under [`ModeWish::KEY`], if any.
    pub fn read(value: Option<&str>) -> ModeWish {
        match value.map(|text| (text, Mode::from_str(text))) {
            None => ModeWish::Unset,
            Some((_, Ok(mode))) => ModeWish::Set(mode),
            Some((text, Err(_))) => ModeWish::Unknown(text.into()),
        }
    }

    /// Reads the value found where it counts, and the one found where it does not.
    pub fn read_beside(value: Option<impl AsRef<str>>, misplaced: Option<impl AsRef<str>>) -> ModeWish {
        match (value, misplaced) {
            (None, Some(misplaced)) => ModeWish::Misplaced(misplaced.as_ref().into()),
            (value, _) => ModeWish::read(value.as_ref().map(AsRef::as_ref)),
        }
    }

    /// The stricter of this mode and `other`: a request can opt in to enforcing and never out of it.
    pub fn or_stricter(&self, other: Mode) -> Mode {
        match self {
            ModeWish::Set(mode) => other.max(*mode),
            ModeWish::Unset | ModeWish::Unknown(_) | ModeWish::Misplaced(_) => other,
        }
    }
}
