//! Collects the findings of one request, each with its persona and its effect. Findings of several personas about the same
//! thing are merged. All findings are counted, and only as many are kept as an answer can hold.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::compare::FindingSubject;
use super::exception::Exception;
use super::finding::{Fact, Finding, Rule, Severity};
use super::first::First;
use super::persona::Persona;
use super::render::Owner;
use super::rules::RuleSet;

/// A finding together with its effect on this request.
#[derive(Clone, Debug)]
pub struct AttributedFinding<'a> {
    finding: Finding<'a>,
    /// `None` for a finding about an object that no persona governs.
    persona: Option<&'a Persona>,
    severity: Severity,
    refuses: bool,
    exception: Option<&'a Exception>,
    /// Whether the stored object has it, too; `None` where that was not asked.
    kept: Option<bool>,
}

impl<'a> AttributedFinding<'a> {
    /// What was found.
    pub fn finding(&self) -> &Finding<'a> {
        &self.finding
    }

    /// `metadata.name` of the persona whose limit it is; empty where no persona governs the object.
    pub fn persona(&self) -> &'a str {
        self.persona.map_or("", |persona| &persona.name)
    }

    /// Whom to talk to about it.
    pub(super) fn contact(&self) -> &'a str {
        self.persona.map_or("", |persona| &persona.contact)
    }

    /// The owner to print behind the finding in a denial whose first line names the persona `leading`: the finding's persona,
    /// where it is another one.
    pub fn owner(&self, leading: &str) -> Option<Owner<'a>> {
        // A finding about the label names the persona anyway.
        let is_named =
            self.persona() == leading || matches!(self.finding.fact, Fact::Label { .. } | Fact::SelectorLabel { .. });
        (!is_named).then_some(Owner(self.persona()))
    }

    /// Whether it denies the request.
    pub fn refuses(&self) -> bool {
        self.refuses
    }

    /// The exception that covers it.
    pub fn exception(&self) -> Option<&'a Exception> {
        self.exception
    }

    /// Whether the stored object has it, at least as severe. Only [`super::decide_all`] asks about what does not deny.
    pub fn is_kept(&self) -> bool {
        self.kept == Some(true)
    }

    fn kind(&self) -> (FindingSubject<'a>, Effect) {
        let effect = match self.severity {
            Severity::Error if self.refuses => Effect::Denies,
            Severity::Error if self.kept == Some(false) => Effect::New,
            Severity::Error => Effect::Spared,
            Severity::Warning => Effect::Warns,
            Severity::Info => Effect::Recorded,
        };
        (self.finding.subject(), effect)
    }

    /// Its severity: that of its rule's level, of which one that is off has no findings.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// A finding with its severity. It denies only where it is enforced, and only as an error.
    pub(super) fn new(
        finding: Finding<'a>,
        persona: impl Into<Option<&'a Persona>>,
        severity: Severity,
        is_enforced: bool,
    ) -> AttributedFinding<'a> {
        AttributedFinding {
            finding,
            persona: persona.into(),
            severity,
            refuses: is_enforced && severity == Severity::Error,
            exception: None,
            kept: None,
        }
    }

    /// The same, known to be in the stored object or not.
    #[must_use]
    pub(super) fn kept(self, kept: Option<bool>) -> AttributedFinding<'a> {
        AttributedFinding { kept, ..self }
    }

    /// A finding that an exception covers: a warning at most, which denies in no mode.
    pub(super) fn excepted(
        finding: Finding<'a>,
        persona: impl Into<Option<&'a Persona>>,
        severity: Severity,
        exception: &'a Exception,
    ) -> AttributedFinding<'a> {
        AttributedFinding {
            exception: Some(exception),
            ..AttributedFinding::new(finding, persona, severity.min(Severity::Warning), false)
        }
    }

    /// A finding that denies in no mode.
    pub(super) fn note(finding: Finding<'a>, persona: &'a Persona) -> AttributedFinding<'a> {
        AttributedFinding::new(finding, persona, Severity::Warning, false)
    }
}

/// The effect of a finding on a request. Ordered: a stronger one covers a weaker one on the same subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Effect {
    Recorded,
    Warns,
    /// Would deny, if it were enforced or new.
    Spared,
    /// Would deny, if it were enforced. Known only where all findings are wanted.
    New,
    Denies,
}

impl Effect {
    const ALL: [Effect; 5] = [
        Effect::Recorded,
        Effect::Warns,
        Effect::Spared,
        Effect::New,
        Effect::Denies,
    ];
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
    3 * size_of::<AttributedFinding<'_>>() + 4 * size_of::<((FindingSubject<'_>, Effect), usize)>();

/// The position in the contract's order, among those that deny or among those of one severity that do not.
type Order = (u8, (u8, usize), Rule);

fn order(attributed: &AttributedFinding<'_>) -> Order {
    let Finding { rule, place, .. } = attributed.finding;
    (rule.paragraph(), place.ordinal(rule), rule)
}

/// Which findings are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// As many as an answer can hold, without those that are only recorded.
    Answer,
    /// All of them.
    All,
}

