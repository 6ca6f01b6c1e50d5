//! The examples of docs/formats.md are what the formats print. `DORGU_REWRITE=1 cargo test --test it generated` rewrites them.

use dorgu::policy::{Rule, Severity};
use dorgu::report::{Counts, Format, Position, Report, ReportedFinding, Standing, View};
use serde_json::Value;

use super::{sample, text};

const PAGE: &str = "docs/formats.md";

/// An error, and a warning that an exception covers.
fn report() -> Report {
    let covered = ReportedFinding {
        rule: Rule::ReadinessProbeMissing,
        severity: Severity::Warning,
        standing: Standing::Excepted,
        denied: false,
        field: "/spec/template/spec/containers/0/readinessProbe".to_owned(),
        path: "spec.template.spec.containers[app].readinessProbe".to_owned(),
        message: "no readiness probe".to_owned(),
        fix: Vec::new(),
        edits: Vec::new(),
        ..sample::one()
    };
    let mut report = Report {
        findings: vec![sample::one(), covered],
        counts: Counts {
            files: 1,
            workloads: 1,
            ungoverned: 0,
            skipped: 2,
        },
        ..Report::default()
    };
    report.findings[1].location.start = Position { line: 17, column: 9 };
    report.findings[1].location.end = Position { line: 22, column: 1 };
    report
}

/// What the page shows of a format: all of it, but of SARIF, whose rules bring a page of help each, one result.
fn example(format: Format) -> String {
    let text = text(&report(), format, View::default());
    if format != Format::Sarif {
        return text;
    }
    let log: Value = serde_json::from_str(&text).expect("JSON");
    serde_json::to_string_pretty(&log["runs"][0]["results"][0]).expect("JSON") + "\n"
}

/// The page with these examples in it.
fn with_examples(page: &str) -> String {
    let mut page = page.to_owned();
    for format in Format::ALL {
        let mark = format!("<!-- example: {} -->\n```", format.as_str());
        let at = page.find(&mark).unwrap_or_else(|| panic!("{PAGE} has no {mark}"));
        let start = at + mark.len() + page[at + mark.len()..].find('\n').expect("a line") + 1;
        let end = start + page[start..].find("```\n").expect("a closed block");
        page.replace_range(start..end, &example(format));
    }
    page
}

#[test]
fn the_examples_of_formats_are_current() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let found = std::fs::read_to_string(&file).expect(PAGE);
    let wanted = with_examples(&found);
    if std::env::var_os("DORGU_REWRITE").is_some() {
        std::fs::write(&file, &wanted).expect("written");
    } else {
        assert!(
            found == wanted,
            "{PAGE} differs from the code; run: DORGU_REWRITE=1 cargo test --test it generated"
        );
    }
}
