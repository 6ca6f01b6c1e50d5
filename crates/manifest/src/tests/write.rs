//! Writes JSON as YAML in any style. The styles come from bytes, of which zero is the simplest, so that failures shrink.

use serde_json::{Map, Value};

/// One text under way.
pub(super) struct Writer<'a> {
    choices: std::slice::Iter<'a, u8>,
    out: String,
    /// The anchors so far, with what they hold.
    anchors: Vec<(String, Value)>,
    /// Whether a block scalar was just written that keeps the blank lines behind it.
    keeps: bool,
}

/// What stands before a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    Key,
    Dash,
}

/// The lines of a map in styles that `choices` selects.
pub(super) fn lines(map: &Map<String, Value>, indent: usize, choices: &[u8]) -> String {
    let mut writer = Writer {
        choices: choices.iter(),
        out: String::new(),
        anchors: Vec::new(),
        keeps: false,
    };
    if map.is_empty() || writer.pick(8) == 1 {
        writer.pad(indent);
        writer.flow(&Value::Object(map.clone()), indent + 1);
        writer.out.push('\n');
    } else {
        writer.entries(map, indent);
    }
    writer.out
}

/// The lines as a text with what a text may have around them.
pub(super) fn dressed(lines: &str, choice: u8) -> String {
    let mut text = lines.to_owned();
    if choice & 1 != 0 && !lines.contains('+') {
        // A block scalar that keeps its last lines would lose them.
        text.truncate(text.trim_end_matches('\n').len());
    }
    if choice & 2 != 0 {
        text = format!("%YAML 1.1\n# é\n---\n{text}");
    }
    if choice & 4 != 0 {
        text = text.replace('\n', "\r\n");
    }
    if choice & 8 != 0 {
        text.insert(0, '\u{feff}');
    }
    text
}