/// The findings of all personas: all are counted, the first of each kind are kept.
pub(super) struct Findings<'a> {
    /// Only where several personas are merged.
    part: Option<Part<'a>>,
    refusing: First<AttributedFinding<'a>, Order>,
    warnings: First<AttributedFinding<'a>, Order>,
    errors: First<AttributedFinding<'a>, Order>,
    /// Those that are only recorded, where all are wanted.
    infos: Option<Vec<AttributedFinding<'a>>>,
    counts: Counts<'a>,
}

/// How many findings there are, kept or not.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts<'a> {
    /// Those that deny.
    pub(super) refusing: usize,
    /// Those that are reported without denying.
    pub(super) reported: usize,
    /// By rule and severity, those that are only recorded included. A rule has several severities where several personas
    /// govern.
    pub(super) rules: SmallVec<[(Rule, Severity, u32); 4]>,
    /// Those that exceptions cover, by exception and rule.
    pub(super) excepted: Vec<(&'a Exception, Rule, u32)>,
}

impl<'a> Counts<'a> {
    fn except(&mut self, exception: &'a Exception, rule: Rule) {
        let is_same = |known: &&mut (&Exception, Rule, u32)| std::ptr::eq(known.0, exception) && known.1 == rule;
        match self.excepted.iter_mut().find(is_same) {
            Some((_, _, count)) => *count += 1,
            None => self.excepted.push((exception, rule, 1)),
        }
    }
}

/// The findings that the answer reports.
pub(super) struct Reported<'a> {
    /// Those that deny, in the contract's order.
    pub(super) refusals: Vec<AttributedFinding<'a>>,
    /// The others: warnings as contract 2.4 lists them, then errors.
    pub(super) others: Vec<AttributedFinding<'a>>,
    /// What is only recorded, where all are wanted.
    pub(super) infos: Vec<AttributedFinding<'a>>,
    pub(super) counts: Counts<'a>,
}

impl<'a> Findings<'a> {
    pub(super) fn new(set: RuleSet, wanted: Wanted) -> Self {
        // Upstream reports all of them.
        let most = |most| match (set, wanted) {
            (RuleSet::Complete, Wanted::Answer) => most,
            _ => usize::MAX,
        };
        Findings {
            part: None,
            refusing: First::new(most(REFUSING), order),
            warnings: First::new(most(REPORTED), order),
            errors: First::new(most(REPORTED), order),
            infos: (wanted == Wanted::All).then(Vec::new),
            counts: Counts::default(),
        }
    }

    /// Adds a finding that is compared with no other.
    pub(super) fn add(&mut self, attributed: AttributedFinding<'a>) {
        let counts = &mut self.counts;
        let (rule, severity) = (attributed.finding.rule, attributed.severity);
        match counts
            .rules
            .iter_mut()
            .find(|known| (known.0, known.1) == (rule, severity))
        {
            Some((_, _, count)) => *count += 1,
            None => counts.rules.push((rule, severity, 1)),
        }
        if let Some(exception) = attributed.exception {
            counts.except(exception, rule);
        }
        let (list, count) = match (attributed.refuses, severity) {
            (true, _) => (&mut self.refusing, &mut counts.refusing),
            (false, Severity::Error) => (&mut self.errors, &mut counts.reported),
            (false, Severity::Warning) => (&mut self.warnings, &mut counts.reported),
            // Only recorded.
            (false, Severity::Info) => {
                if let Some(infos) = &mut self.infos {
                    infos.push(attributed);
                }
                return;
            }
        };
        *count += 1;
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
            infos: self.infos.unwrap_or_default(),
            counts: self.counts,
        }
    }
}

/// The findings about one part of the object: a container, or everything but the containers. Only findings of different
/// personas are merged.
#[derive(Default)]
struct Part<'a> {
    list: Vec<AttributedFinding<'a>>,
    /// Positions in the list, by subject and effect, of the earlier personas.
    others: HashMap<(FindingSubject<'a>, Effect), usize>,
    /// How many items of the list are theirs.
    done: usize,
}

impl<'a> Part<'a> {
    /// Of those on the same subject with the same effect the one with the strictest limit stays; of equal ones the one with the
    /// lowest name.
    fn merge(&mut self, attributed: AttributedFinding<'a>) {
        let same = match self.others.is_empty() {
            true => None,
            false => self.others.get(&attributed.kind()),
        };
        let Some(other) = same.and_then(|position| self.list.get_mut(*position)) else {
            return self.list.push(attributed);
        };
        let equal = !other.finding.is_stricter_than(&attributed.finding) && attributed.persona() < other.persona();
        if equal || attributed.finding.is_stricter_than(&other.finding) {
            *other = attributed;
        }
    }

    fn close(&mut self) {
        for (position, attributed) in self.list.iter().enumerate().skip(self.done) {
            let key = attributed.kind();
            self.others.entry(key).or_insert(position);
        }
        self.done = self.list.len();
    }

    /// A finding is reported beside one with more effect on the same subject only where it demands more.
    fn drop_covered(&mut self) {
        let Part { list, others, .. } = self;
        let mut covered: Vec<usize> = Vec::new();
        for ((subject, effect), position) in &*others {
            let stronger = Effect::ALL.into_iter().filter(|other| other > effect);
            let is_covered = stronger.into_iter().any(|other| {
                let other = others.get(&(subject.clone(), other));
                let pair = other.and_then(|other| list.get(*other)).zip(list.get(*position));
                pair.is_some_and(|(other, this)| !this.finding.is_stricter_than(&other.finding))
            });
            if is_covered {
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
