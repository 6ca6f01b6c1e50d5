//! The exit code depends on findings and `--fail-on` alone: every format with every setting and every kind of finding.

use dorgu::policy::Severity::{self, Error, Info, Warning};
use dorgu::report::Standing::{self, Before, Excepted, New};
use dorgu::report::{FailOn, Format, Problem, Report, ReportedFinding, View};
use serde_json::Value;

use super::{sample, text};

/// Findings, whether there is a problem, and the codes for error, warning and never.
type Row = (&'static [(Severity, Standing)], bool, [u8; 3]);

const TABLE: &[Row] = &[
    (&[], false, [0, 0, 0]),
    (&[(Info, New)], false, [0, 0, 0]),
    (&[(Info, Before)], false, [0, 0, 0]),
    (&[(Warning, New)], false, [0, 1, 0]),
    (&[(Warning, Before)], false, [0, 0, 0]),
    (&[(Warning, Excepted)], false, [0, 1, 0]),
    (&[(Error, New)], false, [1, 1, 0]),
    (&[(Error, Before)], false, [0, 0, 0]),
    (&[(Error, Before), (Warning, New)], false, [0, 1, 0]),
    (&[(Warning, New), (Error, New)], false, [1, 1, 0]),
    (&[], true, [2, 2, 2]),
    (&[(Error, Before)], true, [2, 2, 2]),
    (&[(Error, New)], true, [2, 2, 2]),
];

fn report(findings: &[(Severity, Standing)], has_problem: bool, denied: bool) -> Report {
    let finding = |(severity, standing): &(Severity, Standing)| ReportedFinding {
        severity: *severity,
        standing: *standing,
        denied,
        ..sample::one()
    };
    let problem = Problem {
        file: "broken.yaml".to_owned(),
        line: None,
        reason: "it is no YAML".to_owned(),
    };
    Report {
        findings: findings.iter().map(finding).collect(),
        problems: Vec::from_iter(has_problem.then_some(problem)),
        ..Report::default()
    }
}

/// The verdict that a reader of the format comes to; `None` where it has none of its own.
fn verdict(format: Format, text: &str) -> Option<bool> {
    match format {
        Format::Json => {
            let document: Value = serde_json::from_str(text).expect("JSON");
            Some(document["exitCode"] != 0)
        }
        Format::Yaml => {
            let document: Value = serde_saphyr::from_str(text).expect("YAML");
            Some(document["exitCode"] != 0)
        }
        Format::Sarif => {
            let log: Value = serde_json::from_str(text).expect("JSON");
            Some(log["runs"][0]["invocations"][0]["exitCode"] != 0)
        }
        Format::Junit => {
            let report = quick_junit::Report::deserialize_from_str(text).expect("JUnit");
            Some(report.failures + report.errors > 0)
        }
        _ => None,
    }
}

#[test]
fn the_exit_code_is_that_of_the_findings_whatever_the_format_and_the_mode() {
    let mut cells = 0;
    for (findings, has_problem, codes) in TABLE {
        for denied in [false, true] {
            let report = report(findings, *has_problem, denied);
            for (fail_on, code) in FailOn::ALL.into_iter().zip(codes) {
                for (format, quiet) in Format::ALL
                    .into_iter()
                    .flat_map(|format| [(format, false), (format, true)])
                {
                    let view = View { fail_on, quiet };
                    let shown = report.shown(view);
                    let cell = format!("{findings:?}, {has_problem}, {denied}, {view:?}, {}", format.as_str());
                    assert_eq!(
                        (report.exit_code(fail_on), shown.exit_code(fail_on)),
                        (*code, *code),
                        "{cell}"
                    );
                    if let Some(fails) = verdict(format, &text(&shown, format, view)) {
                        assert_eq!(fails, *code != 0, "{cell}");
                    }
                    cells += 1;
                }
            }
        }
    }
    assert_eq!(cells, TABLE.len() * 2 * 3 * 9 * 2);
}

#[test]
fn workloads_without_a_persona_count_where_they_are_to() {
    for (fails_ungoverned, ungoverned, code) in [(false, 2, 0), (true, 0, 0), (true, 2, 1)] {
        let mut report = report(&[(Warning, New)], false, false);
        report.fails_ungoverned = fails_ungoverned;
        report.counts.ungoverned = ungoverned;
        for fail_on in [FailOn::Error, FailOn::Never] {
            assert_eq!(report.exit_code(fail_on), code, "{ungoverned}");
            let view = View { fail_on, quiet: false };
            for format in Format::ALL {
                let fails = verdict(format, &text(&report, format, view));
                assert!(fails.is_none_or(|fails| fails == (code != 0)), "{}", format.as_str());
            }
        }
    }
}
