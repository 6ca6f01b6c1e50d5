//! Derives the warnings about a persona that is about to be stored, from one snapshot of the index. Pure: the caller says when
//! the time is over.

use super::review::Asked;
use crate::impact::{Bound, Change, Settings, impact};
use crate::index::Snapshot;
use crate::policy::notes::of_persona;
use crate::policy::render::Message;
use crate::policy::text::{Quoted, Shown, cut};
use crate::policy::{Persona, RuleSet, Subject};

/// Limit of all warnings together: above 4,096 characters an API server cuts each to 256.
const WARNINGS: usize = 4_000;
/// Limit of one line.
const LINE: usize = 256;
/// How many values of the persona have a line of their own.
const NOTES: usize = 8;

/// The warnings, the worst first: values that mean nothing, other personas of the app, what changes for running Deployments.
pub(super) fn advice(asked: &Asked, snapshot: &Snapshot, settings: &Settings, bound: &Bound<'_>) -> Vec<String> {
    let persona = &*asked.persona;
    let mut lines = notes(persona, settings.rulebook.set);
    let live = match &asked.before {
        // The index may not have it yet, or a later one.
        Some(before) => snapshot.with_persona(before),
        None => snapshot.without_persona(&persona.namespace, &persona.name),
    };
    lines.extend(duplicates(persona, &live, settings.rulebook.set));
    if !asked.is_same {
        let changes = [Change::Put(asked.persona.clone())];
        lines.extend(impact(&live, &changes, settings, bound).lines(Some(&persona.namespace)));
    }
    let mut total = 0;
    lines.retain(|line| {
        total += line.len();
        total <= WARNINGS
    });
    lines
}

/// Values that cannot be read, and a mode that is none.
fn notes(persona: &Persona, set: RuleSet) -> Vec<String> {
    let all = || of_persona(persona, set, Subject::Deployment);
    let line = |note: crate::policy::AttributedFinding<'_>| cut(Message(note.finding()), LINE);
    let mut lines: Vec<String> = all().take(NOTES).map(line).collect();
    let more = all().skip(NOTES).count();
    if more > 0 {
        lines.push(format!("and {more} more values that mean nothing"));
    }
    lines
}

/// The other personas of the app that may govern the same Deployments.
fn duplicates(persona: &Persona, live: &Snapshot, set: RuleSet) -> Option<String> {
    let meets = |other: &Persona| {
        let (one, two) = (&persona.selector, &other.selector);
        set == RuleSet::Upstream || one.is_none() || two.is_none() || one == two
    };
    let all = live.find(&persona.namespace, &persona.app);
    let others = all.iter().filter(|other| other.name != persona.name && meets(other));
    let names: Vec<&str> = others.map(|other| other.name.as_str()).collect();
    if names.is_empty() {
        return None;
    }
    let (app, names) = (Shown(&persona.app), Quoted(names.iter().copied()));
    let effect = match set {
        RuleSet::Complete => "all apply",
        RuleSet::Upstream => "only the first by name applies",
    };
    Some(cut(
        format_args!("spec.name '{app}' is also that of ApplicationPersona {names}; {effect}"),
        LINE,
    ))
}
