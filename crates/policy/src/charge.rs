//! Findings held against one request, those of several personas merged into one list.

use std::collections::HashMap;

use super::compare::FindingSubject;
use super::finding::{Fact, Finding, Severity};
use super::mode::Mode;
use super::render::Owner;

/// A finding together with what it means for this request.
#[derive(Clone, Debug)]
pub struct Charge<'a> {
    finding: Finding<'a>,
    persona: &'a str,
    refuses: bool,
}

impl<'a> Charge<'a> {
    /// What was found.
    pub fn finding(&self) -> &Finding<'a> {
        &self.finding
    }

    /// `metadata.name` of the persona whose limit it is.
    pub fn persona(&self) -> &'a str {
        self.persona
    }

    /// What stands behind the finding in a denial whose first line names the persona `leading`: whose it is, where it is
    /// another's.
    pub fn owner(&self, leading: &str) -> Option<Owner<'a>> {
        // A finding about the label names the persona anyway.
        let is_named = self.persona == leading || matches!(self.finding.fact, Fact::Label { .. });
        (!is_named).then_some(Owner(self.persona))
    }

    /// Whether it refuses the request.
    pub fn refuses(&self) -> bool {
        self.refuses
    }

    /// A finding under a persona's effective mode: only an error refuses, and only where it is enforced.
    pub(super) fn under(mode: Mode, finding: Finding<'a>, persona: &'a str) -> Charge<'a> {
        let refuses = mode == Mode::Enforcing && finding.severity() == Severity::Error;
        Charge {
            finding,
            persona,
            refuses,
        }
    }

    /// A finding that refuses in no mode.
    pub(super) fn note(finding: Finding<'a>, persona: &'a str) -> Charge<'a> {
        Charge {
            finding,
            persona,
            refuses: false,
        }
    }
}

/// The charges of all personas. Two findings of one persona are two, also on containers that share a name; only those of
/// different personas are merged.
#[derive(Default)]
pub(super) struct Charges<'a> {
    list: Vec<Charge<'a>>,
    /// Positions in the list, by subject and by whether they refuse, of the personas that are done.
    others: HashMap<(FindingSubject<'a>, bool), usize>,
    /// How much of the list belongs to them.
    done: usize,
}

impl<'a> Charges<'a> {
    /// Adds a charge that is like no other.
    pub(super) fn add(&mut self, charge: Charge<'a>) {
        self.list.push(charge);
    }

    /// All that is told: first what refuses, then what does not, each in the contract's order: warnings as 2.4 lists them,
    /// then errors.
    pub(super) fn in_order(self) -> Vec<Charge<'a>> {
        let Charges { mut list, others, .. } = self;
        // What does not refuse is said only where it asks for more than what does.
        let mut covered: Vec<usize> = Vec::new();
        for ((subject, refuses), position) in &others {
            let refusing = (!refuses).then(|| others.get(&(subject.clone(), true))).flatten();
            let pair = refusing
                .and_then(|refusing| list.get(*refusing))
                .zip(list.get(*position));
            if pair.is_some_and(|(refusing, other)| !other.finding.is_stricter_than(&refusing.finding)) {
                covered.push(*position);
            }
        }
        covered.sort_unstable();
        let mut position = 0;
        list.retain(|charge| {
            let is_covered = covered.binary_search(&position).is_ok();
            position += 1;
            !is_covered && charge.finding.severity() != Severity::Info
        });
        list.sort_by_key(|charge| {
            let Finding { rule, place, .. } = charge.finding;
            let is_error = rule.severity() == Severity::Error;
            (!charge.refuses, is_error, rule.paragraph(), place.ordinal(rule), rule)
        });
        list
    }

    /// Adds a charge to those of other personas. Of those on the same subject that refuse, and of those that do not, the
    /// one with the strictest limit stays, and of equal ones the one with the lowest name.
    pub(super) fn merge(&mut self, charge: Charge<'a>) {
        let same = match self.others.is_empty() {
            true => None,
            false => self.others.get(&(charge.finding.subject(), charge.refuses)),
        };
        let Some(other) = same.and_then(|position| self.list.get_mut(*position)) else {
            return self.list.push(charge);
        };
        let equal = !other.finding.is_stricter_than(&charge.finding) && charge.persona < other.persona;
        if equal || charge.finding.is_stricter_than(&other.finding) {
            *other = charge;
        }
    }

    /// The persona is done: what comes after is another's.
    pub(super) fn close(&mut self) {
        for (position, charge) in self.list.iter().enumerate().skip(self.done) {
            let key = (charge.finding.subject(), charge.refuses);
            self.others.entry(key).or_insert(position);
        }
        self.done = self.list.len();
    }
}
