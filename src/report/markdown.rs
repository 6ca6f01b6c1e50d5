//! A table for a comment or a page, in the Markdown of GitHub and GitLab.

use super::words::{clean, explain, fix, message, object, place, problem_place};
use super::{Rendered, Report, ReportedFinding, View};
use crate::policy::Rule;

/// The report; with a limit in bytes, as many findings of it as fit, and the number of the others.
pub(super) fn render(report: &Report, view: View, limit: Option<usize>) -> Rendered {
    /// For the sentence that says how many are left out.
    const SENTENCE: usize = 200;
    let limit = limit.unwrap_or(usize::MAX).saturating_sub(SENTENCE);
    let mut text = format!("## dorgu check\n\n{}\n", report.summary(view.fail_on).line());
    let mut left_out = 0;
    let problems = report.problems.iter().map(|problem| {
        let (place, reason) = (code(&problem_place(problem)), escape(&clean(&problem.reason)));
        format!("- {place}: {reason}\n")
    });
    add(&mut text, "\n### Problems\n\n", problems, limit, &mut left_out);
    let head = "\n| Severity | Rule | Place | Object | Finding | Fix |\n|---|---|---|---|---|---|\n";
    let findings = report.findings.iter().map(|finding| row(report, finding));
    let problems_left_out = std::mem::take(&mut left_out);
    add(&mut text, head, findings, limit, &mut left_out);
    if left_out + problems_left_out > 0 {
        text.push_str(&format!(
            "\n{left_out} findings and {problems_left_out} problems are left out, since the page takes no more.\n"
        ));
    }
    Rendered { text, left_out }
}

/// Adds what fits, below the head; counts what does not.
fn add(text: &mut String, head: &str, parts: impl Iterator<Item = String>, limit: usize, left_out: &mut usize) {
    let mut head = Some(head);
    for part in parts {
        if *left_out > 0 || text.len() + part.len() + head.map_or(0, str::len) > limit {
            *left_out += 1;
            continue;
        }
        text.push_str(head.take().unwrap_or_default());
        text.push_str(&part);
    }
}

fn row(report: &Report, finding: &ReportedFinding) -> String {
    let (severity, rule) = (finding.severity.as_str(), rule(report, finding.rule));
    let (place, object, message) = (cell(&place(finding)), cell(&object(finding)), escape(&message(finding)));
    let fix: Vec<String> = fix(finding).map(|line| cell(&line)).collect();
    let fix = fix.join("<br>");
    format!("| {severity} | {rule} | {place} | {object} | {message} | {fix} |\n")
}

/// The rule's name as a link, or above the command that explains it.
fn rule(report: &Report, rule: Rule) -> String {
    let name = cell(rule.name());
    match report.link(rule) {
        Some(link) => format!(
            "[{name}]({})",
            link.replace('(', "%28").replace(')', "%29").replace('|', "%7C")
        ),
        None => format!("{name}<br>{}", cell(&explain(rule))),
    }
}

/// Text in which nothing is markup, in a cell of a table or elsewhere. A name after `@` informs no one.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '@' => escaped.push_str("@<!-- -->"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' | '!' | '#' => escaped.extend(['\\', c]),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Text as code. Its fence has one backtick more than any run of them inside.
fn code(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    // A blank on both sides is dropped again.
    let pad = if text.is_empty() || text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) {
        " "
    } else {
        ""
    };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// Text as code in a table, where a bar would end the cell, in code, too.
fn cell(text: &str) -> String {
    code(text).replace('|', "\\|")
}
