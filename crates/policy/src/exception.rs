//! Decides which findings a PersonaException covers, by rule, container, app or workload, and time. A covered finding denies
//! nothing.
//!
//! The time is an argument. So the webhook, a status and a report agree to the second, and this module reads no clock.

use std::cmp::Reverse;
use std::sync::Arc;

use dorgu_api::PersonaException;
pub use dorgu_api::persona_exception::ExceptionPhase;

use super::finding::{Fact, Finding, Place};
use super::level::PlatformRules;
use super::rule::{Rule, Rules};

/// A moment, in seconds since 1970 (UTC).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub i64);

/// How many seconds an exception may last (flag `--exception-max`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxLength(pub i64);

impl MaxLength {
    /// The default: 90 days.
    pub const DEFAULT: MaxLength = MaxLength(90 * 24 * 60 * 60);
}

impl Default for MaxLength {
    fn default() -> Self {
        MaxLength::DEFAULT
    }
}

/// What is excepted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Every workload of this app.
    App(Box<str>),
    /// The Deployment of this name.
    Deployment(Box<str>),
}

/// A PersonaException as decisions use it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Exception {
    /// `metadata.namespace`.
    pub namespace: Box<str>,
    /// `metadata.name`.
    pub name: Box<str>,
    /// What is excepted.
    pub target: Target,
    rules: Rules,
    /// Empty for all, and for what concerns no container.
    containers: Box<[Box<str>]>,
    /// The first second in which it covers findings: `spec.starts`, else `metadata.creationTimestamp`.
    pub starts: Moment,
    /// The first second in which it covers none any more.
    pub expires: Moment,
    /// `expires`, as texts have it.
    pub until: Box<str>,
}

/// Why an exception cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It has neither an app nor a workload; an API server stores no such object.
    #[error("spec: set either app or workload")]
    NoTarget,
    /// It has neither a start nor a time of creation, as in a file.
    #[error("spec.starts: Required value: an exception in a file has no time of creation to start from")]
    NoStart,
}

impl Exception {
    /// Reads an exception.
    ///
    /// # Errors
    /// It does not say for what it is, or from when on.
    pub fn parse(object: &PersonaException) -> Result<Exception, Unusable> {
        let (spec, metadata) = (&object.spec, &object.metadata);
        let target = match (&spec.app, &spec.workload) {
            (Some(app), _) => Target::App(app.as_str().into()),
            (None, Some(workload)) => Target::Deployment(workload.name.as_str().into()),
            (None, None) => return Err(Unusable::NoTarget),
        };
        let starts = spec.starts.as_ref().or(metadata.creation_timestamp.as_ref());
        let starts = starts.ok_or(Unusable::NoStart)?;
        let [starts, expires] = [starts, &spec.expires].map(|time| Moment(time.0.as_second()));
        let until = spec.expires.0.to_string();
        let until = until
            .split_once('.')
            .map_or(until.clone(), |(seconds, _)| format!("{seconds}Z"));
        Ok(Exception {
            namespace: metadata.namespace.as_deref().unwrap_or_default().into(),
            name: metadata.name.as_deref().unwrap_or_default().into(),
            target,
            rules: spec
                .rules
                .iter()
                .fold(Rules::NONE, |rules, rule| rules.with((*rule).into())),
            containers: spec.containers.iter().map(|name| name.as_str().into()).collect(),
            starts,
            expires,
            until: until.into(),
        })
    }

    /// How many seconds it lasts.
    pub fn length(&self) -> i64 {
        self.expires.0.saturating_sub(self.starts.0)
    }

    /// Whether it covers findings at this time.
    pub fn phase(&self, now: Moment, max: MaxLength) -> ExceptionPhase {
        match self {
            _ if !(1..=max.0).contains(&self.length()) => ExceptionPhase::Invalid,
            _ if now < self.starts => ExceptionPhase::Pending,
            _ if now < self.expires => ExceptionPhase::Active,
            _ => ExceptionPhase::Expired,
        }
    }

