//! From a request and its personas to a decision: who governs, what is new or worse, which mode counts, what is told.
//! Mode is applied here, last, and nowhere else.

use std::sync::Arc;

use smallvec::SmallVec;

use super::charge::{Charge, Charges};
use super::finding::{Finding, Rule};
use super::mode::{Mode, ModeWish};
use super::notes;
use super::persona::Persona;
use super::question::Question;
use super::ratchet::{Excused, Ratchet, Stored};
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
    /// The strictest effective mode among the personas, as [`decide`] would say without judging.
    pub fn strictest_mode(&self, rulebook: Rulebook) -> Mode {
        if rulebook.set == RuleSet::Upstream {
            return rulebook.mode;
        }
        let base = self.namespace_mode.or_stricter(rulebook.mode);
        let governing = governing(rulebook.set, self);
        let all = governing.now.demands().chain(governing.before.demands());
        all.map(|demands| demands.persona.mode.or_stricter(base))
            .fold(base, Mode::max)
    }
}

/// What is answered. It denies exactly when something refuses: a denial without an error cannot be made.
#[derive(Debug)]
pub struct Decision<'a> {
    /// What refuses, then what does not.
    charges: Vec<Charge<'a>>,
    /// How many refuse.
    refusing: usize,
    /// The strictest effective mode among the personas.
    pub mode: Mode,
    /// Which rules were in force.
    pub set: RuleSet,
    /// Who was held against the object.
    governing: Governing<'a>,
    workload: &'a Workload<'a>,
}

impl<'a> Decision<'a> {
    /// True when the request is allowed.
    pub fn allows(&self) -> bool {
        self.refusing == 0
    }

    /// `metadata.name` of every persona that was held against the object, sorted.
    pub fn personas(&self) -> impl Iterator<Item = &'a str> + Clone {
        let [mut now, mut before] = [self.governing.now, self.governing.before].map(|side| {
            let names = side.list().iter().map(|persona| persona.name.as_str());
            names.peekable()
        });
        std::iter::from_fn(move || match (now.peek(), before.peek()) {
            (Some(one), Some(other)) if other < one => before.next(),
            (Some(_), _) => now.next(),
            (None, _) => before.next(),
        })
    }

    /// What refuses, in the contract's order.
    pub fn refusals(&self) -> &[Charge<'a>] {
        &self.charges[..self.refusing]
    }

    /// What is told without refusing: warnings in the contract's order, then errors that do not refuse.
    pub fn warnings(&self) -> &[Charge<'a>] {
        &self.charges[self.refusing..]
    }

    /// Everything that was found and is told.
    pub fn charges(&self) -> impl Iterator<Item = &Charge<'a>> {
        self.charges.iter()
    }

    /// The object that was judged.
    pub(super) fn workload(&self) -> &'a Workload<'a> {
        self.workload
    }

    /// How often each rule is told, in the order of the contract.
    pub fn rules(&self) -> impl Iterator<Item = (Rule, u64)> + use<> {
        let mut counts = [0; Rule::ALL.len()];
        for charge in self.charges() {
            counts[charge.finding().rule as usize] += 1;
        }
        Rule::ALL.into_iter().zip(counts).filter(|(_, count)| *count > 0)
    }

    /// The persona that a denial's first line names: the one of the first violation. Those of others name their own.
    pub fn refusing_persona(&self) -> Option<&'a str> {
        self.refusals().first().map(Charge::persona)
    }
}

