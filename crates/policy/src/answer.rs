//! A decision in words: the message of the answer and its warnings, within what an API server passes on.

use std::borrow::Cow;
use std::fmt::Write;

use super::charge::Charge;
use super::decision::Decision;
use super::mode::Mode;
use super::render::{FixLine, Message};
use super::rules::RuleSet;
use super::text::{Shown, cut, cut_onto};

/// Warnings together: beyond 4,096 characters an API server cuts each to 256.
const WARNINGS: usize = 4_000;
/// One line: no fact of ours is longer unless a name in the object is.
const LINE: usize = 256;
/// Lines of a denial under its first one, which names every error as upstream's does.
const LINES: usize = 40;

/// The Scale a request is about, for the command that would pass.
#[derive(Clone, Copy, Debug)]
pub struct ScaleTarget<'a> {
    /// The Deployment's namespace.
    pub namespace: &'a str,
    /// The Deployment's name.
    pub name: &'a str,
}

/// `status.message`: contract 2.5's first line; with the complete rules, a line per refusing finding that says what to
/// change, and for a Scale the command that would pass.
pub fn message(decision: &Decision<'_>, scale: Option<ScaleTarget<'_>>) -> Cow<'static, str> {
    if let Some(persona) = decision.refusing_persona() {
        return denial(decision, persona, scale).into();
    }
    let text = match (decision.warnings().is_empty(), decision.mode) {
        (true, _) => "all persona checks passed",
        (false, Mode::Enforcing) => "passed with warnings",
        (false, Mode::Advisory) => "advisory mode",
    };
    text.into()
}

fn denial(decision: &Decision<'_>, persona: &str, scale: Option<ScaleTarget<'_>>) -> String {
    let complete = decision.set == RuleSet::Complete;
    let refusals = decision.refusals();
    let mut text = String::with_capacity(128 + refusals.len().min(LINES) * LINE);
    say(
        &mut text,
        format_args!("Deployment violates ApplicationPersona '{}': ", Shown(persona)),
    );
    for (position, charge) in refusals.iter().enumerate() {
        text.push_str(if position == 0 { "" } else { "; " });
        match decision.set {
            RuleSet::Upstream => say(&mut text, format_args!("{}", Message(charge.finding()))),
            RuleSet::Complete => {
                cut_onto(&mut text, Message(charge.finding()), LINE);
                if let Some(owner) = charge.owner(persona) {
                    say(&mut text, format_args!("{owner}"));
                }
            }
        }
    }
    if !complete {
        return text;
    }
    for charge in refusals.iter().take(LINES) {
        text.push_str("\n  ");
        cut_onto(&mut text, FixLine(charge.finding()), LINE);
    }
    let more = refusals.len().saturating_sub(LINES);
    if more > 0 {
        say(&mut text, format_args!("\n  and {more} more"));
    }
    if let Some(scale) = scale {
        let wanted = refusals.iter().find_map(|charge| match charge.finding().fact {
            super::finding::Fact::Replicas { allowed, .. } => Some(allowed),
            _ => None,
        });
        if let Some(wanted) = wanted {
            let (namespace, name) = (Shown(scale.namespace), Shown(scale.name));
            say(
                &mut text,
                format_args!("\n  kubectl scale deployment {name} --namespace {namespace} --replicas={wanted}"),
            );
        }
    }
    text
}

/// The `warnings` list. Upstream's rules are never cut; with ours the lines stay within what an API server passes on
/// unharmed: when something must go, warnings go first and errors last, and the last line says how many went.
pub fn warnings(decision: &Decision<'_>) -> Vec<String> {
    let charges = decision.warnings();
    if decision.set == RuleSet::Upstream {
        return charges.iter().map(|charge| line(decision.set, charge)).collect();
    }
    let mut total = 0;
    let mut lines = Vec::with_capacity(charges.len().min(WARNINGS / 16));
    for charge in charges {
        let line = line(RuleSet::Complete, charge);
        total += line.len();
        if total > WARNINGS {
            return fit(charges);
        }
        lines.push(line);
    }
    lines
}

/// Where not all have room: keeps the errors (they stand last) and as many warnings, from the first on, as there is room for. What there is no
/// room for is not put into words: an object may have thousands of findings.
fn fit(charges: &[Charge<'_>]) -> Vec<String> {
    let is_error = |position: &usize| charges[*position].finding().severity() == super::finding::Severity::Error;
    let (errors, others): (Vec<usize>, Vec<usize>) = (0..charges.len()).partition(is_error);
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut total = 0;
    for position in errors.into_iter().chain(others) {
        let line = line(RuleSet::Complete, &charges[position]);
        total += line.len();
        lines.push((position, line));
        if total > WARNINGS {
            // Makes room for the line that says how many went.
            while total > WARNINGS - 64
                && let Some((_, line)) = lines.pop()
            {
                total -= line.len();
            }
            break;
        }
    }
    let gone = charges.len() - lines.len();
    lines.sort_unstable_by_key(|(position, _)| *position);
    let kept = lines.into_iter().map(|(_, line)| line);
    let last = (gone > 0).then(|| format!("and {gone} more findings, not shown"));
    kept.chain(last).collect()
}

fn line(set: RuleSet, charge: &Charge<'_>) -> String {
    match set {
        RuleSet::Upstream => Message(charge.finding()).to_string(),
        RuleSet::Complete => cut(Message(charge.finding()), LINE),
    }
}

fn say(text: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing into a String cannot fail.
    let _ = text.write_fmt(words);
}