    /// When its phase changes next. `None`: never.
    pub fn next_change(&self, now: Moment, max: MaxLength) -> Option<Moment> {
        match self.phase(now, max) {
            ExceptionPhase::Pending => Some(self.starts),
            ExceptionPhase::Active => Some(self.expires),
            ExceptionPhase::Expired | ExceptionPhase::Invalid => None,
        }
    }

    /// The same exception, as if this were its last second: what it would cover, had it not ended.
    #[must_use]
    pub fn as_if_active(&self, now: Moment) -> Exception {
        Exception {
            starts: now,
            expires: Moment(now.0.saturating_add(1)),
            ..self.clone()
        }
    }

    /// Whether it is about findings of the rule in that container, or about no container. The time does not matter.
    fn is_about(&self, rule: Rule, container: Option<&str>) -> bool {
        let is_named = |name: &str| self.containers.iter().any(|named| **named == *name);
        self.rules.contains(rule) && (self.containers.is_empty() || container.is_some_and(is_named))
    }
}

/// The exceptions for one object, and the time at which it is judged.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exceptions<'a> {
    /// Those for its app.
    pub of_app: &'a [Arc<Exception>],
    /// Those for itself.
    pub of_workload: &'a [Arc<Exception>],
    /// Now.
    pub now: Moment,
    /// How long one may last.
    pub max: MaxLength,
}

impl<'a> Exceptions<'a> {
    /// Whether there are none, as for nearly every object.
    pub fn is_empty(self) -> bool {
        self.of_app.is_empty() && self.of_workload.is_empty()
    }

    /// When one of them begins or ends next.
    pub fn next_change(self) -> Option<Moment> {
        self.all()
            .filter_map(|exception| exception.next_change(self.now, self.max))
            .min()
    }

    /// The exception that covers the finding; none covers a rule that the platform locks. Of a finding about several containers
    /// the part stays that none covers.
    pub(super) fn covering(self, platform: &PlatformRules, finding: &mut Finding<'_>) -> Option<&'a Exception> {
        if self.is_empty() || platform.is_locked(finding.rule) {
            return None;
        }
        let rule = finding.rule;
        match (&finding.place, &mut finding.fact) {
            (_, Fact::NonRootNotDemanded { containers, .. }) if !containers.is_empty() => {
                let covering = |name: &&str| self.longest(ExceptionPhase::Active, rule, Some(*name));
                // Together they are covered until the first of these ends.
                let first = containers.iter().filter_map(covering).min_by_key(|one| one.expires);
                let is_covered = containers.iter().all(|name| covering(name).is_some());
                if !is_covered {
                    containers.retain(|name| covering(name).is_none());
                }
                first.filter(|_| is_covered)
            }
            (place, _) => self.longest(ExceptionPhase::Active, rule, name_of(place)),
        }
    }

    /// The last exception that covered the finding and has ended, for a finding that none covers now.
    pub(super) fn ended(self, platform: &PlatformRules, finding: &Finding<'_>) -> Option<&'a Exception> {
        if self.is_empty() || platform.is_locked(finding.rule) {
            return None;
        }
        let ended = |container| self.longest(ExceptionPhase::Expired, finding.rule, container);
        match (&finding.place, &finding.fact) {
            (_, Fact::NonRootNotDemanded { containers, .. }) if !containers.is_empty() => {
                containers.iter().find_map(|name| ended(Some(*name)))
            }
            (place, _) => ended(name_of(place)),
        }
    }

    fn all(self) -> impl Iterator<Item = &'a Exception> {
        self.of_app.iter().chain(self.of_workload).map(Arc::as_ref)
    }

    /// Of those in this phase the one that ends last; of equal ones the one with the lowest name.
    fn longest(self, phase: ExceptionPhase, rule: Rule, container: Option<&str>) -> Option<&'a Exception> {
        self.all()
            .filter(|exception| exception.is_about(rule, container) && exception.phase(self.now, self.max) == phase)
            .max_by_key(|exception| (exception.expires, Reverse(&exception.name)))
    }
}

fn name_of<'p>(place: &Place<'p>) -> Option<&'p str> {
    match place {
        Place::Container(container, _) => Some(container.name),
        Place::Object(_) | Place::Pod(_) => None,
    }
}

#[cfg(test)]
mod tests;
