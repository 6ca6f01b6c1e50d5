//! What is kept of the objects that a watch brings.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::api::{ApplicationPersona, ApplicationPersonaSpec};
use crate::index::{AppLabels, Deployment, Namespace, StoredPersona};
use crate::k8s::Decode;
use crate::policy::json::Object;
use crate::policy::workload::{Labels, Metadata, Selector};
use crate::policy::{ModeWish, Persona};

/// Reads JSON and names the field that is wrong.
fn from_json<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, String> {
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(json)).map_err(|error| error.to_string())
}

/// An ApplicationPersona without its status: a status that somebody else wrote oddly must not cost us the persona.
#[derive(Deserialize)]
struct SlimPersona {
    metadata: SlimMetadata,
    spec: ApplicationPersonaSpec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SlimMetadata {
    name: String,
    namespace: String,
    uid: String,
    resource_version: String,
    annotations: Option<Modes>,
}

/// Of labels or annotations, the only one that counts.
#[derive(Default, Deserialize)]
struct Modes {
    #[serde(rename = "dorgu.io/mode")]
    mode: Option<String>,
}

impl Decode for StoredPersona {
    fn decode(json: &str) -> Result<StoredPersona, String> {
        let SlimPersona { metadata, spec } = from_json(json)?;
        let mut object = ApplicationPersona::new(&metadata.name, spec);
        object.metadata.namespace = Some(metadata.namespace);
        let mode = metadata.annotations.and_then(|annotations| annotations.mode);
        object.metadata.annotations = mode.map(|mode| BTreeMap::from([(ModeWish::KEY.to_owned(), mode)]));
        Ok(StoredPersona {
            version: format!("{}/{}", metadata.uid, metadata.resource_version).into(),
            persona: Arc::new(Persona::parse(&object)),
        })
    }
}

#[derive(Deserialize)]
struct NamespaceObject {
    metadata: NamespaceMetadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NamespaceMetadata {
    name: String,
    #[serde(default)]
    uid: String,
    labels: Option<Modes>,
    deletion_timestamp: Option<IgnoredAny>,
}

impl Decode for Namespace {
    fn decode(json: &str) -> Result<Namespace, String> {
        let metadata = from_json::<NamespaceObject>(json)?.metadata;
        let mode = metadata.labels.and_then(|labels| labels.mode);
        let of_cluster = metadata.name == Namespace::OF_CLUSTER;
        Ok(Namespace {
            mode: ModeWish::read(mode.as_deref()),
            terminating: metadata.deletion_timestamp.is_some(),
            uid: if of_cluster {
                metadata.uid.into()
            } else {
                Box::default()
            },
            name: metadata.name.into(),
        })
    }
}

/// The same types as the webhook reads, so that one label is never read in two ways.
#[derive(Default, Deserialize)]
struct SlimDeployment<'a> {
    #[serde(borrow, default)]
    metadata: Object<Metadata<'a>>,
    #[serde(borrow, default)]
    spec: Object<SlimSpec<'a>>,
}

#[derive(Default, Deserialize)]
struct SlimSpec<'a> {
    #[serde(borrow, default)]
    selector: Object<Selector<'a>>,
}

impl Decode for Deployment {
    fn decode(json: &str) -> Result<Deployment, String> {
        let object: SlimDeployment<'_> = from_json(json)?;
        let (metadata, selector) = (object.metadata.0, object.spec.0.selector.0);
        let labels = |labels: &Labels<'_>| AppLabels {
            name: labels.name.as_str().into(),
            app: labels.app.as_str().into(),
        };
        Ok(Deployment {
            namespace: metadata.namespace.as_str().into(),
            name: metadata.name.as_str().into(),
            labels: labels(&metadata.labels),
            selected: labels(&selector.match_labels),
        })
    }
}

#[cfg(test)]
mod tests;
