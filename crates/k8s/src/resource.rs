//! Kinds and objects by the paths that an API server knows them under.

/// An object's name; the namespace is empty where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

/// A kind.
#[derive(Clone, Copy, Debug)]
pub struct Resource {
    /// API group; empty for the core one.
    pub group: &'static str,
    /// Version in the group.
    pub version: &'static str,
    /// The kind's name in URLs.
    pub plural: &'static str,
    /// Ask for nothing but metadata when it is followed.
    pub metadata_only: bool,
}

impl Resource {
    /// The kind with whole objects.
    pub const fn new(group: &'static str, version: &'static str, plural: &'static str) -> Resource {
        Resource {
            group,
            version,
            plural,
            metadata_only: false,
        }
    }

    /// One object of the kind.
    pub fn named(self, name: Name) -> Followed {
        Followed {
            resource: self,
            only: Some(name),
        }
    }

    /// `apiVersion` as objects say it.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// Where the kind is listed; the namespace is empty for all of them, and for kinds that have none.
    pub(super) fn collection(&self, namespace: &str) -> String {
        let root = if self.group.is_empty() { "api" } else { "apis" };
        let (version, plural) = (self.api_version(), self.plural);
        if namespace.is_empty() {
            format!("/{root}/{version}/{plural}")
        } else {
            format!("/{root}/{version}/namespaces/{namespace}/{plural}")
        }
    }
}

/// What is followed.
#[derive(Clone, Debug)]
pub struct Followed {
    /// The kind.
    pub resource: Resource,
    /// Only this object; absent: all, in all namespaces.
    pub only: Option<Name>,
}

impl From<Resource> for Followed {
    fn from(resource: Resource) -> Followed {
        Followed { resource, only: None }
    }
}

impl Followed {
    pub(super) fn path(&self) -> String {
        let namespace = self.only.as_ref().map_or("", |only| &only.namespace);
        self.resource.collection(namespace)
    }

    /// The API server lets a rule with `resourceNames` cover a list or a watch exactly when it is asked for by this
    /// selector.
    pub(super) fn field_selector(&self) -> Option<String> {
        self.only.as_ref().map(|only| format!("metadata.name={}", only.name))
    }
}
