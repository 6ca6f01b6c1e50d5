//! Applies the lines of a denial to the denied object. It knows the grammar of the lines (docs/rules.md, "Reading an answer")
//! and no rule, no field and no kind.

use serde_json::{Map, Value, json};

/// What a denial says below its first line.
#[derive(Default)]
pub(in crate::cluster) struct Said<'a> {
    pub(in crate::cluster) lines: Vec<Line<'a>>,
    /// Commands that would pass.
    pub(in crate::cluster) commands: Vec<&'a str>,
    /// Something was left out.
    pub(in crate::cluster) more: bool,
}

/// `PATH: OLD -> NEW`.
pub(in crate::cluster) struct Line<'a> {
    path: &'a str,
    old: Term,
    new: Term,
}

/// What stands on a side of the arrow.
#[derive(Debug)]
enum Term {
    /// As it is: a word, a number, a truth value or a plain text.
    Bare(String),
    /// A JSON string.
    Quoted(String),
    /// A JSON object.
    Object(Value),
}

impl Term {
    /// The term that `text` begins with, up to a blank where it is bare, and what follows it.
    fn read(text: &str) -> Option<(Term, &str)> {
        if text.starts_with('"') {
            let mut strings = serde_json::Deserializer::from_str(text).into_iter::<String>();
            let string = strings.next()?.ok()?;
            return Some((Term::Quoted(string), &text[strings.byte_offset()..]));
        }
        if text.starts_with('{') {
            let mut objects = serde_json::Deserializer::from_str(text).into_iter::<Value>();
            let object = objects.next()?.ok()?;
            return Some((Term::Object(object), &text[objects.byte_offset()..]));
        }
        let (bare, rest) = text.split_at(text.find(' ').unwrap_or(text.len()));
        let is_plain = !bare.is_empty() && !bare.contains(['"', '\\']);
        is_plain.then(|| (Term::Bare(bare.to_owned()), rest))
    }

    fn text(&self) -> &str {
        match self {
            Term::Bare(text) | Term::Quoted(text) => text,
            Term::Object(_) => "",
        }
    }

    /// Of what is bare, `true`, `false` and whole numbers are that; everything else is a text.
    fn value(&self) -> Value {
        match self {
            Term::Bare(text) => match text.as_str() {
                "true" => json!(true),
                "false" => json!(false),
                text if is_number(text) => text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number)),
                text => json!(text),
            },
            Term::Quoted(text) => json!(text),
            Term::Object(object) => object.clone(),
        }
    }
}

impl<'a> Said<'a> {
    pub(in crate::cluster) fn read(denial: &'a str) -> Result<Said<'a>, String> {
        let mut said = Said::default();
        for line in denial.lines().skip(1) {
            let line = line.strip_prefix("  ").ok_or_else(|| format!("not indented: {line}"))?;
            if line.starts_with("kubectl ") {
                said.commands.push(line);
            } else if ["contact: ", "exceptions: ", "docs: "]
                .iter()
                .any(|word| line.starts_with(word))
            {
                // For people.
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
        let (path, change) = line.split_once(": ")?;
        let (old, rest) = Term::read(change)?;
        let (new, rest) = Term::read(rest.strip_prefix(" -> ")?)?;
        let is_count = |rest: &str| {
            let count = rest.strip_prefix(" (").and_then(|rest| rest.strip_suffix(" findings)"));
            count.is_some_and(is_number)
        };
        (rest.is_empty() || is_count(rest)).then_some(Line { path, old, new })
    }

    pub(in crate::cluster) fn apply(&self, object: &mut Value) -> Result<(), String> {
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
        match &self.new {
            Term::Bare(word) if word == "unset" => {
                map.remove(key);
            }
            Term::Bare(word) if word == "removed" => {
                let list = map.get_mut(key).and_then(Value::as_array_mut);
                let list = list.ok_or_else(|| format!("{}: no list", self.path))?;
                let before = list.len();
                list.retain(|item| item != &json!(self.old.text()));
                if list.len() == before {
                    return Err(format!("{}: no {:?} in it", self.path, self.old));
                }
            }
            new => {
                let value = match last {
                    Step::Key(_) => new.value(),
                    Step::Item(_) => json!(new.text()),
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
