//! Decides one request: which personas govern the object, which findings deny, and which are reported.
//!
//! A finding denies if its level is deny, no exception covers it, the strictest mode of process, namespace and persona is
//! enforcing, and the ratchet does not excuse it. The mode is applied in this file and nowhere else (`Judge::attribute`). The
//! ratchet is asked only about a finding that would deny otherwise.

use std::sync::Arc;

use smallvec::SmallVec;

use super::attributed::{AttributedFinding, Counts, Findings, Reported, Wanted};
use super::exception::{Exception, Exceptions};
use super::finding::{Finding, Rule, Severity};
use super::left::{ChangedLabel, Left};
use super::mode::{Mode, ModeWish};
use super::notes;
use super::persona::Persona;
use super::question::{Governed, Question};
use super::ratchet::{Ratchet, Stored};
use super::rules::{self, Context, RuleSet, Subject, Surface};
use super::strictest::{Demands, Personas, as_of};
use super::workload::Workload;

/// The settings of the process that a decision depends on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rulebook {
    /// Which rules (flag `--rules`).
    pub set: RuleSet,
    /// The process's own mode (flag `--webhook-mode`).
    pub mode: Mode,
}

impl Question<'_> {
    /// The strictest effective mode of the personas, as in a [`Decision`], without judging.
    pub fn strictest_mode(&self, rulebook: Rulebook) -> Mode {
        if rulebook.set == RuleSet::Upstream {
            return rulebook.mode;
        }
        let base = self.namespace_mode.or_stricter(rulebook.mode);
        let governing = governing(rulebook.set, self);
        let all = governing.governors().map(|governor| governor.demands);
        all.map(|demands| demands.persona.mode.or_stricter(base))
            .fold(base, Mode::max)
    }
}

/// The result. It denies exactly when a finding denies: a denial without an error cannot be built.
#[derive(Debug)]
pub struct Decision<'a> {
    refusals: Vec<AttributedFinding<'a>>,
    others: Vec<AttributedFinding<'a>>,
    infos: Vec<AttributedFinding<'a>>,
    /// Counts all findings, of which the lists hold the first.
    counts: Counts<'a>,
    /// The strictest effective mode among the personas.
    pub mode: Mode,
    /// The rule set that was applied.
    pub set: RuleSet,
    /// The personas that were applied.
    governing: Governing<'a>,
    workload: &'a Workload<'a>,
}

impl<'a> Decision<'a> {
    /// A decision about an object that no persona governs, with its only finding.
    pub(super) fn ungoverned(rulebook: Rulebook, workload: &'a Workload<'a>, found: AttributedFinding<'a>) -> Self {
        let mut collected = Findings::new(rulebook.set, Wanted::All);
        collected.add(found);
        Decision::of(rulebook, Governing::default(), workload, collected)
    }