impl Writer<'_> {
    fn pick(&mut self, of: u8) -> u8 {
        self.choices.next().map_or(0, |choice| choice % of)
    }

    fn pad(&mut self, indent: usize) {
        self.out.extend(std::iter::repeat_n(' ', indent));
    }

    /// Comments and blank lines before a line.
    fn aside(&mut self, indent: usize) {
        match self.pick(9) {
            1 => {
                self.pad(indent);
                self.out.push_str("# aside: é - |\n");
            }
            2 if !self.keeps => self.out.push('\n'),
            3 if !self.keeps => self.out.push_str("\n#\n"),
            _ => {}
        }
        self.keeps = false;
    }

    fn entries(&mut self, map: &Map<String, Value>, indent: usize) {
        self.aside(indent);
        self.entries_from(map, indent, false);
    }

    /// The entries of a block map. `inline`: the first follows on the line that is there.
    fn entries_from(&mut self, map: &Map<String, Value>, indent: usize, inline: bool) {
        let mut inline = inline;
        let merged = self.merged(map);
        if let Some((text, _)) = &merged {
            if !inline {
                self.pad(indent);
            }
            inline = false;
            self.out.push_str(text);
            self.out.push('\n');
        }
        let brought = merged.map(|(_, brought)| brought).unwrap_or_default();
        for (key, value) in map.iter().filter(|(key, _)| !brought.contains(key)) {
            if !inline {
                self.aside(indent);
                self.pad(indent);
            }
            inline = false;
            let explicit = self.pick(12) == 1;
            if explicit {
                self.out.push_str("? ");
            }
            self.key(key);
            if explicit {
                if value.is_null() && self.pick(2) == 1 {
                    self.out.push('\n');
                    continue;
                }
                self.out.push('\n');
                self.pad(indent);
            } else if self.pick(9) == 1 {
                self.out.push(' ');
            }
            self.out.push(':');
            self.value(value, indent, After::Key);
        }
    }

    /// A merge key for some of the entries, and the keys that it brings in.
    fn merged(&mut self, map: &Map<String, Value>) -> Option<(String, Vec<String>)> {
        let choice = self.pick(6);
        let fits = |held: &Value| {
            let held = held
                .as_object()
                .filter(|held| !held.is_empty() && held.len() < map.len())?;
            held.iter()
                .all(|(key, value)| map.get(key) == Some(value))
                .then(|| held.keys().cloned().collect::<Vec<_>>())
        };
        let named = self
            .anchors
            .iter()
            .find_map(|(name, held)| Some((name.clone(), fits(held)?)));
        match (choice, named) {
            (1 | 2, Some((name, keys))) => Some((format!("<<: *{name}"), keys)),
            (3, Some((name, keys))) => Some((format!("<<: [ *{name} ]"), keys)),
            (4, _) if map.len() > 1 => {
                let (key, value) = map.iter().next()?;
                let text = format!("<<: {{{}: {value}}}", Value::from(key.as_str()));
                Some((text, vec![key.clone()]))
            }
            _ => None,
        }
    }

    fn key(&mut self, key: &str) {
        match self.pick(4) {
            1 if !key.contains(char::is_control) => self.out.push_str(&format!("'{}'", key.replace('\'', "''"))),
            2 => self.out.push_str(&Value::from(key).to_string()),
            _ if plain(key) => self.out.push_str(key),
            _ => self.out.push_str(&Value::from(key).to_string()),
        }
    }

    /// A value behind a key or a dash, up to the end of its line.
    fn value(&mut self, value: &Value, indent: usize, after: After) {
        if self.alias(value) {
            return self.end_of_line();
        }
        let anchored = self.anchor(value);
        let step = 2 + usize::from(self.pick(3));
        match value {
            Value::Object(map) if !map.is_empty() && self.pick(5) != 1 => {
                let tagged = self.tag("!!map");
                if after == After::Dash && !tagged && !anchored && self.pick(2) == 0 {
                    self.out.push(' ');
                    return self.entries_from(map, indent + 2, true);
                }
                self.end_of_line();
                self.entries(map, indent + step);
            }
            Value::Array(items) if !items.is_empty() && self.pick(5) != 1 => {
                let tagged = self.tag("!!seq");
                if after == After::Dash && !tagged && !anchored && self.pick(2) == 0 {
                    self.out.push(' ');
                    return self.items(items, indent + 2, true);
                }
                let indentless = after == After::Key && self.pick(2) == 1;
                self.end_of_line();
                self.items(items, indent + if indentless { 0 } else { step }, false);
            }
            Value::Object(_) | Value::Array(_) => {
                self.out.push(' ');
                self.flow(value, indent + step);
                self.end_of_line();
            }
            Value::String(text) if self.pick(3) == 1 && in_block(text) => self.block_scalar(text, indent),
            Value::Null if self.pick(3) == 1 => self.end_of_line(),
            _ => {
                self.out.push(' ');
                self.scalar(value, Some(indent + step));
                self.end_of_line();
            }
        }
    }

    fn items(&mut self, items: &[Value], indent: usize, inline: bool) {
        for (index, item) in items.iter().enumerate() {
            if index > 0 || !inline {
                self.aside(indent);
                self.pad(indent);
            }
            self.out.push('-');
            self.value(item, indent, After::Dash);
        }
    }

    fn end_of_line(&mut self) {
        match self.pick(8) {
            1 => self.out.push_str(" # tail: - |\n"),
            2 => self.out.push_str("  \n"),
            _ => self.out.push('\n'),
        }
    }

    fn alias(&mut self, value: &Value) -> bool {
        let Some((name, _)) = self.anchors.iter().rev().find(|(_, held)| held == value).cloned() else {
            return false;
        };
        let chosen = self.pick(3) == 1;
        if chosen {
            self.out.push_str(&format!(" *{name}"));
        }
        chosen
    }

    fn anchor(&mut self, value: &Value) -> bool {
        let chosen = self.pick(5) == 1;
        if chosen {
            let name = format!("a|{}", self.anchors.len());
            self.out.push_str(&format!(" &{name}"));
            // An alias inside the value would name the value itself; none does, as no value equals a part of itself.
            self.anchors.push((name, value.clone()));
        }
        chosen
    }

    fn tag(&mut self, tag: &str) -> bool {
        let chosen = self.pick(8) == 1;
        if chosen {
            self.out.push_str(&format!(" {tag}"));
        }
        chosen
    }

    fn block_scalar(&mut self, text: &str, indent: usize) {
        let step = 1 + usize::from(self.pick(3));
        let body = text.trim_end_matches('\n');
        let indicator = if text.starts_with(' ') || self.pick(4) == 1 {
            step.to_string()
        } else {
            String::new()
        };
        let chomp = match text.len() - body.len() {
            0 => "-",
            1 if self.pick(3) != 1 => "",
            _ => "+",
        };
        let folded = !body.contains('\n') && !body.starts_with(' ') && self.pick(2) == 1;
        self.tag("!!str");
        self.out.push(' ');
        self.out.push(if folded { '>' } else { '|' });
        let marks = match self.pick(2) {
            0 => format!("{indicator}{chomp}"),
            _ => format!("{chomp}{indicator}"),
        };
        self.out.push_str(&marks);
        self.end_of_line();
        let kept = if chomp == "+" { text } else { body };
        for line in kept.strip_suffix('\n').unwrap_or(kept).split('\n') {
            if !line.is_empty() {
                self.pad(indent + step);
            }
            self.out.push_str(line);
            self.out.push('\n');
        }
        self.keeps = chomp == "+";
        if !self.keeps && self.pick(3) == 1 {
            self.out.push('\n');
            self.pad(indent);
            self.out.push('\n');
        }
    }

    /// A value in brackets. Lines are broken with `indent`.
    fn flow(&mut self, value: &Value, indent: usize) {
        match value {
            Value::Object(map) => {
                self.out.push('{');
                for (key, value) in map {
                    self.gap(indent);
                    self.key(key);
                    if value.is_null() && self.pick(3) == 1 {
                        self.out.push_str(" ,");
                        continue;
                    }
                    self.out.push(':');
                    if value.is_null() && self.pick(3) == 1 {
                        self.out.push_str(" ,");
                        continue;
                    }
                    self.flow_value(value, indent);
                    self.out.push(',');
                }
                if self.out.ends_with(',') && self.pick(2) == 0 {
                    self.out.pop();
                }
                self.out.push('}');
            }
            Value::Array(items) => {
                self.out.push('[');
                for item in items {
                    self.gap(indent);
                    match item
                        .as_object()
                        .filter(|map| map.len() == 1)
                        .and_then(|map| map.iter().next())
                    {
                        Some((key, value)) if self.pick(3) == 1 => {
                            self.key(key);
                            self.out.push(':');
                            self.flow_value(value, indent);
                        }
                        _ => self.flow_value(item, indent),
                    }
                    self.out.push(',');
                }
                if self.out.ends_with(',') && self.pick(2) == 0 {
                    self.out.pop();
                }
                self.out.push(']');
            }
            _ => self.scalar(value, Some(indent)),
        }
    }

    fn flow_value(&mut self, value: &Value, indent: usize) {
        if self.alias(value) {
            return self.out.push(' ');
        }
        self.anchor(value);
        self.out.push(' ');
        self.flow(value, indent);
    }

    fn gap(&mut self, indent: usize) {
        match self.pick(6) {
            1 => self.out.push(' '),
            2 => {
                self.out.push_str(" # gap: }\n");
                self.pad(indent);
            }
            3 => {
                self.out.push('\n');
                self.pad(indent);
            }
            _ => {}
        }
    }

    /// A scalar. `fold`: the indentation of further lines.
    fn scalar(&mut self, value: &Value, fold: Option<usize>) {
        let Value::String(text) = value else {
            return self.word(value);
        };
        let broken = |text: &str| match fold {
            Some(indent) => text.replacen(' ', &format!("\n{}", " ".repeat(indent)), 1),
            None => text.to_owned(),
        };
        match self.pick(6) {
            1 if !text.contains(char::is_control) => self.out.push_str(&format!("'{}'", text.replace('\'', "''"))),
            2 if plain(text) => self.out.push_str(&broken(text)),
            3 if plain(text) => self.out.push_str(&format!("\"{}\"", broken(text))),
            4 if text.chars().all(|c| c.is_ascii_digit()) && !text.is_empty() => {
                self.out.push_str(&format!("!!str {text}"));
            }
            0 if plain(text) => self.out.push_str(text),
            _ => self.out.push_str(&value.to_string()),
        }
    }

    fn word(&mut self, value: &Value) {
        match (value, self.pick(3)) {
            (Value::Null, 1) => self.out.push('~'),
            (Value::Null, 2) => self.out.push_str("!!null null"),
            (Value::Bool(true), 1) => self.out.push_str("yes"),
            (Value::Bool(false), 2) => self.out.push_str("!!bool Off"),
            (Value::Number(number), 1) if number.is_u64() => {
                self.out.push_str(&format!("0x{:X}", number.as_u64().unwrap()));
            }
            (Value::Number(number), 2) if number.is_u64() => self.out.push_str(&format!("!!int '{number}'")),
            _ => self.out.push_str(&value.to_string()),
        }
    }
}

/// Whether a text needs no quotes, in brackets too.
fn plain(text: &str) -> bool {
    let word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "_./".contains(c));
    text.starts_with(|first: char| first.is_alphabetic()) && text.split(' ').all(word) && super::is_text(text)
}

/// Whether a text can be written as a block scalar.
fn in_block(text: &str) -> bool {
    let first = text.split('\n').next().unwrap_or_default();
    !first.trim_matches(' ').is_empty() && !text.contains(|c: char| c.is_control() && c != '\n')
}
