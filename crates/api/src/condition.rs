//! Defines the schema of `status.conditions`, with the limits of the standard Kubernetes condition. k8s-openapi's type of a
//! condition, which we use in Rust, does not carry these limits into a CRD.

use schemars::{Schema, SchemaGenerator, json_schema};

use super::rules;

/// A list of conditions, at most one of each type, with the standard limits (contract 1.2).
pub(super) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "description": "One aspect of the current state, in the standard Kubernetes form.",
            "type": "object",
            "required": ["lastTransitionTime", "message", "reason", "status", "type"],
            "properties": {
                "type": {
                    "description": "Name of the aspect in CamelCase, such as Ready. At most one condition of each type.",
                    "type": "string",
                    "maxLength": 316,
                    "pattern": rules::CONDITION_TYPE.regex,
                },
                "status": {
                    "description": "Whether the condition holds: True, False or Unknown.",
                    "type": "string",
                    "enum": ["True", "False", "Unknown"],
                },
                "observedGeneration": {
                    "description": "metadata.generation of the object that this condition describes; older than the \
                                    object's means the condition is out of date.",
                    "type": "integer",
                    "format": "int64",
                    "minimum": 0,
                },
                "lastTransitionTime": {
                    "description": "When status last changed, in UTC.",
                    "type": "string",
                    "format": "date-time",
                },
                "reason": {
                    "description": "Why, as one CamelCase word for programs.",
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 1024,
                    "pattern": rules::CONDITION_REASON.regex,
                },
                "message": {
                    "description": "Why, as a sentence for people. May be empty.",
                    "type": "string",
                    "maxLength": 32768,
                },
            },
        },
    })
}
