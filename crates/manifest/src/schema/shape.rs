//! The changes that an API server makes to an object besides validating it, one function each.
//!
//! Three precede validation, in this order: `prune` removes the fields that the schema does not name, `drop_nulls` removes
//! the nulls of fields without a default, and `fill_defaults` fills in defaults. One follows validation: `settle_numbers`
//! turns whole floats into integers where the schema requires an integer.

use serde_json::Value;

use super::field::{At, Warning};
use super::structure::{Shape, Structure};

/// Removes every field that the schema does not name, with a warning for each, sorted by path.
pub(super) fn prune(object: &mut Value, structure: &Structure, warnings: &mut Vec<Warning>) {
    let mut found = Vec::new();
    // Every object has these two (and metadata, which is handled elsewhere), whatever its schema contains.
    let saved: Vec<(&str, Value)> = match object.as_object_mut() {
        Some(fields) => ["apiVersion", "kind"]
            .into_iter()
            .filter_map(|key| Some((key, fields.remove(key)?)))
            .collect(),
        None => Vec::new(),
    };
    prune_value(&At::ROOT, object, Some(structure), &mut found);
    if let Some(fields) = object.as_object_mut() {
        fields.extend(saved.into_iter().map(|(key, value)| (key.to_owned(), value)));
    }
    found.sort_by_cached_key(|warning| warning.path.to_string());
    warnings.extend(found);
}

fn prune_value(at: &At<'_>, value: &mut Value, structure: Option<&Structure>, found: &mut Vec<Warning>) {
    match value {
        Value::Object(fields) => fields.retain(|key, value| {
            let at = at.key(key);
            let known = structure.and_then(|structure| field(structure, key));
            match known {
                Some(structure) => prune_value(&at, value, Some(structure), found),
                None => found.push(Warning::unknown_field(&at)),
            }
            known.is_some()
        }),
        Value::Array(list) => {
            for (index, value) in list.iter_mut().enumerate() {
                prune_value(&at.index(index), value, structure.and_then(items), found);
            }
        }
        _ => {}
    }
}

/// Removes every null that has no default. No field of ours is nullable, so a null means "not set". Nulls in lists stay, and
/// then have the wrong type.
pub(super) fn drop_nulls(value: &mut Value, structure: &Structure) {
    match value {
        Value::Object(fields) => fields.retain(|key, value| match field(structure, key) {
            Some(structure) if value.is_null() => structure.default.is_some(),
            Some(structure) => {
                drop_nulls(value, structure);
                true
            }
            None => true,
        }),
        Value::Array(list) => {
            if let Some(structure) = items(structure) {
                list.iter_mut().for_each(|value| drop_nulls(value, structure));
            }
        }
        _ => {}
    }
}

/// Fills in the defaults of absent and null fields whose parent exists.
pub(super) fn fill_defaults(value: &mut Value, structure: &Structure) {
    match (value, &structure.shape) {
        (Value::Object(fields), Shape::Object { properties, .. }) => {
            for (key, property) in properties {
                if let Some(default) = &property.default
                    && fields.get(key).is_none_or(Value::is_null)
                {
                    fields.insert(key.clone(), default.clone());
                }
            }
            for (key, value) in fields {
                if let Some(structure) = field(structure, key) {
                    fill_defaults(value, structure);
                }
            }
        }
        (Value::Array(list), Shape::Array { items, .. }) => {
            list.iter_mut().for_each(|value| fill_defaults(value, items));
        }
        _ => {}
    }
}

/// Writes `3.0` and `3e0` as `3` where the schema requires an integer, as storing them would.
pub(super) fn settle_numbers(value: &mut Value, structure: &Structure) {
    match (&mut *value, &structure.shape) {
        (Value::Object(fields), Shape::Object { .. }) => {
            for (key, value) in fields {
                if let Some(structure) = field(structure, key) {
                    settle_numbers(value, structure);
                }
            }
        }
        (Value::Array(list), Shape::Array { items, .. }) => {
            list.iter_mut().for_each(|value| settle_numbers(value, items));
        }
        (Value::Number(_), Shape::Integer { .. }) => {
            if let Some(whole) = whole(value) {
                *value = whole.into();
            }
        }
        _ => {}
    }
}

/// A number as an integer, if it is one. A float counts up to 2^53 - 1, the API server's bound, below which every integer has
/// its own float.
pub(super) fn whole(value: &Value) -> Option<i64> {
    const MAX_EXACT: f64 = 9_007_199_254_740_991.0;
    value.as_i64().or_else(|| {
        let float = value
            .as_f64()
            .filter(|float| value.is_f64() && float.fract() == 0.0 && float.abs() <= MAX_EXACT)?;
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53, so exact")]
        Some(float as i64)
    })
}

/// The schema of a field of an object.
fn field<'a>(structure: &'a Structure, key: &str) -> Option<&'a Structure> {
    match &structure.shape {
        Shape::Object { properties, values, .. } => properties.get(key).or(values.as_deref()),
        _ => None,
    }
}

fn items(structure: &Structure) -> Option<&Structure> {
    match &structure.shape {
        Shape::Array { items, .. } => Some(items),
        _ => None,
    }
}
