//! From a request and its personas to a decision: who governs, what is new or worse, which mode counts, what is told.
//! Mode is applied here, last, and nowhere else.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use smallvec::SmallVec;

use super::charge::{Charge, Charges};
use super::compare::FindingSubject;
use super::finding::{Fact, Finding, ModeHolder, Place, Rule, Severity};
use super::mode::{Mode, ModeWish};
use super::persona::Persona;
use super::rules::{self, Context, RuleSet, Subject};
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
    refusals: Vec<Charge<'a>>,
    warnings: Vec<Charge<'a>>,
    /// The strictest effective mode among the personas.
    pub mode: Mode,
    /// Which rules were in force.
    pub set: RuleSet,
    /// `metadata.name` of every persona that was held against the object, sorted.
    pub personas: Vec<&'a str>,
}

impl<'a> Decision<'a> {
    /// True when the request is allowed.
    pub fn allows(&self) -> bool {
        self.refusals.is_empty()
    }

    /// What refuses, in the contract's order.
    pub fn refusals(&self) -> &[Charge<'a>] {
        &self.refusals
    }

    /// What is told without refusing: warnings in the contract's order, then errors that do not refuse.
    pub fn warnings(&self) -> &[Charge<'a>] {
        &self.warnings
    }

    /// Everything that was found and is told.
    pub fn charges(&self) -> impl Iterator<Item = &Charge<'a>> {
        self.refusals.iter().chain(&self.warnings)
    }

    /// How often each rule is told, in the order of the contract.
    pub fn rules(&self) -> BTreeMap<Rule, u64> {
        let mut rules = BTreeMap::new();
        for charge in self.charges() {
            *rules.entry(charge.finding().rule).or_default() += 1;
        }
        rules
    }

    /// The persona that a denial names: the lowest `metadata.name` among those that refuse.
    pub fn refusing_persona(&self) -> Option<&'a str> {
        self.refusals.iter().map(Charge::persona).min()
    }
}

/// Decides one request. Pure: the same question has the same answer.
pub fn decide<'a>(rulebook: Rulebook, question: &Question<'a>) -> Decision<'a> {
    let complete = rulebook.set == RuleSet::Complete;
    let governors = governors(rulebook.set, question);
    let namespace_mode = if complete {
        question.namespace_mode.or_stricter(rulebook.mode)
    } else {
        rulebook.mode
    };
    let mut mode = namespace_mode;
    let mut charges = Charges::default();
    let mut old: Option<Option<Workload<'a>>> = None;

    for governor in &governors {
        let persona = governor.persona;
        let effective = if complete {
            persona.mode.or_stricter(namespace_mode)
        } else {
            namespace_mode
        };
        mode = mode.max(effective);
        let mut findings = Vec::new();
        let context = Context {
            set: rulebook.set,
            subject: question.subject,
            workload: question.new,
            persona,
        };
        rules::judge(&context, &mut findings);
        let matters = effective == Mode::Enforcing && findings.iter().any(|f| f.severity() == Severity::Error);
        let excused = match (&question.old, matters && complete) {
            (Some(before), true) => {
                let stored = old.get_or_insert_with(|| (before.workload)());
                stored
                    .as_ref()
                    .map_or_else(Vec::new, |stored| excused(&findings, stored, &context))
            }
            _ => vec![false; findings.len()],
        };
        if let Some(before) = governor.escaped_from {
            findings.push(rules::escaped(persona, before, &question.new.metadata.labels.name));
        }
        for (position, finding) in findings.into_iter().enumerate() {
            let is_old = excused.get(position).copied().unwrap_or(false);
            let effective = if is_old { Mode::Advisory } else { effective };
            charges.merge(Charge::under(effective, finding, &persona.name));
        }
        if question.subject == Subject::Deployment {
            for problem in &persona.problems {
                let fact = Fact::Unreadable {
                    persona: &persona.name,
                    problem,
                };
                let place = Place::Object(problem.field);
                charges.add(Charge::note(
                    Finding {
                        rule: Rule::PersonaValueUnreadable,
                        place,
                        fact,
                    },
                    &persona.name,
                ));
            }
        }
        if complete && let ModeWish::Unknown(observed) = &persona.mode {
            charges.add(unknown_mode(
                ModeHolder::Persona(&persona.name),
                observed,
                &persona.name,
            ));
        }
        if governors.len() > 1 {
            charges.close();
        }
    }
    let mut charges = charges.into_list();
    if complete {
        let before = question
            .old
            .as_ref()
            .map(|old| old.governed)
            .filter(|old| old.app != question.governed.app);
        charges.extend(
            [Some(question.governed), before]
                .into_iter()
                .flatten()
                .filter_map(duplicates),
        );
        if let (ModeWish::Unknown(observed), Some(first)) = (question.namespace_mode, governors.first()) {
            let holder = ModeHolder::Namespace(question.namespace);
            charges.push(unknown_mode(holder, observed, &first.persona.name));
        }
    }
    charges.retain(|charge| charge.finding().severity() != Severity::Info);
    charges.sort_by_key(|charge| {
        let finding = charge.finding();
        let is_error = finding.severity() == Severity::Error;
        (
            is_error,
            finding.rule.paragraph(),
            finding.place.ordinal(finding.rule),
            finding.rule,
        )
    });
    let (refusals, warnings) = charges.into_iter().partition(Charge::refuses);
    let mut personas: Vec<&str> = governors
        .iter()
        .map(|governor| governor.persona.name.as_str())
        .collect();
    personas.sort_unstable();
    Decision {
        refusals,
        warnings,
        mode,
        set: rulebook.set,
        personas,
    }
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

/// For each finding, whether the stored object already had it, no better than now (the ratchet of design 3).
fn excused(findings: &[Finding<'_>], stored: &Workload<'_>, context: &Context<'_>) -> Vec<bool> {
    let mut before = Vec::new();
    let context = Context {
        set: context.set,
        subject: context.subject,
        workload: stored,
        persona: context.persona,
    };
    rules::judge(&context, &mut before);
    // Of two on one subject (containers that share a name) the worse one excuses more.
    let mut worst: HashMap<FindingSubject<'_>, &Finding<'_>> = HashMap::new();
    for old in before.iter().filter(|old| old.severity() == Severity::Error) {
        let kept = worst.entry(old.subject()).or_insert(old);
        if old.is_worse_than(kept) {
            *kept = old;
        }
    }
    let had = |finding: &Finding<'_>| {
        worst
            .get(&finding.subject())
            .is_some_and(|old| !finding.is_worse_than(old))
    };
    findings
        .iter()
        .map(|finding| finding.severity() == Severity::Error && had(finding))
        .collect()
}

fn duplicates<'a>(governed: Governed<'a>) -> Option<Charge<'a>> {
    let [first, _, ..] = governed.personas else { return None };
    let personas = governed.personas.iter().map(|persona| persona.name.as_str()).collect();
    let fact = Fact::Duplicate {
        personas,
        app: &first.app,
    };
    Some(Charge::note(
        Finding {
            rule: Rule::PersonaDuplicate,
            place: Place::Object(""),
            fact,
        },
        &first.name,
    ))
}

fn unknown_mode<'a>(holder: ModeHolder<'a>, observed: &'a str, persona: &'a str) -> Charge<'a> {
    let fact = Fact::ModeUnknown { holder, observed };
    Charge::note(
        Finding {
            rule: Rule::ModeUnknown,
            place: Place::Object(""),
            fact,
        },
        persona,
    )
}
