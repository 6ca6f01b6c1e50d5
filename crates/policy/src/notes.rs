//! Makes the findings that concern a persona or a mode, and not the object. They deny in no mode.

use super::attributed::AttributedFinding;
use super::finding::{Fact, Finding, ModeHolder, Place, Rule};
use super::mode::ModeWish;
use super::persona::{Flaw, Persona, Problem};
use super::question::{Governed, Question};
use super::rules::{RuleSet, Subject};

/// About one persona: values that cannot be read, and an undefined mode.
pub fn of_persona<'a>(
    persona: &'a Persona,
    set: RuleSet,
    subject: Subject,
) -> impl Iterator<Item = AttributedFinding<'a>> + use<'a> {
    // A Scale is judged by its replicas, which are numbers in every persona.
    let problems: &'a [_] = match subject {
        Subject::Deployment => &persona.problems,
        Subject::Scale => &[],
    };
    // Upstream takes a fraction of a byte for what it is.
    let shown = move |problem: &&Problem| set == RuleSet::Complete || problem.flaw == Flaw::Unreadable;
    let unreadable = problems.iter().filter(shown).map(|problem| {
        let fact = Fact::Unreadable {
            persona: &persona.name,
            problem,
        };
        note(Rule::PersonaValueUnreadable, problem.field, fact, persona)
    });
    let mode = mode(ModeHolder::Persona(&persona.name), &persona.mode, persona);
    unreadable.chain(mode.filter(|_| set == RuleSet::Complete))
}

/// About the request as a whole: personas that share a name, and the namespace's mode. `first` is any that governs.
pub(super) fn of_question<'a>(
    question: &Question<'a>,
    first: &'a Persona,
) -> impl Iterator<Item = AttributedFinding<'a>> + use<'a> {
    let old = question.old.as_ref().map(|old| old.governed);
    let before = old.filter(|old| old.app != question.governed.app && !old.by_default);
    let shared = [Some(question.governed), before].into_iter().flatten();
    let mode = mode(
        ModeHolder::Namespace(question.namespace),
        question.namespace_mode,
        first,
    );
    shared.filter_map(duplicates).chain(mode)
}

fn duplicates(governed: Governed<'_>) -> Option<AttributedFinding<'_>> {
    let personas = governed.personas.list();
    let [first, _, ..] = personas else { return None };
    let fact = Fact::Duplicate {
        personas,
        app: &first.app,
    };
    Some(note(Rule::PersonaDuplicate, "", fact, first))
}

/// A wish that counts as unset.
fn mode<'a>(holder: ModeHolder<'a>, wish: &'a ModeWish, persona: &'a Persona) -> Option<AttributedFinding<'a>> {
    let fact = match wish {
        ModeWish::Unset | ModeWish::Set(_) => return None,
        ModeWish::Unknown(observed) => Fact::ModeUnknown { holder, observed },
        ModeWish::Misplaced(observed) => Fact::ModeMisplaced { holder, observed },
    };
    Some(note(Rule::ModeUnknown, "", fact, persona))
}

fn note<'a>(rule: Rule, field: &'static str, fact: Fact<'a>, persona: &'a Persona) -> AttributedFinding<'a> {
    let place = Place::Object(field);
    AttributedFinding::note(Finding { rule, place, fact }, persona)
}
