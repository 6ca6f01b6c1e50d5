//! Gathers what workloads are judged by, once, into an index: personas, exceptions, namespaces and what the platform requires,
//! from files or from a cluster.

mod cluster;
mod files;

use std::sync::Arc;

use crate::index::{Change, Clock, Index};
use crate::policy::exception::MaxLength;
use crate::policy::{Matching, Moment, PlatformRules, Rulebook};
use crate::runtime::flags::duration;

pub use cluster::list;
pub use files::{fill, read};

/// The settings of an installation that decide about a workload. Those of `dorgu serve` have the same names.
#[derive(Clone, Debug, Default)]
pub struct Deciding {
    /// Rules and mode of the process (flags `--rules`, `--webhook-mode`).
    pub rulebook: Rulebook,
    /// Which names match a workload to its personas (flag `--match`).
    pub matching: Matching,
    /// The levels that flags require (flags `--rule-level`, `--rule-locked`).
    pub platform: PlatformRules,
    /// Whether a workload without the app label is a finding (flag `--require-label`).
    pub requires_label: bool,
    /// The namespace whose default personas govern others (flag `--default-personas-namespace`).
    pub default_personas_namespace: Option<String>,
    /// How long an exception may last (flag `--exception-max`).
    pub exception_max: MaxLength,
}

/// Reads how long an exception may last: days (90d) or a duration.
///
/// # Errors
/// It is none of both.
pub fn exception_max(text: &str) -> Result<MaxLength, String> {
    const DAY: i64 = 24 * 60 * 60;
    let seconds = match text.strip_suffix('d') {
        Some(days) => days.parse::<u16>().ok().map(|days| i64::from(days) * DAY),
        None => duration(text)
            .ok()
            .and_then(|length| i64::try_from(length.as_secs()).ok()),
    };
    seconds
        .filter(|seconds| *seconds > 0)
        .map(MaxLength)
        .ok_or_else(|| "it is not a length of time, such as 90d or 12h".to_owned())
}

impl Deciding {
    /// An empty index for these settings, whose clock stands still where a time is given.
    pub fn index(&self, at: Option<Moment>) -> Index {
        let index = Index::new(self.matching, self.platform.clone())
            .allowing(self.exception_max)
            .with_platform_defaults(self.default_personas_namespace.as_deref());
        match at {
            Some(at) => index.by_clock(Clock::new(move || at)),
            None => index,
        }
    }
}

/// A complete list of a kind.
fn all<T>(objects: impl IntoIterator<Item = Arc<T>>) -> Change<T> {
    Change::Replace {
        objects: objects.into_iter().collect(),
        kept: Vec::new(),
    }
}
