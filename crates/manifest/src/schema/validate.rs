//! Validates a value after pruning and defaulting, keyword by keyword, and applies the Rust twin of each CEL rule.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::field::{At, FieldError};
use super::shape::whole;
use super::structure::{IntegerFormat, Shape, Structure};
use dorgu_api::rules::IsQuantity;

/// Adds every error of `value`. A rule runs only on a value that is otherwise valid, so that it gets the types it expects.
pub(super) fn validate(
    at: &At<'_>,
    value: &Value,
    structure: &Structure,
    is_quantity: IsQuantity,
    errors: &mut Vec<FieldError>,
) {
    let before = errors.len();
    match (value, &structure.shape) {
        (
            Value::Object(fields),
            Shape::Object {
                properties,
                required,
                values,
            },
        ) => {
            for (key, property) in properties {
                match fields.get(key) {
                    Some(value) => validate(&at.key(key), value, property, is_quantity, errors),
                    None if required.contains(key) => errors.push(FieldError::required(&at.key(key))),
                    None => {}
                }
            }
            if let Some(structure) = values {
                for (key, value) in fields.iter().filter(|(key, _)| !properties.contains_key(*key)) {
                    validate(&at.key(key), value, structure, is_quantity, errors);
                }
            }
        }
        (Value::Array(list), Shape::Array { items, count, map_keys }) => {
            validate_count(at, list.len() as u64, *count, errors);
            for (index, value) in list.iter().enumerate() {
                validate(&at.index(index), value, items, is_quantity, errors);
            }
            unique(at, list, map_keys, errors);
        }
        (Value::String(text), Shape::Text { .. }) => validate_text(at, value, text, &structure.shape, errors),
        (Value::Number(_), Shape::Integer { range, format }) if whole(value).is_some() => {
            validate_integer(at, value, *range, *format, errors);
        }
        (Value::Bool(_), Shape::Boolean) => {}
        (value, shape) => {
            // Frequent mistakes in YAML: `cpu: 2`, `version: 1`, `name: on`.
            let advice = match (shape, value) {
                (Shape::Text { .. }, Value::Bool(_) | Value::Number(_)) => "; quote it",
                _ => "",
            };
            let why = format!("must be of type {}, not {}{advice}", shape.name(), type_of(value));
            errors.push(FieldError::invalid(at, value, &why));
        }
    }
    if errors.len() == before && !structure.allowed.is_empty() && !structure.allowed.contains(value) {
        let allowed: Vec<String> = structure.allowed.iter().map(Value::to_string).collect();
        errors.push(FieldError::new(
            at,
            format!("Unsupported value: {value}: supported values: {}", allowed.join(", ")),
        ));
    }
    if errors.len() == before {
        for rule in structure.rules.iter().filter(|rule| !(rule.holds)(value, is_quantity)) {
            errors.push(match rule.field_path.and_then(|path| path.strip_prefix('.')) {
                Some(key) => FieldError::invalid(&at.key(key), value.get(key).unwrap_or(&Value::Null), rule.message),
                None => FieldError::invalid(at, value, rule.message),
            });
        }
    }
}

fn validate_count(at: &At<'_>, count: u64, (least, most): (Option<u64>, Option<u64>), errors: &mut Vec<FieldError>) {
    if let Some(least) = least.filter(|least| count < *least) {
        let why = format!("should have at least {least} items");
        errors.push(FieldError::invalid(at, &count.into(), &why));
    }
    if let Some(most) = most.filter(|most| count > *most) {
        errors.push(FieldError::new(
            at,
            format!("Too many: {count}: must have at most {most} items"),
        ));
    }
}

