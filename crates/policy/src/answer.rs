//! Assembles the message and the warnings of an answer from a [`Decision`]. `render` words the single lines; this file
//! selects them and limits their number and length.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::Write;

use smallvec::SmallVec;

use super::attributed::AttributedFinding;
use super::decision::Decision;
use super::finding::{Fact, Finding, Rule, Severity};
use super::fix::Plan;
use super::mode::Mode;
use super::render::{Covered, FixLine, Message};
use super::rules::RuleSet;
use super::text::{Shown, cut, cut_onto, length_within};

/// Limit of all warnings together: above 4,096 characters an API server cuts each to 256.
const WARNINGS: usize = 4_000;
/// Limit of one line. Ours are shorter unless a name in the object is long.
const LINE: usize = 256;
/// Limit of a whole denial. A terminal, a pipeline and an Event hold no more, and an object may have thousands of errors.
const DENIAL: usize = 64 << 10;
/// Limit of its first line, which names every error as upstream's does.
const FIRST_LINE: usize = DENIAL / 2;
/// How many findings get a line below it.
const FINDINGS: usize = 40;
/// What stands before and behind one of them: its indentation, and how many findings it is for.
const BESIDE_FIX: usize = 32;

/// The Scale of a request, for the command that would pass.
#[derive(Clone, Copy, Debug)]
pub struct ScaleTarget<'a> {
    /// The Deployment's namespace.
    pub namespace: &'a str,
    /// The Deployment's name.
    pub name: &'a str,
}

/// What a denial says besides its findings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Help {
    /// How to ask for an exception; empty for no such line.
    pub exceptions: String,
    /// The page with a section for each rule, which is linked; empty for no link.
    pub docs_url: String,
}

impl Help {
    /// No line.
    pub const NONE: Help = Help {
        exceptions: String::new(),
        docs_url: String::new(),
    };
}

/// The message about an object without the app label that is not judged.
pub const UNLABELLED: &str = "no app.kubernetes.io/name label; skipping persona validation";

/// `status.message`: the first line of contract 2.5. With the complete rules, a line follows for each denying finding that says
/// what to change; for a Scale the command that would pass; then whom to talk to, how to ask for an exception, and where to read
/// about the rules.
pub fn message(decision: &Decision<'_>, scale: Option<ScaleTarget<'_>>, help: &Help) -> Cow<'static, str> {
    if let Some(persona) = decision.refusing_persona() {
        return denial(decision, persona, scale, help).into();
    }
    let text = match (decision.warnings().is_empty(), decision.mode) {
        (true, _) if decision.is_ungoverned() => UNLABELLED,
        (true, _) => "all persona checks passed",
        (false, Mode::Enforcing) => "passed with warnings",
        (false, Mode::Advisory) => "advisory mode",
    };
    text.into()
}

fn denial(decision: &Decision<'_>, persona: &str, scale: Option<ScaleTarget<'_>>, help: &Help) -> String {
    let refusals = decision.refusals();
    let mut text = String::with_capacity(128 + refusals.len().min(FINDINGS) * LINE);
    if !decision.is_ungoverned() {
        say(
            &mut text,
            format_args!("Deployment violates ApplicationPersona '{}': ", Shown(persona)),
        );
    }
    if decision.set == RuleSet::Upstream {
        for (position, attributed) in refusals.iter().enumerate() {
            let semicolon = if position == 0 { "" } else { "; " };
            say(&mut text, format_args!("{semicolon}{}", Message(attributed.finding())));
        }
        return text;
    }
    let mut named = 0;
    for attributed in refusals {
        if text.len() > FIRST_LINE - 3 * LINE {
            break;
        }
        text.push_str(if named == 0 { "" } else { "; " });
        named += 1;
        cut_onto(&mut text, Message(attributed.finding()), LINE);
        if let Some(owner) = attributed.owner(persona) {
            say(&mut text, format_args!("{owner}"));
        }
    }
    let left = decision.refusing() - named;
    if left > 0 {
        say(&mut text, format_args!("; and {left} more"));
    }
    let mut last = scale.and_then(|scale| command(decision, scale)).unwrap_or_default();
    contacts(&mut last, decision);
    links(&mut last, decision, help);
    fixes(&mut text, decision, DENIAL.saturating_sub(last.len()));
    text + &last
}

/// How many personas are named with whom to talk to, and how many rules are linked.
const NAMED: usize = 3;

/// A line with whom to talk to for each denying persona that says so.
fn contacts(text: &mut String, decision: &Decision<'_>) {
    let mut named: SmallVec<[&str; NAMED]> = SmallVec::new();
    for contact in decision.refusals().iter().map(AttributedFinding::contact) {
        if !contact.is_empty() && named.len() < NAMED && !named.contains(&contact) {
            named.push(contact);
            say(text, format_args!("\n  contact: {contact}"));
        }
    }
}

/// How to ask for an exception, and a link to the section of each rule.
fn links(text: &mut String, decision: &Decision<'_>, help: &Help) {
    if !help.exceptions.is_empty() {
        text.push_str("\n  exceptions: ");
        cut_onto(text, Shown(&help.exceptions), LINE);
    }
    if help.docs_url.is_empty() {
        return;
    }
    let mut linked: SmallVec<[Rule; NAMED]> = SmallVec::new();
    for attributed in decision.refusals() {
        let rule = attributed.finding().rule;
        if linked.len() < NAMED && !linked.contains(&rule) {
            linked.push(rule);
            text.push_str("\n  docs: ");
            cut_onto(text, Shown(&help.docs_url), LINE);
            say(text, format_args!("#{}", rule.name()));
        }
    }
}

