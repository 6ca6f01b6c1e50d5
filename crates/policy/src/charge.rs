//! Findings held against one request, those of several personas merged into one list.

use std::collections::HashMap;

use super::compare::FindingSubject;
use super::finding::{Finding, Severity};
use super::mode::Mode;
use super::strictest::Owner;

/// A finding together with what it means for this request.
#[derive(Clone, Debug)]
pub struct Charge<'a> {
    finding: Finding<'a>,
    persona: &'a str,
    /// Where that persona stands among all that are held against the object.
    place: u32,
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

    /// A finding under its owner's effective mode: only an error refuses, and only where it is enforced.
    pub(super) fn under(mode: Mode, finding: Finding<'a>, owner: Owner<'a>) -> Charge<'a> {
        let refuses = mode == Mode::Enforcing && finding.severity() == Severity::Error;
        Charge {
            finding,
            persona: &owner.persona.name,
            place: owner.place,
            refuses,
        }
    }

    /// Which of two with equal limits is kept: one that refuses, of those the lowest name; else the first.
    fn precedes(&self, other: &Charge<'_>) -> bool {
        match (self.refuses, other.refuses) {
            (true, true) => self.persona < other.persona,
            (false, false) => self.place < other.place,
            (refuses, _) => refuses,
        }
    }

    /// A finding that refuses in no mode.
    pub(super) fn note(finding: Finding<'a>, persona: &'a str) -> Charge<'a> {
        Charge {
            finding,
            persona,
            place: 0,
            refuses: false,
        }
    }
}

/// The charges of all personas. Two findings of one judging are two, also on containers that share a name; only those of
/// different judgings are merged.
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

    /// Adds a charge to those of other personas. On the same subject the strictest limit is kept, and it refuses if any of
    /// them does; then it names the one that refuses by the strictest limit.
    pub(super) fn merge(&mut self, charge: Charge<'a>) {
        let same = match self.others.is_empty() {
            true => None,
            false => self.others.get(&charge.finding.subject()),
        };
        let Some(other) = same.and_then(|position| self.list.get_mut(*position)) else {
            return self.list.push(charge);
        };
        let stricter = charge.finding.is_stricter_than(&other.finding);
        let equal = !stricter && !other.finding.is_stricter_than(&charge.finding);
        let is_kept = stricter || (equal && charge.precedes(other));
        let is_named = match (charge.refuses, other.refuses) {
            (true, false) => true,
            (false, true) => false,
            _ => is_kept,
        };
        other.refuses |= charge.refuses;
        if is_kept {
            other.finding = charge.finding;
        }
        if is_named {
            (other.persona, other.place) = (charge.persona, charge.place);
        }
    }

    /// These personas are done: what comes after is others'.
    pub(super) fn close(&mut self) {
        for (position, charge) in self.list.iter().enumerate().skip(self.done) {
            self.others.entry(charge.finding.subject()).or_insert(position);
        }
        self.done = self.list.len();
    }
}
