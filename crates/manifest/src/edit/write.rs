//! Writes values so that `kubectl` reads back what was meant: texts that YAML 1.1 or 1.2 takes for something else are quoted.

use serde_json::Value;

use super::super::{Content, scalar};

/// How values in brackets are written.
#[derive(Debug, Clone)]
pub(super) struct Style {
    /// Whether keys and texts are quoted.
    pub(super) quoted: bool,
    /// Between a key and its value.
    pub(super) colon: &'static str,
    /// Between two entries on one line.
    pub(super) comma: &'static str,
    /// Where each entry has its own line.
    pub(super) lines: Option<Lines>,
}

/// Entries on lines of their own.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    /// What an entry's line begins with.
    pub(super) indent: String,
    /// What a deeper one begins with besides.
    pub(super) unit: String,
    /// The line break.
    pub(super) ending: String,
}

impl Style {
    /// The style of what stands in an entry's value.
    pub(super) fn inner(&self) -> Style {
        let deeper = |lines: &Lines| Lines {
            indent: format!("{}{}", lines.indent, lines.unit),
            ..lines.clone()
        };
        Style {
            lines: self.lines.as_ref().map(deeper),
            ..self.clone()
        }
    }

    /// An entry of a map.
    pub(super) fn entry(&self, key: &str, value: &Value) -> String {
        format!("{}{}{}", self.text(key), self.colon, self.value(value))
    }

    /// A value. In it, lines are indented one unit deeper than `self` says.
    pub(super) fn value(&self, value: &Value) -> String {
        let inner = self.inner();
        let (open, parts, close) = match value {
            Value::Object(map) => {
                let parts: Vec<String> = map.iter().map(|(key, value)| inner.entry(key, value)).collect();
                ('{', parts, '}')
            }
            Value::Array(items) => {
                let parts: Vec<String> = items.iter().map(|item| inner.value(item)).collect();
                ('[', parts, ']')
            }
            Value::String(text) => return self.text(text),
            _ => return value.to_string(),
        };
        match (&self.lines, &inner.lines) {
            (Some(outer), Some(lines)) if !parts.is_empty() => {
                let line = |part: &String| format!("{}{}{part}", lines.ending, lines.indent);
                let parts: Vec<String> = parts.iter().map(line).collect();
                let last = format!("{}{}", lines.ending, outer.indent);
                format!("{open}{}{last}{close}", parts.join(","))
            }
            _ => format!("{open}{}{close}", parts.join(self.comma)),
        }
    }

    fn text(&self, text: &str) -> String {
        // Without a blank behind it, a colon ends only a quoted key.
        match !self.quoted && self.colon.ends_with(' ') && is_plain(text) && !text.contains(':') {
            true => text.to_owned(),
            false => quoted(text),
        }
    }
}

/// One line of a block: a scalar, or an empty collection. `None` for other values.
pub(super) fn inline(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(word(text)),
        Value::Array(items) if !items.is_empty() => None,
        Value::Object(map) if !map.is_empty() => None,
        _ => Some(value.to_string()),
    }
}

/// A text, quoted where it has to be.
pub(super) fn word(text: &str) -> String {
    match is_plain(text) {
        true => text.to_owned(),
        false => quoted(text),
    }
}

/// A scalar with the quotes of the one that it replaces.
pub(super) fn like(value: &Value, old: &str) -> Option<String> {
    match value {
        Value::String(text) if old.starts_with('"') => Some(quoted(text)),
        Value::String(text) if old.starts_with('\'') && !text.contains(is_special) => {
            Some(format!("'{}'", text.replace('\'', "''")))
        }
        _ => None,
    }
}

/// A text in double quotes.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    for c in Value::from(text).to_string().chars() {
        match is_special(c) {
            true => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => out.push(c),
        }
    }
    out
}

/// Characters that YAML does not allow, or takes for a line break or a byte order mark. None is beyond U+FFFF.
fn is_special(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') || c.is_control()
}

/// Whether a text means itself without quotes, for any reader: only what is surely no number, time or word of YAML 1.1 or 1.2.
fn is_plain(text: &str) -> bool {
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        return is_quantity(text);
    }
    let letter = |c: char| c.is_alphanumeric() || "_./-@+%=".contains(c);
    let part = |part: &str| !part.is_empty() && part.chars().all(letter);
    text.starts_with(|first: char| first.is_alphabetic() || first == '/')
        // `a:b` is one text, `a: b` is not.
        && text.split(' ').all(|word| word.split(':').all(part))
        && scalar::resolve(text) == Ok(Content::Text(text.to_owned()))
}

/// Whether a text is a number with a unit that no reader takes for an exponent.
fn is_quantity(text: &str) -> bool {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number = &text[..text.len() - unit.len()];
    let known = [
        "n", "u", "m", "k", "M", "G", "T", "P", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "%",
    ];
    known.contains(&unit) && number.matches('.').count() <= 1 && !number.ends_with('.')
}
