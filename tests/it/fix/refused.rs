//! What has to be changed by hand is named, and the file stays as it is.

use std::fs;

use tempfile::TempDir;

use super::command::{Run, fix};

/// Runs on a text in a file named `x.yaml`, and says what was complained about. The file must not have changed.
#[track_caller]
fn rejected(text: &str) -> String {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("x.yaml");
    fs::write(&file, text).expect("written");
    let run = fix(folder.path(), &["--all", "x.yaml"]);
    assert_eq!((run.code, run.out.as_str()), (Some(1), ""), "{run:?}");
    assert_eq!(fs::read_to_string(&file).expect("readable"), text);
    assert_eq!(
        fs::read_dir(folder.path()).expect("a folder").count(),
        1,
        "nothing is left beside"
    );
    run.error
}

fn deployment(container: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: orders, labels: {{app.kubernetes.io/name: orders}}}}\nspec:\n  template:\n    spec:\n      containers:\n{container}"
    )
}

#[test]
fn shared_values_are_rejected_with_both_lines() {
    let expected = [
        (
            "merged-in-resources.refused.yaml",
            "x.yaml:16: not fixed: Deployment orders: the merge key at line 16 brings the value in from line 3; change it there, or write it out",
        ),
        (
            "shared-resources.refused.yaml",
            "x.yaml:17: not fixed: Deployment orders: line 17 uses the value that has an anchor at line 13; change it by hand, or write it out at both",
        ),
        (
            "shared-security-context.refused.yaml",
            "x.yaml:15: not fixed: Deployment orders: line 15 uses the value that has an anchor at line 1; change it by hand, or write it out at both",
        ),
    ];
    let files = super::corpus().into_iter().filter(|(name, _)| super::by_hand(name));
    let seen: Vec<(String, String)> = files.map(|(name, text)| (name, rejected(&text))).collect();
    let seen: Vec<(&str, &str)> = seen
        .iter()
        .map(|(name, said)| (name.as_str(), said.trim_end().trim_start_matches("dorgu: ")))
        .collect();
    assert_eq!(seen, expected);
}

#[test]
fn a_broken_document_and_tabs_are_rejected() {
    let good = deployment("      - {name: api, image: \"x:1\"}\n");
    assert_eq!(
        rejected(&format!("{good}---\na: 1\na: 2\n")),
        "dorgu: x.yaml:11: not fixed: key \"a\" is set twice, first at line 10; nothing of the file is changed\n"
    );
    assert_eq!(
        rejected(&deployment("      -\tname: api\n")),
        "dorgu: x.yaml:8: not fixed: Deployment orders: line 8: tabs in the indentation; replace them by spaces\n"
    );
}

#[test]
fn standard_input_is_not_written() {
    let folder = TempDir::new().expect("a folder");
    let text = deployment("      - {name: api, image: \"x:1\"}\n");
    let rendered = format!("---\n# Source: chart/templates/deployment.yaml\n{text}");
    let run = Run::with_input(folder.path(), &["-"], &rendered);
    assert_eq!(run.code, Some(1));
    assert_eq!(
        run.error,
        "dorgu: -: not fixed: it was rendered from chart/templates/deployment.yaml; change that, or print the fixes with -o\n"
    );
    let run = Run::with_input(folder.path(), &["-"], &text);
    assert_eq!(
        run.error,
        "dorgu: -: not fixed: standard input cannot be written; name a file, or print the fixes with -o\n"
    );
    let run = Run::with_input(folder.path(), &["-", "-o", "kustomize"], &rendered);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.out.contains("kind: Component"), "{run:?}");
}
