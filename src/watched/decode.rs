//! Decodes the JSON of watched objects into entries of the index, keeping only the fields that are read.

use std::collections::BTreeMap;
use std::sync::Arc;

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::api::levels::ClusterRulesSpec;
use crate::api::{ApplicationPersona, ApplicationPersonaSpec, PersonaException, PersonaExceptionSpec, Time};
use crate::index::{
    AppLabels, ClusterRules, Deployment, Namespace, Running, StatusFingerprint, StoredException, StoredPersona,
    fingerprint,
};
use crate::k8s::{self, Decode, Unreadable};
use crate::policy::json::Object;
use crate::policy::room::{Room, within};
use crate::policy::text::{Shown, Text, cut};
use crate::policy::workload::{Labels, Selector, Spec};
use crate::policy::{Exception, ModeWish, Persona};

/// Parses JSON. The error names the wrong field, on one line: field names come from the object, and so does what serde quotes.
fn from_json<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, Unreadable> {
    k8s::from_json(json).map_err(|error| Unreadable::new(cut(Shown(error.as_str()), 300)))
}

/// Rewrites an error in a spec as one of the object.
fn in_spec(error: Unreadable) -> Unreadable {
    Unreadable::new(format!("spec.{error}"))
}

/// An ApplicationPersona of which only the spec must be valid. An unusual status from another writer must not cost the persona.
#[derive(Deserialize)]
struct SlimPersona<'a> {
    metadata: SlimMetadata,
    #[serde(borrow)]
    spec: &'a RawValue,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct SlimMetadata {
    name: String,
    namespace: String,
    uid: String,
    #[serde(default)]
    generation: i64,
    annotations: Option<Modes>,
    labels: Option<Modes>,
}

/// The only label or annotation that matters.
#[derive(Default, Deserialize)]
struct Modes {
    #[serde(rename = "dorgu.io/mode")]
    mode: Option<String>,
}

impl Decode for StoredPersona {
    fn decode(json: &str) -> Result<StoredPersona, Unreadable> {
        let SlimPersona { metadata, spec, status } = from_json(json)?;
        let mode = metadata.annotations.and_then(|annotations| annotations.mode);
        let misplaced = metadata.labels.and_then(|labels| labels.mode);
        let mut version = DefaultHasher::new();
        // Without the generation: a CRD with other defaults changes what is read of an unchanged object.
        (&metadata.uid, spec.get(), &mode, &misplaced).hash(&mut version);
        let spec: ApplicationPersonaSpec = from_json(spec.get()).map_err(in_spec)?;
        let mut object = ApplicationPersona::new(&metadata.name, spec);
        object.metadata.namespace = Some(metadata.namespace);
        let only = |mode: String| BTreeMap::from([(ModeWish::KEY.to_owned(), mode)]);
        object.metadata.annotations = mode.map(only);
        object.metadata.labels = misplaced.map(only);
        Ok(StoredPersona {
            version: version.finish(),
            generation: metadata.generation,
            // A status that cannot be decoded equals none of ours.
            status: status.and_then(|status| StatusFingerprint::of(&from_json::<Value>(status.get()).ok()?)),
            persona: Arc::new(Persona::parse(&object)),
        })
    }
}

/// A ClusterPersona of which only the platform's rules must be valid.
#[derive(Deserialize)]
struct SlimClusterPersona {
    metadata: SlimName,
    spec: ClusterRulesSpec,
}

#[derive(Deserialize)]
struct SlimName {
    name: String,
}

impl Decode for ClusterRules {
    fn decode(json: &str) -> Result<ClusterRules, Unreadable> {
        let SlimClusterPersona { metadata, spec } = from_json(json)?;
        Ok(ClusterRules {
            name: metadata.name.into(),
            rules: spec.into_rules().into(),
        })
    }
}

/// A PersonaException of which only the spec must be valid.
#[derive(Deserialize)]
struct SlimException<'a> {
    metadata: ExceptionMetadata,
    #[serde(borrow)]
    spec: &'a RawValue,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExceptionMetadata {
    name: String,
    namespace: String,
    #[serde(default)]
    generation: i64,
    creation_timestamp: Option<Time>,
}

impl Decode for StoredException {
    fn decode(json: &str) -> Result<StoredException, Unreadable> {
        let SlimException { metadata, spec, status } = from_json(json)?;
        let spec: PersonaExceptionSpec = from_json(spec.get()).map_err(in_spec)?;
        let mut object = PersonaException::new(&metadata.name, spec);
        object.metadata.namespace = Some(metadata.namespace);
        object.metadata.creation_timestamp = metadata.creation_timestamp;
        let exception = Exception::parse(&object).map_err(|error| Unreadable::new(error.to_string()))?;
        let status = status.and_then(|status| from_json::<Value>(status.get()).ok());
        Ok(StoredException {
            generation: metadata.generation,
            status: status.as_ref().map(fingerprint::of_exception),
            exception: Arc::new(exception),
        })
    }
}

