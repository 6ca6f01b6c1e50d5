//! The findings of one request: those of several personas are merged, all are counted, and as many are kept as an answer can
//! hold.

use std::collections::HashMap;

use super::compare::FindingSubject;
use super::finding::{Fact, Finding, Rule, Severity};
use super::first::First;
use super::mode::Mode;
use super::render::Owner;
use super::rules::RuleSet;

/// A finding together with its effect on this request.
#[derive(Clone, Debug)]
pub struct AttributedFinding<'a> {
    finding: Finding<'a>,
    persona: &'a str,
    refuses: bool,
}

impl<'a> AttributedFinding<'a> {
    /// What was found.
    pub fn finding(&self) -> &Finding<'a> {
        &self.finding
    }

    /// `metadata.name` of the persona whose limit it is.
    pub fn persona(&self) -> &'a str {
        self.persona
    }

    /// The owner to print behind the finding in a denial whose first line names the persona `leading`: the finding's persona,
    /// where it is another one.
    pub fn owner(&self, leading: &str) -> Option<Owner<'a>> {
        // A finding about the label names the persona anyway.
        let is_named = self.persona == leading || matches!(self.finding.fact, Fact::Label { .. });
        (!is_named).then_some(Owner(self.persona))
    }

    /// Whether it denies the request.
    pub fn refuses(&self) -> bool {
        self.refuses
    }

    /// A finding under a persona's effective mode: only an error denies, and only where it is enforced.
    pub(super) fn under(mode: Mode, finding: Finding<'a>, persona: &'a str) -> AttributedFinding<'a> {
        let refuses = mode == Mode::Enforcing && finding.severity() == Severity::Error;
        AttributedFinding {
            finding,
            persona,
            refuses,
        }
    }

    /// A finding that denies in no mode.
    pub(super) fn note(finding: Finding<'a>, persona: &'a str) -> AttributedFinding<'a> {
        AttributedFinding {
            finding,
            persona,
            refuses: false,
        }
    }
}

/// How many of one request's denying findings are kept, since an object may have tens of thousands. A denial's first line has
/// room for fewer than this many.
const REFUSING: usize = 700;
/// How many are kept of errors that do not deny, and of warnings. The list of warnings has room for fewer.
const REPORTED: usize = 100;

/// The largest memory of a request's findings. There are twice as many before they are sorted, which needs their memory once
/// more. Those of one container are counted separately.
pub(super) const MOST_BYTES: usize = 4 * (REFUSING + 2 * REPORTED) * size_of::<AttributedFinding<'_>>();

/// The memory of one finding of a container while several personas are merged.
pub(super) const BYTES_WHILE_MERGED: usize =
    3 * size_of::<AttributedFinding<'_>>() + 4 * size_of::<((FindingSubject<'_>, bool), usize)>();

/// The position in the contract's order, among those that deny or among those of one severity that do not.
type Order = (u8, (u8, usize), Rule);

fn order(attributed: &AttributedFinding<'_>) -> Order {
    let Finding { rule, place, .. } = attributed.finding;
    (rule.paragraph(), place.ordinal(rule), rule)
}

/// The findings of all personas: all are counted, the first of each kind are kept.
pub(super) struct Findings<'a> {
    /// Only where several personas are merged.
    part: Option<Part<'a>>,
    refusing: First<AttributedFinding<'a>, Order>,
    warnings: First<AttributedFinding<'a>, Order>,
    errors: First<AttributedFinding<'a>, Order>,
    counts: Counts,
}

/// How many findings there are, kept or not.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// Those that deny.
    pub(super) refusing: usize,
    /// Those that do not.
    pub(super) reported: usize,
    /// By rule.
    pub(super) rules: [u32; Rule::ALL.len()],
}

/// The findings that the answer reports.
pub(super) struct Reported<'a> {
    /// Those that deny, in the contract's order.
    pub(super) refusals: Vec<AttributedFinding<'a>>,
    /// The others: warnings as contract 2.4 lists them, then errors.
    pub(super) others: Vec<AttributedFinding<'a>>,
    pub(super) counts: Counts,
}

impl<'a> Findings<'a> {
    pub(super) fn new(set: RuleSet) -> Self {
        // Upstream reports all of them.
        let most = |most| match set {
            RuleSet::Complete => most,
            RuleSet::Upstream => usize::MAX,
        };
        Findings {
            part: None,
            refusing: First::new(most(REFUSING), order),
            warnings: First::new(most(REPORTED), order),
            errors: First::new(most(REPORTED), order),
            counts: Counts::default(),
        }
    }

    /// Adds a finding that is compared with no other.
    pub(super) fn add(&mut self, attributed: AttributedFinding<'a>) {
        let Counts {
            refusing,
            reported,
            rules,
        } = &mut self.counts;
        let (list, count) = match (attributed.refuses, attributed.finding.severity()) {
            (true, _) => (&mut self.refusing, refusing),
            (false, Severity::Error) => (&mut self.errors, reported),
            (false, Severity::Warning) => (&mut self.warnings, reported),
            (false, Severity::Info) => return,
        };
        *count += 1;
        rules[attributed.finding.rule as usize] += 1;
        list.add(attributed);
    }

    /// Adds a finding, merged with those of other personas about the same part of the object.
    pub(super) fn merge(&mut self, attributed: AttributedFinding<'a>) {
        self.part.get_or_insert_default().merge(attributed);
    }

    /// Ends one persona's findings about the part. What follows is another's.
    pub(super) fn close(&mut self) {
        if let Some(part) = &mut self.part {
            part.close();
        }
    }

    /// Ends the part.
    pub(super) fn finish_part(&mut self) {
        let Some(mut part) = self.part.take() else { return };
        part.drop_covered();
        part.list.drain(..).for_each(|attributed| self.add(attributed));
        // Its memory is reused for the next part.
        part.clear();
        self.part = Some(part);
    }

    /// The reported findings.
    pub(super) fn reported(self) -> Reported<'a> {
        let mut others = self.warnings.into_list();
        let errors = self.errors.into_list();
        match others.is_empty() {
            true => others = errors,
            false => others.extend(errors),
        }
        Reported {
            refusals: self.refusing.into_list(),
            others,
            counts: self.counts,
        }
    }
}

/// The findings about one part of the object: a container, or everything but the containers. Only findings of different
/// personas are merged.
#[derive(Default)]
struct Part<'a> {
    list: Vec<AttributedFinding<'a>>,
    /// Positions in the list, by subject and by whether they deny, of the earlier personas.
    others: HashMap<(FindingSubject<'a>, bool), usize>,
    /// How many items of the list are theirs.
    done: usize,
}

impl<'a> Part<'a> {
    /// Of those on the same subject that deny, and of those that do not, the one with the strictest limit stays; of equal ones
    /// the one with the lowest name.
    fn merge(&mut self, attributed: AttributedFinding<'a>) {
        let same = match self.others.is_empty() {
            true => None,
            false => self.others.get(&(attributed.finding.subject(), attributed.refuses)),
        };
        let Some(other) = same.and_then(|position| self.list.get_mut(*position)) else {
            return self.list.push(attributed);
        };
        let equal = !other.finding.is_stricter_than(&attributed.finding) && attributed.persona < other.persona;
        if equal || attributed.finding.is_stricter_than(&other.finding) {
            *other = attributed;
        }
    }

    fn close(&mut self) {
        for (position, attributed) in self.list.iter().enumerate().skip(self.done) {
            let key = (attributed.finding.subject(), attributed.refuses);
            self.others.entry(key).or_insert(position);
        }
        self.done = self.list.len();
    }

    /// A finding that does not deny is reported only where it demands more than one that does.
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
