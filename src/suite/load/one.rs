//! Reads the files that one suite names.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Defaults, whole};
use crate::api::labels::VALIDATE;
use crate::check::paths::{Inputs, name as shown_name};
use crate::check::{self, Found, Manifest};
use crate::files::{FileProblem, Folder};
use crate::index::{Change, Index, Namespace};
use crate::manifest::Node;
use crate::policy::{ModeWish, Moment};
use crate::report::Problem;
use crate::suite::format::{Given, Suite, Test, parse, problem};
use crate::suite::names::instead;
use crate::suite::run::{Object, Objects, Prepared, PreparedTest, Text};
use crate::world;

/// One suite while its files are read.
pub(super) struct Loading<'l> {
    text: &'l Arc<Text>,
    document: usize,
    node: &'l Node,
    /// The folder that its paths are relative to.
    folder: &'l Path,
    namespace: String,
    pub(super) problems: Vec<Problem>,
    pub(super) notes: Vec<String>,
}

impl<'l> Loading<'l> {
    /// A document of a text, in this folder. `namespace` is that of objects that name none, unless the suite says otherwise.
    pub(super) fn new(
        (text, document, node): (&'l Arc<Text>, usize, &'l Node),
        folder: &'l Path,
        namespace: &str,
    ) -> Loading<'l> {
        Loading {
            text,
            document,
            node,
            folder,
            namespace: namespace.to_owned(),
            problems: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// `None` where anything of it cannot be read: its tests would fail for that.
    pub(super) fn suite(&mut self, defaults: &Defaults) -> Option<Prepared> {
        let suite = match parse(&self.text.name, self.node) {
            Ok(suite) => suite,
            Err(problem) => {
                self.problems.push(problem);
                return None;
            }
        };
        if let Some(namespace) = &suite.namespace {
            self.namespace.clone_from(namespace);
        }
        let at = match suite.at.as_deref().map(str::parse::<jiff::Timestamp>) {
            None => defaults.at,
            Some(Ok(at)) => Moment(at.as_second()),
            Some(Err(_)) => {
                self.problem("/at", "is no time such as 2027-01-31T00:00:00Z".to_owned());
                defaults.at
            }
        };
        let deciding = suite.settings.over(&defaults.deciding).unwrap_or_else(|wrong| {
            self.problem(&format!("/settings{}", wrong.pointer), wrong.reason);
            defaults.deciding.clone()
        });
        let index = deciding.index(Some(at));
        self.personas(&suite, &defaults.personas, &index);
        let deployments = self.objects("/deployments", &suite.deployments);
        let old = self.objects("/oldDeployments", &suite.old_deployments);
        if suite.tests.is_empty() {
            self.problem("/tests", "no test in it; add one".to_owned());
        }
        let tests: Vec<PreparedTest> = suite
            .tests
            .iter()
            .enumerate()
            .map(|(number, test)| self.test(number, test))
            .collect();
        self.compare_old(&deployments, &old, &tests);
        self.namespaces(&suite, &deployments, &tests, &index);
        self.problems.is_empty().then(|| Prepared {
            file: Arc::clone(&self.text.name),
            suite,
            deployments,
            old,
            tests,
            index,
            deciding,
            at,
        })
    }

    fn problem(&mut self, pointer: &str, reason: String) {
        let line = self.node.nearest(pointer).line();
        self.problems.push(problem(&self.text.name, line, reason));
    }

    /// The path of a suite as seen from here.
    fn path(&self, given: &str) -> PathBuf {
        let folder = match self.folder.as_os_str().is_empty() {
            true => Path::new("."),
            false => self.folder,
        };
        folder.join(given)
    }

    fn personas(&mut self, suite: &Suite, more: &[PathBuf], index: &Index) {
        let mut roots = Vec::new();
        let mut inline = Vec::new();
        let node = self.node;
        for (number, given) in suite.personas.iter().enumerate() {
            let pointer = format!("/personas/{number}");
            match given {
                Given::Object(_) => inline.push(node.nearest(&pointer).node),
                Given::Path(given) => {
                    let path = self.path(given);
                    match std::fs::metadata(&path) {
                        Ok(_) => roots.push(path),
                        Err(error) => self.problem(&pointer, unreadable(given, &error)),
                    }
                }
            }
        }
        // Those of flags come first, as the platform's.
        let roots = [more, &roots].concat();
        let folder = Folder::of_paths(&roots).map(|folder| folder.in_namespace(&self.namespace));
        let mut folder = match folder {
            Ok(folder) => folder,
            Err(error) => return self.problem("/personas", error.to_string()),
        };
        folder.add(Path::new(&*self.text.name), &inline);
        let loaded = folder.reload();
        for found in &loaded.problems {
            let found = self.of_file(found);
            self.problems.push(found);
        }
        for warning in &loaded.warnings {
            let Problem { file, line, reason } = self.of_file(warning);
            let line = line.map(|line| format!("{line}: ")).unwrap_or_default();
            self.notes.push(format!("{file}:{line} {reason}"));
        }
        world::fill(index, loaded);
    }

    fn of_file(&self, found: &FileProblem) -> Problem {
        Problem {
            file: shown_name(&found.file, &std::path::absolute(".").unwrap_or_default()).to_string(),
            line: found.line,
            reason: found.reason.clone(),
        }
    }

    /// The namespaces that the suite describes itself. One that holds nothing was probably mistyped.
    fn namespaces(&mut self, suite: &Suite, deployments: &[Object], tests: &[PreparedTest], index: &Index) {
        let of_tests = tests.iter().filter_map(|test| test.new.as_ref()).flatten();
        let mut used: HashSet<String> = deployments
            .iter()
            .chain(of_tests)
            .map(|object| object.namespace().to_owned())
            .collect();
        used.extend(index.load().personas().map(|stored| stored.persona.namespace.clone()));
        for (number, given) in suite.namespaces.iter().enumerate() {
            let pointer = format!("/namespaces/{number}");
            let name = given.name.as_str();
            if !used.contains(name) {
                let found = instead("namespace", name, used.iter().map(String::as_str));
                self.problem(
                    &pointer,
                    format!("namespace {name} has no Deployment and no persona: {found}"),
                );
            }
            let before = index.load().namespace(name).is_some();
            if before {
                self.problem(
                    &pointer,
                    format!("namespace {name} is there twice; remove one of the two"),
                );
            }
            for label in given.labels.keys().filter(|label| label.starts_with("dorgu.io/")) {
                if ![VALIDATE, ModeWish::KEY].contains(&label.as_str()) {
                    let found = instead("label", label, [VALIDATE, ModeWish::KEY]);
                    self.problem(
                        &format!("{pointer}/labels"),
                        format!("label {label} means nothing: {found}"),
                    );
                }
            }
            let is_opted_in = given.labels.get(VALIDATE).is_some_and(|value| value == "true");
            if !is_opted_in {
                self.notes.push(format!(
                    "{}: namespace {name} has no label {VALIDATE}: \"true\", so API servers send none of its Deployments; they are judged nevertheless",
                    self.text.name
                ));
            }
            index.namespaces(Change::Put(Namespace {
                name: name.into(),
                mode: ModeWish::read(given.labels.get(ModeWish::KEY).map(String::as_str)),
                is_opted_in,
                terminating: false,
                uid: Box::default(),
            }));
        }
    }

    fn test(&mut self, number: usize, test: &Test) -> PreparedTest {
        let pointer = format!("/tests/{number}");
        let mut own = |given: &Option<Given>, field: &str| {
            let given = given.as_ref()?;
            let pointer = format!("{pointer}/{field}");
            Some(self.given(&pointer, given))
        };
        let (new, old) = (own(&test.new, "new"), own(&test.old, "old"));
        match (&test.deployment, &new) {
            (None, None) => self.problem(&pointer, "names no Deployment: add deployment, or new".to_owned()),
            (None, Some(several)) if several.len() > 1 => {
                let names: Vec<String> = several.iter().map(Object::full_name).collect();
                let reason = format!("new holds {}; deployment says which one is meant", names.join(", "));
                self.problem(&format!("{pointer}/new"), reason);
            }
            _ => {}
        }
        if test.findings.is_none() && test.allowed.is_none() && test.governed.is_none() {
            let reason = "expects nothing: add findings (none, or a list), allowed, or governed";
            self.problem(&pointer, reason.to_owned());
        }
        PreparedTest {
            line: self.node.nearest(&pointer).node.place.line(),
            new,
            old,
        }
    }

    /// The Deployments of a list.
    fn objects(&mut self, pointer: &str, given: &[Given]) -> Objects {
        let lists = given.iter().enumerate();
        lists
            .flat_map(|(number, given)| self.given(&format!("{pointer}/{number}"), given))
            .collect()
    }

    fn given(&mut self, pointer: &str, given: &Given) -> Objects {
        let path = match given {
            Given::Path(path) => path,
            Given::Object(_) => return self.inline(pointer),
        };
        let place = self.path(path);
        if let (Err(error), false) = (std::fs::metadata(&place), path.contains(['*', '?', '['])) {
            self.problem(pointer, unreadable(path, &error));
            return Vec::new();
        }
        let inputs = Inputs::of(&[place], Path::new("."));
        for found in &inputs.problems {
            self.problem(pointer, format!("{path}: {}", found.reason));
        }
        self.notes.extend(inputs.notes);
        let mut objects = Vec::new();
        for input in &inputs.files {
            let text = match check::read(input.path.as_deref()) {
                Ok(text) => text,
                Err(reason) => {
                    self.problems.push(whole(&input.name, reason));
                    continue;
                }
            };
            let text = Arc::new(Text {
                name: Arc::clone(&input.name),
                manifest: Manifest::read(&text),
                text,
            });
            if let Some(error) = &text.manifest.error {
                self.problems
                    .push(problem(&text.name, error.line, error.reason.clone()));
            }
            objects.extend(Object::all(&text, &self.namespace));
        }
        if objects.is_empty() && inputs.problems.is_empty() {
            self.problem(pointer, format!("{path}: no Deployment in it"));
        }
        objects
    }

    /// The Deployment that stands in the suite.
    fn inline(&mut self, pointer: &str) -> Objects {
        let node = self.node.nearest(pointer).node;
        let text = |key: &str| node.text(key).unwrap_or_default();
        if (text("apiVersion"), text("kind")) != ("apps/v1", "Deployment") {
            let reason = format!(
                "{:?} of {:?} is no Deployment of apps/v1",
                text("kind"),
                text("apiVersion")
            );
            self.problem(pointer, reason);
            return Vec::new();
        }
        let found = Found {
            document: self.document,
            pointer: pointer.to_owned(),
            source: None,
        };
        Object::at(self.text, found, &self.namespace).into_iter().collect()
    }

    /// An old Deployment that is replaced by none, or two of one name, would make an update a creation.
    fn compare_old(&mut self, deployments: &[Object], old: &[Object], tests: &[PreparedTest]) {
        let of_tests = tests.iter().filter_map(|test| test.new.as_ref()).flatten();
        let new: Vec<String> = deployments.iter().chain(of_tests).map(Object::full_name).collect();
        let mut seen = HashSet::new();
        for object in old {
            let name = object.full_name();
            if !new.contains(&name) {
                let found = instead("Deployment", &name, new.iter().map(String::as_str));
                let place = object.place();
                self.problem(
                    "/oldDeployments",
                    format!("{name} ({place}) is replaced by none: {found}"),
                );
            }
            if !seen.insert(name) {
                let (name, place) = (object.full_name(), object.place());
                self.problem("/oldDeployments", format!("{name} is there twice, again at {place}"));
            }
        }
    }
}

fn unreadable(path: &str, error: &std::io::Error) -> String {
    format!("{path}: {error}; paths are relative to the folder of the suite")
}
