//! For programs. docs/schemas/check-report.json describes the document; new fields may come, none goes within a version.

use serde::Serialize;

use super::words::{help, printable_json};
use super::{
    Edit, ObjectName, Position, Problem, RenderError, Report, ReportedFinding, Standing, Summary, View, fingerprint,
};

/// The document.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    exit_code: u8,
    summary: Summary,
    findings: Vec<Finding<'a>>,
    problems: &'a [Problem],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding<'a> {
    rule: &'static str,
    severity: &'static str,
    standing: Standing,
    denied: bool,
    counts: bool,
    location: Place<'a>,
    object: &'a ObjectName,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    persona: &'a str,
    field: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    path: &'a str,
    message: &'a str,
    fix: &'a [String],
    edits: &'a [Edit],
    fingerprint: String,
    help: String,
}

#[derive(Serialize)]
struct Place<'a> {
    file: &'a str,
    start: Position,
    end: Position,
}

impl<'a> Document<'a> {
    pub(super) fn of(report: &'a Report, view: View) -> Self {
        let fingerprints = fingerprint::all(report);
        let findings = report.findings.iter().zip(fingerprints);
        Document {
            api_version: "cli.dorgu.io/v1",
            kind: "CheckReport",
            exit_code: report.exit_code(view.fail_on),
            summary: report.summary(view.fail_on),
            findings: findings
                .map(|(finding, fingerprint)| Finding::of(report, finding, fingerprint, view))
                .collect(),
            problems: &report.problems,
        }
    }
}

impl<'a> Finding<'a> {
    fn of(report: &Report, finding: &'a ReportedFinding, fingerprint: String, view: View) -> Self {
        Finding {
            rule: finding.rule.name(),
            severity: finding.severity.as_str(),
            standing: finding.standing,
            denied: finding.denied,
            counts: finding.counts(view.fail_on),
            location: Place {
                file: &finding.location.file,
                start: finding.location.start,
                end: finding.location.end,
            },
            object: &finding.object,
            container: finding.container.as_deref(),
            persona: &finding.persona,
            field: &finding.field,
            path: &finding.path,
            message: &finding.message,
            fix: &finding.fix,
            edits: &finding.edits,
            fingerprint,
            help: help(report, finding.rule),
        }
    }
}

pub(super) fn render(report: &Report, view: View) -> Result<String, RenderError> {
    Ok(printable_json(
        serde_json::to_string_pretty(&Document::of(report, view))? + "\n",
    ))
}
