//! A persona as a client sends it, beside what an API server stores of it.

use serde_json::Value;

use super::failure::Failure;
use super::input::Document;
use crate::api::{self, API_VERSION, ApplicationPersona};
use crate::k8s::Name;
use crate::policy::quantity::Quantity;
use crate::schema::{FieldError, Kinds, Warning};

/// What a server fills in itself: no client means to apply it.
const OF_THE_SERVER: [&str; 6] = [
    "creationTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];
/// A note of `kubectl apply` for itself.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A persona to apply.
pub(super) struct Written {
    pub(super) name: Name,
    /// What a client sends: the text, with the namespace.
    pub(super) sent: Value,
    /// What an API server stores of it, with defaults.
    pub(super) stored: Value,
}

/// The schemas by which an API server judges personas.
pub(super) fn kinds() -> Result<Kinds, Failure> {
    let kinds = Kinds::read(&api::crds(), |text| Quantity::parse(text).is_ok());
    kinds.map_err(|error| Failure::Other(error.to_string()))
}

impl Written {
    /// Reads a persona of a file. Its namespace is its own, else `wanted`, else `usual`.
    ///
    /// # Errors
    /// Each problem as a line with its place.
    pub(super) fn read(
        document: &Document,
        kinds: &Kinds,
        wanted: Option<&str>,
        usual: &str,
    ) -> Result<Written, Vec<String>> {
        let mut sent = document.node.to_value();
        if let Some(object) = sent.as_object_mut() {
            object.remove("status");
        }
        let metadata = sent.get_mut("metadata").and_then(Value::as_object_mut);
        let Some(metadata) = metadata else {
            return Err(vec![document.problem("/metadata", "metadata.name: Required value")]);
        };
        for field in OF_THE_SERVER {
            metadata.remove(field);
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(LAST_APPLIED);
        }
        let own = metadata.get("namespace").and_then(Value::as_str);
        let own = own.filter(|own| !own.is_empty());
        let namespace = match (own, wanted) {
            (Some(own), Some(wanted)) if own != wanted => {
                let reason = format!("metadata.namespace is {own}, but --namespace says {wanted}");
                return Err(vec![document.problem("/metadata/namespace", &reason)]);
            }
            (Some(own), _) => own.to_owned(),
            (None, wanted) => wanted.unwrap_or(usual).to_owned(),
        };
        metadata.insert("namespace".to_owned(), Value::String(namespace.clone()));
        Written::of(sent, namespace, kinds, |pointer, reason| {
            document.problem(pointer, reason)
        })
    }

    /// Personas that were derived.
    ///
    /// # Errors
    /// Why an API server would reject them.
    pub(super) fn all_derived(personas: &[ApplicationPersona], kinds: &Kinds) -> Result<Vec<Written>, Failure> {
        let derived = |persona: &ApplicationPersona| {
            let sent = serde_json::to_value(persona).map_err(|error| vec![error.to_string()])?;
            let namespace = persona.metadata.namespace.clone().unwrap_or_default();
            let name = persona.metadata.name.clone().unwrap_or_default();
            Written::of(sent, namespace, kinds, |_, reason| format!("persona {name}: {reason}"))
        };
        let all: Result<Vec<Written>, Vec<String>> = personas.iter().map(derived).collect();
        all.map_err(|problems| Failure::Other(problems.join("; ")))
    }

    fn of(
        sent: Value,
        namespace: String,
        kinds: &Kinds,
        problem: impl Fn(&str, &str) -> String,
    ) -> Result<Written, Vec<String>> {
        let Some(kind) = kinds.find(API_VERSION, "ApplicationPersona") else {
            return Err(vec![problem("", "its version is not dorgu.io/v1")]);
        };
        let created = kind.create(sent.clone(), &namespace).map_err(|errors| {
            let line = |error: &FieldError| problem(&error.path.pointer(), &error.to_string());
            errors.iter().map(line).collect::<Vec<String>>()
        })?;
        // A field that the kind does not have would be dropped; an API server that is asked strictly rejects it.
        if !created.warnings.is_empty() {
            let line = |warning: &Warning| problem(&warning.path.pointer(), &warning.to_string());
            return Err(created.warnings.iter().map(line).collect());
        }
        let Some(name) = created.object["metadata"]["name"].as_str().map(str::to_owned) else {
            return Err(vec![problem("/metadata", "metadata.name: Required value")]);
        };
        Ok(Written {
            name: Name { namespace, name },
            sent,
            stored: created.object,
        })
    }
}
