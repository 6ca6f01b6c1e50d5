//! Alerts fire when they should and only then, evaluated by Prometheus' own promtool: given, or taken from Debian's package,
//! which takes seconds. Where neither is available, the test says so and passes; another test always checks that the rules
//! parse.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use super::{alerts, read, root};
use crate::bed::{home, skip_without_rights};

const CASES: &str = "tests/it/alerts/fires.yaml";

/// `None` after a line that says why there is none.
fn promtool() -> Option<PathBuf> {
    match search() {
        Ok(program) => Some(program),
        Err(reason) => skip_without_rights(&format!("there is no promtool: {reason:#}")),
    }
}

fn search() -> Result<PathBuf> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let mut given = std::env::split_paths(&paths).map(|folder| folder.join("promtool"));
    if let Some(given) = given.find(|program| program.is_file()) {
        return Ok(given);
    }
    let kept = home()?.join("bin/promtool");
    if !kept.is_file() {
        unpack(&kept)?;
    }
    Ok(kept)
}

/// Takes it out of Debian's package; nothing is installed.
fn unpack(to: &Path) -> Result<()> {
    let folder = TempDir::new()?;
    run(folder.path(), "apt-get", &["download", "prometheus"])?;
    let package = fs::read_dir(folder.path())?.next().context("no package")??.path();
    let package = package.to_str().context("a name in letters")?;
    run(folder.path(), "dpkg-deb", &["--extract", package, "."])?;
    let into = to.parent().context("a folder")?;
    fs::create_dir_all(into)?;
    // Whole or not at all, should two tests come at once.
    let part = tempfile::NamedTempFile::new_in(into)?;
    fs::copy(folder.path().join("usr/bin/promtool"), part.path())?;
    part.persist(to)?;
    Ok(())
}

fn run(folder: &Path, program: &str, args: &[&str]) -> Result<()> {
    let ran = Command::new(program).args(args).current_dir(folder).output();
    let ran = ran.with_context(|| format!("{program} cannot be run"))?;
    let said = String::from_utf8_lossy(&ran.stderr);
    ensure!(ran.status.success(), "{program} {}: {}", args.join(" "), said.trim());
    Ok(())
}

/// What promtool says, which must be good.
fn judged(promtool: &Path, args: &[&str]) {
    let ran = Command::new(promtool).args(args).current_dir(root()).output().unwrap();
    let said = [ran.stdout, ran.stderr]
        .map(|text| String::from_utf8_lossy(&text).into_owned())
        .concat();
    assert!(ran.status.success(), "promtool {}\n{said}", args.join(" "));
}

#[test]
fn alerts_fire_when_they_should_and_only_then() {
    let Some(promtool) = promtool() else { return };
    judged(
        &promtool,
        &["check", "rules", "charts/dorgu-operator/files/alerts.yaml"],
    );
    judged(&promtool, &["test", "rules", CASES]);
}

#[test]
fn every_alert_has_a_case_in_which_it_fires_and_the_first_case_silences_all() {
    let cases: Value = serde_saphyr::from_str(&read(CASES)).unwrap();
    let cases = cases["tests"].as_array().unwrap();
    let expected = |case: &Value| -> Vec<String> {
        let evaluations = case["promql_expr_test"].as_array().unwrap();
        let samples = evaluations
            .iter()
            .flat_map(|evaluation| evaluation["exp_samples"].as_array().unwrap());
        samples
            .map(|sample| sample["labels"].as_str().unwrap().to_owned())
            .collect()
    };
    let fires: BTreeSet<String> = cases.iter().flat_map(expected).collect();
    let series = cases[0]["input_series"].to_string();
    assert!(expected(&cases[0]).is_empty());
    for alert in alerts() {
        let (name, severity) = (&alert.name, alert.labels["severity"].as_str().unwrap());
        let start = format!("ALERTS{{alertname=\"{name}\", alertstate=\"firing\", severity=\"{severity}\"");
        assert!(
            fires.iter().any(|labels| labels.starts_with(&start)),
            "{CASES}: nothing lets {name} fire"
        );
        let metrics = alert
            .query
            .split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        for metric in metrics.filter(|word| {
            ["dorgu_", "process_", "apiserver_"]
                .iter()
                .any(|start| word.starts_with(start))
        }) {
            assert!(
                series.contains(&format!("{metric}{{")),
                "{CASES}: all is well without {metric} of {name}"
            );
        }
    }
}
