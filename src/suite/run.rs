//! Judges the Deployments of a suite, once all its files are read. Pure.

use std::sync::Arc;

use super::coverage::{Coverage, full_name};
use super::expectation::{Facts, compare};
use super::format::Suite;
use super::names::instead;
use super::result::{Failure, Kind, SuiteResult, TestResult};
use crate::check::{File, Found, Judge, Manifest, Stored, findings};
use crate::index::Index;
use crate::manifest::Node;
use crate::policy::{Moment, Persona};
use crate::report::ReportedFinding;
use crate::world::Deciding;

/// The text of a file.
#[derive(Debug)]
pub(super) struct Text {
    /// The path, as reports have it.
    pub(super) name: Arc<str>,
    pub(super) text: String,
    /// The same, read.
    pub(super) manifest: Manifest,
}

/// A Deployment and where it stands.
#[derive(Clone, Debug)]
pub struct Object {
    text: Arc<Text>,
    found: Found,
    stored: Stored,
}

/// Some Deployments.
pub type Objects = Vec<Object>;

impl Object {
    /// The Deployments of a text. `namespace` is that of objects that name none.
    pub(super) fn all(text: &Arc<Text>, namespace: &str) -> Objects {
        let found = text.manifest.workloads.iter();
        found
            .filter_map(|found| Object::at(text, found.clone(), namespace))
            .collect()
    }

    /// The Deployment at a place in a text.
    pub(super) fn at(text: &Arc<Text>, found: Found, namespace: &str) -> Option<Object> {
        let stored = Stored::of(text.manifest.node(&found)?.to_value(), namespace);
        Some(Object {
            text: Arc::clone(text),
            found,
            stored,
        })
    }

    /// NAMESPACE/NAME.
    pub(super) fn full_name(&self) -> String {
        format!("{}/{}", self.stored.namespace, self.stored.name)
    }

    /// The namespace.
    pub(super) fn namespace(&self) -> &str {
        &self.stored.namespace
    }

    /// FILE:LINE.
    pub(super) fn place(&self) -> String {
        let line = self.node().map_or(1, |node| node.place.line());
        format!("{}:{line}", self.text.name)
    }

    fn node(&self) -> Option<&Node> {
        self.text.manifest.node(&self.found)
    }

    fn containers(&self) -> Vec<String> {
        let pod = self.node().map(|node| node.nearest("/spec/template/spec"));
        let lists = ["containers", "initContainers"].into_iter().filter_map(|list| {
            let pod = pod.as_ref().filter(|pod| pod.missing == 0)?;
            Some(&pod.node.entry(list)?.value)
        });
        let names = lists
            .flat_map(Node::items)
            .filter_map(|container| container.text("name"));
        names.map(str::to_owned).collect()
    }
}

/// A suite whose files were read.
#[derive(Debug)]
pub struct Prepared {
    /// Its file, as reports have it.
    pub file: Arc<str>,
    /// What it says.
    pub suite: Suite,
    /// The Deployments of the suite.
    pub deployments: Objects,
    /// What they replace.
    pub old: Objects,
    /// The tests, in the order of the suite.
    pub tests: Vec<PreparedTest>,
    /// Personas, namespaces and exceptions.
    pub index: Index,
    /// The settings.
    pub deciding: Deciding,
    /// When it is judged.
    pub at: Moment,
}

/// A test whose files were read.
#[derive(Debug)]
pub struct PreparedTest {
    /// Its line.
    pub line: usize,
    /// Its own Deployments; `None` for those of the suite.
    pub new: Option<Objects>,
    /// What they replace; `None` for those of the suite.
    pub old: Option<Objects>,
}

