//! Reads objects from manifests: files, folders and standard input. A persona is validated and gets defaults as at an API
//! server; of other objects only what the index keeps is read.

use std::fmt::Display;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::api::{self, API_VERSION, ApplicationPersona};
use crate::index::{ClusterRules, Deployment, Namespace, StoredException, StoredPersona};
use crate::k8s::{Decode, Unreadable};
use crate::manifest::{self, Content, Node};
use crate::policy::Persona;
use crate::policy::quantity::Quantity;
use crate::schema::Kinds;

/// Standard input, in place of a file.
pub const STDIN: &str = "-";
/// The largest file that is read.
const MAX_FILE: u64 = 64 << 20;

/// What cannot be read, with its file and line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct FileError(String);

/// The objects of some manifests.
#[derive(Debug, Default)]
pub struct Objects {
    /// ApplicationPersonas.
    pub personas: Vec<StoredPersona>,
    /// Namespaces.
    pub namespaces: Vec<Namespace>,
    /// Deployments.
    pub deployments: Vec<Deployment>,
    /// What ClusterPersonas require of single rules.
    pub cluster_rules: Vec<ClusterRules>,
    /// PersonaExceptions.
    pub exceptions: Vec<StoredException>,
    /// Objects of other kinds.
    pub skipped: usize,
}

impl Objects {
    /// Reads files, folders and, for `-`, standard input. An object that names no namespace is in `namespace`.
    ///
    /// # Errors
    /// Something cannot be read, or an object is invalid.
    pub fn read(paths: &[PathBuf], namespace: &str) -> Result<Objects, FileError> {
        let kinds = Kinds::read(&api::crds(), |text| Quantity::parse(text).is_ok());
        let kinds = kinds.map_err(|error| FileError(error.to_string()))?;
        let mut reading = Reading {
            kinds,
            namespace,
            objects: Objects::default(),
        };
        for path in paths {
            for (shown, bytes) in texts(path)? {
                let text = String::from_utf8(bytes).map_err(|_| FileError(format!("{shown}: it is no UTF-8 text")))?;
                reading.text(&shown, &text)?;
            }
        }
        Ok(reading.objects)
    }
}

/// The content of a path, each with the name that messages show.
fn texts(path: &Path) -> Result<Vec<(String, Vec<u8>)>, FileError> {
    if path == Path::new(STDIN) {
        let shown = "standard input".to_owned();
        let bytes = whole(io::stdin().lock()).map_err(|error| FileError(format!("{shown}: {error}")))?;
        return Ok(vec![(shown, bytes)]);
    }
    let failed = |path: &Path, error: io::Error| FileError(format!("{}: {error}", path.display()));
    let kind = fs::metadata(path).map_err(|error| failed(path, error))?;
    let mut files = Vec::new();
    match kind.is_dir() {
        true => manifests_in(path, &mut files).map_err(|error| failed(path, error))?,
        false => files.push(path.to_owned()),
    }
    files.sort();
    let read = |file: PathBuf| {
        let bytes = fs::File::open(&file)
            .and_then(whole)
            .map_err(|error| failed(&file, error))?;
        Ok((file.display().to_string(), bytes))
    };
    files.into_iter().map(read).collect()
}

fn whole(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > MAX_FILE {
        true => Err(io::Error::other(format!("it has more than {} MiB", MAX_FILE >> 20))),
        false => Ok(bytes),
    }
}

/// The manifests of a folder and of those below it. Links are not followed, since they may lead in a circle.
fn manifests_in(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        let extension = path.extension().and_then(|extension| extension.to_str());
        if kind.is_dir() {
            manifests_in(&path, found)?;
        } else if kind.is_file() && matches!(extension, Some("yaml" | "yml" | "json")) {
            found.push(path);
        }
    }
    Ok(())
}

struct Reading<'n> {
    kinds: Kinds,
    namespace: &'n str,
    objects: Objects,
}

impl Reading<'_> {
    fn text(&mut self, shown: &str, text: &str) -> Result<(), FileError> {
        let mut first = None;
        let broken = manifest::each(text, |document| {
            if first.is_none() {
                first = self.document(shown, &document).err();
            }
        });
        match (first, broken) {
            (Some(error), _) => Err(error),
            (None, Some(error)) => Err(FileError(format!("{shown}:{}: {}", error.line, error.reason))),
            (None, None) => Ok(()),
        }
    }

    fn document(&mut self, shown: &str, node: &Node) -> Result<(), FileError> {
        let (api_version, kind) = (
            node.text("apiVersion").unwrap_or_default(),
            node.text("kind").unwrap_or_default(),
        );
        let line = node.place.line();
        let wrong = |reason: &dyn Display| FileError(format!("{shown}:{line}: {kind}: {reason}"));
        if kind.ends_with("List")
            && let Some(items) = node.entry("items").map(|entry| &entry.value)
            && matches!(items.content, Content::List(_))
        {
            return items.items().iter().try_for_each(|item| self.document(shown, item));
        }
        let mut object = node.to_value();
        if kind != "Namespace" && kind != "ClusterPersona" {
            self.settle(&mut object);
        }
        let unreadable = |reason: Unreadable| wrong(&reason);
        match (api_version, kind) {
            (API_VERSION, "ApplicationPersona") => {
                let persona = self.persona(object).map_err(|reason| wrong(&reason))?;
                self.objects.personas.push(persona);
            }
            (API_VERSION, "PersonaException") => self.objects.exceptions.push(decoded(&object).map_err(unreadable)?),
            (API_VERSION, "ClusterPersona") => self.objects.cluster_rules.push(decoded(&object).map_err(unreadable)?),
            ("v1", "Namespace") => self.objects.namespaces.push(decoded(&object).map_err(unreadable)?),
            ("apps/v1", "Deployment") => self.objects.deployments.push(decoded(&object).map_err(unreadable)?),
            _ => self.objects.skipped += 1,
        }
        Ok(())
    }

    /// Gives it the namespace of those that name none.
    fn settle(&self, object: &mut Value) {
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            let own = metadata.get("namespace").and_then(Value::as_str).unwrap_or_default();
            if own.is_empty() {
                metadata.insert("namespace".to_owned(), self.namespace.into());
            }
        }
    }

    /// The persona as an API server would store it.
    fn persona(&self, object: Value) -> Result<StoredPersona, String> {
        let kind = self.kinds.find(API_VERSION, "ApplicationPersona");
        let kind = kind.ok_or("the schema of ApplicationPersonas is missing")?;
        let created = kind.create(object, self.namespace).map_err(|errors| {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            errors.join("; ")
        })?;
        let persona: ApplicationPersona =
            serde_json::from_value(created.object).map_err(|error| format!("it cannot be read: {error}"))?;
        Ok(StoredPersona {
            version: 0,
            generation: 0,
            status: None,
            persona: std::sync::Arc::new(Persona::parse(&persona)),
        })
    }
}

fn decoded<T: Decode>(object: &Value) -> Result<T, Unreadable> {
    T::decode(&object.to_string())
}
