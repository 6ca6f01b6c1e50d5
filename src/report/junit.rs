//! JUnit XML: a suite for each file, a test case for each finding. What counts is a failure, what does not is skipped, what could
//! not be read is an error, so that a reader of the file comes to the same verdict as the exit code.
//!
//! Written here, since quick-junit would bring a second hashbrown into the program. Tests read it back by that crate.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use super::words::{clean, counted, fix, help, message, object, place};
use super::{Report, ReportedFinding, View};

/// What became of a test case, by the name of its element.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Failure,
    Error,
    Skipped,
}

impl Status {
    fn element(self) -> &'static str {
        match self {
            Status::Failure => "failure",
            Status::Error => "error",
            Status::Skipped => "skipped",
        }
    }
}

struct Case {
    name: String,
    line: usize,
    status: Status,
    kind: &'static str,
    message: String,
    text: String,
}

pub(super) fn render(report: &Report, view: View) -> String {
    let mut suites: BTreeMap<&str, Vec<Case>> = BTreeMap::new();
    let mut seen = HashMap::new();
    for finding in &report.findings {
        let case = Case::of(report, finding, view, &mut seen);
        suites.entry(&finding.location.file).or_default().push(case);
    }
    for problem in &report.problems {
        let case = Case {
            name: "unreadable".to_owned(),
            line: problem.line.unwrap_or(1),
            status: Status::Error,
            kind: "unreadable",
            message: clean(&problem.reason).into_owned(),
            text: String::new(),
        };
        suites.entry(&problem.file).or_default().push(case);
    }
    let ungoverned = report.failing_ungoverned();
    if ungoverned > 0 {
        let case = Case {
            name: "ungoverned".to_owned(),
            line: 1,
            status: Status::Failure,
            kind: "ungoverned",
            message: format!("{} without a persona", counted(ungoverned, "workload")),
            text: String::new(),
        };
        suites.entry("dorgu check").or_default().push(case);
    }
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let counts = counts(suites.values().flatten());
    // Readers take a file without a test case for a run that never was.
    if suites.is_empty() {
        text.push_str("<testsuites name=\"dorgu check\" tests=\"1\" failures=\"0\" errors=\"0\" skipped=\"0\">\n");
        text.push_str("  <testsuite name=\"dorgu check\" tests=\"1\" failures=\"0\" errors=\"0\" skipped=\"0\">\n");
        text.push_str(
            "    <testcase name=\"no findings\" classname=\"dorgu check\"/>\n  </testsuite>\n</testsuites>\n",
        );
        return text;
    }
    put(&mut text, format_args!("<testsuites name=\"dorgu check\" {counts}>\n"));
    for (file, cases) in suites {
        suite(file, &cases, &mut text);
    }
    text.push_str("</testsuites>\n");
    text
}

impl Case {
    fn of(report: &Report, finding: &ReportedFinding, view: View, seen: &mut HashMap<String, usize>) -> Self {
        let kind = finding.severity.as_str();
        let (rule, message) = (finding.rule.name(), message(finding));
        let mut text = format!("{}: {kind}: {rule}: {}: {message}\n", place(finding), object(finding));
        for line in fix(finding) {
            text.extend(["Fix: ", &line, "\n"]);
        }
        text.push_str(&help(report, finding.rule));
        // Readers follow a case from run to run by its name, so it holds no line.
        let mut name = format!("{rule}: {}", object(finding));
        if !finding.path.is_empty() {
            name.extend([": ", &clean(&finding.path)]);
        }
        let repeat = seen.entry(format!("{}\0{name}", finding.location.file)).or_insert(0);
        *repeat += 1;
        if *repeat > 1 {
            put(&mut name, format_args!(" ({repeat})"));
        }
        Case {
            name,
            line: finding.location.start.line,
            status: if finding.counts(view.fail_on) {
                Status::Failure
            } else {
                Status::Skipped
            },
            kind: rule,
            message: format!("{kind}: {message}"),
            text,
        }
    }
}

fn suite(file: &str, cases: &[Case], text: &mut String) {
    let (file, counts) = (escape(&clean(file)), counts(cases.iter()));
    put(text, format_args!("  <testsuite name=\"{file}\" {counts}>\n"));
    for case in cases {
        let (name, line, element) = (escape(&case.name), case.line, case.status.element());
        let (message, kind, inner) = (escape(&case.message), case.kind, escape(&case.text));
        put(
            text,
            format_args!(
                "    <testcase name=\"{name}\" classname=\"{file}\" file=\"{file}\" line=\"{line}\">\n      \
                 <{element} message=\"{message}\" type=\"{kind}\">{inner}</{element}>\n    </testcase>\n"
            ),
        );
    }
    text.push_str("  </testsuite>\n");
}

/// The counts of a suite, or of all, as attributes.
fn counts<'c>(cases: impl Iterator<Item = &'c Case>) -> String {
    let (mut tests, mut failures, mut errors, mut skipped) = (0, 0, 0, 0);
    for case in cases {
        tests += 1;
        match case.status {
            Status::Failure => failures += 1,
            Status::Error => errors += 1,
            Status::Skipped => skipped += 1,
        }
    }
    format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\"")
}

fn put(text: &mut String, part: std::fmt::Arguments<'_>) {
    // Writing to a String does not fail.
    let _ = text.write_fmt(part);
}

/// For text and for attributes. What XML cannot hold at all was replaced before.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}