/// A line for each field that has to change, as long as the text is shorter than `most`. A finding has all its lines, each
/// of them whole, or none.
fn fixes(text: &mut String, decision: &Decision<'_>, most: usize) {
    let findings: SmallVec<[&Finding<'_>; 16]> = decision.refusals().iter().map(AttributedFinding::finding).collect();
    let room = most.saturating_sub(text.len() + LINE);
    // Nearly always there is room whatever the lines turn out to be, and they need not be formatted twice.
    let mut plan = plan_within(decision, &findings, room, |_, line| Some(line.most_bytes()));
    if plan.left > 0 {
        // Lines that do not fit are not formatted over and over: there may be hundreds, each longer than the room.
        let effort = Cell::new(4 * room);
        plan = plan_within(decision, &findings, room, |left, line| {
            let length = length_within(left.min(effort.get()), line);
            effort.set(effort.get().saturating_sub(length.unwrap_or(left)));
            length
        });
    }
    for (change, findings) in &plan.changes {
        say(text, format_args!("\n  {}", FixLine(change)));
        if *findings > 1 {
            say(text, format_args!(" ({findings} findings)"));
        }
    }
    let left = plan.left + (decision.refusing() - findings.len());
    if left > 0 {
        say(text, format_args!("\n  and {left} more"));
    }
}

/// The changes whose lines have room in so many bytes. `length` is that of a line, or `None` where it is longer than the
/// room that is left.
fn plan_within<'a>(
    decision: &Decision<'a>,
    findings: &[&Finding<'a>],
    mut room: usize,
    length: impl Fn(usize, FixLine<'_>) -> Option<usize>,
) -> Plan<'a> {
    Plan::within(FINDINGS, findings, decision.workload(), |changes| {
        let mut left = room;
        for change in changes {
            let line = length(left, FixLine(change)).map(|length| length + BESIDE_FIX);
            match line.and_then(|line| left.checked_sub(line)) {
                Some(rest) => left = rest,
                None => return false,
            }
        }
        room = left;
        true
    })
}

/// The line with the command that would pass, for a denied count.
fn command(decision: &Decision<'_>, scale: ScaleTarget<'_>) -> Option<String> {
    let wanted = decision
        .refusals()
        .iter()
        .find_map(|attributed| match attributed.finding().fact {
            Fact::Replicas { allowed, .. } => Some(allowed),
            _ => None,
        })?;
    let [namespace, name] = [scale.namespace, scale.name].map(|name| cut(Shown(name), LINE));
    Some(format!(
        "\n  kubectl scale deployment {name} --namespace {namespace} --replicas={wanted}"
    ))
}

/// The `warnings` list of the answer, one line for each finding that does not deny. With [`RuleSet::Upstream`] no line is cut or
/// dropped.
///
/// With [`RuleSet::Complete`] a line has at most `LINE` bytes and all lines together at most `WARNINGS`, so that an API server
/// passes them on unchanged. Above that total, findings of level warn are dropped before those of level deny, and the last line
/// counts the dropped ones.
pub fn warnings(decision: &Decision<'_>) -> Vec<String> {
    let collected = decision.warnings();
    if decision.set == RuleSet::Upstream {
        return collected
            .iter()
            .map(|attributed| line(decision.set, attributed))
            .collect();
    }
    let mut total = 0;
    let mut lines = Vec::with_capacity(collected.len().min(WARNINGS / 16));
    for attributed in collected {
        let line = line(RuleSet::Complete, attributed);
        total += line.len();
        if total > WARNINGS {
            return fit(collected, decision.warned());
        }
        lines.push(line);
    }
    match decision.warned() > collected.len() {
        true => fit(collected, decision.warned()),
        false => lines,
    }
}

/// Where not all fit: keeps the errors, which are last, and as many warnings, from the first on, as fit. What does not fit is
/// not put into words, since an object may have thousands of findings: `count` of them, more than are listed.
fn fit(collected: &[AttributedFinding<'_>], count: usize) -> Vec<String> {
    let is_error = |position: &usize| collected[*position].severity() == Severity::Error;
    let (errors, others): (Vec<usize>, Vec<usize>) = (0..collected.len()).partition(is_error);
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut total = 0;
    for position in errors.into_iter().chain(others) {
        let line = line(RuleSet::Complete, &collected[position]);
        total += line.len();
        lines.push((position, line));
        if total > WARNINGS {
            // Leaves room for the line that counts the dropped ones.
            while total > WARNINGS - 64
                && let Some((_, line)) = lines.pop()
            {
                total -= line.len();
            }
            break;
        }
    }
    let gone = count - lines.len();
    lines.sort_unstable_by_key(|(position, _)| *position);
    let kept = lines.into_iter().map(|(_, line)| line);
    let last = (gone > 0).then(|| format!("and {gone} more findings, not shown"));
    kept.chain(last).collect()
}

fn line(set: RuleSet, attributed: &AttributedFinding<'_>) -> String {
    match set {
        RuleSet::Upstream => Message(attributed.finding()).to_string(),
        RuleSet::Complete => {
            let covered = attributed.exception().map(|exception| Covered(exception).to_string());
            let covered = covered.unwrap_or_default();
            cut(Message(attributed.finding()), LINE.saturating_sub(covered.len())) + &covered
        }
    }
}

fn say(text: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a String does not fail.
    let _ = text.write_fmt(words);
}
