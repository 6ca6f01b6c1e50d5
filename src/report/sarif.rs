//! SARIF 2.1.0 as GitHub's code scanning takes it: within its limits, errors first.
//!
//! The few properties that are used are written as JSON here: serde-sarif would build three versions of syn.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::words::{clean, counted, explain, fix_line, message, name, object, printable_json};
use super::{Edit, Position, Problem, RenderError, Rendered, Report, ReportedFinding, Standing, View, fingerprint};
use crate::explain::Explanation;
use crate::policy::{Rule, Severity};

/// How many results code scanning takes of a run.
const MAX_RESULTS: usize = 25_000;

/// How large a file may be that code scanning takes, compressed by gzip.
const MAX_COMPRESSED: usize = 10_000_000;

/// How many problems are listed. They have no limit of their own, but count against the size.
const MAX_PROBLEMS: usize = 1_000;

/// Where no page is named: the domain of our API group. Readers of SARIF demand some page about a tool.
const HOME_PAGE: &str = "https://dorgu.io";

/// The name of the root that paths are relative to.
const ROOT: &str = "%SRCROOT%";

pub(super) fn render(report: &Report, view: View) -> Result<Rendered, RenderError> {
    let fingerprints = fingerprint::all(report);
    let mut findings: Vec<(&ReportedFinding, String)> = report.findings.iter().zip(fingerprints).collect();
    findings.sort_by_key(|(finding, _)| (finding.standing == Standing::Before, Reverse(finding.severity)));
    let rules: BTreeSet<Rule> = findings.iter().map(|(finding, _)| finding.rule).collect();
    let rules: Vec<Rule> = rules.into_iter().collect();
    let has_before = findings.iter().any(|(finding, _)| finding.standing == Standing::Before);

    let mut results = Vec::with_capacity(findings.len().min(MAX_RESULTS));
    for (finding, fingerprint) in findings.iter().take(MAX_RESULTS) {
        let index = rules.binary_search(&finding.rule).unwrap_or_default();
        results.push(to_raw_value(&result(report, finding, index, fingerprint, has_before))?);
    }
    let mut text = log(report, view, &rules, &results, findings.len())?;
    // What is smaller uncompressed is never larger compressed, but for a few bytes.
    if text.len() > MAX_COMPRESSED {
        let frame = log(report, view, &rules, &[], findings.len())?.len();
        results.truncate(fitting(&results, frame)?);
        text = log(report, view, &rules, &results, findings.len())?;
    }
    Ok(Rendered {
        left_out: findings.len() - results.len(),
        text,
    })
}

/// How many of the results fit into a file beside its other bytes.
fn fitting(results: &[Box<RawValue>], frame: usize) -> Result<usize, RenderError> {
    /// More than a compressor holds back before it writes.
    const HELD_BACK: usize = 256 * 1024;
    let limit = MAX_COMPRESSED.saturating_sub(HELD_BACK + frame);
    // The quickest compression: any other makes less of it.
    let mut compressed = GzEncoder::new(Counted(0), Compression::fast());
    for (index, result) in results.iter().enumerate() {
        compressed.write_all(result.get().as_bytes())?;
        if compressed.get_ref().0 > limit {
            return Ok(index);
        }
    }
    Ok(results.len())
}

/// Counts what is written.
struct Counted(usize);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The whole file.
fn log(
    report: &Report,
    view: View,
    rules: &[Rule],
    results: &[Box<RawValue>],
    all: usize,
) -> Result<String, RenderError> {
    let head = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
    });
    let page = if report.docs_url.is_empty() {
        HOME_PAGE
    } else {
        &report.docs_url
    };
    let driver = json!({
        "name": "dorgu",
        "informationUri": page,
        "version": env!("CARGO_PKG_VERSION"),
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "rules": rules.iter().map(|rule| descriptor(report, *rule)).collect::<Vec<_>>(),
    });
    let run = json!({
        "tool": {"driver": driver},
        "invocations": [{
            "executionSuccessful": report.problems.is_empty(),
            "exitCode": report.exit_code(view.fail_on),
            "toolExecutionNotifications": notifications(report, all - results.len()),
        }],
        "originalUriBaseIds": {ROOT: {"description": {"text": "The folder that the paths of files are relative to."}}},
        "columnKind": "unicodeCodePoints",
        // What YAML takes for a line break.
        "newlineSequences": ["\r\n", "\n", "\r"],
        "properties": {"summary": report.summary(view.fail_on)},
    });
    // The results are many and are text already, a line each. They become the last property of the run.
    let (head, run) = (serde_json::to_string(&head)?, serde_json::to_string(&run)?);
    let (head, run) = (head.trim_end_matches('}'), run.strip_suffix('}').unwrap_or(&run));
    let mut text = format!("{head},\"runs\":[{run},\"results\":[");
    let mut before = "\n";
    for result in results {
        text.extend([before, result.get()]);
        before = ",\n";
    }
    text.push_str("]}]}\n");
    Ok(printable_json(text))
}

