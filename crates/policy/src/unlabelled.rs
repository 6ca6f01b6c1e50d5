//! Judges a Deployment that has no app label, so that no persona governs it (flag `--require-label`). The rule knows no persona:
//! its level is the platform's, its mode that of process and namespace.

use dorgu_api::names::label_value;

use super::attributed::AttributedFinding;
use super::decision::{Decision, Rulebook};
use super::finding::{Fact, Finding, Place, Rule, Severity};
use super::level::Levels;
use super::matching::{Matching, Names};
use super::mode::Mode;
use super::place::APP_LABEL;
use super::question::Question;

/// The decision about an unlabelled Deployment that no persona governs. `None` where the rule is off.
pub fn judge_unlabelled<'a>(rulebook: Rulebook, question: &Question<'a>) -> Option<Decision<'a>> {
    let rule = Rule::AppLabelMissing;
    let severity = Severity::of(question.platform.level(rule, &Levels::default()))?;
    let mode = rulebook.or_stricter(question.namespace_mode);
    let mut finding = Finding {
        rule,
        place: Place::Object(APP_LABEL),
        fact: Fact::LabelMissing {
            wanted: suggestion(question),
        },
    };
    let exceptions = question.governed.exceptions;
    let found = match exceptions.covering(question.platform, &mut finding) {
        Some(exception) => AttributedFinding::excepted(finding, None, severity, exception),
        None => {
            // The ratchet: what was stored without the label may stay so.
            let was_unlabelled = question.old.as_ref().is_some_and(|old| old.governed.app.is_empty());
            let is_enforced = mode == Mode::Enforcing && !was_unlabelled;
            AttributedFinding::new(finding, None, severity, is_enforced).kept(Some(was_unlabelled))
        }
    };
    Some(Decision::ungoverned(Rulebook { mode, ..rulebook }, question.new, found))
}

/// The name of the app that the stored object had, or that the object suggests elsewhere, where it can be the value of a label.
fn suggestion<'a>(question: &Question<'a>) -> Option<&'a str> {
    let (metadata, selected) = (&question.new.metadata, &question.new.spec.selector.match_labels);
    let names = Names {
        label: question.old.as_ref().map_or("", |old| old.governed.app),
        app: &metadata.labels.app,
        name: &metadata.name,
        selected_label: &selected.name,
        selected_app: &selected.app,
    };
    let mut names = names.in_order(Matching::Chain).map(|(_, name)| name);
    names.find(|name| label_value(name).is_ok())
}

#[cfg(test)]
mod tests;
