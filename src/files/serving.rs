//! Holds what one file serves: compiled objects, no text.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

use super::Loaded;
use crate::api::ApplicationPersona;
use crate::api::levels::PlatformRule;
use crate::policy::{Exception, ModeWish, Persona};

/// A persona from a file.
#[derive(Clone, Debug)]
pub struct Served {
    /// Differs when any field that the persona is parsed from differs; 0 when that is unknown.
    pub version: u64,
    /// The persona. It stays the same allocation as long as its version does.
    pub persona: Arc<Persona>,
}

impl Served {
    pub(super) fn compile(object: &ApplicationPersona) -> Served {
        let label = object
            .metadata
            .labels
            .as_ref()
            .and_then(|labels| labels.get(ModeWish::KEY));
        let parsed_from = (&object.metadata.annotations, label, &object.spec);
        Served {
            version: serde_json::to_string(&parsed_from).map(hash).unwrap_or_default(),
            persona: Arc::new(Persona::parse(object)),
        }
    }

    fn name(&self) -> (&str, &str) {
        (&self.persona.namespace, &self.persona.name)
    }
}

impl PartialEq for Served {
    fn eq(&self, other: &Served) -> bool {
        self.version == other.version && self.name() == other.name()
    }
}

impl Eq for Served {}

impl Hash for Served {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (self.version, self.name()).hash(hasher);
    }
}

fn hash(text: String) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// One object, and the line where it begins.
#[derive(Debug)]
pub(super) struct Thing {
    pub(super) line: usize,
    pub(super) object: Object,
}

/// An object that was read.
#[derive(Debug)]
pub(super) enum Object {
    Application(Served),
    Exception(Arc<Exception>),
    /// Its name, and what it requires of single rules.
    Cluster(Box<(String, Vec<PlatformRule>)>),
    /// Its name, and the mode it requests. Boxed, since namespaces are few and personas many.
    Namespace(Box<(String, ModeWish)>),
}

impl Thing {
    /// Kind, namespace and name, which must be unique.
    fn identity(&self) -> (&str, &str, &str) {
        match &self.object {
            Object::Application(served) => {
                let (namespace, name) = served.name();
                ("ApplicationPersona", namespace, name)
            }
            Object::Exception(exception) => ("PersonaException", &exception.namespace, &exception.name),
            Object::Cluster(cluster) => ("ClusterPersona", "", &cluster.0),
            Object::Namespace(namespace) => ("Namespace", "", &namespace.0),
        }
    }

    pub(super) fn add_to(&self, loaded: &mut Loaded) {
        match &self.object {
            Object::Application(served) => loaded.personas.push(served.clone()),
            Object::Exception(exception) => loaded.exceptions.push(Arc::clone(exception)),
            Object::Namespace(namespace) => loaded.namespaces.push((**namespace).clone()),
            Object::Cluster(cluster) => loaded.cluster_rules.push((**cluster).clone()),
        }
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.identity() {
            (kind, "", name) => write!(f, "{kind} {name}"),
            (kind, namespace, name) => write!(f, "{kind} {namespace}/{name}"),
        }
    }
}

/// An object by its identity, and the file it is in.
#[derive(Clone, Copy)]
pub(super) struct Named<'a> {
    pub(super) file: &'a Path,
    pub(super) thing: &'a Thing,
}

impl PartialEq for Named<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.thing.identity() == other.thing.identity()
    }
}

impl Eq for Named<'_> {}

impl Hash for Named<'_> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.thing.identity().hash(hasher);
    }
}

/// Personas that were served. An unchanged persona in a file with another comment or another name reuses its previous
/// allocation. Otherwise it would be in memory twice, since the index keeps what did not change.
pub(super) struct Known(Vec<Served>);

impl Known {
    pub(super) fn of(things: &[Thing]) -> Known {
        let personas = things.iter().filter_map(|thing| match &thing.object {
            Object::Application(served) => Some(served.clone()),
            _ => None,
        });
        let mut personas: Vec<Served> = personas.collect();
        personas.sort_by(|a, b| a.name().cmp(&b.name()));
        Known(personas)
    }

    /// Replaces personas by equal known ones.
    pub(super) fn settle(&self, things: &mut [Thing]) {
        if self.0.is_empty() {
            return;
        }
        for thing in things {
            if let Object::Application(served) = &mut thing.object {
                let found = self.0.binary_search_by(|known| known.name().cmp(&served.name()));
                let known = found.ok().and_then(|place| self.0.get(place));
                if let Some(known) = known.filter(|known| *known == served && known.version != 0) {
                    served.persona = Arc::clone(&known.persona);
                }
            }
        }
    }
}
