//! Exceptions: findings that do not deny for a limited time.
//!
//! An exception covers a finding by rule and container, and by the time that a decision is given. This module reads no clock.

use std::sync::Arc;

use dorgu_api::PersonaException;
pub use dorgu_api::persona_exception::ExceptionPhase;

use super::finding::{Fact, Finding, Place};
use super::rule::Rule;
use super::strictest::Rules;

/// A moment, in seconds since 1970 (UTC).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub i64);

/// What is excepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Every workload of this app.
    App(Box<str>),
    /// The Deployment of this name.
    Deployment(Box<str>),
}

/// A PersonaException as decisions use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// `metadata.namespace`.
    pub namespace: Box<str>,
    /// `metadata.name`.
    pub name: Box<str>,
    /// What is excepted.
    pub target: Target,
    rules: Rules,
    /// Empty for all.
    containers: Box<[Box<str>]>,
    /// From when on it covers findings: `spec.starts`, else `metadata.creationTimestamp`.
    pub starts: Moment,
    /// From when on it covers no findings any more.
    pub expires: Moment,
    /// `spec.expires`, as it is printed.
    pub until: Box<str>,
    /// Whether it is at most as long as the platform allows, and longer than nothing.
    is_valid: bool,
}

impl Exception {
    /// Reads an exception. `most` is how many seconds one may last (flag `--exception-max`). `None` where it names no target,
    /// or says not when it begins: an API server stores no such object.
    pub fn parse(object: &PersonaException, most: i64) -> Option<Exception> {
        let (spec, metadata) = (&object.spec, &object.metadata);
        let target = match (&spec.app, &spec.workload) {
            (Some(app), _) => Target::App(app.as_str().into()),
            (None, Some(workload)) => Target::Deployment(workload.name.as_str().into()),
            (None, None) => return None,
        };
        let starts = spec.starts.as_ref().or(metadata.creation_timestamp.as_ref())?;
        let [starts, expires] = [starts, &spec.expires].map(|time| Moment(time.0.as_second()));
        let length = expires.0.saturating_sub(starts.0);
        Some(Exception {
            namespace: metadata.namespace.as_deref().unwrap_or_default().into(),
            name: metadata.name.as_deref().unwrap_or_default().into(),
            target,
            rules: spec.rules.iter().map(|rule| Rule::from(*rule)).collect(),
            containers: spec.containers.iter().map(|name| name.as_str().into()).collect(),
            starts,
            expires,
            until: spec.expires.0.to_string().into(),
            is_valid: (1..=most).contains(&length),
        })
    }

    /// Where it is in its life.
    pub fn phase(&self, now: Moment) -> ExceptionPhase {
        match self {
            _ if !self.is_valid => ExceptionPhase::Invalid,
            _ if now < self.starts => ExceptionPhase::Pending,
            _ if now < self.expires => ExceptionPhase::Active,
            _ => ExceptionPhase::Expired,
        }
    }

    /// Whether the finding is of one of its rules, and about its containers only. Its time is not asked.
    pub fn names(&self, finding: &Finding<'_>) -> bool {
        if !self.rules.contains(finding.rule) {
            return false;
        }
        let is_named = |name: &str| self.containers.iter().any(|named| **named == *name);
        self.containers.is_empty()
            || match (&finding.place, &finding.fact) {
                (Place::Container(container, _), _) => is_named(container.name),
                (_, Fact::NonRootNotDemanded { containers, .. }) => {
                    !containers.is_empty() && containers.iter().all(|name| is_named(name))
                }
                _ => false,
            }
    }
}

/// The exceptions for one workload, and the time at which it is judged.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exceptions<'a> {
    /// Those for its app.
    pub of_app: &'a [Arc<Exception>],
    /// Those for itself.
    pub of_workload: &'a [Arc<Exception>],
    /// Now.
    pub now: Moment,
}

impl<'a> Exceptions<'a> {
    /// The exception that covers the finding: of several the one that lasts longest, of equal ones the one with the lowest name.
    pub fn covering(self, finding: &Finding<'_>) -> Option<&'a Exception> {
        let all = self.of_app.iter().chain(self.of_workload);
        let active = all.filter(|exception| exception.phase(self.now) == ExceptionPhase::Active);
        let covering = active.filter(|exception| exception.names(finding));
        let longest = |exception: &&Arc<Exception>| (exception.expires, std::cmp::Reverse(exception.name.clone()));
        covering.max_by_key(longest).map(Arc::as_ref)
    }
}

#[cfg(test)]
mod tests;
