//! Results for programs.

use serde::Serialize;

use super::Results;
use super::coverage::{Demand, Seen};
use super::expectation::standing_word;
use super::result::{Failure, TestResult};
use crate::report::{Problem, ReportedFinding};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'r> {
    tests: usize,
    passed: usize,
    failed: usize,
    suites: Vec<SuiteObject<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<Vec<DemandObject>>,
    problems: &'r [Problem],
}

#[derive(Serialize)]
struct SuiteObject<'r> {
    file: &'r str,
    name: &'r str,
    tests: Vec<TestObject<'r>>,
}

#[derive(Serialize)]
struct TestObject<'r> {
    name: &'r str,
    deployment: &'r str,
    line: usize,
    result: &'static str,
    failures: Vec<FailureObject<'r>>,
    findings: Vec<FindingObject<'r>>,
}

#[derive(Serialize)]
struct FailureObject<'r> {
    kind: &'static str,
    expected: &'r str,
    found: &'r [String],
}

#[derive(Serialize)]
struct FindingObject<'r> {
    rule: &'static str,
    severity: &'static str,
    standing: &'static str,
    denied: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<&'r str>,
    persona: &'r str,
    message: &'r str,
    file: &'r str,
    line: usize,
}

#[derive(Serialize)]
struct DemandObject {
    persona: String,
    rule: &'static str,
    violated: usize,
    passed: usize,
}

pub(super) fn render(results: &Results, with_coverage: bool) -> Result<String, serde_json::Error> {
    let (tests, failed) = (results.tests().count(), results.failed());
    let suites = results.suites.iter().map(|suite| SuiteObject {
        file: &suite.file,
        name: &suite.name,
        tests: suite.tests.iter().map(test).collect(),
    });
    let document = Document {
        tests,
        passed: tests - failed,
        failed,
        suites: suites.collect(),
        coverage: with_coverage.then(|| demands(results)),
        problems: &results.problems,
    };
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

fn test(test: &TestResult) -> TestObject<'_> {
    TestObject {
        name: &test.name,
        deployment: &test.deployment,
        line: test.line,
        result: match test.failures.is_empty() {
            true => "pass",
            false => "fail",
        },
        failures: test.failures.iter().map(failure).collect(),
        findings: test.findings.iter().map(finding).collect(),
    }
}

fn failure(failure: &Failure) -> FailureObject<'_> {
    FailureObject {
        kind: failure.kind.as_str(),
        expected: &failure.expected,
        found: &failure.found,
    }
}

fn finding(found: &ReportedFinding) -> FindingObject<'_> {
    FindingObject {
        rule: found.rule.name(),
        severity: found.severity.as_str(),
        standing: standing_word(found.standing),
        denied: found.denied,
        container: found.container.as_deref(),
        persona: &found.persona,
        message: &found.message,
        file: &found.location.file,
        line: found.location.start.line,
    }
}

fn demands(results: &Results) -> Vec<DemandObject> {
    let coverage = results.coverage();
    let object = |(demand, Seen { violated, passed }): (&Demand, Seen)| DemandObject {
        persona: demand.persona.clone(),
        rule: demand.rule.name(),
        violated,
        passed,
    };
    coverage.demands().map(object).collect()
}
