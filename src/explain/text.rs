//! Turns the Markdown of docs/rules.md into text for a terminal: paragraphs, lists, tables, blocks of code and links.

use std::iter::Peekable;
use std::str::Lines;

/// The longest line, except for what has no place to break it.
const WIDTH: usize = 80;

/// The first sentence of the first paragraph, up to a colon.
pub(super) fn first_sentence(markdown: &str) -> String {
    let paragraph = match Block::next(&mut markdown.lines().peekable()) {
        Some(Block::Text(paragraph)) => inline(&paragraph),
        _ => String::new(),
    };
    // What follows a colon is detail.
    let stops = paragraph
        .match_indices([':', '.'])
        .map(|(index, _)| paragraph.split_at(index));
    let mut ends =
        stops.filter(|(before, after)| before.matches('`').count().is_multiple_of(2) && after[1..].starts_with(' '));
    match ends.next() {
        Some((first, _)) => format!("{first}."),
        None => paragraph,
    }
}

/// The whole as text.
pub(super) fn plain(markdown: &str) -> String {
    let mut lines = markdown.lines().peekable();
    let mut text = String::new();
    while let Some(block) = Block::next(&mut lines) {
        if !text.is_empty() {
            text.push('\n');
        }
        block.write(&mut text);
    }
    text
}

/// What stands between blank lines.
enum Block {
    Text(String),
    Items(Vec<String>),
    /// The rows below the header.
    Table(Vec<Vec<String>>),
    Code(Vec<String>),
}

impl Block {
    fn next(lines: &mut Peekable<Lines<'_>>) -> Option<Self> {
        while lines
            .next_if(|line| line.is_empty() || line.starts_with("<!--"))
            .is_some()
        {}
        let first = lines.next()?;
        if first.starts_with("```") {
            let code = lines.by_ref().take_while(|line| *line != "```");
            return Some(Block::Code(code.map(str::to_owned).collect()));
        }
        let mut rest = std::iter::from_fn(|| lines.next_if(|line| !line.is_empty() && !line.starts_with("```")));
        if first.starts_with('|') {
            // The line below the header draws a line.
            return Some(Block::Table(rest.skip(1).map(cells).collect()));
        }
        if let Some(first) = first.strip_prefix("- ") {
            let mut items = vec![first.to_owned()];
            for line in rest {
                match (line.strip_prefix("- "), items.last_mut()) {
                    (None, Some(last)) => last.extend([" ", line.trim()]),
                    (item, _) => items.push(item.unwrap_or(line).to_owned()),
                }
            }
            return Some(Block::Items(items));
        }
        let more: String = rest.by_ref().flat_map(|line| [" ", line]).collect();
        Some(Block::Text(format!("{first}{more}")))
    }

    fn write(&self, text: &mut String) {
        match self {
            Block::Text(paragraph) => wrap(text, &inline(paragraph), "", ""),
            Block::Items(items) => items.iter().for_each(|item| wrap(text, &inline(item), "- ", "  ")),
            Block::Code(lines) => {
                for line in lines {
                    let indent = if line.is_empty() { "" } else { "    " };
                    text.extend([indent, line, "\n"]);
                }
            }
            Block::Table(rows) => {
                for row in rows {
                    let (name, values) = row
                        .split_first()
                        .map_or(("", row.as_slice()), |(name, rest)| (name, rest));
                    let name = inline(name);
                    match values {
                        [value] if is_command(value) => {
                            wrap(text, &format!("{name}:"), "  ", "    ");
                            text.extend(["    ", value.trim_matches('`'), "\n"]);
                        }
                        _ => wrap(text, &format!("{name}: {}", inline(&values.join("; "))), "  ", "    "),
                    }
                }
            }
        }
    }
}

/// The cells of a row. A bar inside code is none between cells.
fn cells(row: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut code = false;
    for c in row.trim().trim_matches('|').chars() {
        code ^= c == '`';
        match cells.last_mut() {
            Some(cell) if c != '|' || code => cell.push(c),
            _ => cells.push(String::new()),
        }
    }
    cells.iter().map(|cell| cell.trim().to_owned()).collect()
}

/// Whether a cell is one command, to be copied.
fn is_command(cell: &str) -> bool {
    cell.starts_with("`kubectl ") && cell.ends_with('`') && cell.matches('`').count() == 2
}

/// Text without emphasis, and with links as `words (docs/page.md)`, or `words` within the page.
fn inline(markdown: &str) -> String {
    let mut text = String::new();
    let mut rest = markdown;
    while let Some((before, after)) = rest.split_once('[') {
        let link = after.split_once("](").and_then(|(words, after)| {
            let (target, after) = after.split_once(')')?;
            (!words.contains(['[', ']'])).then_some((words, target, after))
        });
        let outside_code = (text.matches('`').count() + before.matches('`').count()).is_multiple_of(2);
        text.push_str(before);
        match link.filter(|_| outside_code) {
            Some((words, target, after)) => {
                text.push_str(words);
                if !target.starts_with('#') {
                    text.extend([" (docs/", target, ")"]);
                }
                rest = after;
            }
            None => {
                text.push('[');
                rest = after;
            }
        }
    }
    text.push_str(rest);
    text.replace("**", "")
}

/// Breaks lines at blanks outside of code.
fn wrap(text: &mut String, paragraph: &str, first: &str, further: &str) {
    let mut line = first.to_owned();
    let mut code = false;
    let words = paragraph.split(|c: char| {
        code ^= c == '`';
        c == ' ' && !code
    });
    for word in words.filter(|word| !word.is_empty()) {
        if line.chars().count() + word.chars().count() > WIDTH && line != first {
            text.extend([line.trim_end(), "\n"]);
            further.clone_into(&mut line);
        }
        line.push_str(word);
        line.push(' ');
    }
    text.extend([line.trim_end(), "\n"]);
}
