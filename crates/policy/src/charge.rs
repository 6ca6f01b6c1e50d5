//! Findings held against one request, those of several personas merged into one list.

use std::collections::HashMap;

use super::compare::FindingSubject;
use super::finding::{Finding, Severity};
use super::mode::Mode;

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

    /// `metadata.name` of the persona that was held against it.
    pub fn persona(&self) -> &'a str {
        self.persona
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
    /// Positions in the list, by subject, of the personas that are done.
    others: HashMap<FindingSubject<'a>, usize>,
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
        let mut list = self.list;
        list.retain(|charge| charge.finding.severity() != Severity::Info);
        list.sort_by_key(|charge| {
            let Finding { rule, place, .. } = charge.finding;
            let is_error = rule.severity() == Severity::Error;
            (!charge.refuses, is_error, rule.paragraph(), place.ordinal(rule), rule)
        });
        list
    }

    /// Adds a charge to those of other personas; on the same subject the strictest limit is told, and it refuses if any
    /// of them does.
    pub(super) fn merge(&mut self, charge: Charge<'a>) {
        let same = match self.others.is_empty() {
            true => None,
            false => self.others.get(&charge.finding.subject()),
        };
        let Some(other) = same.and_then(|position| self.list.get_mut(*position)) else {
            return self.list.push(charge);
        };
        // The name that is kept is the one a denial may show: of those that refuse, the lowest.
        let takes_name = charge.refuses && (!other.refuses || charge.persona < other.persona);
        if takes_name {
            other.persona = charge.persona;
        }
        other.refuses |= charge.refuses;
        // Equally strict, the finding of the persona that is named is told: it may name it, too.
        let equal = takes_name && !other.finding.is_stricter_than(&charge.finding);
        if equal || charge.finding.is_stricter_than(&other.finding) {
            other.finding = charge.finding;
        }
    }

    /// The persona is done: what comes after is another's.
    pub(super) fn close(&mut self) {
        for (position, charge) in self.list.iter().enumerate().skip(self.done) {
            self.others.entry(charge.finding.subject()).or_insert(position);
        }
        self.done = self.list.len();
    }
}