    /// The decision to which these findings lead, in the effective mode.
    fn of(
        rulebook: Rulebook,
        governing: Governing<'a>,
        workload: &'a Workload<'a>,
        collected: Findings<'a>,
    ) -> Decision<'a> {
        let Reported {
            refusals,
            others,
            infos,
            counts,
        } = collected.reported();
        Decision {
            refusals,
            others,
            infos,
            counts,
            mode: rulebook.mode,
            set: rulebook.set,
            governing,
            workload,
        }
    }

    /// True when the request is allowed.
    pub fn allows(&self) -> bool {
        self.counts.refusing == 0
    }

    /// `metadata.name` of every persona that was applied, sorted.
    pub fn personas(&self) -> impl Iterator<Item = &'a str> + Clone {
        let Governing {
            now, binding, before, ..
        } = self.governing;
        let mut sides = [now, binding, before].map(Personas::list);
        std::iter::from_fn(move || {
            let rest = sides.iter_mut().filter_map(|side| Some((side.split_first()?, side)));
            let ((first, others), side) = rest.min_by_key(|((first, _), _)| first.name.as_str())?;
            *side = others;
            Some(first.name.as_str())
        })
    }

    /// The denying findings, in the contract's order. Of a large object these are the first of [`Decision::refusing`], more
    /// than an answer has room for.
    pub fn refusals(&self) -> &[AttributedFinding<'a>] {
        &self.refusals
    }

    /// How many findings deny.
    pub fn refusing(&self) -> usize {
        self.counts.refusing
    }

    /// What is reported without denying: warnings in the contract's order, then errors that do not deny. Of a large object the
    /// first of each, more than an answer has room for, out of [`Decision::warned`].
    pub fn warnings(&self) -> &[AttributedFinding<'a>] {
        &self.others
    }

    /// How many findings are reported without denying.
    pub fn warned(&self) -> usize {
        self.counts.reported
    }

    /// The denying findings, then the other reported ones, as far as either is listed.
    pub fn findings(&self) -> impl Iterator<Item = &AttributedFinding<'a>> {
        self.refusals.iter().chain(&self.others)
    }

    /// What is only recorded. Empty but for [`decide_all`].
    pub fn recorded(&self) -> &[AttributedFinding<'a>] {
        &self.infos
    }

    /// The object that was judged.
    pub(super) fn workload(&self) -> &'a Workload<'a> {
        self.workload
    }

    /// How many findings each rule has with each severity, listed or not, and those that are only recorded. A rule occurs twice
    /// where two personas have it at two levels.
    pub fn rules(&self) -> impl Iterator<Item = (Rule, Severity, u64)> {
        let counts = self.counts.rules.iter();
        counts.map(|(rule, severity, count)| (*rule, *severity, u64::from(*count)))
    }

    /// How many findings of a rule an exception covers, listed or not.
    pub fn excepted(&self) -> impl Iterator<Item = (&'a Exception, Rule, u64)> {
        let counts = self.counts.excepted.iter();
        counts.map(|(exception, rule, count)| (*exception, *rule, u64::from(*count)))
    }

    /// Whether no persona was applied.
    pub(super) fn is_ungoverned(&self) -> bool {
        self.governing.first().is_none()
    }

    /// The persona that a denial's first line names: the one of the first violation; empty where no persona governs. Those of
    /// others name their own.
    pub fn refusing_persona(&self) -> Option<&'a str> {
        self.refusals().first().map(AttributedFinding::persona)
    }
}

/// Decides one request. Pure: the same question has the same answer.
pub fn decide<'a>(rulebook: Rulebook, question: &Question<'a>) -> Decision<'a> {
    decide_on(rulebook, question, Wanted::Answer)
}

/// The same decision with every finding, those that are only recorded included, and with the ratchet asked about each: for a
/// report. Where several personas govern, those findings are merged that an enforcing mode would merge.
pub fn decide_all<'a>(rulebook: Rulebook, question: &Question<'a>) -> Decision<'a> {
    decide_on(rulebook, question, Wanted::All)
}

fn decide_on<'a>(rulebook: Rulebook, question: &Question<'a>, wanted: Wanted) -> Decision<'a> {
    let governing = governing(rulebook.set, question);
    let rulebook = Rulebook {
        mode: rulebook.or_stricter(question.namespace_mode),
        ..rulebook
    };
    let stored = Stored::new();
    let ratchet = Ratchet::new(question, &stored);
    let judges: SmallVec<[Judge<'_, 'a>; 1]> = governing
        .governors()
        .map(|governor| Judge::new(rulebook, question, governor, (&ratchet, wanted)))
        .collect();
    let mut collected = Findings::new(rulebook.set, wanted);
    judge_part(&judges, &mut collected, Judge::judge_object);
    if let Some(first) = judges.first() {
        for (container, spec) in first.context.containers() {
            judge_part(&judges, &mut collected, |judge, found| {
                rules::judge_container(&judge.context, container, spec, &mut |finding| {
                    judge.attribute(finding).into_iter().for_each(&mut *found);
                });
            });
        }
    }
    for changed in governing.changed {
        let persona = changed.persona(|wish| rulebook.or_stricter(wish));
        let is_enforced = rulebook.or_stricter(&persona.mode) == Mode::Enforcing;
        let finding = rules::unselected(persona, changed);
        collected.add(AttributedFinding::new(finding, persona, Severity::Error, is_enforced));
    }
    for persona in governing.noted() {
        notes::of_persona(persona, rulebook.set, question.subject).for_each(|note| collected.add(note));
    }
    if let (RuleSet::Complete, Some(first)) = (rulebook.set, governing.first()) {
        notes::of_question(question, first).for_each(|note| collected.add(note));
    }
    let modes = judges.iter().map(|judge| judge.effective);
    let effective = Rulebook {
        mode: modes.fold(rulebook.mode, Mode::max),
        ..rulebook
    };
    Decision::of(effective, governing, question.new, collected)
}

