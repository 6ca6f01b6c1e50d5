//! Applies the lines of a denial to the denied object. It knows the grammar of the lines (docs/rules.md, "Reading an answer")
//! and no rule, no field and no kind.

use serde_json::{Map, Value, json};

/// What a denial says below its first line.
#[derive(Default)]
pub(super) struct Said<'a> {
    pub(super) lines: Vec<Line<'a>>,
    /// Commands that would pass.
    pub(super) commands: Vec<&'a str>,
    /// Something was left out.
    pub(super) more: bool,
}

/// `PATH: OLD -> NEW`.
pub(super) struct Line<'a> {
    path: &'a str,
    old: &'a str,
    new: &'a str,
}

impl<'a> Said<'a> {
    pub(super) fn read(denial: &'a str) -> Result<Said<'a>, String> {
        let mut said = Said::default();
        for line in denial.lines().skip(1) {
            let line = line.strip_prefix("  ").ok_or_else(|| format!("not indented: {line}"))?;
            if line.starts_with("kubectl ") {
                said.commands.push(line);
            } else if line.starts_with("and ") {
                said.more = true;
            } else {
                said.lines
                    .push(Line::read(line).ok_or_else(|| format!("no fix: {line}"))?);
            }
        }
        Ok(said)
    }
}

impl<'a> Line<'a> {
    fn read(line: &'a str) -> Option<Line<'a>> {
        let line = match line.rsplit_once(" (") {
            Some((line, count)) if count.strip_suffix(" findings)").is_some_and(is_number) => line,
            _ => line,
        };
        let (path, change) = line.split_once(": ")?;
        let (old, new) = change.split_once(" -> ")?;
        Some(Line { path, old, new })
    }

    pub(super) fn apply(&self, object: &mut Value) -> Result<(), String> {
        let steps = steps(self.path).ok_or_else(|| format!("no path: {}", self.path))?;
        let (last, parents) = steps.split_last().ok_or("an empty path")?;
        let mut here = object;
        for step in parents {
            here = step
                .enter(here)
                .ok_or_else(|| format!("{}: nothing there", self.path))?;
        }
        let key = last.name();
        if here.is_null() {
            *here = Value::Object(Map::new());
        }
        let map = here
            .as_object_mut()
            .ok_or_else(|| format!("{}: not in an object", self.path))?;
        match self.new {
            "unset" => {
                map.remove(key);
            }
            "removed" => {
                let list = map.get_mut(key).and_then(Value::as_array_mut);
                let list = list.ok_or_else(|| format!("{}: no list", self.path))?;
                let before = list.len();
                let old = unescaped(self.old);
                list.retain(|item| item != &json!(old));
                if list.len() == before {
                    return Err(format!("{}: no {} in it", self.path, self.old));
                }
            }
            new => {
                let value = match last {
                    Step::Key(_) => scalar(new),
                    Step::Item(_) => json!(new),
                };
                map.insert(key.to_owned(), value);
            }
        }
        Ok(())
    }
}

/// Of a path: `.key`, or `[name]`, which is the item of a list with that name or the key of a map.
enum Step<'a> {
    Key(&'a str),
    Item(&'a str),
}

impl<'a> Step<'a> {
    fn name(&self) -> &'a str {
        match self {
            Step::Key(name) | Step::Item(name) => name,
        }
    }

    fn enter<'v>(&self, here: &'v mut Value) -> Option<&'v mut Value> {
        if here.is_null() {
            *here = Value::Object(Map::new());
        }
        match here {
            Value::Array(items) => items.iter_mut().find(|item| item["name"] == json!(self.name())),
            Value::Object(map) => Some(map.entry(self.name()).or_insert(Value::Null)),
            _ => None,
        }
    }
}

fn steps(path: &str) -> Option<Vec<Step<'_>>> {
    let (mut steps, mut rest) = (Vec::new(), path);
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (name, after) = inner.split_once(']')?;
            steps.push(Step::Item(name));
            rest = after;
        } else {
            let key = rest.strip_prefix('.').unwrap_or(rest);
            let end = key.find(['.', '[']).unwrap_or(key.len());
            steps.push(Step::Key(&key[..end]));
            rest = &key[end..];
        }
    }
    Some(steps)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `true`, `false` and whole numbers are that; everything else is a text.
fn scalar(text: &str) -> Value {
    match text {
        "true" => json!(true),
        "false" => json!(false),
        text if is_number(text) => text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number)),
        text => json!(text),
    }
}

/// Foreign letters come as JSON escapes.
fn unescaped(text: &str) -> String {
    serde_json::from_str(&format!("\"{text}\"")).unwrap_or_else(|_| text.to_owned())
}