fn validate_text(at: &At<'_>, value: &Value, text: &str, shape: &Shape, errors: &mut Vec<FieldError>) {
    let Shape::Text {
        length: (least, most),
        pattern,
        date_time,
    } = shape
    else {
        return;
    };
    let length = text.chars().count() as u64;
    if let Some(most) = most.filter(|most| length > *most) {
        errors.push(FieldError::new(
            at,
            format!("Too long: may not be more than {most} characters"),
        ));
    }
    if let Some(least) = least.filter(|least| length < *least) {
        errors.push(FieldError::invalid(
            at,
            value,
            &format!("should be at least {least} characters long"),
        ));
    }
    if let Some(pattern) = pattern.filter(|pattern| !(pattern.matches)(text)) {
        errors.push(FieldError::invalid(
            at,
            value,
            &format!("should match '{}'", pattern.regex),
        ));
    }
    if *date_time && !is_date_time(text) {
        errors.push(FieldError::invalid(
            at,
            value,
            "must be a date and time such as 2006-01-02T15:04:05Z",
        ));
    }
}

fn validate_integer(
    at: &At<'_>,
    value: &Value,
    (least, most): (Option<i64>, Option<i64>),
    format: IntegerFormat,
    errors: &mut Vec<FieldError>,
) {
    let Some(number) = whole(value) else { return };
    if format == IntegerFormat::Int32 && i32::try_from(number).is_err() {
        errors.push(FieldError::invalid(
            at,
            value,
            "should be between -2147483648 and 2147483647",
        ));
    }
    if let Some(least) = least.filter(|least| number < *least) {
        errors.push(FieldError::invalid(
            at,
            value,
            &format!("should be greater than or equal to {least}"),
        ));
    }
    if let Some(most) = most.filter(|most| number > *most) {
        errors.push(FieldError::invalid(
            at,
            value,
            &format!("should be less than or equal to {most}"),
        ));
    }
}

/// At most one item for each combination of keys.
fn unique(at: &At<'_>, list: &[Value], map_keys: &[String], errors: &mut Vec<FieldError>) {
    if map_keys.is_empty() {
        return;
    }
    let mut seen = HashSet::new();
    for (index, item) in list.iter().enumerate() {
        let keys: Map<String, Value> = map_keys
            .iter()
            .filter_map(|key| Some((key.clone(), item.get(key)?.clone())))
            .collect();
        let keys = Value::Object(keys).to_string();
        if seen.contains(&keys) {
            errors.push(FieldError::new(&at.index(index), format!("Duplicate value: {keys}")));
        }
        seen.insert(keys);
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) if whole(value).is_some() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// RFC 3339 as tolerant as the API server: any fraction, `Z` or an offset, letters of either case.
pub(super) fn is_date_time(text: &str) -> bool {
    let Some((date, time)) = text.split_once(['T', 't']) else {
        return false;
    };
    is_date(date) && is_time(time)
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else {
        return false;
    };
    let (Some(year), Some(month), Some(day)) = (digits(year, 4), digits(month, 2), digits(day, 2)) else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

fn is_time(text: &str) -> bool {
    let (Some(clock), Some(rest)) = (text.get(..8), text.get(8..)) else {
        return false;
    };
    let parts: Vec<&str> = clock.split(':').collect();
    let [hour, minute, second] = parts.as_slice() else {
        return false;
    };
    let good = [(hour, 23), (minute, 59), (second, 59)]
        .iter()
        .all(|(part, most)| digits(part, 2).is_some_and(|number| number <= *most));
    let zone = match rest.strip_prefix('.') {
        None => rest,
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            if zone.len() == fraction.len() {
                return false;
            }
            zone
        }
    };
    good && is_zone(zone)
}

fn is_zone(text: &str) -> bool {
    if text.eq_ignore_ascii_case("z") {
        return true;
    }
    let Some((hours, minutes)) = text.strip_prefix(['+', '-']).and_then(|offset| offset.split_once(':')) else {
        return false;
    };
    digits(hours, 2).is_some() && digits(minutes, 2).is_some()
}

fn digits(text: &str, count: usize) -> Option<u32> {
    (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}
