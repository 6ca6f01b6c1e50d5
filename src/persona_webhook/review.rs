//! Reads an AdmissionReview about an ApplicationPersona. Only what the index reads of a persona is kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::api::{ApplicationPersona, ApplicationPersonaSpec};
use crate::policy::text::{Shown, Text, cut};
use crate::policy::{ModeWish, Persona};
use crate::webhook::review::Version;

/// Longest reason why a persona cannot be read.
const MAX_REASON: usize = 160;

/// A review that can be answered.
#[derive(Debug)]
pub(super) struct Review<'a> {
    pub(super) version: Version,
    pub(super) uid: Text<'a>,
    /// What is asked; `None` for what is no create or update of a persona.
    pub(super) asked: Option<Result<Asked, String>>,
}

/// A persona that is about to be stored.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) persona: Arc<Persona>,
    /// The stored persona that it replaces, unless that cannot be read.
    pub(super) before: Option<Arc<Persona>>,
    /// Whether both demand the same, so that nothing changes for any Deployment.
    pub(super) is_same: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow, default)]
    api_version: Text<'a>,
    #[serde(borrow, default)]
    request: Option<Request<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow, default)]
    uid: Text<'a>,
    #[serde(borrow, default)]
    operation: Text<'a>,
    #[serde(default)]
    kind: Kind,
    #[serde(borrow, default)]
    namespace: Text<'a>,
    #[serde(borrow, default)]
    object: Option<&'a RawValue>,
    #[serde(borrow, default)]
    old_object: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Kind {
    #[serde(default)]
    kind: String,
}

/// A persona without its status: one from another writer must not cost the advice.
#[derive(Deserialize)]
struct Object<'a> {
    #[serde(default)]
    metadata: Metadata,
    #[serde(borrow)]
    spec: &'a RawValue,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default)]
    name: String,
    #[serde(default)]
    namespace: String,
    annotations: Option<Modes>,
    labels: Option<Modes>,
}

/// The only label or annotation that matters.
#[derive(Default, Deserialize)]
struct Modes {
    #[serde(rename = "dorgu.io/mode")]
    mode: Option<String>,
}

impl<'a> Review<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// It is no AdmissionReview that has a uid to answer to.
    pub(super) fn read(body: &'a [u8]) -> Result<Review<'a>, String> {
        let envelope: Envelope<'a> = serde_json::from_slice(body).map_err(|error| reason(&error))?;
        let version = Version::read(&envelope.api_version).ok_or("its apiVersion is not of admission.k8s.io")?;
        let request = envelope.request.ok_or("it has no request")?;
        if request.uid.is_empty() {
            return Err("its request has no uid".to_owned());
        }
        let is_change = matches!(request.operation.as_str(), "CREATE" | "UPDATE");
        let is_ours = request.kind.kind == "ApplicationPersona";
        let object = request.object.filter(|_| is_change && is_ours);
        let asked = object.map(|object| Asked::read(object, request.old_object, request.namespace.as_str()));
        Ok(Review {
            version,
            uid: request.uid,
            asked,
        })
    }
}

impl Asked {
    fn read(object: &RawValue, old: Option<&RawValue>, namespace: &str) -> Result<Asked, String> {
        let new = Object::read(object)?;
        let old = old.and_then(|old| Object::read(old).ok());
        let is_same = old.as_ref().is_some_and(|old| old.demands_same(&new));
        Ok(Asked {
            persona: new.persona(namespace)?,
            before: old.and_then(|old| old.persona(namespace).ok()),
            is_same,
        })
    }
}

impl<'a> Object<'a> {
    fn read(json: &'a RawValue) -> Result<Object<'a>, String> {
        serde_json::from_str(json.get()).map_err(|error| reason(&error))
    }

    /// Both come from one encoder, so equal specs are equal bytes.
    fn demands_same(&self, other: &Object<'_>) -> bool {
        let mode = |modes: &Option<Modes>| modes.as_ref().and_then(|modes| modes.mode.clone());
        let (one, two) = (&self.metadata, &other.metadata);
        self.spec.get() == other.spec.get()
            && mode(&one.annotations) == mode(&two.annotations)
            && mode(&one.labels) == mode(&two.labels)
    }

    fn persona(self, namespace: &str) -> Result<Arc<Persona>, String> {
        let spec: ApplicationPersonaSpec =
            serde_json::from_str(self.spec.get()).map_err(|error| format!("spec: {}", reason(&error)))?;
        let mut object = ApplicationPersona::new(&self.metadata.name, spec);
        object.metadata.namespace = Some(match self.metadata.namespace.as_str() {
            "" => namespace.to_owned(),
            own => own.to_owned(),
        });
        let only = |modes: Option<Modes>| Some(BTreeMap::from([(ModeWish::KEY.to_owned(), modes?.mode?)]));
        object.metadata.annotations = only(self.metadata.annotations);
        object.metadata.labels = only(self.metadata.labels);
        Ok(Arc::new(Persona::parse(&object)))
    }
}

/// serde's message, with content escaped: it may quote a key or a value.
fn reason(error: &serde_json::Error) -> String {
    cut(Shown(&error.to_string()), MAX_REASON)
}
