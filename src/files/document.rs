//! Turns the text of one file into objects, and reports each problem with its line.
//!
//! A persona is validated and gets defaults as at an API server. A valid document is kept although another one of the same
//! file is invalid. The items of a List are read like documents. Of a Namespace the mode is read. A document of any other
//! kind is counted as skipped, unless its group is ours: then it is a problem.

use std::path::Path;
use std::sync::Arc;

use super::serving::{Object, Served, Thing};
use super::{DEFAULT_NAMESPACE, FileProblem};
use crate::api::{API_VERSION, ApplicationPersona, ClusterPersona, GROUP, PersonaException};
use crate::manifest::{self, Content, Node};
use crate::policy::level::NotSettable;
use crate::policy::{Exception, ModeWish, Rule};
use crate::schema::{self, FieldError, Kinds, Step};

/// The objects of one version of a file.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) things: Vec<Thing>,
    pub(super) problems: Vec<FileProblem>,
    pub(super) warnings: Vec<FileProblem>,
    pub(super) skipped: usize,
}

/// Reads every object of a file's text.
pub(super) fn load(file: &Path, text: &str, kinds: &Kinds) -> Contents {
    let mut loading = Loading {
        file,
        kinds,
        contents: Contents::default(),
    };
    if let Some(error) = manifest::each(text, |document| loading.document(&document)) {
        loading
            .contents
            .problems
            .push(FileProblem::at(file, error.line, error.reason));
    }
    loading.contents
}

struct Loading<'a> {
    file: &'a Path,
    kinds: &'a Kinds,
    contents: Contents,
}

impl Loading<'_> {
    fn document(&mut self, node: &Node) {
        let (Some(api_version), Some(kind)) = (node.text("apiVersion"), node.text("kind")) else {
            return self.skip(node, "it has no apiVersion and kind");
        };
        match (api_version, kind) {
            ("v1", "List")
            | (API_VERSION, "ApplicationPersonaList" | "ClusterPersonaList" | "PersonaExceptionList") => {
                self.list(node)
            }
            ("v1", "Namespace") => self.namespace(node),
            (API_VERSION, "ApplicationPersona" | "ClusterPersona" | "PersonaException") => {
                self.persona(node, api_version, kind);
            }
            _ if api_version.split('/').next() == Some(GROUP) => {
                let reason = format!(
                    "{kind:?} of {api_version:?} is no kind of ours; {API_VERSION} has ApplicationPersona, \
                     ClusterPersona and PersonaException"
                );
                self.problem(line_of(node, &[Step::Key("kind".to_owned())]), reason);
            }
            _ => self.skip(node, &format!("{api_version} {kind} is none of our business")),
        }
    }

    fn list(&mut self, node: &Node) {
        match node.entry("items").map(|entry| &entry.value) {
            None => {}
            Some(items) if matches!(items.content, Content::List(_) | Content::Null) => {
                items.items().iter().for_each(|item| self.document(item));
            }
            Some(items) => self.problem(items.line, "items: must be a list".to_owned()),
        }
    }

    fn persona(&mut self, node: &Node, api_version: &str, kind: &str) {
        let Some(schema) = self.kinds.find(api_version, kind) else {
            return self.problem(node.line, format!("no schema for {kind} of {api_version}"));
        };
        let created = match schema.create(node.to_value(), DEFAULT_NAMESPACE) {
            Ok(created) => created,
            Err(errors) => return self.refuse(node, &errors),
        };
        let Some(name) = created.object["metadata"]["name"].as_str().map(str::to_owned) else {
            let line = line_of(
                node,
                &[Step::Key("metadata".to_owned()), Step::Key("generateName".to_owned())],
            );
            return self.problem(
                line,
                "metadata.name: Required value: names are not generated for files".to_owned(),
            );
        };
        for warning in &created.warnings {
            let line = line_of(node, warning.path.steps());
            self.contents
                .warnings
                .push(FileProblem::at(self.file, line, warning.to_string()));
        }
        let object = match kind {
            "ApplicationPersona" => match serde_json::from_value::<ApplicationPersona>(created.object) {
                Ok(persona) => {
                    let served = Served::compile(&persona);
                    self.doubts(node, &served);
                    Object::Application(served)
                }
                Err(error) => return self.problem(node.line, format!("cannot be read: {error}")),
            },
            "PersonaException" => match serde_json::from_value::<PersonaException>(created.object) {
                Ok(exception) => match Exception::parse(&exception) {
                    Ok(exception) => Object::Exception(Arc::new(exception)),
                    Err(error) => {
                        return self.problem(line_of(node, &[Step::Key("spec".to_owned())]), error.to_string());
                    }
                },
                Err(error) => return self.problem(node.line, format!("cannot be read: {error}")),
            },
            _ => match serde_json::from_value::<ClusterPersona>(created.object) {
                Ok(persona) => {
                    let rules = persona.spec.policies.map(|policies| policies.rules);
                    Object::Cluster(Box::new((name, rules.unwrap_or_default())))
                }
                Err(error) => return self.problem(node.line, format!("cannot be read: {error}")),
            },
        };
        self.contents.things.push(Thing {
            line: node.line,
            object,
        });
    }

    /// Warns of values that are valid but probably not intended.
    fn doubts(&mut self, node: &Node, served: &Served) {
        for problem in &served.persona.problems {
            let keys = problem.field.split('.').map(|key| Step::Key(key.to_owned()));
            let line = line_of(node, &keys.collect::<Vec<_>>());
            let reason = format!("{}: {:?} {}", problem.field, problem.value, problem.flaw.as_str());
            self.contents.warnings.push(FileProblem::at(self.file, line, reason));
        }
    }

    fn namespace(&mut self, node: &Node) {
        match schema::namespace(node.to_value()) {
            Ok((name, labels)) => {
                let annotation = node
                    .entry("metadata")
                    .and_then(|metadata| metadata.value.entry("annotations"))
                    .and_then(|annotations| annotations.value.text(ModeWish::KEY));
                let mode = ModeWish::read_beside(labels.get(ModeWish::KEY), annotation);
                let object = Object::Namespace(Box::new((name, mode)));
                self.contents.things.push(Thing {
                    line: node.line,
                    object,
                });
            }
            Err(errors) => self.refuse(node, &errors),
        }
    }

    fn refuse(&mut self, node: &Node, errors: &[FieldError]) {
        for error in errors {
            let hint = rule_hint(node, error.path.steps()).unwrap_or_default();
            self.problem(line_of(node, error.path.steps()), format!("{error}{hint}"));
        }
    }

    fn problem(&mut self, line: usize, reason: String) {
        self.contents.problems.push(FileProblem::at(self.file, line, reason));
    }

    fn skip(&mut self, node: &Node, why: &str) {
        tracing::debug!(file = %self.file.display(), line = node.line, why, "document skipped");
        self.contents.skipped += 1;
    }
}

