//! Finds suites in files and runs them. All IO of `dorgu test` is here and in [`one`].

mod one;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::one::Loading;
use super::Results;
use super::format::problem;
use super::names::instead;
use super::run::Text;
use crate::api::{API_VERSION, GROUP};
use crate::check::paths::{Input, Inputs};
use crate::check::{self, Manifest};
use crate::files::SUITE_KIND;
use crate::manifest::Node;
use crate::policy::Moment;
use crate::report::Problem;
use crate::world::Deciding;

/// What holds for all suites of a run, unless one says otherwise.
#[derive(Clone, Debug)]
pub struct Defaults {
    /// Files and folders of personas that every suite has.
    pub personas: Vec<PathBuf>,
    /// The settings of the installation.
    pub deciding: Deciding,
    /// The namespace of objects that name none.
    pub namespace: String,
    /// When Deployments are judged.
    pub at: Moment,
}

/// Runs the suites of some files, folders and patterns.
pub fn run(paths: &[PathBuf], defaults: &Defaults) -> Results {
    let inputs = Inputs::of(paths, Path::new("."));
    let mut results = Results {
        problems: inputs.problems,
        notes: inputs.notes,
        ..Results::default()
    };
    let mut found = 0;
    for input in &inputs.files {
        let is_named = paths.iter().any(|path| Some(path) == input.path.as_ref()) || input.path.is_none();
        found += of_file(input, is_named, defaults, &mut results);
    }
    if found == 0 && results.problems.is_empty() {
        let shown: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        results.problems.push(Problem {
            file: shown.join(", "),
            line: None,
            reason: format!("no suite in it: no document has apiVersion: {API_VERSION} and kind: {SUITE_KIND}"),
        });
    }
    results
}

/// Runs the suites of a file. Returns how many there are.
fn of_file(input: &Input, is_named: bool, defaults: &Defaults, results: &mut Results) -> usize {
    let file = &input.name;
    let text = match check::read(input.path.as_deref()) {
        Ok(text) => text,
        Err(reason) => {
            results.problems.push(whole(file, reason));
            return 0;
        }
    };
    // Beside suites stand manifests of all kinds, which need not be read.
    if !is_named && !text.contains(SUITE_KIND) && !text.contains(GROUP) {
        return 0;
    }
    let manifest = Manifest::read(&text);
    if let Some(error) = manifest
        .error
        .as_ref()
        .filter(|_| is_named || text.contains(SUITE_KIND))
    {
        results.problems.push(problem(file, error.line, error.reason.clone()));
        return 1;
    }
    let text = Arc::new(Text {
        name: Arc::clone(file),
        text,
        manifest,
    });
    let folder = input.path.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
    let mut found = 0;
    for (document, node) in text.manifest.documents.iter().enumerate() {
        match kind(node) {
            Kind::Suite => {}
            Kind::Other => continue,
            Kind::Mistyped(reason) => {
                found += 1;
                results
                    .problems
                    .push(problem(file, node.nearest("/kind").line(), reason));
                continue;
            }
        }
        found += 1;
        let mut loading = Loading::new((&text, document, node), folder, &defaults.namespace);
        let prepared = loading.suite(defaults);
        results.problems.append(&mut loading.problems);
        results.notes.append(&mut loading.notes);
        results.suites.extend(prepared.map(|prepared| prepared.run()));
    }
    if found == 0 && is_named {
        let reason = format!("no suite in it: no document has apiVersion: {API_VERSION} and kind: {SUITE_KIND}");
        results.problems.push(whole(file, reason));
    }
    found
}

enum Kind {
    Suite,
    Other,
    /// Of our group, and no kind of ours.
    Mistyped(String),
}

fn kind(node: &Node) -> Kind {
    let text = |key: &str| node.text(key).unwrap_or_default();
    let ours = ["ApplicationPersona", "ClusterPersona", "PersonaException"];
    match (text("apiVersion"), text("kind")) {
        (API_VERSION, SUITE_KIND) => Kind::Suite,
        (version, SUITE_KIND) => Kind::Mistyped(format!("apiVersion {version:?}: a {SUITE_KIND} has {API_VERSION}")),
        (version, kind) if version.split('/').next() == Some(GROUP) => {
            match ours.contains(&kind.trim_end_matches("List")) {
                true => Kind::Other,
                false => Kind::Mistyped(instead("kind", kind, ours.into_iter().chain([SUITE_KIND]))),
            }
        }
        _ => Kind::Other,
    }
}

fn whole(file: &str, reason: String) -> Problem {
    Problem {
        file: file.to_owned(),
        line: None,
        reason,
    }
}
