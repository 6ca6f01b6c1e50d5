//! Processes a custom resource as an API server does when the resource is created, as a pure function, so that files get the
//! same treatment as objects in a cluster.
//!
//! This module prunes, handles nulls, applies defaults and validates by a structural schema, and it applies the rules for
//! object metadata. The schemas come from the CustomResourceDefinitions that [`dorgu_api`] generates, so there is one
//! source. A keyword, pattern or CEL rule that this module cannot apply is an error when a schema is read; it is never
//! skipped.
//!
//! This module knows no YAML, no files and no quantities: a function that recognises quantities is an argument. Start
//! reading at [`Kind::create`].

mod field;
mod metadata;
mod shape;
mod structure;
mod validate;

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Map, Value};

use dorgu_api::rules::IsQuantity;
use field::At;
pub use field::{FieldError, Path, Step, Warning};
pub use structure::SchemaError;
use structure::Structure;

/// Kinds that can be created here, each with its schema.
#[derive(Debug)]
pub struct Kinds(Vec<Kind>);

impl Kinds {
    /// Reads the schemas of `crds`. `is_quantity` implements the rule `isQuantity`.
    ///
    /// # Errors
    /// A schema with a keyword that this engine does not apply.
    pub fn read(crds: &[CustomResourceDefinition], is_quantity: IsQuantity) -> Result<Self, SchemaError> {
        let mut kinds = Vec::new();
        for crd in crds {
            for version in &crd.spec.versions {
                let schema = version
                    .schema
                    .as_ref()
                    .and_then(|schema| schema.open_api_v3_schema.as_ref());
                let schema = serde_json::to_value(schema).map_err(|error| SchemaError::new("", error.to_string()))?;
                kinds.push(Kind {
                    api_version: format!("{}/{}", crd.spec.group, version.name),
                    kind: crd.spec.names.kind.clone(),
                    namespaced: crd.spec.scope == "Namespaced",
                    has_status: version.subresources.as_ref().is_some_and(|sub| sub.status.is_some()),
                    structure: Structure::read(&schema)?,
                    is_quantity,
                });
            }
        }
        Ok(Self(kinds))
    }

    /// The kind that a manifest names, or `None`.
    pub fn find(&self, api_version: &str, kind: &str) -> Option<&Kind> {
        self.0
            .iter()
            .find(|candidate| candidate.api_version == api_version && candidate.kind == kind)
    }
}

/// Name and labels of a Namespace manifest.
///
/// # Errors
/// The errors of an API server about its metadata.
pub fn namespace(object: Value) -> Result<(String, BTreeMap<String, String>), Vec<FieldError>> {
    let metadata = match object {
        Value::Object(mut fields) => fields.remove("metadata"),
        _ => None,
    };
    let (mut metadata, _) = metadata::Metadata::read(metadata)?;
    metadata.settle_namespace(false, "");
    let mut errors = Vec::new();
    metadata.validate_namespace(&mut errors);
    if errors.is_empty() {
        Ok(metadata.into_name_and_labels())
    } else {
        Err(errors)
    }
}

/// One kind and its schema.
#[derive(Debug)]
pub struct Kind {
    api_version: String,
    kind: String,
    namespaced: bool,
    has_status: bool,
    structure: Structure,
    is_quantity: IsQuantity,
}

/// An object as it would be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Created {
    /// The object: unknown fields and nulls removed, defaults filled in, whole numbers written as integers.
    pub object: Value,
    /// The warnings of an API server with `fieldValidation=Warn`, in its order.
    pub warnings: Vec<Warning>,
}

impl Kind {
    /// What a POST of `object` to an API server would store, or every reason why the API server would reject it.
    ///
    /// `namespace` is the one the request goes to; an object without a namespace gets it. Two rules are milder than an API
    /// server's, because manifests are often exported ones: `resourceVersion` is ignored, and so are the fields that the server
    /// fills in itself. The status is dropped, as by a POST.
    ///
    /// # Errors
    /// All fields that violate the schema, in schema order. Only those of the metadata when that cannot be read.
    pub fn create(&self, object: Value, namespace: &str) -> Result<Created, Vec<FieldError>> {
        let Value::Object(mut object) = object else {
            return Err(vec![FieldError::new(
                &At::ROOT,
                "Invalid value: must be an object".to_owned(),
            )]);
        };
        self.check_type(&object)?;
        let (mut meta, mut warnings) = metadata::Metadata::read(object.remove("metadata"))?;
        meta.settle_namespace(self.namespaced, namespace);

        let mut object = Value::Object(object);
        shape::prune(&mut object, &self.structure, &mut warnings);
        shape::drop_nulls(&mut object, &self.structure);
        shape::fill_defaults(&mut object, &self.structure);
        if let (true, Some(fields)) = (self.has_status, object.as_object_mut()) {
            fields.remove("status");
        }

        let mut errors = Vec::new();
        meta.validate(self.namespaced, &mut errors);
        validate::validate(&At::ROOT, &object, &self.structure, self.is_quantity, &mut errors);
        if !errors.is_empty() {
            return Err(errors);
        }
        shape::settle_numbers(&mut object, &self.structure);
        if let Some(fields) = object.as_object_mut() {
            fields.insert("metadata".to_owned(), meta.into_value());
        }
        Ok(Created { object, warnings })
    }

    /// The errors of `status` as the new status of an object of this kind; empty when it would be stored.
    pub fn validate_status(&self, status: &Value) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if let (Some(structure), false) = (self.structure.property("status"), status.is_null()) {
            let mut status = status.clone();
            shape::prune(&mut status, structure, &mut Vec::new());
            shape::drop_nulls(&mut status, structure);
            shape::fill_defaults(&mut status, structure);
            validate::validate(
                &At::ROOT.key("status"),
                &status,
                structure,
                self.is_quantity,
                &mut errors,
            );
        }
        errors
    }

    fn check_type(&self, object: &Map<String, Value>) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        for (field, wanted) in [("apiVersion", &self.api_version), ("kind", &self.kind)] {
            let found = object.get(field).unwrap_or(&Value::Null);
            if found.as_str() != Some(wanted) {
                errors.push(FieldError::invalid(
                    &At::ROOT.key(field),
                    found,
                    &format!("must be {wanted}"),
                ));
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

#[cfg(test)]
mod tests;
