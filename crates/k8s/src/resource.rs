//! Defines how kinds and objects are named, builds their paths at an API server, and finds out which kinds a server has.

use std::any::TypeId;
use std::borrow::Cow;

use k8s_openapi::NamespaceResourceScope;
use kube::Client;
use kube::discovery::{self, ApiCapabilities, ApiResource, Scope as DiscoveredScope};
use kube::error::DiscoveryError;

use super::error::{ANSWER_TIMEOUT, CallError};

/// An object's name; the namespace is empty where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

impl Name {
    /// The name of a cluster-scoped object.
    pub fn cluster_wide(name: impl Into<String>) -> Name {
        Name {
            namespace: String::new(),
            name: name.into(),
        }
    }
}

/// A kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// API group; empty for the core one.
    pub group: Cow<'static, str>,
    /// Version in the group.
    pub version: Cow<'static, str>,
    /// The kind's name in objects.
    pub kind: Cow<'static, str>,
    /// The kind's name in URLs.
    pub plural: Cow<'static, str>,
    /// Whether its objects are in namespaces.
    pub namespaced: bool,
}

impl Resource {
    /// The kind of a Rust type, by the names that the type declares.
    pub fn of<K: kube::Resource<DynamicType = (), Scope: 'static>>() -> Resource {
        Resource {
            group: K::group(&()),
            version: K::version(&()),
            kind: K::kind(&()),
            plural: K::plural(&()),
            namespaced: TypeId::of::<K::Scope>() == TypeId::of::<NamespaceResourceScope>(),
        }
    }

    /// `apiVersion` as in objects.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_string()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// One object of the kind, to follow.
    pub fn named(self, name: Name) -> Followed {
        Followed {
            scope: Scope {
                namespace: name.namespace,
                name: name.name,
                labels: String::new(),
            },
            ..Followed::from(self)
        }
    }

    /// The path of the list. The namespace is empty for all namespaces, and for cluster-scoped kinds.
    pub(super) fn collection(&self, namespace: &str) -> String {
        let root = if self.group.is_empty() { "api" } else { "apis" };
        let (version, plural) = (self.api_version(), &self.plural);
        if namespace.is_empty() {
            format!("/{root}/{version}/{plural}")
        } else {
            format!("/{root}/{version}/namespaces/{namespace}/{plural}")
        }
    }
}

impl From<(ApiResource, ApiCapabilities)> for Resource {
    fn from((found, capabilities): (ApiResource, ApiCapabilities)) -> Resource {
        Resource {
            group: found.group.into(),
            version: found.version.into(),
            kind: found.kind.into(),
            plural: found.plural.into(),
            namespaced: capabilities.scope == DiscoveredScope::Namespaced,
        }
    }
}

/// Finds a kind at the API server. Without a version it takes the one that the server prefers. `None`: the server has no such
/// kind.
///
/// # Errors
/// See [`CallError`].
pub async fn discover(
    client: &Client,
    group: &str,
    version: Option<&str>,
    kind: &str,
) -> Result<Option<Resource>, CallError> {
    let asked = async {
        let found = discovery::group(client, group).await?;
        Ok::<_, kube::Error>(match version {
            None => found.recommended_kind(kind),
            Some(version) => {
                let mut kinds = found.versioned_resources(version).into_iter();
                kinds.find(|(resource, _)| resource.kind == kind)
            }
        })
    };
    let found = match tokio::time::timeout(ANSWER_TIMEOUT, asked).await {
        Err(_) => return Err(CallError::no_answer()),
        Ok(found) => found,
    };
    match found {
        Ok(found) => Ok(found.map(Resource::from)),
        Err(kube::Error::Discovery(DiscoveryError::MissingApiGroup(_))) => Ok(None),
        Err(error) => {
            let error = CallError::from(error);
            if error.is_not_found() { Ok(None) } else { Err(error) }
        }
    }
}

/// Which objects of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Only those in this namespace; empty: in all.
    pub namespace: String,
    /// Only the one of this name; empty: all.
    pub name: String,
    /// Only those that match this label selector; empty: all.
    pub labels: String,
}

/// What to follow.
#[derive(Clone, Debug)]
pub struct Followed {
    /// The kind.
    pub resource: Resource,
    /// Which of its objects.
    pub scope: Scope,
    /// Whether only metadata is requested.
    pub metadata_only: bool,
    /// Whether an API server that does not know the kind, or lets this account read none of it, counts as one without
    /// objects of it.
    pub may_be_absent: bool,
}

impl From<Resource> for Followed {
    /// All objects of the kind.
    fn from(resource: Resource) -> Followed {
        Followed {
            resource,
            scope: Scope::default(),
            metadata_only: false,
            may_be_absent: false,
        }
    }
}

impl Followed {
    pub(super) fn path(&self) -> String {
        self.resource.collection(&self.scope.namespace)
    }

    /// A rule with `resourceNames` covers a list or a watch exactly when it is requested with this selector.
    pub(super) fn field_selector(&self) -> Option<String> {
        let name = &self.scope.name;
        (!name.is_empty()).then(|| format!("metadata.name={name}"))
    }

    pub(super) fn label_selector(&self) -> Option<String> {
        let labels = &self.scope.labels;
        (!labels.is_empty()).then(|| labels.clone())
    }
}

#[cfg(test)]
mod tests;
