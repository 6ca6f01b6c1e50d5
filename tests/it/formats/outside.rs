//! What readers outside of dorgu say: Microsoft's validator of SARIF with GitHub's rules, JSON Schemas, junitparser.

use std::fs;
use std::path::{Path, PathBuf};

use dorgu::report::{Format, Report, View, render};
use serde_json::Value;
use tempfile::TempDir;

use super::sample;
use crate::bed::Validators;

/// The reports that are shown to them: everything, nothing, and one finding with and without links.
fn reports() -> Vec<(&'static str, Report)> {
    let docs_url = "https://example.com/docs/rules.md".to_owned();
    let one = Report {
        findings: vec![sample::one()],
        ..Report::default()
    };
    vec![
        ("all", sample::all_kinds()),
        ("none", Report::default()),
        ("one", one.clone()),
        ("linked", Report { docs_url, ..one }),
    ]
}

/// Each report as a file.
fn files(folder: &Path, format: Format) -> Vec<PathBuf> {
    let write = |(name, report): (&str, Report)| {
        let file = folder.join(format!("{name}.{}", format.as_str()));
        let text = render(&report, format, View::default()).expect("text").text;
        fs::write(&file, text).expect("written");
        file
    };
    reports().into_iter().map(write).collect()
}

fn in_bed(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join(name).display().to_string()
}

fn by_schema(format: Format, schema: &str) {
    let Some(validators) = Validators::find() else { return };
    let folder = TempDir::new().expect("a folder");
    let files: Vec<String> = files(folder.path(), format)
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    let schema = in_bed(schema);
    let args: Vec<&str> = ["schema", &schema]
        .into_iter()
        .chain(files.iter().map(String::as_str))
        .collect();
    let output = validators.python(&args);
    assert_eq!(output.code, Some(0), "{output:?}");
    // A file that the schema does not describe is seen.
    let wrong = folder.path().join("wrong.json");
    fs::write(&wrong, "[{\"kind\": 1}]").expect("written");
    let output = validators.python(&["schema", &schema, &wrong.display().to_string()]);
    assert_eq!(output.code, Some(1), "{output:?}");
}

#[test]
fn json_is_as_its_schema_says() {
    by_schema(Format::Json, "docs/schemas/check-report.json");
}

#[test]
fn gitlab_is_as_its_schema_says() {
    by_schema(Format::Gitlab, "tests/bed/formats/gitlab.json");
}

#[test]
fn sarif_is_as_its_schema_says() {
    by_schema(Format::Sarif, "tests/bed/formats/sarif-2.1.0.json");
}

#[test]
fn sarif_has_no_warning_of_the_validator_that_knows_code_scanning() {
    let Some(validators) = Validators::find() else { return };
    let folder = TempDir::new().expect("a folder");
    for file in files(folder.path(), Format::Sarif) {
        let log = file.with_extension("log");
        let (file, to) = (file.display().to_string(), log.display().to_string());
        let output = validators.sarif(&[
            "validate",
            &file,
            "--rule-kind",
            "Sarif;Ghas",
            "--output",
            &to,
            "--log",
            "ForceOverwrite",
        ]);
        assert_eq!(output.code, Some(0), "{output:?}");
        let log: Value = serde_json::from_str(&fs::read_to_string(&log).expect("a log")).expect("JSON");
        let results = log["runs"][0]["results"].as_array().expect("results").iter();
        // A level that is not named is a warning.
        let bad: Vec<&Value> = results.filter(|result| result["level"] != "note").collect();
        assert!(bad.is_empty(), "{file}: {bad:#?}");
    }
}

#[test]
fn junitparser_counts_what_the_report_holds() {
    let Some(validators) = Validators::find() else { return };
    let folder = TempDir::new().expect("a folder");
    let files: Vec<String> = files(folder.path(), Format::Junit)
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    let args: Vec<&str> = ["junit"].into_iter().chain(files.iter().map(String::as_str)).collect();
    let output = validators.python(&args);
    assert_eq!(output.code, Some(0), "{output:?}");
    let wanted = reports().into_iter().map(|(_, report)| {
        let (findings, failing, errors) = (
            report.findings.len(),
            report.failing(View::default().fail_on),
            report.problems.len(),
        );
        format!(
            "{} {failing} {errors} {}\n",
            (findings + errors).max(1),
            findings - failing
        )
    });
    assert_eq!(output.stdout, wanted.collect::<String>());
}
