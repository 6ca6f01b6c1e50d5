//! GitLab's Code Quality report. GitLab shows a description in a line of text, so fix and help are part of it.

use serde::Serialize;

use super::words::{clean, fix_line, help, message, object, printable_json};
use super::{RenderError, Report, ReportedFinding, fingerprint};
use crate::policy::Severity;

#[derive(Serialize)]
struct Issue {
    #[serde(rename = "type")]
    kind: &'static str,
    description: String,
    check_name: &'static str,
    fingerprint: String,
    severity: &'static str,
    location: Place,
}

#[derive(Serialize)]
struct Place {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<usize>,
}

pub(super) fn render(report: &Report) -> Result<String, RenderError> {
    let mut issues = Vec::with_capacity(report.findings.len() + report.problems.len());
    for (finding, fingerprint) in report.findings.iter().zip(fingerprint::all(report)) {
        issues.push(Issue {
            kind: "issue",
            description: description(report, finding),
            check_name: finding.rule.name(),
            fingerprint,
            severity: severity(finding),
            location: Place {
                path: finding.location.file.to_string(),
                lines: Lines {
                    begin: finding.location.start.line,
                    end: Some(finding.location.end.line),
                },
            },
        });
    }
    for (index, problem) in report.problems.iter().enumerate() {
        issues.push(Issue {
            kind: "issue",
            description: clean(&problem.reason).into_owned(),
            check_name: "unreadable",
            // Where nothing could be read, nothing is there that would recognise it.
            fingerprint: format!("unreadable:{}:{index}", problem.file),
            severity: "blocker",
            location: Place {
                path: problem.file.clone(),
                lines: Lines {
                    begin: problem.line.unwrap_or(1),
                    end: None,
                },
            },
        });
    }
    Ok(printable_json(serde_json::to_string_pretty(&issues)? + "\n"))
}

fn description(report: &Report, finding: &ReportedFinding) -> String {
    let mut text = format!("{}: {}", object(finding), message(finding));
    let fix = fix_line(finding);
    if !fix.is_empty() {
        text.extend([" | Fix: ", &fix]);
    }
    text.extend([" | ", &help(report, finding.rule)]);
    text
}

/// GitLab knows five: info, minor, major, critical, blocker.
fn severity(finding: &ReportedFinding) -> &'static str {
    match finding.severity {
        Severity::Error if finding.denied => "critical",
        Severity::Error => "major",
        Severity::Warning => "minor",
        Severity::Info => "info",
    }
}
