//! A decision in words: the message of the answer and its warnings, within what an API server passes on.

use std::fmt::Write;

use super::decision::{Charge, Decision};
use super::mode::Mode;
use super::render::{FixLine, Message};
use super::rules::RuleSet;
use super::text::{Shown, cut};

/// Warnings together: beyond 4,096 characters an API server cuts each to 256.
const WARNINGS: usize = 4_000;
/// One line: no fact of ours is longer unless a name in the object is.
const LINE: usize = 256;
/// Lines of a denial, and errors in its first line.
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
pub fn message(decision: &Decision<'_>, scale: Option<ScaleTarget<'_>>) -> String {
    if let Some(persona) = decision.refusing_persona() {
        return denial(decision, persona, scale);
    }
    let text = match (decision.warnings().is_empty(), decision.mode) {
        (true, _) => "all persona checks passed",
        (false, Mode::Enforcing) => "passed with warnings",
        (false, Mode::Advisory) => "advisory mode",
    };
    text.to_owned()
}

fn denial(decision: &Decision<'_>, persona: &str, scale: Option<ScaleTarget<'_>>) -> String {
    let complete = decision.set == RuleSet::Complete;
    let refusals = decision.refusals();
    let most = if complete { LINES } else { usize::MAX };
    let mut text = format!("Deployment violates ApplicationPersona '{}': ", Shown(persona));
    for (position, charge) in refusals.iter().take(most).enumerate() {
        text.push_str(if position == 0 { "" } else { "; " });
        text.push_str(&line(decision.set, charge));
    }
    let more = refusals.len().saturating_sub(most);
    if more > 0 {
        say(&mut text, format_args!("; and {more} more"));
    }
    if !complete {
        return text;
    }
    for charge in refusals.iter().take(most) {
        text.push_str("\n  ");
        text.push_str(&cut(FixLine(charge.finding()), LINE));
    }
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
    let lines: Vec<String> = charges.iter().map(|charge| line(decision.set, charge)).collect();
    fit(lines, charges)
}

/// Keeps the errors (they stand last) and as many warnings, from the first on, as there is room for.
fn fit(lines: Vec<String>, charges: &[Charge<'_>]) -> Vec<String> {
    let total: usize = lines.iter().map(String::len).sum();
    if total <= WARNINGS {
        return lines;
    }
    // Room for the line that says how many went.
    let mut room = WARNINGS - 64;
    let mut keep = vec![false; lines.len()];
    let is_error = |position: &usize| charges[*position].finding().severity() == super::finding::Severity::Error;
    let (errors, others): (Vec<usize>, Vec<usize>) = (0..lines.len()).partition(is_error);
    for position in errors.into_iter().chain(others) {
        let length = lines[position].len();
        if length > room {
            break;
        }
        room -= length;
        keep[position] = true;
    }
    let gone = keep.iter().filter(|kept| !**kept).count();
    let kept = lines
        .into_iter()
        .zip(keep)
        .filter_map(|(line, kept)| kept.then_some(line));
    kept.chain([format!("and {gone} more findings, not shown")]).collect()
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