/// The labels of a namespace that matter.
#[derive(Default, Deserialize)]
struct NamespaceLabels {
    #[serde(rename = "dorgu.io/mode")]
    mode: Option<String>,
    #[serde(rename = "dorgu.io/validate")]
    validate: Option<String>,
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
    labels: Option<NamespaceLabels>,
    annotations: Option<Modes>,
    deletion_timestamp: Option<IgnoredAny>,
}

impl Decode for Namespace {
    fn decode(json: &str) -> Result<Namespace, Unreadable> {
        let metadata = from_json::<NamespaceObject>(json)?.metadata;
        let labels = metadata.labels.unwrap_or_default();
        let misplaced = metadata.annotations.and_then(|annotations| annotations.mode);
        let of_cluster = metadata.name == Namespace::OF_CLUSTER;
        Ok(Namespace {
            mode: ModeWish::read_beside(labels.mode, misplaced),
            is_opted_in: labels.validate.as_deref() == Some("true"),
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

/// The same types as in the webhook, so that no label or field is read in two ways.
#[derive(Default, Deserialize)]
struct SlimDeployment<'a> {
    #[serde(borrow, default)]
    metadata: Object<DeploymentMetadata<'a>>,
    #[serde(borrow)]
    spec: Option<&'a RawValue>,
    #[serde(borrow, default)]
    status: Object<SlimStatus<'a>>,
}

#[derive(Default, Deserialize)]
struct DeploymentMetadata<'a> {
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow, default)]
    namespace: Text<'a>,
    #[serde(borrow, default)]
    labels: WrittenLabels<'a>,
}

/// Labels as they are written, and those of them that can name an app.
#[derive(Default)]
struct WrittenLabels<'a> {
    /// Empty where there are none.
    json: &'a str,
    names: Labels<'a>,
}

impl<'de: 'a, 'a> Deserialize<'de> for WrittenLabels<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Some(written) = Option::<&RawValue>::deserialize(deserializer)? else {
            return Ok(WrittenLabels::default());
        };
        let json = written.get();
        let Object(names) = serde_json::from_str(json).map_err(D::Error::custom)?;
        Ok(WrittenLabels { json, names })
    }
}

#[derive(Default, Deserialize)]
struct SlimSpec<'a> {
    #[serde(borrow, default)]
    selector: Object<Selector<'a>>,
    #[serde(borrow, default)]
    template: Object<ImageTemplate<'a>>,
}

#[derive(Default, Deserialize)]
struct ImageTemplate<'a> {
    #[serde(borrow, default)]
    spec: Object<ImagePod<'a>>,
}

#[derive(Default, Deserialize)]
struct ImagePod<'a> {
    #[serde(borrow)]
    containers: Option<Vec<Object<ImageContainer<'a>>>>,
}

#[derive(Default, Deserialize)]
struct ImageContainer<'a> {
    #[serde(borrow, default)]
    image: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SlimStatus<'a> {
    replicas: Option<i32>,
    ready_replicas: Option<i32>,
    #[serde(borrow)]
    conditions: Option<Vec<SlimCondition<'a>>>,
}

#[derive(Deserialize)]
struct SlimCondition<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    status: Text<'a>,
}

impl Decode for Deployment {
    fn decode(json: &str) -> Result<Deployment, Unreadable> {
        let object: SlimDeployment<'_> = from_json(json)?;
        let (metadata, status) = (object.metadata.0, object.status.0);
        let spec = object.spec.map_or("{}", RawValue::get);
        let slim: Object<SlimSpec<'_>> = from_json(spec).map_err(in_spec)?;
        // A Deployment with fields that cannot be judged still names its app for a Scale.
        let mut left = Room::of_review(spec.len());
        let judged = match within(&mut left, || from_json::<Object<Spec<'_>>>(spec)) {
            Ok(Object(spec)) if !left.is_exceeded() => Ok(spec.to_json().into()),
            Ok(_) => Err(Unreadable::new(format!("template.spec: {}", left.reason()))),
            Err(reason) => Err(reason),
        };
        let judged = judged.map_err(|reason: Unreadable| in_spec(reason).as_str().into());
        // Where the spec was read, it has the image.
        let containers = slim.0.template.0.spec.0.containers.filter(|_| judged.is_err());
        let image = containers
            .as_deref()
            .and_then(<[_]>::first)
            .map(|first| first.0.image.as_str());
        let labels = |labels: &Labels<'_>| AppLabels {
            name: labels.name.as_str().into(),
            app: labels.app.as_str().into(),
        };
        let conditions = status.conditions.unwrap_or_default();
        let holds = |kind: &str| {
            conditions
                .iter()
                .any(|condition| condition.kind.as_str() == kind && condition.status.as_str() == "True")
        };
        Ok(Deployment {
            namespace: metadata.namespace.as_str().into(),
            name: metadata.name.as_str().into(),
            labels: labels(&metadata.labels.names),
            all_labels: metadata.labels.json.into(),
            selected: labels(&slim.0.selector.0.match_labels),
            running: Some(Box::new(Running {
                unread_image: image.unwrap_or_default().into(),
                spec: judged,
                replicas: status.replicas.unwrap_or(0),
                ready: status.ready_replicas.unwrap_or(0),
                available: holds("Available"),
                progressing: holds("Progressing"),
            })),
        })
    }
}

#[cfg(test)]
mod tests;