/// Judges one part of the object by all personas. Findings of several about the same thing are merged.
fn judge_part<'q, 'a>(
    judges: &[Judge<'q, 'a>],
    collected: &mut Findings<'a>,
    judge_one: impl Fn(&Judge<'q, 'a>, &mut dyn FnMut(AttributedFinding<'a>)),
) {
    if let [judge] = judges {
        return judge_one(judge, &mut |attributed| collected.add(attributed));
    }
    for judge in judges {
        judge_one(judge, &mut |attributed| collected.merge(attributed));
        collected.close();
    }
    collected.finish_part();
}

impl Rulebook {
    /// The mode here, or the stricter one that a namespace or a persona requests. Upstream knows no such requests.
    pub(super) fn or_stricter(self, wish: &ModeWish) -> Mode {
        match self.set {
            RuleSet::Complete => wish.or_stricter(self.mode),
            RuleSet::Upstream => self.mode,
        }
    }
}

/// One of the personas that govern an object, with its context.
struct Judge<'q, 'a> {
    governor: Governor<'a>,
    context: Context<'a>,
    effective: Mode,
    ratchet: &'q Ratchet<'q, 'a>,
    wanted: Wanted,
    /// The app label of the new object.
    label: &'a str,
    /// The default personas of the new object, where no other governs it.
    defaults: &'a [Arc<Persona>],
}

impl<'q, 'a> Judge<'q, 'a> {
    fn new(
        rulebook: Rulebook,
        question: &Question<'a>,
        governor: Governor<'a>,
        (ratchet, wanted): (&'q Ratchet<'q, 'a>, Wanted),
    ) -> Judge<'q, 'a> {
        let persona = governor.demands.persona;
        Judge {
            context: Context {
                set: rulebook.set,
                surface: Surface::Answer,
                subject: question.subject,
                workload: question.new,
                persona,
                platform: question.platform,
            },
            effective: rulebook.or_stricter(&persona.mode),
            governor,
            ratchet,
            wanted,
            label: &question.new.metadata.labels.name,
            defaults: question.governed.defaults(),
        }
    }

    /// Judges everything but the containers.
    fn judge_object(&self, found: &mut dyn FnMut(AttributedFinding<'a>)) {
        rules::judge_object(&self.context, &mut |finding| {
            self.attribute(finding).into_iter().for_each(&mut *found);
        });
        if let Some(before) = self.governor.escaped_from {
            let owner = self.governor.demands.owner(Rule::AppLabelRemoved);
            let finding = rules::escaped(owner, before, self.label, self.defaults);
            let is_enforced = self.effective == Mode::Enforcing;
            found(AttributedFinding::new(finding, owner, Severity::Error, is_enforced));
        }
    }

    /// The effect of a finding; `None` where its rule is off. What an update merely keeps does not deny.
    fn attribute(&self, mut finding: Finding<'a>) -> Option<AttributedFinding<'a>> {
        if !self.governor.demands.rules.contains(finding.rule) {
            return None;
        }
        let severity = self.context.severity(finding.rule)?;
        if let Some(exception) = self.exception(&mut finding) {
            let owner = self.governor.demands.owner(finding.rule);
            let finding = as_of(owner, finding);
            return Some(AttributedFinding::excepted(finding, owner, severity, exception));
        }
        // Where nothing denies, nothing needs an excuse. Upstream judges the new object alone.
        let is_complete = self.context.set == RuleSet::Complete;
        let may_deny = severity == Severity::Error && self.effective == Mode::Enforcing;
        let is_asked = is_complete && (may_deny || self.wanted == Wanted::All);
        let is_kept = is_asked && self.ratchet.excuses(&mut finding);
        let kept = (self.wanted == Wanted::All).then_some(is_kept);
        let owner = self.governor.demands.owner_of(&finding);
        let finding = as_of(owner, finding);
        let is_enforced = may_deny && !is_kept;
        Some(AttributedFinding::new(finding, owner, severity, is_enforced).kept(kept))
    }

    /// The exception that covers a finding. Upstream knows none.
    fn exception(&self, finding: &mut Finding<'a>) -> Option<&'a Exception> {
        match self.context.set {
            RuleSet::Complete => self.governor.exceptions.covering(self.context.platform, finding),
            RuleSet::Upstream => None,
        }
    }
}

/// The personas that apply to the object: those of its app and, since changing a label must not be a way out, those of its
/// previous app.
#[derive(Clone, Copy, Debug, Default)]
struct Governing<'a> {
    now: Personas<'a>,
    /// Default personas beside those of the app.
    binding: Personas<'a>,
    before: Personas<'a>,
    /// The app name under which the old object was governed, when no persona of an app governs the new one.
    escaped_from: Option<&'a str>,
    /// The labels by which the new object left personas of its app.
    changed: &'a [ChangedLabel],
    exceptions: Exceptions<'a>,
    exceptions_before: Exceptions<'a>,
}

/// Personas that are applied in one pass.
struct Governor<'a> {
    demands: Demands<'a>,
    escaped_from: Option<&'a str>,
    /// Those from what the app of these personas demands.
    exceptions: Exceptions<'a>,
}

fn governing<'a>(set: RuleSet, question: &Question<'a>) -> Governing<'a> {
    let Governed {
        personas: now, binding, ..
    } = question.governed;
    let unchanged = Governing {
        now,
        binding,
        before: Personas::default(),
        escaped_from: None,
        changed: &[],
        exceptions: question.governed.exceptions,
        exceptions_before: Exceptions::default(),
    };
    match &question.old {
        // Contract 2.3: one persona; of several, the lowest metadata.name.
        _ if set == RuleSet::Upstream => Governing {
            now: now.first(),
            ..unchanged
        },
        // Default personas govern whatever the label is, so no label leads away from them.
        Some(old)
            if question.subject == Subject::Deployment
                && old.governed.app != question.governed.app
                && !old.governed.by_default =>
        {
            let is_escape = !old.governed.personas.is_empty() && (now.is_empty() || question.governed.by_default);
            Governing {
                before: old.governed.personas,
                escaped_from: is_escape.then_some(old.governed.app),
                changed: old.governed.left.map_or(&[], Left::changes),
                exceptions_before: old.governed.exceptions,
                ..unchanged
            }
        }
        Some(old) if question.subject == Subject::Deployment => match old.governed.left {
            Some(left) => Governing {
                before: left.personas(),
                changed: left.changes(),
                exceptions_before: old.governed.exceptions,
                ..unchanged
            },
            None => unchanged,
        },
        _ => unchanged,
    }
}

impl<'a> Governing<'a> {
    fn governors(&self) -> impl Iterator<Item = Governor<'a>> + use<'a> {
        let Governing {
            escaped_from,
            exceptions,
            exceptions_before,
            ..
        } = *self;
        let now = self.now.demands().chain(self.binding.demands());
        let now = now.map(move |demands| Governor {
            demands,
            escaped_from: None,
            exceptions,
        });
        let before = self.before.demands().map(move |demands| Governor {
            demands,
            escaped_from,
            exceptions: exceptions_before,
        });
        now.chain(before)
    }

    /// The personas with a note.
    fn noted(&self) -> impl Iterator<Item = &'a Persona> + use<'a> {
        self.now.noted().chain(self.binding.noted()).chain(self.before.noted())
    }

    fn first(&self) -> Option<&'a Persona> {
        let mut all = self
            .now
            .list()
            .iter()
            .chain(self.binding.list())
            .chain(self.before.list());
        all.next().map(Arc::as_ref)
    }
}
