//! Reads manifests from files, folders and standard input: personas as an API server would store them, and the workloads from
//! which personas can be derived.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::failure::Failure;
use super::written::{Written, kinds};
use crate::api;
use crate::cli::complain;
use crate::manifest::{self, Content, Node};
use crate::personas::derive::{Autoscaler, Workload};

/// Largest input that is read, in bytes.
const MAX_SIZE: u64 = 16 << 20;
/// The path that means standard input.
const STDIN: &str = "-";

/// What an object is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Persona,
    Deployment,
    Autoscaler,
}

/// An object in a file.
pub(super) struct Document {
    file: String,
    sort: Sort,
    pub(super) node: Node,
}

/// What some paths contain.
#[derive(Default)]
pub(super) struct Input {
    documents: Vec<Document>,
    /// What could not be read, a line each.
    problems: Vec<String>,
}

/// Workloads out of files.
pub(super) struct Workloads {
    pub(super) workloads: Vec<Workload>,
    pub(super) autoscalers: Vec<Autoscaler>,
}

impl Sort {
    fn of(node: &Node) -> Option<Sort> {
        let api_version = node.text("apiVersion")?;
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        match (group, node.text("kind")?) {
            (api::GROUP, "ApplicationPersona") => Some(Sort::Persona),
            ("apps", "Deployment") => Some(Sort::Deployment),
            ("autoscaling", "HorizontalPodAutoscaler") => Some(Sort::Autoscaler),
            _ => None,
        }
    }
}

impl Document {
    /// `FILE:LINE: REASON`, at the field of this pointer or at its nearest parent.
    pub(super) fn problem(&self, pointer: &str, reason: &str) -> String {
        format!("{}:{}: {reason}", self.file, self.node.nearest(pointer).line())
    }
}

impl Input {
    /// Reads these paths: files, folders of `.yaml`, `.yml` and `.json` files, and `-` for standard input.
    pub(super) fn read(paths: &[PathBuf], is_recursive: bool) -> Result<Input, Failure> {
        let mut input = Input::default();
        for path in paths {
            if path == Path::new(STDIN) {
                input.text(
                    STDIN,
                    &read_all(io::stdin().lock()).context("cannot read standard input")?,
                );
                continue;
            }
            let shown = path.display();
            let metadata = fs::metadata(path).with_context(|| format!("cannot read {shown}"))?;
            let files = match metadata.is_dir() {
                true => {
                    let mut files = Vec::new();
                    manifests_in(path, is_recursive, &mut files).with_context(|| format!("cannot read {shown}"))?;
                    files.sort();
                    files
                }
                false => vec![path.clone()],
            };
            for file in files {
                let bytes = File::open(&file).and_then(read_all);
                let bytes = bytes.with_context(|| format!("cannot read {}", file.display()))?;
                input.text(&file.display().to_string(), &bytes);
            }
        }
        Ok(input)
    }

    fn text(&mut self, file: &str, bytes: &[u8]) {
        if bytes.len() as u64 > MAX_SIZE {
            return self
                .problems
                .push(format!("{file}: larger than {MAX_SIZE} bytes; split it"));
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            return self.problems.push(format!("{file}: not UTF-8; save it as UTF-8"));
        };
        let error = manifest::each(text, |node| self.document(file, node));
        if let Some(error) = error {
            self.problems.push(format!("{file}:{}: {}", error.line, error.reason));
        }
    }

    /// Takes a document, or each item of a list.
    fn document(&mut self, file: &str, node: Node) {
        if let Some(sort) = Sort::of(&node) {
            let file = file.to_owned();
            return self.documents.push(Document { file, sort, node });
        }
        if node.text("kind").is_some_and(|kind| kind.ends_with("List"))
            && let Content::Map(entries) = node.content
        {
            let items = entries.into_iter().find(|entry| entry.key == "items");
            if let Some(Content::List(items)) = items.map(|items| items.value.content) {
                items.into_iter().for_each(|item| self.document(file, item));
            }
        }
    }