/// What to write instead of the rule that a path leads to, where its name is wrong.
fn rule_hint(node: &Node, steps: &[Step]) -> Option<String> {
    let key = |step: &Step, name: &str| matches!(step, Step::Key(key) if key == name);
    let is_rule = match steps {
        [.., list, Step::Index(_)] => key(list, "rules"),
        [.., list, Step::Index(_), field] => key(list, "rules") && key(field, "rule"),
        _ => false,
    };
    if !is_rule {
        return None;
    }
    let value = node_at(node, steps)?.to_value();
    match Rule::parse_settable(value.as_str()?).err()? {
        NotSettable::WithoutLevel => Some("; this rule has no level".to_owned()),
        NotSettable::Unknown { nearest } => Some(format!("; did you mean {nearest}?")),
    }
}

/// The value that a path leads to.
fn node_at<'n>(node: &'n Node, steps: &[Step]) -> Option<&'n Node> {
    steps.iter().try_fold(node, |here, step| match step {
        Step::Key(key) => here.entry(key).map(|entry| &entry.value),
        Step::Index(index) => here.items().get(*index),
    })
}

/// The line of the field that a path leads to, or of its nearest ancestor that exists.
fn line_of(node: &Node, steps: &[Step]) -> usize {
    let (mut here, mut line) = (node, node.line);
    for step in steps {
        let next = match step {
            Step::Key(key) => here.entry(key).map(|entry| (&entry.value, entry.line)),
            Step::Index(index) => here.items().get(*index).map(|item| (item, item.line)),
        };
        let Some(next) = next else { break };
        (here, line) = next;
    }
    line
}
