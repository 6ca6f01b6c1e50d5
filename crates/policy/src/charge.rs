//! Findings held against one request: those of several personas merged, all of them counted, and as many kept as an answer
//! can hold.

use std::collections::HashMap;

use super::compare::FindingSubject;
use super::finding::{Fact, Finding, Rule, Severity};
use super::first::First;
use super::mode::Mode;
use super::render::Owner;
use super::rules::RuleSet;

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

/// What is kept of one request's charges, since an object may have tens of thousands: more than an answer can hold.
/// A denial's first line has room for fewer than this many.
const REFUSING: usize = 700;
/// So has the list of warnings, for errors that do not refuse and for warnings.
const TOLD: usize = 100;

/// The memory that a request's charges take at the most: twice as many are there before they are sorted, which needs their
/// memory once more. Those of one container come beside them.
pub(super) const MOST_BYTES: usize = 4 * (REFUSING + 2 * TOLD) * size_of::<Charge<'_>>();

/// The memory that one charge takes among those of a container while several personas are merged.
pub(super) const BYTES_WHILE_MERGED: usize =
    3 * size_of::<Charge<'_>>() + 4 * size_of::<((FindingSubject<'_>, bool), usize)>();

/// Where a charge stands in the contract's order, among those that refuse or among those of one severity that do not.
type Order = (u8, (u8, usize), Rule);

fn order(charge: &Charge<'_>) -> Order {
    let Finding { rule, place, .. } = charge.finding;
    (rule.paragraph(), place.ordinal(rule), rule)
}

/// The charges of all personas: all are counted, the first of each kind are kept.
pub(super) struct Charges<'a> {
    part: Part<'a>,
    refusing: First<Charge<'a>, Order>,
    warnings: First<Charge<'a>, Order>,
    errors: First<Charge<'a>, Order>,
    counts: Counts,
}

/// How many charges there are, kept or not.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// Those that refuse.
    pub(super) refusing: usize,
    /// Those that do not.
    pub(super) told: usize,
    /// Of each rule.
    pub(super) rules: [u64; Rule::ALL.len()],
}

/// What is told of a request.
pub(super) struct Told<'a> {
    /// What refuses, in the contract's order.
    pub(super) refusals: Vec<Charge<'a>>,
    /// What does not: warnings as contract 2.4 lists them, then errors.
    pub(super) others: Vec<Charge<'a>>,
    pub(super) counts: Counts,
}

impl<'a> Charges<'a> {
    pub(super) fn new(set: RuleSet) -> Self {
        // Upstream tells all of it.
        let most = |most| match set {
            RuleSet::Complete => most,
            RuleSet::Upstream => usize::MAX,
        };
        Charges {
            part: Part::default(),
            refusing: First::new(most(REFUSING), order),
            warnings: First::new(most(TOLD), order),
            errors: First::new(most(TOLD), order),
            counts: Counts::default(),
        }
    }

    /// Adds a charge that is like no other.
    pub(super) fn add(&mut self, charge: Charge<'a>) {
        let Counts { refusing, told, rules } = &mut self.counts;
        let (list, count) = match (charge.refuses, charge.finding.severity()) {
            (true, _) => (&mut self.refusing, refusing),
            (false, Severity::Error) => (&mut self.errors, told),
            (false, Severity::Warning) => (&mut self.warnings, told),
            (false, Severity::Info) => return,
        };
        *count += 1;
        rules[charge.finding.rule as usize] += 1;
        list.add(charge);
    }

    /// Adds a charge to those of other personas about the same part of the object.
    pub(super) fn merge(&mut self, charge: Charge<'a>) {
        self.part.merge(charge);
    }

    /// The persona is done with the part: what comes after is another's.
    pub(super) fn close(&mut self) {
        self.part.close();
    }

    /// All personas are done with the part.
    pub(super) fn finish_part(&mut self) {
        let mut part = std::mem::take(&mut self.part);
        part.drop_covered();
        part.list.drain(..).for_each(|charge| self.add(charge));
        // Its memory serves the next part.
        part.clear();
        self.part = part;
    }

    /// All that is told.
    pub(super) fn told(self) -> Told<'a> {
        let mut others = self.warnings.into_list();
        let errors = self.errors.into_list();
        match others.is_empty() {
            true => others = errors,
            false => others.extend(errors),
        }
        Told {
            refusals: self.refusing.into_list(),
            others,
            counts: self.counts,
        }
    }
}

/// The charges about one part of the object: a container, or all but the containers. Two findings of one persona are two;
/// only those of different personas are merged.
#[derive(Default)]
struct Part<'a> {
    list: Vec<Charge<'a>>,
    /// Positions in the list, by subject and by whether they refuse, of the personas that are done.
    others: HashMap<(FindingSubject<'a>, bool), usize>,
    /// How much of the list belongs to them.
    done: usize,
}

impl<'a> Part<'a> {
    /// Of those on the same subject that refuse, and of those that do not, the one with the strictest limit stays, and of
    /// equal ones the one with the lowest name.
    fn merge(&mut self, charge: Charge<'a>) {
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

    fn close(&mut self) {
        for (position, charge) in self.list.iter().enumerate().skip(self.done) {
            let key = (charge.finding.subject(), charge.refuses);
            self.others.entry(key).or_insert(position);
        }
        self.done = self.list.len();
    }

    /// What does not refuse is told only where it asks for more than what does.
    fn drop_covered(&mut self) {
        let Part { list, others, .. } = self;
        let mut covered: Vec<usize> = Vec::new();
        for ((subject, refuses), position) in &*others {
            let refusing = (!refuses).then(|| others.get(&(subject.clone(), true))).flatten();
            let pair = refusing
                .and_then(|refusing| list.get(*refusing))
                .zip(list.get(*position));
            if pair.is_some_and(|(refusing, other)| !other.finding.is_stricter_than(&refusing.finding)) {
                covered.push(*position);
            }
        }
        if covered.is_empty() {
            return;
        }
        covered.sort_unstable();
        let mut position = 0;
        list.retain(|_| {
            let is_covered = covered.binary_search(&position).is_ok();
            position += 1;
            !is_covered
        });
    }

    fn clear(&mut self) {
        self.list.clear();
        self.others.clear();
        self.done = 0;
    }
}
