//! Results as JUnit XML: a suite for each suite, a test case for each test. What could not be read is an error, so that a reader
//! of the file comes to the same verdict as the exit code.

use std::fmt::Write as _;

use super::Results;
use super::result::{SuiteResult, TestResult};
use crate::report::{Problem, clean, xml};

pub(super) fn render(results: &Results) -> String {
    let (tests, failed, errors) = (results.tests().count(), results.failed(), results.problems.len());
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let counts = counts(tests + errors, failed, errors);
    put(&mut text, format_args!("<testsuites name=\"dorgu test\" {counts}>\n"));
    for suite in &results.suites {
        put_suite(&mut text, suite);
    }
    if errors > 0 {
        put_problems(&mut text, &results.problems);
    }
    text.push_str("</testsuites>\n");
    text
}

fn put_suite(text: &mut String, suite: &SuiteResult) {
    let failed = suite.tests.iter().filter(|test| !test.failures.is_empty()).count();
    let (name, file) = (escape(&suite.name), escape(&suite.file));
    let counts = counts(suite.tests.len(), failed, 0);
    put(text, format_args!("  <testsuite name=\"{name}\" {counts}>\n"));
    for test in &suite.tests {
        let (case, line) = (escape(&test.name), test.line);
        let attributes = format!("name=\"{case}\" classname=\"{name}\" file=\"{file}\" line=\"{line}\"");
        match test.failures.first() {
            None => put(text, format_args!("    <testcase {attributes}/>\n")),
            Some(first) => {
                let message = escape(&format!(
                    "expected {}; found {}",
                    first.expected,
                    first.found.join(", ")
                ));
                let (kind, inner) = (first.kind.as_str(), xml(&details(test)));
                put(
                    text,
                    format_args!(
                        "    <testcase {attributes}>\n      \
                         <failure message=\"{message}\" type=\"{kind}\">{inner}</failure>\n    </testcase>\n"
                    ),
                );
            }
        }
    }
    text.push_str("  </testsuite>\n");
}

fn put_problems(text: &mut String, problems: &[Problem]) {
    let counts = counts(problems.len(), 0, problems.len());
    put(text, format_args!("  <testsuite name=\"unreadable\" {counts}>\n"));
    for problem in problems {
        let (file, message) = (escape(&problem.file), escape(&problem.reason));
        let line = problem.line.unwrap_or(1);
        put(
            text,
            format_args!(
                "    <testcase name=\"{file}:{line}\" classname=\"unreadable\" file=\"{file}\" line=\"{line}\">\n      \
                 <error message=\"{message}\" type=\"unreadable\"/>\n    </testcase>\n"
            ),
        );
    }
    text.push_str("  </testsuite>\n");
}

fn details(test: &TestResult) -> String {
    let mut text = String::new();
    for failure in &test.failures {
        put(&mut text, format_args!("expected: {}\n", clean(&failure.expected)));
        for found in &failure.found {
            put(&mut text, format_args!("found: {}\n", clean(found)));
        }
    }
    text
}

fn counts(tests: usize, failures: usize, errors: usize) -> String {
    format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\"")
}

fn put(text: &mut String, part: std::fmt::Arguments<'_>) {
    // Writing to a String does not fail.
    let _ = text.write_fmt(part);
}

/// For one line of text and for attributes.
fn escape(text: &str) -> String {
    xml(&clean(text))
}
