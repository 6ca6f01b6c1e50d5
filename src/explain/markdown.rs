//! The Markdown of docs/rules.md for pages elsewhere: links lead back to the page, and notes for its tests are left out.

/// The text with links that work outside of the page at `page`; without a page, the words of links alone.
pub(super) fn at(markdown: &str, page: &str) -> String {
    let mut text = String::with_capacity(markdown.len());
    for (index, part) in markdown.split("```").enumerate() {
        if index > 0 {
            text.push_str("```");
        }
        if index % 2 == 0 {
            prose(part, page, &mut text);
        } else {
            text.push_str(part);
        }
    }
    text
}

fn prose(markdown: &str, page: &str, text: &mut String) {
    let lines = markdown.split_inclusive('\n').filter(|line| !line.starts_with("<!--"));
    let markdown: String = lines.collect();
    let mut rest = &*markdown;
    let mut is_code = false;
    while let Some((before, after)) = rest.split_once('[') {
        text.push_str(before);
        is_code ^= before.matches('`').count() % 2 == 1;
        let link = after.split_once("](").and_then(|(words, after)| {
            let (target, after) = after.split_once(')')?;
            (!is_code && !words.contains(['[', ']'])).then_some((words, target, after))
        });
        let Some((words, target, after)) = link else {
            text.push('[');
            rest = after;
            continue;
        };
        match absolute(target, page) {
            Some(target) => text.extend(["[", words, "](", &target, ")"]),
            None => text.push_str(words),
        }
        rest = after;
    }
    text.push_str(rest);
}

/// Where a link leads; `None` where that is not known: another page is beside this one only if both are Markdown.
fn absolute(target: &str, page: &str) -> Option<String> {
    if target.starts_with("https://") || target.starts_with("http://") {
        return Some(target.to_owned());
    }
    if page.is_empty() {
        return None;
    }
    if target.starts_with('#') {
        return Some(format!("{page}{target}"));
    }
    let (folder, name) = page.rsplit_once('/')?;
    name.ends_with(".md").then(|| format!("{folder}/{target}"))
}