/// What the file says about a rule.
fn descriptor(report: &Report, rule: Rule) -> Value {
    let explanation = Explanation::of(rule);
    let (level, severity) = (level(rule.severity()), problem_severity(rule.severity()));
    let mut descriptor = json!({
        "id": rule.name(),
        "name": pascal_case(rule.name()),
        "shortDescription": {"text": explanation.summary},
        "fullDescription": {"text": explanation.summary},
        "help": {"text": explanation.text(), "markdown": explanation.markdown_at(&report.docs_url)},
        "defaultConfiguration": {"level": level},
        "properties": {"tags": ["kubernetes"], "precision": "very-high", "problem.severity": severity},
    });
    set(&mut descriptor, "helpUri", report.link(rule).map(Value::from));
    descriptor
}

fn result(report: &Report, finding: &ReportedFinding, index: usize, fingerprint: &str, has_before: bool) -> Value {
    let location = &finding.location;
    let mut text = format!("{}: {}.", object(finding), message(finding).trim_end_matches('.'));
    let fix = fix_line(finding);
    if !fix.is_empty() {
        text.push_str(&format!(" Fix: {fix}."));
    }
    if report.docs_url.is_empty() {
        text.push_str(&format!(" Run `{}`.", explain(finding.rule)));
    }
    let ours = json!({
        "standing": finding.standing,
        "denied": finding.denied,
        "persona": finding.persona,
        "container": finding.container,
        "field": finding.field,
        "path": finding.path,
        "fix": finding.fix,
    });
    let mut result = json!({
        "ruleId": finding.rule.name(),
        "ruleIndex": index,
        "level": level(finding.severity),
        "message": {"text": text},
        "locations": [{
            "physicalLocation": {
                "artifactLocation": artifact(&location.file),
                "region": region(location.start, location.end),
            },
            "logicalLocations": [{"fullyQualifiedName": name(&finding.object), "kind": "resource"}],
        }],
        "partialFingerprints": {"primaryLocationLineHash": fingerprint},
        "properties": ours,
    });
    // All results of a run have one, or none has.
    let state = match finding.standing {
        Standing::Before => "unchanged",
        Standing::New | Standing::Excepted => "new",
    };
    set(&mut result, "baselineState", has_before.then(|| state.into()));
    set(&mut result, "fixes", fixes(finding));
    result
}

/// The edits of a finding's text, which a program can apply.
fn fixes(finding: &ReportedFinding) -> Option<Value> {
    let replacements: Vec<Value> = finding.edits.iter().map(replacement).collect();
    let fix = || {
        json!([{
            "description": {"text": fix_line(finding)},
            "artifactChanges": [{"artifactLocation": artifact(&finding.location.file), "replacements": replacements}],
        }])
    };
    (!finding.edits.is_empty()).then(fix)
}

fn replacement(edit: &Edit) -> Value {
    json!({"deletedRegion": region(edit.start, edit.end), "insertedContent": {"text": edit.text}})
}

/// Both count lines and columns from 1, and end behind the last character.
fn region(start: Position, end: Position) -> Value {
    json!({"startLine": start.line, "startColumn": start.column, "endLine": end.line, "endColumn": end.column})
}

/// A file: relative to the root, or, outside of it, by itself.
fn artifact(file: &str) -> Value {
    let mut uri = String::with_capacity(file.len());
    for byte in file.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => uri.push(char::from(byte)),
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    if file.starts_with('/') {
        json!({"uri": format!("file://{uri}")})
    } else {
        json!({"uri": uri, "uriBaseId": ROOT})
    }
}

/// What could not be read, and what was left out.
fn notifications(report: &Report, left_out: usize) -> Vec<Value> {
    let shown = report.problems.iter().take(MAX_PROBLEMS).map(problem);
    let mut notifications: Vec<Value> = shown.collect();
    let more = report.problems.len().saturating_sub(MAX_PROBLEMS);
    if more > 0 {
        notifications
            .push(json!({"level": "error", "message": {"text": format!("{} more.", counted(more, "problem"))}}));
    }
    if left_out > 0 {
        let text = format!(
            "{} left out, those without error first: code scanning takes {MAX_RESULTS} results in {MAX_COMPRESSED} bytes, compressed.",
            counted(left_out, "result")
        );
        notifications.push(json!({"level": "warning", "message": {"text": text}}));
    }
    notifications
}

fn problem(problem: &Problem) -> Value {
    let mut place = json!({"artifactLocation": artifact(&problem.file)});
    set(
        &mut place,
        "region",
        problem.line.map(|line| json!({"startLine": line})),
    );
    json!({
        "level": "error",
        "message": {"text": clean(&problem.reason)},
        "locations": [{"physicalLocation": place}],
    })
}

/// Adds a property that may be missing.
fn set(object: &mut Value, name: &str, value: Option<Value>) {
    if let (Value::Object(object), Some(value)) = (object, value) {
        object.insert(name.to_owned(), value);
    }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

/// The word by which code scanning filters.
fn problem_severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "recommendation",
    }
}

/// `CpuLimitMissing` for `cpu-limit-missing`.
fn pascal_case(name: &str) -> String {
    let words = name.split('-').filter_map(|word| {
        let mut letters = word.chars();
        Some(letters.next()?.to_ascii_uppercase().to_string() + letters.as_str())
    });
    words.collect()
}
