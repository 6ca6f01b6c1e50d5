//! Generates the CustomResourceDefinitions from the types (`definition`) and writes them as YAML (`render`). The files in
//! `manifests/crds/` are that YAML.
//!
//! kube derives most of a definition. Two passes correct what differs from the CRDs that users of the Go operator have:
//! `definition` removes `nullable` and titles and joins the lines of each description; `render` also writes whole numbers
//! without a fraction. No field is nullable, so an API server drops a null before it applies defaults.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, JSONSchemaProps};
use kube::CustomResourceExt;
use serde_json::Value;

use super::{ApplicationPersona, ClusterPersona, PersonaException};

/// The definitions of every kind of this group, ready to be applied, in a fixed order.
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![
        definition::<ApplicationPersona>(),
        definition::<ClusterPersona>(),
        definition::<PersonaException>(),
    ]
}

/// The definition of one kind, ready to be applied.
pub fn definition<K: CustomResourceExt>() -> CustomResourceDefinition {
    put_right(K::crd())
}

/// Each definition as a file: its name (`dorgu.io_applicationpersonas.yaml`) and its YAML. The same types give the same bytes.
///
/// # Errors
/// A definition cannot be written as YAML, which is a mistake in the types.
pub fn render(definitions: Vec<CustomResourceDefinition>) -> Result<Vec<(String, String)>, RenderError> {
    definitions
        .into_iter()
        .map(|crd| {
            let name = format!("{}_{}.yaml", crd.spec.group, crd.spec.names.plural);
            let mut value = serde_json::to_value(crd).map_err(RenderError::Json)?;
            whole_numbers(&mut value);
            Ok((name, serde_saphyr::to_string(&value).map_err(RenderError::Yaml)?))
        })
        .collect()
}

/// A definition that cannot be written down.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// It is not representable in JSON.
    #[error("a CustomResourceDefinition does not serialise: {0}")]
    Json(#[source] serde_json::Error),
    /// It is not representable in YAML.
    #[error("a CustomResourceDefinition does not serialise as YAML: {0}")]
    Yaml(#[source] serde_saphyr::ser_error::Error),
}

fn put_right(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        if let Some(schema) = version.schema.as_mut().and_then(|s| s.open_api_v3_schema.as_mut()) {
            each_schema(schema, &mut |schema| {
                schema.nullable = None;
                schema.title = None;
                schema.description = schema.description.take().map(|text| text.replace('\n', " "));
            });
        }
    }
    crd
}

/// For a closed set: the description of the set would hide the one of the field.
pub(super) fn undescribed(schema: &mut schemars::Schema) {
    schema.remove("description");
}

fn each_schema(schema: &mut JSONSchemaProps, change: &mut impl FnMut(&mut JSONSchemaProps)) {
    use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
        JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
    };
    change(schema);
    for property in schema
        .properties
        .iter_mut()
        .flat_map(|properties| properties.values_mut())
    {
        each_schema(property, change);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        each_schema(items, change);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        each_schema(values, change);
    }
}

/// `minimum: 0.0` suggests fractions. The wire type is a float; the value is always whole.
fn whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(float) = number
                .as_f64()
                .filter(|f| number.is_f64() && f.fract() == 0.0 && f.abs() < 1e15)
            {
                #[expect(clippy::cast_possible_truncation, reason = "whole and far below 2^53, so exact")]
                let whole = float as i64;
                *value = whole.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Object(fields) => fields.values_mut().for_each(whole_numbers),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}
