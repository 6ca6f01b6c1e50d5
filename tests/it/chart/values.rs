//! Reads values.yaml as its readers do: sections, keys and the comment above each. The values themselves are parsed as YAML.
//! Only comments are found line by line, so the file follows one style: a comment directly above its key, two spaces a level,
//! sections behind `##`, and `# @schema {…}` for what a default does not show.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

/// A key, or a group of keys.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) section: String,
    /// Empty for a group without a comment.
    pub(super) meaning: String,
    /// What `@schema` says.
    pub(super) schema: Option<Value>,
    pub(super) holds: Holds,
}

#[derive(Debug)]
pub(super) enum Holds {
    /// Keys that are explained one by one.
    Group(Vec<Entry>),
    /// A value that is explained as a whole.
    Default(Value),
}

/// A line with a key, wherever it may be.
struct Line<'a> {
    number: usize,
    path: Vec<&'a str>,
    section: &'a str,
    comment: Vec<&'a str>,
}

/// The entries of the text, in its order.
///
/// # Errors
/// A key without a comment, or a line in another style.
pub(super) fn read(text: &str) -> Result<Vec<Entry>> {
    let values: Value = serde_saphyr::from_str(text)?;
    let lines = lines(text)?;
    let (entries, used) = group(&values, &[], &lines)?;
    let commented = lines.iter().filter(|line| !line.comment.is_empty()).count();
    ensure!(
        used == commented,
        "values.yaml: {commented} keys have a comment, {used} of them are values"
    );
    Ok(entries)
}

/// The keys directly below the path, and how many comments were made use of.
fn group(values: &Value, path: &[&str], lines: &[Line<'_>]) -> Result<(Vec<Entry>, usize)> {
    let values = values.as_object().context("a map")?;
    let mut used = 0;
    let mut entries = Vec::new();
    for line in lines
        .iter()
        .filter(|line| line.path.split_last().is_some_and(|(_, above)| above == path))
    {
        let key = *line.path.last().context("a key")?;
        let value = values
            .get(key)
            .with_context(|| format!("values.yaml:{}: no value {}", line.number, line.path.join(".")))?;
        let (meaning, schema) = explained(line)?;
        used += usize::from(!line.comment.is_empty());
        let explained_below = |below: &Line<'_>| {
            below.path.len() > line.path.len() && below.path.starts_with(&line.path) && !below.comment.is_empty()
        };
        let holds = if value.is_object() && lines.iter().any(explained_below) {
            let (entries, below) = group(value, &line.path, lines)?;
            used += below;
            Holds::Group(entries)
        } else {
            ensure!(
                !meaning.is_empty(),
                "values.yaml:{}: nobody explains {}",
                line.number,
                line.path.join(".")
            );
            Holds::Default(value.clone())
        };
        entries.push(Entry {
            key: key.to_owned(),
            section: line.section.to_owned(),
            meaning,
            schema,
            holds,
        });
    }
    ensure!(
        entries.len() == values.len(),
        "values.yaml: {} of {} keys below '{}' were found",
        entries.len(),
        values.len(),
        path.join(".")
    );
    Ok((entries, used))
}

/// The words and the `@schema` of a comment.
fn explained(line: &Line<'_>) -> Result<(String, Option<Value>)> {
    let (mut words, mut schema) = (Vec::new(), None);
    for text in &line.comment {
        match text.strip_prefix("@schema ") {
            Some(_) if schema.is_some() => bail!("values.yaml:{}: two @schema", line.number),
            Some(text) => {
                let parsed = serde_saphyr::from_str(text);
                schema = Some(parsed.with_context(|| format!("values.yaml:{}: @schema", line.number))?);
            }
            None => words.push(*text),
        }
    }
    Ok((words.join(" "), schema))
}

fn lines(text: &str) -> Result<Vec<Line<'_>>> {
    let mut found: Vec<Line<'_>> = Vec::new();
    let (mut section, mut comment) = ("", Vec::new());
    // The keys above, each with its indentation.
    let mut above: Vec<(usize, &str)> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let content = line.trim_start();
        let indentation = line.len() - content.len();
        if let Some(title) = content.strip_prefix("## ") {
            (section, comment) = (title, Vec::new());
        } else if let Some(words) = content.strip_prefix("# ") {
            comment.push(words);
        } else if let Some(key) = key(content) {
            ensure!(
                indentation.is_multiple_of(2),
                "values.yaml:{}: an odd indentation",
                number + 1
            );
            above.retain(|(before, _)| *before < indentation);
            above.push((indentation, key));
            found.push(Line {
                number: number + 1,
                path: above.iter().map(|(_, key)| *key).collect(),
                section,
                comment: std::mem::take(&mut comment),
            });
        } else {
            comment.clear();
        }
    }
    Ok(found)
}

/// Of `key: value` and `key:`.
fn key(content: &str) -> Option<&str> {
    let (key, _) = content.split_once(':')?;
    let is_plain = |key: &str| {
        key.chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "._/".contains(letter))
    };
    (!key.is_empty() && is_plain(key)).then_some(key)
}

#[test]
fn keys_have_the_comment_above_them_and_a_value_may_be_explained_as_a_whole() {
    let text = "\
# About the file.

## First

# How many.
# @schema {minimum: 1}
count: 2
group:
  # A map
  # in two lines.
  labels:
    app: x
  # A list.
  list:
  - a: 1
    b: 2
";
    let entries = read(text).unwrap();
    assert_eq!(entries.len(), 2);
    let count = &entries[0];
    assert_eq!(
        (count.key.as_str(), count.section.as_str(), count.meaning.as_str()),
        ("count", "First", "How many.")
    );
    assert_eq!(count.schema, Some(serde_json::json!({"minimum": 1})));
    let Holds::Group(group) = &entries[1].holds else {
        panic!("{entries:?}")
    };
    assert_eq!(group.len(), 2);
    assert_eq!(group[0].meaning, "A map in two lines.");
    assert!(matches!(&group[0].holds, Holds::Default(value) if value["app"] == "x"));
    assert!(matches!(&group[1].holds, Holds::Default(value) if value[0]["b"] == 2));
}

#[test]
fn a_key_that_nobody_explains_is_named() {
    let message = |text| format!("{:#}", read(text).unwrap_err());
    assert_eq!(
        message("# One.\none: 1\ntwo: 2\n"),
        "values.yaml:3: nobody explains two"
    );
    assert_eq!(
        message("group:\n  # One.\n  one: 1\n\n  two: {}\n"),
        "values.yaml:5: nobody explains group.two"
    );
    let lost = message("# A list.\nlist:\n# Of what?\n- a: 1\n  # This is no value.\n  b: 2\n");
    assert_eq!(lost, "values.yaml: 2 keys have a comment, 1 of them are values");
}
