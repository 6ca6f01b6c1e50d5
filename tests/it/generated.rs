//! Generated files match the code. `DORGU_REWRITE=1 cargo test --test it generated` rewrites them.

mod fields;
pub(crate) mod flags;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The YAML files of a folder by name; none when the folder does not exist.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return BTreeMap::new();
    };
    entries
        .map(|entry| entry.unwrap())
        // Examples and a README, which people write, may be among them.
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "yaml"))
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                std::fs::read_to_string(entry.path()).unwrap(),
            )
        })
        .collect()
}

/// Compares a generated folder with what it should hold, or rewrites it when asked to.
fn assert_current(name: &str, wanted: BTreeMap<String, String>) {
    let folder = folder(name);
    if std::env::var_os("DORGU_REWRITE").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        for stale in files(&folder).keys().filter(|file| !wanted.contains_key(*file)) {
            std::fs::remove_file(folder.join(stale)).unwrap();
        }
        for (file, text) in &wanted {
            std::fs::write(folder.join(file), text).unwrap();
        }
    }
    let found = files(&folder);
    let differing: Vec<&String> = wanted
        .keys()
        .chain(found.keys())
        .filter(|file| wanted.get(*file) != found.get(*file))
        .collect();
    assert!(
        differing.is_empty(),
        "{name}: {differing:?} differ from the code; run: DORGU_REWRITE=1 cargo test --test it generated"
    );
}

/// Compares a generated file with what it should say, or rewrites it when asked to.
fn assert_text_is_current(name: &str, wanted: &str) {
    let file = folder(name);
    if std::env::var_os("DORGU_REWRITE").is_some() {
        std::fs::write(&file, wanted).unwrap();
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    let differing = found
        .lines()
        .zip(wanted.lines())
        .find(|(found, wanted)| found != wanted);
    assert!(
        found == wanted,
        "{name} differs from the code, first in {differing:?}; run: DORGU_REWRITE=1 cargo test --test it generated"
    );
}

/// Text as a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[test]
fn custom_resource_definitions_are_current() {
    assert_current(
        "manifests/crds",
        dorgu::api::crd::render(dorgu::api::crds())
            .unwrap()
            .into_iter()
            .collect(),
    );
}

#[test]
fn the_schema_of_suites_is_current() {
    let schema = serde_json::to_string_pretty(&dorgu::suite::schema()).unwrap() + "\n";
    assert_text_is_current("docs/schemas/persona-test.json", &schema);
}

#[test]
fn manifests_are_current() {
    let objects = dorgu::install::Installation::of(dorgu::serve::parts::declared()).objects();
    let files = objects.folder().unwrap();
    let (crds, mut own): (BTreeMap<_, _>, BTreeMap<_, _>) = files.into_iter().partition(|(file, _)| file.contains('/'));
    assert_eq!(crds.len(), 3, "held by the test above: {:?}", crds.keys());
    own.insert("install.yaml".to_owned(), objects.single_file().unwrap());
    assert_current("manifests", own);
}
