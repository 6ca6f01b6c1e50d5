//! Tests of what is written, and when nothing is.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use tempfile::TempDir;

use super::write::{WriteError, replace};

fn file(text: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.yaml");
    fs::write(&path, text).unwrap();
    (folder, path)
}

/// The names in a folder.
fn names(folder: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.collect()
}

#[test]
fn a_file_is_replaced_and_keeps_its_mode() {
    let (folder, path) = file("a: 1\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
    replace(&path, "a: 1\n", "a: 2\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "a: 2\n");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o604);
    assert_eq!(names(&folder), ["x.yaml"]);
}

#[test]
fn a_file_that_changed_meanwhile_stays() {
    let (folder, path) = file("a: 1\nb: 1\n");
    let outcome = replace(&path, "a: 1\n", "a: 2\n");
    assert!(matches!(outcome, Err(WriteError::Changed)), "{outcome:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "a: 1\nb: 1\n");
    assert_eq!(names(&folder), ["x.yaml"]);
}

#[test]
fn a_file_with_another_name_stays() {
    let (folder, path) = file("a: 1\n");
    fs::hard_link(&path, folder.path().join("y.yaml")).unwrap();
    let outcome = replace(&path, "a: 1\n", "a: 2\n");
    assert!(matches!(outcome, Err(WriteError::HardLinks(2))), "{outcome:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "a: 1\n");
}
