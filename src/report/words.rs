//! Words that the formats have in common. Names and messages come from manifests, so nothing unprintable leaves here.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::{ObjectName, Problem, Report, ReportedFinding, Standing};
use crate::policy::Rule;

/// The text on one line, without what a terminal or a page takes for a command: other characters are replaced by `\u{…}`.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let mut cleaned = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unprintable(c) {
            cleaned.extend(c.escape_unicode());
        } else {
            cleaned.push(c);
        }
    }
    Cow::Owned(cleaned)
}

/// JSON in which what a terminal takes for a command is written as `\u009b`. Outside of strings JSON has no such characters.
pub(super) fn printable_json(json: String) -> String {
    if !json.contains(|c| c != '\n' && is_unprintable(c)) {
        return json;
    }
    let mut text = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        if c != '\n' && is_unprintable(c) {
            // All of them are in the first plane. Writing to a String does not fail.
            let _ = write!(text, "\\u{:04x}", u32::from(c));
        } else {
            text.push(c);
        }
    }
    text
}

/// Control characters, line separators, marks that change the direction of what follows, and what XML cannot hold.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// `deploy/orders.yaml:21:18`.
pub(super) fn place(finding: &ReportedFinding) -> String {
    let start = finding.location.start;
    format!("{}:{}:{}", clean(&finding.location.file), start.line, start.column)
}

/// `deploy/orders.yaml:21`, or the file alone.
pub(super) fn problem_place(problem: &Problem) -> String {
    let file = clean(&problem.file);
    problem
        .line
        .map_or_else(|| file.to_string(), |line| format!("{file}:{line}"))
}

/// `Deployment shop/orders`.
pub(super) fn name(object: &ObjectName) -> String {
    let ObjectName { kind, namespace, name } = object;
    let slash = if namespace.is_empty() { "" } else { "/" };
    clean(&format!("{kind} {namespace}{slash}{name}")).into_owned()
}

/// `Deployment shop/orders, container app`.
pub(super) fn object(finding: &ReportedFinding) -> String {
    let name = name(&finding.object);
    match &finding.container {
        Some(container) => format!("{name}, container {}", clean(container)),
        None => name,
    }
}

/// What a reader must know about a finding in addition to its severity.
pub(super) fn note(finding: &ReportedFinding) -> Option<&'static str> {
    match finding.standing {
        Standing::Before => Some("was there before"),
        Standing::Excepted => Some("covered by an exception"),
        Standing::New => finding.denied.then_some("would be denied"),
    }
}

/// The message, with the note.
pub(super) fn message(finding: &ReportedFinding) -> String {
    let message = clean(&finding.message);
    note(finding).map_or_else(|| message.to_string(), |note| format!("{message} ({note})"))
}

/// The lines of the fix.
pub(super) fn fix(finding: &ReportedFinding) -> impl Iterator<Item = Cow<'_, str>> {
    finding.fix.iter().map(|line| clean(line))
}

/// The same on one line; empty where there is no fix.
pub(super) fn fix_line(finding: &ReportedFinding) -> String {
    fix(finding).collect::<Vec<_>>().join("; ")
}

/// Where the rule is explained: the link, or the command that prints the same.
pub(super) fn help(report: &Report, rule: Rule) -> String {
    report.link(rule).unwrap_or_else(|| explain(rule))
}

/// The command that explains a rule.
pub(super) fn explain(rule: Rule) -> String {
    format!("dorgu explain {}", rule.name())
}

/// `1 error`, `2 errors`.
pub(super) fn counted(count: usize, one: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {one}{plural}")
}
