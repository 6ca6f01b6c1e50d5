//! The validation rules that a schema cannot say in keywords, each written twice side by side: in CEL for the API
//! server and as a Rust predicate for files.
//!
//! A rule of a CRD that is missing in [`ALL`] would be enforced by a cluster and not by a folder; a test of the schema
//! engine forbids that. The quantity grammar lives in `policy`, which this module may not know, so it comes as an argument.

use serde_json::{Value, json};

/// Decides whether a text is a Kubernetes quantity, as CEL's `isQuantity` does.
pub type IsQuantity = fn(&str) -> bool;

/// One rule, in both languages.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The CEL expression, true for a good value. The Rust twin is found by this text.
    pub cel: &'static str,
    /// What a person reads when the rule is broken: what is wrong and what to do.
    pub message: &'static str,
    /// The field to blame, relative to the value that carries the rule (`.minReplicas`), or none for the value itself.
    pub field_path: Option<&'static str>,
    /// The twin: same verdict as `cel` for every value whose type the schema has already accepted.
    pub holds: fn(&Value, IsQuantity) -> bool,
}

impl Rule {
    /// The value of `x-kubernetes-validations` for a field that carries this rule alone.
    pub fn to_schema(self) -> Value {
        let mut rule = json!({ "rule": self.cel, "message": self.message });
        if let Some(path) = self.field_path {
            rule["fieldPath"] = path.into();
        }
        json!([rule])
    }
}

/// A quantity, or the empty text, which existing clients write for "not set".
pub const QUANTITY: Rule = Rule {
    cel: "self == '' || isQuantity(self)",
    message: "must be a Kubernetes quantity such as 500m, 2 or 512Mi, or '' for not set",
    field_path: None,
    holds: |value, is_quantity| value.as_str().is_some_and(|text| text.is_empty() || is_quantity(text)),
};

/// A range that some replica count can satisfy.
pub const MIN_MAX: Rule = Rule {
    cel: "!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas",
    message: "minReplicas must not be above maxReplicas: lower minReplicas or raise maxReplicas",
    field_path: Some(".minReplicas"),
    holds: |value, _| match (
        value.get("minReplicas").and_then(Value::as_f64),
        value.get("maxReplicas").and_then(Value::as_f64),
    ) {
        (Some(min), Some(max)) => min <= max,
        _ => true,
    },
};

/// Every rule that a CRD of this group may carry.
pub const ALL: &[Rule] = &[QUANTITY, MIN_MAX];

/// Longest quantity text that the schema takes: far beyond any real one, and a bound that keeps the API server's
/// estimate of a rule's cost small.
pub const MAX_QUANTITY_LENGTH: u32 = 256;
