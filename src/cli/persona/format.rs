//! Output formats with kubectl's words. Data goes to standard output, everything else to standard error.

use std::io::IsTerminal as _;

use clap::Args;
use serde_json::{Value, json};

use crate::personas::Paint;

/// How results are printed.
#[derive(Debug, Args)]
pub(super) struct Output {
    /// table: for people. wide: with more columns. json and yaml: the objects. name: their names.
    #[arg(long, short, value_name = "FORMAT", default_value = "table", value_parser = format)]
    output: Format,
    /// The same as --output json.
    #[arg(long, conflicts_with = "output")]
    json: bool,
    /// Print without colours; a variable NO_COLOR does the same.
    #[arg(long)]
    no_color: bool,
}

/// An output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Table,
    Wide,
    Json,
    Yaml,
    Name,
}

fn format(text: &str) -> Result<Format, String> {
    Ok(match text {
        "table" => Format::Table,
        "wide" => Format::Wide,
        "json" => Format::Json,
        "yaml" => Format::Yaml,
        "name" => Format::Name,
        _ => return Err("valid values are table, wide, json, yaml, name".to_owned()),
    })
}

impl Output {
    pub(super) fn format(&self) -> Format {
        if self.json { Format::Json } else { self.output }
    }

    /// Colours are for terminals that have them and people who did not decline them.
    pub(super) fn paint(&self) -> Paint {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Paint(!self.no_color && !is_set("NO_COLOR") && !is_dumb && std::io::stdout().is_terminal())
    }
}

/// An object without the field managers, which kubectl hides, too.
pub(super) fn trimmed(mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    object
}

/// Several objects as one.
pub(super) fn list(objects: Vec<Value>) -> Value {
    let items: Vec<Value> = objects.into_iter().map(trimmed).collect();
    json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": items})
}

/// `applicationpersona.dorgu.io/NAME`.
pub(super) fn name(object: &Value) -> String {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    format!("applicationpersona.dorgu.io/{name}")
}

pub(super) fn as_json(value: &Value) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

pub(super) fn as_yaml(value: &impl serde::Serialize) -> anyhow::Result<String> {
    Ok(serde_saphyr::to_string(value)?)
}