/// Decides one request. Pure: the same question has the same answer.
pub fn decide<'a>(rulebook: Rulebook, question: &Question<'a>) -> Decision<'a> {
    let governing = governing(rulebook.set, question);
    let floor = rulebook.or_stricter(question.namespace_mode);
    let governors = governing.governors();
    let rulebook = Rulebook {
        mode: floor,
        ..rulebook
    };
    let mut mode = floor;
    let mut charges = Charges::default();
    let stored = Stored::new();
    let ratchet = Ratchet::new(question, &stored);
    for Governor { demands, escaped_from } in &governors {
        let effective = rulebook.or_stricter(&demands.persona.mode);
        mode = mode.max(effective);
        for (finding, is_old) in found(rulebook.set, effective, question, demands.persona, &ratchet) {
            let effective = if is_old { Mode::Advisory } else { effective };
            let owner = demands.owner(finding.rule);
            charges.merge(Charge::under(effective, as_of(owner, finding), &owner.name));
        }
        if let Some(before) = escaped_from {
            let labels = &question.new.metadata.labels;
            let owner = demands.owner(Rule::AppLabelRemoved);
            let finding = rules::escaped(owner, before, &labels.name);
            charges.merge(Charge::under(effective, finding, &owner.name));
        }
        if governors.len() > 1 {
            charges.close();
        }
    }
    for persona in governing.noted() {
        notes::of_persona(persona, rulebook.set, question.subject).for_each(|note| charges.add(note));
    }
    if let (RuleSet::Complete, Some(first)) = (rulebook.set, governing.first()) {
        notes::of_question(question, first).for_each(|note| charges.add(note));
    }
    let charges = charges.in_order();
    let refusing = charges.iter().take_while(|charge| charge.refuses()).count();
    Decision {
        charges,
        refusing,
        mode,
        set: rulebook.set,
        governing,
        workload: question.new,
    }
}

impl Rulebook {
    /// The mode here, or the stricter one that a namespace or a persona wishes; upstream knows no such wishes.
    fn or_stricter(self, wish: &ModeWish) -> Mode {
        match self.set {
            RuleSet::Complete => wish.or_stricter(self.mode),
            RuleSet::Upstream => self.mode,
        }
    }
}

/// What one persona finds, and whether each is an old breach that an update merely keeps.
fn found<'a>(
    set: RuleSet,
    effective: Mode,
    question: &Question<'a>,
    persona: &'a Persona,
    ratchet: &Ratchet<'_, 'a>,
) -> impl Iterator<Item = (Finding<'a>, bool)> + use<'a> {
    let context = Context {
        set,
        surface: Surface::Answer,
        subject: question.subject,
        workload: question.new,
        persona,
    };
    let mut findings = Vec::new();
    rules::judge(&context, &mut findings);
    // In advisory mode nothing refuses, so nothing needs an excuse; upstream judges the new object alone.
    let excused = if effective == Mode::Enforcing && set == RuleSet::Complete {
        ratchet.excuses(&mut findings)
    } else {
        Excused::new()
    };
    let is_old = move |position: usize| excused.get(position).is_some_and(|excused| *excused);
    let numbered = findings.into_iter().enumerate();
    numbered.map(move |(position, finding)| (finding, is_old(position)))
}

/// Whose personas are held against the object: those of the app it is in now and, since a label must not be a way out,
/// those of the app it was in.
#[derive(Clone, Copy, Debug)]
struct Governing<'a> {
    now: Personas<'a>,
    before: Personas<'a>,
    /// The app name under which the old object was governed, when the new one is governed by nobody.
    escaped_from: Option<&'a str>,
}

/// What is held against the object in one go.
struct Governor<'a> {
    demands: Demands<'a>,
    escaped_from: Option<&'a str>,
}

fn governing<'a>(set: RuleSet, question: &Question<'a>) -> Governing<'a> {
    let now = question.governed.personas;
    let unchanged = Governing {
        now,
        before: Personas::default(),
        escaped_from: None,
    };
    match &question.old {
        // Contract 2.3: one persona; of several, the lowest metadata.name.
        _ if set == RuleSet::Upstream => Governing {
            now: now.first(),
            ..unchanged
        },
        Some(old) if question.subject == Subject::Deployment && old.governed.app != question.governed.app => {
            Governing {
                before: old.governed.personas,
                escaped_from: now.is_empty().then_some(old.governed.app),
                ..unchanged
            }
        }
        _ => unchanged,
    }
}

impl<'a> Governing<'a> {
    fn governors(&self) -> SmallVec<[Governor<'a>; 2]> {
        let now = self.now.demands().map(|demands| Governor {
            demands,
            escaped_from: None,
        });
        let before = self.before.demands().map(|demands| Governor {
            demands,
            escaped_from: self.escaped_from,
        });
        now.chain(before).collect()
    }

    /// The personas with a note.
    fn noted(&self) -> impl Iterator<Item = &'a Persona> + use<'a> {
        self.now.noted().chain(self.before.noted())
    }

    fn first(&self) -> Option<&'a Persona> {
        let mut all = self.now.list().iter().chain(self.before.list());
        all.next().map(Arc::as_ref)
    }
}
