//! Results for people: a line for each test, then every difference.

use super::Results;
use super::result::{SuiteResult, TestResult};
use crate::report::clean;

pub(super) fn render(results: &Results, with_coverage: bool) -> String {
    let mut text = String::new();
    let header = ["SUITE", "TEST", "DEPLOYMENT", "RESULT"].map(str::to_owned);
    let all = || {
        results
            .suites
            .iter()
            .flat_map(|suite| suite.tests.iter().map(move |test| (suite, test)))
    };
    let rows = all().map(|(suite, test)| {
        let result = match test.failures.is_empty() {
            true => "pass",
            false => "FAIL",
        };
        [suite.name.as_str(), &test.name, &test.deployment, result].map(|cell| clean(cell).into_owned())
    });
    let rows: Vec<[String; 4]> = std::iter::once(header).chain(rows).collect();
    if rows.len() > 1 {
        columns(&mut text, &rows);
        text.push('\n');
    }
    for (suite, test) in all().filter(|(_, test)| !test.failures.is_empty()) {
        details(&mut text, suite, test);
    }
    if with_coverage {
        coverage(&mut text, results);
    }
    let (tests, failed) = (results.tests().count(), results.failed());
    let unread = match results.problems.len() {
        0 => String::new(),
        count => format!(", {}", counted(count, "problem")),
    };
    let passed = tests - failed;
    text.push_str(&format!(
        "{}, {passed} passed, {failed} failed{unread}\n",
        counted(tests, "test")
    ));
    text
}

fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

fn details(text: &mut String, suite: &SuiteResult, test: &TestResult) {
    text.push_str(&format!("{}:{}: {}\n", suite.file, test.line, clean(&test.name)));
    for failure in &test.failures {
        text.push_str(&format!("  expected  {}\n", clean(&failure.expected)));
        for (number, found) in failure.found.iter().enumerate() {
            let label = if number == 0 { "found" } else { "" };
            text.push_str(&format!("  {label:8}  {}\n", clean(found)));
        }
    }
    text.push('\n');
}

/// The demands that tests have not seen both violated and met.
fn coverage(text: &mut String, results: &Results) {
    let coverage = results.coverage();
    let header = ["PERSONA", "RULE", "NEVER SEEN"].map(str::to_owned);
    let gaps = coverage.demands().filter_map(|(demand, seen)| {
        let never = match (seen.violated, seen.passed) {
            (0, 0) => "violated, passing",
            (0, _) => "violated",
            (_, 0) => "passing",
            _ => return None,
        };
        Some([demand.persona.as_str(), demand.rule.name(), never].map(|cell| clean(cell).into_owned()))
    });
    let rows: Vec<[String; 3]> = std::iter::once(header).chain(gaps).collect();
    if rows.len() > 1 {
        columns(text, &rows);
        text.push('\n');
    }
    let all = coverage.demands().count();
    let violated = coverage.demands().filter(|(_, seen)| seen.violated > 0).count();
    let passed = coverage.demands().filter(|(_, seen)| seen.passed > 0).count();
    text.push_str(&format!(
        "{all} rules that personas demand: {violated} seen violated, {passed} seen passing\n"
    ));
}

/// Columns as kubectl has them: three blanks between, nothing behind the last.
fn columns<const N: usize>(text: &mut String, rows: &[[String; N]]) {
    let widths: Vec<usize> = (0..N)
        .map(|column| {
            let lengths = rows.iter().filter_map(|row| row.get(column));
            lengths.map(|cell| cell.chars().count()).max().unwrap_or_default()
        })
        .collect();
    for row in rows {
        let cells = row.iter().zip(&widths);
        let padded: Vec<String> = cells.map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(padded.join("   ").trim_end());
        text.push('\n');
    }
}
