//! Decodes objects of lists and watches. An object that cannot be decoded must never end the watch that delivered it.

use serde::de::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::error::{Panicked, catch_panic};
use super::resource::Name;

/// The decoded form of an object.
pub trait Decode: Clone + Sized + Send + 'static {
    /// Decodes the required fields from the object's JSON.
    ///
    /// # Errors
    /// Which field cannot be decoded, and why.
    fn decode(json: &str) -> Result<Self, Unreadable>;
}

/// Why an object cannot be read: the field and what is wrong with it, on one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

impl Unreadable {
    /// An error with this reason.
    pub fn new(reason: impl Into<String>) -> Unreadable {
        Unreadable(reason.into())
    }

    /// The reason.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Panicked> for Unreadable {
    fn from(panicked: Panicked) -> Unreadable {
        Unreadable(panicked.to_string())
    }
}

/// Decodes JSON.
///
/// # Errors
/// The path of the wrong field, and serde's reason.
pub fn from_json<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, Unreadable> {
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(json))
        .map_err(|error| Unreadable(error.to_string()))
}

/// One object of a list or of a watch.
#[derive(Clone, Debug)]
pub(super) struct Decoded<T> {
    pub(super) name: Name,
    /// `metadata.resourceVersion`.
    pub(super) version: String,
    pub(super) object: Result<T, Unreadable>,
}

impl<'de, T: Decode> Deserialize<'de> for Decoded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Decoded<T>, D::Error> {
        // The text itself, not a tree, so that unused fields (managedFields) are never built.
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let head: Head = serde_json::from_str(raw.get()).map_err(serde::de::Error::custom)?;
        Ok(Decoded {
            name: Name {
                namespace: head.metadata.namespace,
                name: head.metadata.name,
            },
            version: head.metadata.resource_version,
            // A decoder that panics would panic again after every restart. This way it costs one object instead.
            object: catch_panic(|| T::decode(raw.get())).unwrap_or_else(|panicked| Err(panicked.into())),
        })
    }
}

/// The fields of every object's metadata that a watch needs.
#[derive(serde::Deserialize)]
struct Head {
    metadata: HeadMetadata,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct HeadMetadata {
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    resource_version: String,
}

/// A page of a list. Decoded here, since kube's own type buffers unknown fields.
#[derive(serde::Deserialize)]
#[serde(bound = "T: Decode")]
pub(super) struct Page<T> {
    #[serde(default)]
    pub(super) metadata: PageMetadata,
    /// Absent or null when empty.
    pub(super) items: Option<Vec<Decoded<T>>>,
}

#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageMetadata {
    #[serde(default)]
    pub(super) resource_version: String,
    #[serde(default, rename = "continue")]
    pub(super) more: Option<String>,
}
