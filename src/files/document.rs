//! Turns the text of one file into objects, and reports each problem with its line.
//!
//! A persona is validated and gets defaults as at an API server. A valid document is kept although another one of the same
//! file is invalid. The items of a List are read like documents. Of a Namespace the mode is read. A document of any other
//! kind is counted as skipped, unless its group is ours: then it is a problem.

use std::path::Path;
use std::sync::Arc;

use super::serving::{Object, Served, Thing};
use super::{FileProblem, SUITE_KIND};
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

/// Reads every object of a file's text. An object that names no namespace is in this one.
pub(super) fn load(file: &Path, text: &str, kinds: &Kinds, namespace: &str) -> Contents {
    let mut loading = Loading {
        file,
        kinds,
        namespace,
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

/// Reads objects that stand in a file of another kind. There is nothing to skip among them.
pub(super) fn load_nodes(file: &Path, objects: &[&Node], kinds: &Kinds, namespace: &str) -> Contents {
    let mut loading = Loading {
        file,
        kinds,
        namespace,
        contents: Contents::default(),
    };
    for object in objects {
        let before = loading.contents.skipped;
        loading.document(object);
        if loading.contents.skipped > before {
            let kind = object.text("kind").unwrap_or_default();
            let reason = format!("{kind:?} is no persona, exception, ClusterPersona or Namespace");
            loading.problem(object.place.line(), reason);
        }
    }
    loading.contents
}

struct Loading<'a> {
    file: &'a Path,
    kinds: &'a Kinds,
    namespace: &'a str,
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
            (API_VERSION, SUITE_KIND) => self.skip(node, "suites are read by dorgu test"),
            _ if api_version.split('/').next() == Some(GROUP) => {
                let reason = format!(
                    "{kind:?} of {api_version:?} is no kind of ours; {API_VERSION} has ApplicationPersona, \
                     ClusterPersona and PersonaException"
                );
                self.problem(node.nearest("/kind").line(), reason);
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
            Some(items) => self.problem(items.place.line(), "items: must be a list".to_owned()),
        }
    }

    fn persona(&mut self, node: &Node, api_version: &str, kind: &str) {
        let Some(schema) = self.kinds.find(api_version, kind) else {
            return self.problem(node.place.line(), format!("no schema for {kind} of {api_version}"));
        };
        let created = match schema.create(node.to_value(), self.namespace) {
            Ok(created) => created,
            Err(errors) => return self.refuse(node, &errors),
        };
        let Some(name) = created.object["metadata"]["name"].as_str().map(str::to_owned) else {
            let line = node.nearest("/metadata/generateName").line();
            return self.problem(
                line,
                "metadata.name: Required value: names are not generated for files".to_owned(),
            );
        };
        for warning in &created.warnings {
            let line = node.nearest(&warning.path.pointer()).line();
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
                Err(error) => return self.problem(node.place.line(), format!("cannot be read: {error}")),
            },
            "PersonaException" => match serde_json::from_value::<PersonaException>(created.object) {
                Ok(exception) => match Exception::parse(&exception) {
                    Ok(exception) => Object::Exception(Arc::new(exception)),
                    Err(error) => {
                        return self.problem(node.nearest("/spec").line(), error.to_string());
                    }
                },
                Err(error) => return self.problem(node.place.line(), format!("cannot be read: {error}")),
            },
            _ => match serde_json::from_value::<ClusterPersona>(created.object) {
                Ok(persona) => {
                    let rules = persona.spec.policies.map(|policies| policies.rules);
                    Object::Cluster(Box::new((name, rules.unwrap_or_default())))
                }
                Err(error) => return self.problem(node.place.line(), format!("cannot be read: {error}")),
            },
        };
        self.contents.things.push(Thing {
            line: node.place.line(),
            object,
        });
    }

    /// Warns of values that are valid but probably not intended.
    fn doubts(&mut self, node: &Node, served: &Served) {
        for problem in &served.persona.problems {
            // Its keys have no character that a pointer escapes.
            let line = node.nearest(&format!("/{}", problem.field.replace('.', "/"))).line();
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
                    line: node.place.line(),
                    object,
                });
            }
            Err(errors) => self.refuse(node, &errors),
        }
    }

    fn refuse(&mut self, node: &Node, errors: &[FieldError]) {
        for error in errors {
            let hint = rule_hint(node, error).unwrap_or_default();
            self.problem(node.nearest(&error.path.pointer()).line(), format!("{error}{hint}"));
        }
    }

    fn problem(&mut self, line: usize, reason: String) {
        self.contents.problems.push(FileProblem::at(self.file, line, reason));
    }

    fn skip(&mut self, node: &Node, why: &str) {
        tracing::debug!(file = %self.file.display(), line = node.place.line(), why, "document skipped");
        self.contents.skipped += 1;
    }
}

/// What to write instead of the rule at the place of an error, where its name is wrong.
fn rule_hint(node: &Node, error: &FieldError) -> Option<String> {
    let key = |step: &Step, name: &str| matches!(step, Step::Key(key) if key == name);
    let is_rule = match error.path.steps() {
        [.., list, Step::Index(_)] => key(list, "rules"),
        [.., list, Step::Index(_), field] => key(list, "rules") && key(field, "rule"),
        _ => false,
    };
    if !is_rule {
        return None;
    }
    let found = node.nearest(&error.path.pointer());
    let value = (found.missing == 0).then(|| found.node.to_value())?;
    match Rule::parse_settable(value.as_str()?).err()? {
        NotSettable::WithoutLevel => Some("; this rule has no level".to_owned()),
        NotSettable::Unknown { nearest } => Some(format!("; did you mean {nearest}?")),
    }
}
