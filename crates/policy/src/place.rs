//! Defines the place of a finding: a field of the object, of its pod template, or of one container. A container is identified
//! by the list that it is in (`containers` or `initContainers`) and by its name, not by its position.

use std::hash::{Hash, Hasher};

use super::rule::Rule;

/// The field that names the app.
pub(super) const APP_LABEL: &str = "metadata.labels[app.kubernetes.io/name]";

/// The list of a container, and its purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContainerKind {
    /// `containers`.
    App,
    /// `initContainers` with `restartPolicy: Always`: runs beside the app.
    Sidecar,
    /// `initContainers` that run once, before the app.
    Init,
}

impl ContainerKind {
    /// The list it stands in.
    pub fn list(self) -> &'static str {
        match self {
            ContainerKind::App => "containers",
            ContainerKind::Sidecar | ContainerKind::Init => "initContainers",
        }
    }

    /// Whether it stands in `containers`; two of one pod are in the same list where this is equal.
    pub(super) fn is_app(self) -> bool {
        self == ContainerKind::App
    }
}

/// A container, by position and name.
#[derive(Clone, Copy, Debug)]
pub struct ContainerRef<'a> {
    /// List and purpose.
    pub kind: ContainerKind,
    /// Position in its list.
    pub index: usize,
    /// Its name.
    pub name: &'a str,
}

/// The place of a finding. Two findings concern the same thing when rule and place are equal. The position of a container does
/// not count, its list and name do.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// A field of the object itself, such as `spec.replicas`; empty for findings about no field.
    Object(&'static str),
    /// A field below `spec.template.spec`.
    Pod(&'static str),
    /// A field of a container.
    Container(ContainerRef<'a>, &'static str),
}

impl PartialEq for Place<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Place::Object(a), Place::Object(b)) | (Place::Pod(a), Place::Pod(b)) => a == b,
            (Place::Container(a, field), Place::Container(b, other_field)) => {
                field == other_field && a.name == b.name && a.kind.list() == b.kind.list()
            }
            _ => false,
        }
    }
}

/// Consistent with equality.
impl Hash for Place<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Place::Object(field) | Place::Pod(field) => field.hash(state),
            Place::Container(container, field) => (field, container.name, container.kind.list()).hash(state),
        }
    }
}

impl Eq for Place<'_> {}

impl Place<'_> {
    /// The order in which places are reported: the object, then app containers, then init containers, the pod level last.
    pub(super) fn ordinal(&self, rule: Rule) -> (u8, usize) {
        match self {
            Place::Object(_) => (0, 0),
            // E2 reports the pod before its containers; pod-level limits come after the containers'.
            Place::Pod(_) if rule == Rule::RunAsNonRoot => (0, 0),
            Place::Container(c, _) if c.kind == ContainerKind::App => (1, c.index),
            Place::Container(c, _) => (2, c.index),
            Place::Pod(_) => (3, 0),
        }
    }
}
