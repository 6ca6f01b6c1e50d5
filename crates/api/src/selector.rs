//! Defines the schema of a label selector, whose type and semantics are those of Kubernetes.

pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
pub use kube::core::{Expression, SelectorExt};
use schemars::{Schema, SchemaGenerator, json_schema};

use super::rules;

/// Most requirements in one list, so that an API server can bound the cost of their rule.
const MAX_REQUIREMENTS: usize = 64;

/// The schema of Kubernetes, with the closed set of operators and the check of values that it leaves to code.
pub(crate) fn schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "Narrows the persona to some workloads of its application, by the labels of the Deployment itself. All \
            requirements must hold; without any the persona governs all of them. A default persona has none.",
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "properties": {
            "matchLabels": {
                "description": "Labels that the Deployment must have, with these values.",
                "type": "object",
                "additionalProperties": {"type": "string"},
            },
            "matchExpressions": {
                "description": "Further requirements on its labels.",
                "type": "array",
                "maxItems": MAX_REQUIREMENTS,
                "x-kubernetes-list-type": "atomic",
                "items": {
                    "type": "object",
                    "required": ["key", "operator"],
                    "x-kubernetes-validations": rules::SELECTOR_VALUES.to_schema(),
                    "properties": {
                        "key": {
                            "description": "Key of the label.",
                            "type": "string",
                        },
                        "operator": {
                            "description": "How the label relates to the values. NotIn and DoesNotExist also hold where the \
                                Deployment has no such label.",
                            "type": "string",
                            "enum": ["In", "NotIn", "Exists", "DoesNotExist"],
                        },
                        "values": {
                            "description": "Values for In and NotIn; none for Exists and DoesNotExist.",
                            "type": "array",
                            "x-kubernetes-list-type": "atomic",
                            "items": {"type": "string"},
                        },
                    },
                },
            },
        },
    })
}
