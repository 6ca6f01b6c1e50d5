//! `dorgu fix`: on manifests as people have them (`tests/fixes`) and on generated ones, no fixable finding is left, the value is
//! that of the patched object, and every other byte stays.

mod command;
mod generated;
mod kustomize;
mod refused;

use std::fs;
use std::path::PathBuf;

use dorgu::check::{Judge, Judgement, Manifest, Stored};
use dorgu::fix::plan::{Planned, Rejected, Settings, plan};
use dorgu::manifest::edit::apply;
use dorgu::manifest::{self, Node};
use dorgu::policy::remedy::patch_all;
use dorgu::policy::{Mode, Moment, RuleSet, Rulebook, Severity};
use dorgu::world::{self, Deciding};
use serde_json::Value;

use crate::bed::repository;

/// The folder with manifests and the personas for them.
fn folder() -> PathBuf {
    repository().join("tests/fixes")
}

/// The manifests of the corpus, by name.
fn corpus() -> Vec<(String, String)> {
    let entries = fs::read_dir(folder().join("manifests")).expect("a folder of ours");
    let mut files: Vec<(String, String)> = entries
        .map(|entry| {
            let path = entry.expect("readable").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).expect("readable"))
        })
        .collect();
    files.sort();
    assert!(files.len() > 45, "{}", files.len());
    files
}

/// Whether a file of the corpus has to be changed by hand.
fn by_hand(name: &str) -> bool {
    name.contains(".refused.")
}

/// Runs with a judge by the personas of a file.
fn judging<R>(personas: &[PathBuf], then: impl FnOnce(&Judge<'_>) -> R) -> R {
    let (set, mode) = (RuleSet::Complete, Mode::Advisory);
    let deciding = Deciding {
        rulebook: Rulebook { set, mode },
        ..Deciding::default()
    };
    let at = Moment(1_800_000_000);
    let index = deciding.index(Some(at));
    let loaded = world::read(personas, &index).expect("personas");
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    let snapshot = index.load();
    then(&Judge::of(&deciding, &snapshot, at))
}

/// A plan for a text with warnings included.
fn planned(text: &str, judge: &Judge<'_>) -> Result<Planned, Rejected> {
    let (namespace, all) = ("default", true);
    plan(text, Settings { judge, namespace, all })
}

/// The findings of an object that have a fix.
fn fixable(object: &Value, judge: &Judge<'_>) -> json_patch::Patch {
    let stored = Stored::of(object.clone(), "default");
    let judged = judge.judge(&stored, None, |judgement, _| match judgement {
        Judgement::Ungoverned => json_patch::Patch(Vec::new()),
        Judgement::Decided(decision) => {
            let counts = decision.findings().filter(|found| found.severity() > Severity::Info);
            patch_all(counts.map(dorgu::policy::AttributedFinding::finding), object)
        }
    });
    judged.expect("readable")
}

/// All that is wrong with a plan for a text, by another way than it was made.
fn wrong(text: &str, planned: &Planned, judge: &Judge<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    if apply(text, &planned.edits) != planned.text {
        wrong.push("the text is not the edited one".to_owned());
    }
    let (before, after) = (Manifest::read(text), Manifest::read(&planned.text));
    if after.error.is_some() || after.documents.len() != before.documents.len() {
        return vec![format!("not read: {:?}", after.error)];
    }
    // The patches, applied by another implementation.
    let mut meant: Vec<Value> = before.documents.iter().map(Node::to_value).collect();
    let mut patches = planned.patches.iter();
    for found in &before.workloads {
        let object = meant[found.document].pointer_mut(&found.pointer).expect("there");
        if !fixable(object, judge).0.is_empty() {
            let Some(patch) = patches.next() else {
                wrong.push(format!("{found:?} has no patch"));
                continue;
            };
            json_patch::patch(object, &patch.patch).expect("it applies");
        }
        let left = fixable(object, judge);
        if !left.0.is_empty() {
            wrong.push(format!("left: {left:?}"));
        }
    }
    let really: Vec<Value> = after.documents.iter().map(Node::to_value).collect();
    if really != meant {
        wrong.push("the value is not that of the patched object".to_owned());
    }
    // A comment may only be lost with what it stands in.
    for comment in comments(text) {
        if !comments(&planned.text).contains(&comment) {
            wrong.push(format!("lost: {comment:?}"));
        }
    }
    for (what, same) in [
        (
            "a byte order mark",
            (|text| text.starts_with('\u{feff}')) as fn(&str) -> bool,
        ),
        ("a final newline", |text| text.ends_with('\n')),
        ("line ends", |text| {
            text.matches('\n').count() == text.matches("\r\n").count()
        }),
    ] {
        if same(text) != same(&planned.text) {
            wrong.push(format!("{what} changed"));
        }
    }
    match self::planned(&planned.text, judge) {
        Ok(again) if again.edits.is_empty() => {}
        Ok(again) => wrong.push(format!("a second run changes {:?}", again.edits)),
        Err(error) => wrong.push(format!("a second run: {error:?}")),
    }
    wrong
}

/// What stands behind `#` at the start of a line or behind a blank.
fn comments(text: &str) -> Vec<&str> {
    let start = |line: &str| match line.trim_start().starts_with('#') {
        true => line.find('#'),
        false => line.find(" #").map(|at| at + 1),
    };
    text.lines()
        .filter_map(|line| Some(line.get(start(line)?..)?.trim_end()))
        .collect()
}

#[test]
fn manifests_as_people_have_them_are_fixed_and_nothing_else_in_them() {
    let personas = [folder().join("personas.yaml")];
    judging(&personas, |judge| {
        let (mut changed, mut failures) = (0, Vec::new());
        for (name, text) in corpus().iter().filter(|(name, _)| !by_hand(name)) {
            assert_eq!(manifest::read(text).error, None, "{name}");
            match planned(text, judge) {
                Ok(planned) => {
                    changed += usize::from(!planned.edits.is_empty());
                    let wrong = wrong(text, &planned, judge);
                    if !wrong.is_empty() {
                        failures.push(format!("{name}: {wrong:#?}\n{}", planned.text));
                    }
                }
                Err(error) => failures.push(format!("{name}: {error:?}")),
            }
        }
        assert!(failures.is_empty(), "{}", failures.join("\n"));
        assert!(changed >= 40, "{changed}");
    });
}
