//! For a terminal: columns as kubectl aligns them. Problems are not in them: they are on standard error.

use std::fmt::Write as _;

use super::words::{clean, fix, fix_line, help, message, name, object, place};
use super::{Report, View};

/// A row for each finding, with fix and help below it.
pub(super) fn rows(report: &Report, view: View) -> String {
    let mut table = Table::new(&["PLACE", "SEVERITY", "RULE", "OBJECT", "MESSAGE"]);
    for finding in &report.findings {
        let below = fix(finding).map(|line| format!("  fix   {line}"));
        let below = below
            .chain([format!("  help  {}", help(report, finding.rule))])
            .collect();
        let (severity, rule) = (finding.severity.as_str().to_owned(), finding.rule.name().to_owned());
        table.add(
            vec![place(finding), severity, rule, object(finding), message(finding)],
            below,
        );
    }
    table.text(&summary(report, view))
}

/// Everything about a finding in one row.
pub(super) fn wide(report: &Report, view: View) -> String {
    let mut table = Table::new(&[
        "PLACE",
        "SEVERITY",
        "RULE",
        "OBJECT",
        "CONTAINER",
        "PERSONA",
        "FIELD",
        "MESSAGE",
        "FIX",
        "HELP",
    ]);
    let or_dash = |text: &str| {
        if text.is_empty() {
            "-".to_owned()
        } else {
            clean(text).into_owned()
        }
    };
    for finding in &report.findings {
        let row = vec![
            place(finding),
            finding.severity.as_str().to_owned(),
            finding.rule.name().to_owned(),
            name(&finding.object),
            or_dash(finding.container.as_deref().unwrap_or_default()),
            or_dash(&finding.persona),
            or_dash(&finding.path),
            message(finding),
            or_dash(&fix_line(finding)),
            help(report, finding.rule),
        ];
        table.add(row, Vec::new());
    }
    table.text(&summary(report, view))
}

/// The last line. Without a word where nothing counts and only that is shown.
fn summary(report: &Report, view: View) -> String {
    if view.quiet {
        return String::new();
    }
    report.summary(view.fail_on).line() + "\n"
}

/// Rows with columns of equal width, and lines below each.
struct Table {
    header: Vec<String>,
    widths: Vec<usize>,
    rows: Vec<(Vec<String>, Vec<String>)>,
}

impl Table {
    fn new(header: &[&str]) -> Self {
        Table {
            header: header.iter().map(|title| (*title).to_owned()).collect(),
            widths: header.iter().map(|title| title.len()).collect(),
            rows: Vec::new(),
        }
    }

    fn add(&mut self, row: Vec<String>, below: Vec<String>) {
        for (width, cell) in self.widths.iter_mut().zip(&row) {
            *width = (*width).max(cell.chars().count());
        }
        self.rows.push((row, below));
    }

    fn text(&self, last: &str) -> String {
        let mut text = String::new();
        if !self.rows.is_empty() {
            self.line(&self.header, &mut text);
        }
        for (row, below) in &self.rows {
            self.line(row, &mut text);
            for line in below {
                text.extend([line, "\n"]);
            }
        }
        if !text.is_empty() && !last.is_empty() {
            text.push('\n');
        }
        text + last
    }

    fn line(&self, row: &[String], text: &mut String) {
        let begun = text.len();
        for (cell, width) in row.iter().zip(&self.widths) {
            // Writing to a String does not fail.
            let _ = write!(text, "{cell:width$}   ");
        }
        text.truncate(begun + text[begun..].trim_end().len());
        text.push('\n');
    }
}
