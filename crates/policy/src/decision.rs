//! From a request and its personas to a decision: who governs, what is new or worse, which mode counts, what is told.
//! Mode is applied here, last, and nowhere else.

use std::sync::Arc;

use smallvec::SmallVec;

use super::charge::{Charge, Charges};
use super::finding::{Finding, Rule};
use super::mode::{Mode, ModeWish};
use super::notes;
use super::persona::Persona;
use super::ratchet::{Ratchet, Stored};
use super::rules::{self, Context, RuleSet, Subject, Surface};
use super::workload::Workload;

/// All personas of one app in one namespace, in the order of their `metadata.name`.
pub type Personas = [Arc<Persona>];

/// The settings of the process that a decision depends on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rulebook {
    /// Which rules (flag `--rules`).
    pub set: RuleSet,
    /// The process's own mode (flag `--webhook-mode`).
    pub mode: Mode,
}

/// An app name and the personas found under it.
#[derive(Clone, Copy, Debug)]
pub struct Governed<'a> {
    /// The name by which the personas were found.
    pub app: &'a str,
    /// They; empty when nobody governs the object.
    pub personas: &'a Personas,
}

/// One create or update to decide on.
pub struct Question<'a> {
    /// Deployment or Scale.
    pub subject: Subject,
    /// The object as it would be stored.
    pub new: &'a Workload<'a>,
    /// Who governs it.
    pub governed: Governed<'a>,
    /// The stored object, on an update.
    pub old: Option<Old<'a>>,
    /// The namespace's name.
    pub namespace: &'a str,
    /// The namespace's label `dorgu.io/mode`.
    pub namespace_mode: &'a ModeWish,
}

impl Question<'_> {
    /// The strictest effective mode among the personas, as [`decide`] would say without judging.
    pub fn strictest_mode(&self, rulebook: Rulebook) -> Mode {
        if rulebook.set == RuleSet::Upstream {
            return rulebook.mode;
        }
        let base = self.namespace_mode.or_stricter(rulebook.mode);
        let effective = |governor: &Governor<'_>| governor.persona.mode.or_stricter(base);
        governors(rulebook.set, self)
            .iter()
            .map(effective)
            .fold(base, Mode::max)
    }
}

/// The stored object of an update.
pub struct Old<'a> {
    /// Who governed it.
    pub governed: Governed<'a>,
    /// Reads the rest of it; called only when a finding makes it matter. `None`: it cannot be read, so nothing in it
    /// excuses anything.
    pub workload: &'a dyn Fn() -> Option<Workload<'a>>,
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
    /// The lowest name of [`Decision::personas`], and the others: nearly always there is one.
    first_persona: Option<&'a str>,
    other_personas: Vec<&'a str>,
    workload: &'a Workload<'a>,
}

impl<'a> Decision<'a> {
    /// True when the request is allowed.
    pub fn allows(&self) -> bool {
        self.refusing == 0
    }

    /// `metadata.name` of every persona that was held against the object, sorted.
    pub fn personas(&self) -> impl Iterator<Item = &'a str> + Clone {
        self.first_persona
            .into_iter()
            .chain(self.other_personas.iter().copied())
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
    let governors = governors(rulebook.set, question);
    let floor = rulebook.or_stricter(question.namespace_mode);
    let mut mode = floor;
    let mut charges = Charges::default();
    let stored = Stored::new();
    let ratchet = Ratchet::new(question, &stored);
    for Governor { persona, escaped_from } in &governors {
        let rulebook = Rulebook {
            mode: floor,
            ..rulebook
        };
        let effective = rulebook.or_stricter(&persona.mode);
        mode = mode.max(effective);
        for (finding, is_old) in found(rulebook.set, effective, question, persona, &ratchet) {
            let effective = if is_old { Mode::Advisory } else { effective };
            charges.merge(Charge::under(effective, finding, &persona.name));
        }
        if let Some(before) = escaped_from {
            let finding = rules::escaped(persona, before, &question.new.metadata.labels.name);
            charges.merge(Charge::under(effective, finding, &persona.name));
        }
        notes::of_persona(persona, rulebook.set, question.subject).for_each(|note| charges.add(note));
        if governors.len() > 1 {
            charges.close();
        }
    }
    if let (RuleSet::Complete, Some(first)) = (rulebook.set, governors.first()) {
        notes::of_question(question, first.persona).for_each(|note| charges.add(note));
    }
    let charges = charges.in_order();
    let refusing = charges.iter().take_while(|charge| charge.refuses()).count();
    let mut personas: SmallVec<[&str; 2]> = governors
        .iter()
        .map(|governor| governor.persona.name.as_str())
        .collect();
    personas.sort_unstable();
    let mut personas = personas.into_iter();
    Decision {
        charges,
        refusing,
        mode,
        set: rulebook.set,
        first_persona: personas.next(),
        other_personas: personas.collect(),
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
        Vec::new()
    };
    let is_old = move |position: usize| excused.get(position).is_some_and(|excused| *excused);
    let numbered = findings.into_iter().enumerate();
    numbered.map(move |(position, finding)| (finding, is_old(position)))
}

/// A persona that is held against the object.
struct Governor<'a> {
    persona: &'a Persona,
    /// The app name under which the old object was governed, when the new one is governed by nobody.
    escaped_from: Option<&'a str>,
}

/// Those who govern the new object and, since a label must not be a way out, those who governed the old one.
fn governors<'a>(set: RuleSet, question: &Question<'a>) -> SmallVec<[Governor<'a>; 2]> {
    let now = question.governed.personas;
    if set == RuleSet::Upstream {
        // Contract 2.3: one persona; of several, the lowest metadata.name.
        return now
            .iter()
            .take(1)
            .map(|persona| Governor {
                persona,
                escaped_from: None,
            })
            .collect();
    }
    let mut governors: SmallVec<[Governor<'a>; 2]> = now
        .iter()
        .map(|persona| Governor {
            persona,
            escaped_from: None,
        })
        .collect();
    if let Some(old) = &question.old
        && question.subject == Subject::Deployment
    {
        let escaped_from = now.is_empty().then_some(old.governed.app);
        for persona in old.governed.personas {
            if !now.iter().any(|other| other.name == persona.name) {
                governors.push(Governor { persona, escaped_from });
            }
        }
    }
    governors
}