impl Prepared {
    /// Runs its tests.
    pub fn run(&self) -> SuiteResult {
        let snapshot = self.index.load();
        let judge = Judge::of(&self.deciding, &snapshot, self.at);
        let personas: Vec<&Persona> = snapshot.personas().map(|stored| &*stored.persona).collect();
        let mut known: Vec<String> = personas
            .iter()
            .flat_map(|persona| [full_name(persona), persona.name.clone()])
            .collect();
        known.sort();
        known.dedup();
        let mut coverage = Coverage::of(personas, snapshot.platform(), self.deciding.rulebook.set);
        let pairs = self.suite.tests.iter().zip(&self.tests);
        let tests = pairs.map(|(test, prepared)| {
            let mut result = TestResult {
                name: String::new(),
                deployment: test.deployment.clone().unwrap_or_default(),
                line: prepared.line,
                failures: Vec::new(),
                findings: Vec::new(),
            };
            match self.objects(test.deployment.as_deref(), prepared) {
                Err(failure) => result.failures.push(failure),
                Ok((new, old)) => {
                    result.deployment = new.full_name();
                    match found(new, old, &judge) {
                        Err(reason) => result.failures.push(Failure {
                            kind: Kind::Unreadable,
                            expected: format!("a Deployment at {}", new.place()),
                            found: vec![reason],
                        }),
                        Ok((personas, findings)) => {
                            let full = |name: &String| in_full(new, name);
                            let governing: Vec<String> = personas.iter().map(full).collect();
                            let seen: Vec<_> = findings
                                .iter()
                                .map(|found| (in_full(new, &found.persona), found))
                                .collect();
                            coverage.record(&governing, &seen);
                            let facts = Facts {
                                deployment: &result.deployment,
                                containers: &new.containers(),
                                personas: &personas,
                                known_personas: &known,
                                findings: &findings,
                            };
                            result.failures = compare(test, &facts);
                            result.findings = findings;
                        }
                    }
                }
            }
            result.name = test.name.clone().unwrap_or_else(|| result.deployment.clone());
            result
        });
        let tests = tests.collect();
        SuiteResult {
            file: Arc::clone(&self.file),
            name: self.suite.metadata.name.clone(),
            tests,
            coverage,
        }
    }

    /// The Deployment of a test, and what it replaces.
    fn objects<'o>(
        &'o self,
        name: Option<&str>,
        test: &'o PreparedTest,
    ) -> Result<(&'o Object, Option<&'o Object>), Failure> {
        let among = test.new.as_ref().unwrap_or(&self.deployments);
        let is_named = |object: &&Object| match name {
            None => true,
            Some(name) => object.stored.name == name || object.full_name() == name,
        };
        let named: Vec<&Object> = among.iter().filter(is_named).collect();
        let fail = |expected: String, found: String| Failure {
            kind: Kind::UnknownName,
            expected,
            found: vec![found],
        };
        let new = match named.as_slice() {
            [new] => *new,
            [] => {
                let name = name.unwrap_or_default();
                let names: Vec<String> = among
                    .iter()
                    .map(|object| match name.contains('/') {
                        true => object.full_name(),
                        false => object.stored.name.clone(),
                    })
                    .collect();
                let found = instead("Deployment", name, names.iter().map(String::as_str));
                return Err(fail(format!("Deployment {name}"), found));
            }
            several => {
                let places: Vec<String> = several
                    .iter()
                    .map(|object| format!("{} at {}", object.full_name(), object.place()))
                    .collect();
                let expected = match name {
                    Some(name) => format!("one Deployment {name}"),
                    None => "one Deployment".to_owned(),
                };
                return Err(fail(expected, places.join(", ")));
            }
        };
        let full = new.full_name();
        let is_same = |object: &&Object| object.full_name() == full;
        let old = match &test.old {
            None => self.old.iter().find(is_same),
            Some(old) => match old.iter().find(is_same) {
                Some(old) => Some(old),
                None => {
                    let names: Vec<String> = old.iter().map(Object::full_name).collect();
                    let found = instead("Deployment", &full, names.iter().map(String::as_str));
                    return Err(fail(format!("old Deployment {full}"), found));
                }
            },
        };
        Ok((new, old))
    }
}

/// A persona, as NAMESPACE/NAME. That of another namespace is known by both already.
fn in_full(object: &Object, persona: &str) -> String {
    match persona.contains('/') {
        true => persona.to_owned(),
        false => format!("{}/{persona}", object.namespace()),
    }
}

/// The personas that govern a Deployment, and all findings.
fn found(new: &Object, old: Option<&Object>, judge: &Judge<'_>) -> Result<(Vec<String>, Vec<ReportedFinding>), String> {
    let file = File {
        name: Arc::clone(&new.text.name),
        is_template: new.found.source.is_some(),
        text: &new.text.text,
        manifest: &new.text.manifest,
        with_edits: false,
    };
    let old = old.map(|old| &old.stored);
    let found = findings(&file, &new.found, judge, &new.stored, old)?;
    Ok((found.personas, found.list))
}
