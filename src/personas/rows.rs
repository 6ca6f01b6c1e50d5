//! A list of personas as a table with the columns of the contract, or with those of `kubectl get -o wide`.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::Value;

use crate::policy::text::{Shown, cut};

/// Longest cell.
const MAX_CELL: usize = 100;

/// Which columns a table has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Columns {
    /// Name, namespace, phase, health and age.
    Usual,
    /// Also what `kubectl get -o wide` shows.
    Wide,
}

/// A column: its heading and where its value is.
type Column = (&'static str, fn(&Value, Timestamp) -> String);

const USUAL: [Column; 5] = [
    ("NAME", |persona, _| at(persona, "/metadata/name")),
    ("NAMESPACE", |persona, _| at(persona, "/metadata/namespace")),
    ("PHASE", |persona, _| at(persona, "/status/phase")),
    ("HEALTH", |persona, _| at(persona, "/status/health/status")),
    ("AGE", |persona, now| age(persona, now)),
];

const MORE: [Column; 6] = [
    ("TYPE", |persona, _| at(persona, "/spec/type")),
    ("TIER", |persona, _| at(persona, "/spec/tier")),
    ("APPLICATION", |persona, _| at(persona, "/spec/name")),
    ("PASSED", |persona, _| at(persona, "/status/validation/passed")),
    ("ENFORCEABLE", |persona, _| condition(persona, "ReadyToEnforce")),
    ("TEAM", |persona, _| at(persona, "/spec/ownership/team")),
];

/// The personas as a table, sorted by namespace and name. Empty for none.
pub fn table(personas: &[Value], columns: Columns, now: Timestamp) -> String {
    if personas.is_empty() {
        return String::new();
    }
    let columns = USUAL.iter().chain(match columns {
        Columns::Usual => &[][..],
        Columns::Wide => &MORE,
    });
    let columns: Vec<&Column> = columns.collect();
    let mut sorted: Vec<&Value> = personas.iter().collect();
    sorted.sort_by_key(|persona| (at(persona, "/metadata/namespace"), at(persona, "/metadata/name")));
    let heading = columns.iter().map(|(heading, _)| (*heading).to_owned()).collect();
    let row = |persona: &&Value| columns.iter().map(|(_, cell)| cell(persona, now)).collect();
    let rows: Vec<Vec<String>> = std::iter::once(heading).chain(sorted.iter().map(row)).collect();
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(String::len)
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            // Writing to a String does not fail.
            let _ = write!(line, "{cell:width$}   ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The value as a cell: `-` where there is none.
fn at(persona: &Value, pointer: &str) -> String {
    match persona.pointer(pointer) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "-".to_owned(),
        Some(Value::String(text)) => cut(Shown(text), MAX_CELL),
        Some(other) => cut(Shown(&other.to_string()), MAX_CELL),
    }
}

fn condition(persona: &Value, kind: &str) -> String {
    let conditions = persona.pointer("/status/conditions").and_then(Value::as_array);
    let found = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == kind);
    found.map_or_else(|| "-".to_owned(), |condition| at(condition, "/status"))
}

/// Minutes below an hour, hours below a day, days otherwise; `?` where the time cannot be read.
fn age(persona: &Value, now: Timestamp) -> String {
    let created = persona.pointer("/metadata/creationTimestamp").and_then(Value::as_str);
    let Some(created) = created.and_then(|text| text.parse::<Timestamp>().ok()) else {
        return "?".to_owned();
    };
    let minutes = now.duration_since(created).as_secs().max(0) / 60;
    match minutes {
        0..60 => format!("{minutes}m"),
        60..1_440 => format!("{}h", minutes / 60),
        _ => format!("{}d", minutes / 1_440),
    }
}
