//! The validation rules of our CRDs that go beyond schema keywords. Each rule is written twice, side by side: in CEL, or as
//! a regular expression, for API servers, and as a Rust predicate for file mode.
//!
//! A rule in a CRD must be in [`ALL`], and a pattern in [`PATTERNS`]. Otherwise an API server would enforce the rule and
//! file mode would not. The schema engine (`crates/manifest/src/schema`) rejects a CRD with any other rule or pattern.
//!
//! The parser of quantities is in `policy`, which this crate may not import. So the caller passes it ([`IsQuantity`]).

use super::{Time, names};
use serde_json::{Value, json};

/// Decides whether a text is a Kubernetes quantity, as CEL's `isQuantity` does.
pub type IsQuantity = fn(&str) -> bool;

/// One rule, in both languages.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The CEL expression, true for a valid value. It identifies the Rust twin.
    pub cel: &'static str,
    /// The message for a violation: what is wrong and what to do.
    pub message: &'static str,
    /// The field that the error names, relative to the value that carries the rule (`.minReplicas`), or `None` for the value
    /// itself.
    pub field_path: Option<&'static str>,
    /// The twin: the same result as `cel` for every value whose type the schema has already accepted.
    pub holds: fn(&Value, IsQuantity) -> bool,
}

impl Rule {
    /// The value of `x-kubernetes-validations` for a field that carries this rule alone.
    pub fn to_schema(self) -> Value {
        json!([self.to_entry()])
    }

    /// One entry of that list.
    pub fn to_entry(self) -> Value {
        let mut rule = json!({ "rule": self.cel, "message": self.message });
        if let Some(path) = self.field_path {
            rule["fieldPath"] = path.into();
        }
        rule
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
    // CEL compares integers only. For two numbers written as floats, even whole ones, the rule fails.
    holds: |value, _| match (value.get("minReplicas"), value.get("maxReplicas")) {
        (Some(min), Some(max)) => min.as_i64().zip(max.as_i64()).is_some_and(|(min, max)| min <= max),
        _ => true,
    },
};

/// An exception for an app or for one workload.
pub const ONE_TARGET: Rule = Rule {
    cel: "has(self.app) != has(self.workload)",
    message: "set either app or workload, and not both",
    field_path: None,
    holds: |value, _| value.get("app").is_some() != value.get("workload").is_some(),
};

/// A period of more than no time.
pub const STARTS_BEFORE_EXPIRES: Rule = Rule {
    cel: "!has(self.starts) || self.starts < self.expires",
    message: "starts must be before expires",
    field_path: Some(".starts"),
    holds: |value, _| {
        let time = |key| serde_json::from_value::<Time>(value.get(key)?.clone()).ok();
        // To compare times, an API server reads them by a stricter reader than that of a schema: of T and Z it takes no lower case.
        let is_strict = |key| {
            !value
                .get(key)
                .and_then(Value::as_str)
                .is_some_and(|text| text.contains(['t', 'z']))
        };
        let are_strict = is_strict("starts") && is_strict("expires");
        value.get("starts").is_none()
            || are_strict && time("starts").zip(time("expires")).is_some_and(|(from, to)| from < to)
    },
};

/// A requirement of a label selector with the values that its operator takes.
pub const SELECTOR_VALUES: Rule = Rule {
    cel: "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
    message: "operators In and NotIn need values, Exists and DoesNotExist take none",
    field_path: Some(".values"),
    holds: |value, _| {
        let takes_values = matches!(value.get("operator").and_then(Value::as_str), Some("In" | "NotIn"));
        let values = value.get("values").and_then(Value::as_array);
        takes_values == values.is_some_and(|values| !values.is_empty())
    },
};

/// A persona that is either a default or narrowed.
pub const NARROWED_DEFAULT: Rule = Rule {
    cel: "self.name != '*' || !has(self.selector)",
    message: "a default persona (name '*') governs what no other persona governs: remove selector",
    field_path: Some(".selector"),
    holds: |value, _| value.get("name").and_then(Value::as_str) != Some("*") || value.get("selector").is_none(),
};

/// Every rule that a CRD of this group may carry.
pub const ALL: &[Rule] = &[
    QUANTITY,
    MIN_MAX,
    ONE_TARGET,
    STARTS_BEFORE_EXPIRES,
    SELECTOR_VALUES,
    NARROWED_DEFAULT,
];

/// A regular expression, in both languages.
#[derive(Debug, Clone, Copy)]
pub struct Pattern {
    /// The expression in the schema. It identifies the Rust twin.
    pub regex: &'static str,
    /// The twin: whether a text matches.
    pub matches: fn(&str) -> bool,
}

/// `type` of a condition: a CamelCase word, perhaps after a domain and a slash.
pub const CONDITION_TYPE: Pattern = Pattern {
    regex: r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
    matches: |text| {
        let (prefix, name) = text.split_once('/').unwrap_or(("any", text));
        prefix.split('.').all(names::is_dns_label) && names::is_label_value(name)
    },
};

/// `reason` of a condition: a CamelCase word.
pub const CONDITION_REASON: Pattern = Pattern {
    regex: "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
    matches: |text| {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        match text.as_bytes() {
            [] => false,
            [first, rest @ ..] => {
                first.is_ascii_alphabetic()
                    && rest.iter().all(|byte| word(*byte) || matches!(byte, b',' | b':'))
                    && rest.last().is_none_or(|last| word(*last))
            }
        }
    },
};

/// Every pattern that a CRD of this group may carry.
pub const PATTERNS: &[Pattern] = &[CONDITION_TYPE, CONDITION_REASON];

/// Longest quantity text that the schema allows: far beyond any real one, and a bound that keeps the API server's estimate of a
/// rule's cost small.
pub const MAX_QUANTITY_LENGTH: u32 = 256;
