//! What is told about personas and modes rather than about the object. Notes refuse in no mode.

use super::charge::Charge;
use super::decision::{Governed, Question};
use super::finding::{Fact, Finding, ModeHolder, Place, Rule};
use super::mode::ModeWish;
use super::persona::Persona;
use super::rules::{RuleSet, Subject};

/// About one persona: values that cannot be read, and a mode nobody defined.
pub(super) fn of_persona<'a>(
    persona: &'a Persona,
    set: RuleSet,
    subject: Subject,
) -> impl Iterator<Item = Charge<'a>> + use<'a> {
    // A Scale is judged by its replicas, which are numbers in every persona.
    let problems: &'a [_] = match subject {
        Subject::Deployment => &persona.problems,
        Subject::Scale => &[],
    };
    let unreadable = problems.iter().map(|problem| {
        let fact = Fact::Unreadable {
            persona: &persona.name,
            problem,
        };
        note(Rule::PersonaValueUnreadable, problem.field, fact, persona)
    });
    let mode = match &persona.mode {
        ModeWish::Unknown(observed) if set == RuleSet::Complete => {
            Some(unknown_mode(ModeHolder::Persona(&persona.name), observed, persona))
        }
        _ => None,
    };
    unreadable.chain(mode)
}

/// Whether there is a note about this persona.
pub(super) fn has_any(persona: &Persona) -> bool {
    let mut notes = of_persona(persona, RuleSet::Complete, Subject::Deployment);
    notes.next().is_some()
}

/// About the request as a whole: personas that share a name, and the namespace's mode. `first` is any that governs.
pub(super) fn of_question<'a>(
    question: &Question<'a>,
    first: &'a Persona,
) -> impl Iterator<Item = Charge<'a>> + use<'a> {
    let old = question.old.as_ref().map(|old| old.governed);
    let before = old.filter(|old| old.app != question.governed.app);
    let shared = [Some(question.governed), before].into_iter().flatten();
    let mode = match question.namespace_mode {
        ModeWish::Unknown(observed) => Some(unknown_mode(ModeHolder::Namespace(question.namespace), observed, first)),
        _ => None,
    };
    shared.filter_map(duplicates).chain(mode)
}

fn duplicates(governed: Governed<'_>) -> Option<Charge<'_>> {
    let personas = governed.personas.list();
    let [first, _, ..] = personas else { return None };
    let fact = Fact::Duplicate {
        personas,
        app: &first.app,
    };
    Some(note(Rule::PersonaDuplicate, "", fact, first))
}

fn unknown_mode<'a>(holder: ModeHolder<'a>, observed: &'a str, persona: &'a Persona) -> Charge<'a> {
    note(Rule::ModeUnknown, "", Fact::ModeUnknown { holder, observed }, persona)
}

fn note<'a>(rule: Rule, field: &'static str, fact: Fact<'a>, persona: &'a Persona) -> Charge<'a> {
    let place = Place::Object(field);
    Charge::note(Finding { rule, place, fact }, &persona.name)
}