    fn of(&self, sort: Sort) -> impl Iterator<Item = &Document> {
        self.documents.iter().filter(move |document| document.sort == sort)
    }

    /// Whether a persona is in it.
    pub(super) fn has_personas(&self) -> bool {
        self.of(Sort::Persona).next().is_some()
    }

    /// Fails where neither a persona nor a workload was found: then it is probably the source of a program.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let is_ours = |document: &Document| document.sort != Sort::Autoscaler;
        if self.documents.iter().any(is_ours) {
            return Ok(());
        }
        let unreadable = self
            .problems
            .first()
            .map(|problem| format!(" ({problem})"))
            .unwrap_or_default();
        Err(Failure::Other(format!(
            "there is no Deployment and no ApplicationPersona in the input{unreadable}: a persona cannot be made from a source \
             tree yet; pass a manifest, or the output of helm template or kustomize build with -"
        )))
    }

    /// The personas, each with its namespace: its own, else `wanted`, else `usual`. Every problem is printed as a line.
    ///
    /// # Errors
    /// Something could not be read, is invalid, or occurs twice.
    pub(super) fn personas(&self, wanted: Option<&str>, usual: &str) -> Result<Vec<Written>, Failure> {
        let kinds = kinds()?;
        let mut problems = self.problems.clone();
        let (mut personas, mut names) = (Vec::new(), BTreeSet::new());
        for document in self.of(Sort::Persona) {
            match Written::read(document, &kinds, wanted, usual) {
                Ok(persona) if !names.insert(persona.name.clone()) => {
                    let (namespace, name) = (&persona.name.namespace, &persona.name.name);
                    problems.push(document.problem("/metadata/name", &format!("{namespace}/{name} was there before")));
                }
                Ok(persona) => personas.push(persona),
                Err(found) => problems.extend(found),
            }
        }
        unless_problems(&problems)?;
        Ok(personas)
    }

    /// The workloads, each with its namespace: its own, else this one. Every problem is printed as a line.
    ///
    /// # Errors
    /// Something could not be read.
    pub(super) fn workloads(&self, namespace: &str) -> Result<Workloads, Failure> {
        let mut problems = self.problems.clone();
        let mut workloads: Vec<Workload> = Vec::new();
        let or_usual = |own: &mut String| {
            if own.is_empty() {
                own.push_str(namespace);
            }
        };
        for document in self.of(Sort::Deployment) {
            match Workload::read(&document.node.to_value()) {
                Ok(mut workload) => {
                    or_usual(&mut workload.namespace);
                    workloads.push(workload);
                }
                Err(reason) => problems.push(document.problem("/spec", &reason)),
            }
        }
        unless_problems(&problems)?;
        let autoscalers = self.of(Sort::Autoscaler).filter_map(|document| {
            let mut autoscaler = Autoscaler::read(&document.node.to_value())?;
            or_usual(&mut autoscaler.namespace);
            Some(autoscaler)
        });
        Ok(Workloads {
            autoscalers: autoscalers.collect(),
            workloads,
        })
    }
}

fn unless_problems(problems: &[String]) -> Result<(), Failure> {
    problems.iter().for_each(|problem| complain(problem));
    match problems.len() {
        0 => Ok(()),
        1 => Err(Failure::Other(
            "nothing was done, because of a problem in the input".to_owned(),
        )),
        count => Err(Failure::Other(format!(
            "nothing was done, because of {count} problems in the input"
        ))),
    }
}

fn read_all(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(MAX_SIZE + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The manifests of a folder by their extension. Links to folders are not followed, since they may lead in a circle.
fn manifests_in(folder: &Path, is_recursive: bool, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        let extension = path.extension().and_then(|extension| extension.to_str());
        if kind.is_dir() {
            if is_recursive {
                manifests_in(&path, is_recursive, found)?;
            }
        } else if matches!(extension, Some("yaml" | "yml" | "json")) && path.is_file() {
            found.push(path);
        }
    }
    Ok(())
}
