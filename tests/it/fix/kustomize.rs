//! `-o kustomize`: what kustomize makes of the files and the component is what it makes of the fixed files.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::command::fix;
use crate::bed::{home, skip};

/// Files that kustomize reads in its own way: it takes no directive, `yes` is a text to it, and a comment behind a kept block
/// scalar adds a line to that.
const OTHERWISE: [&str; 4] = [
    "ends-in-a-kept-scalar.yaml",
    "flow-in-block.yaml",
    "leading-marks.yaml",
    "numbers-and-words.yaml",
];

/// The kubectl of the test bed, which has kustomize built in.
fn kubectl() -> Option<Command> {
    let program = home().ok()?.join("bin/kubectl");
    match program.is_file() {
        true => Some(Command::new(program)),
        false => skip("the test bed is not built yet"),
    }
}

/// What `kubectl kustomize` prints for a folder with this kustomization.
fn built(folder: &Path, kustomization: &str) -> Result<String, String> {
    fs::create_dir_all(folder).expect("made");
    fs::write(folder.join("kustomization.yaml"), kustomization).expect("written");
    let output = kubectl().ok_or("no kubectl")?.arg("kustomize").arg(folder).output();
    let output = output.expect("it starts");
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

#[test]
fn the_component_is_the_fix() {
    if kubectl().is_none() {
        return;
    }
    let (mut compared, mut wrong) = (0, Vec::new());
    for (name, text) in super::corpus() {
        if super::by_hand(&name) || OTHERWISE.contains(&name.as_str()) {
            continue;
        }
        let folder = TempDir::new().expect("a folder");
        let [base, component, fixed, both] = ["base", "fix", "fixed", "both"].map(|it| folder.path().join(it));
        for at in [&base, &component, &fixed] {
            fs::create_dir_all(at).expect("made");
        }
        fs::write(base.join(&name), &text).expect("written");
        fs::write(fixed.join(&name), &text).expect("written");
        let resources = format!("resources: [{name}]\n");
        fs::write(base.join("kustomization.yaml"), &resources).expect("written");
        let printed = fix(&base, &["--all", "-o", "kustomize", &name]);
        fs::write(component.join("kustomization.yaml"), printed.out).expect("written");
        assert_eq!(fix(&fixed, &["--all", &name]).code, Some(0), "{name}");
        let with_component = built(&both, "resources: [../base]\ncomponents: [../fix]\n");
        let of_fixed = built(&fixed, &resources);
        if with_component.is_err() || with_component != of_fixed {
            wrong.push(format!("{name}: {with_component:?} and {of_fixed:?}"));
        }
        compared += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared >= 40, "{compared}");
}
