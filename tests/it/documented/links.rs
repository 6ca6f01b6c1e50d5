//! Every link in a Markdown file of this repository leads to a file, and to a heading where it names one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::blocks::root;

/// What is not ours to hold: built, fetched, hidden.
const SKIPPED: [&str; 2] = ["target", "corpus"];

/// Every Markdown file.
fn pages() -> Vec<PathBuf> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && !SKIPPED.contains(&name.as_str()) {
                collect(&path, found);
            } else if name.ends_with(".md") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    collect(root(), &mut found);
    found.sort();
    found
}

/// The text without its fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        !fenced && !is_fence
    })
}

/// Where the links of a line lead.
fn links(line: &str) -> Vec<&str> {
    // Every second piece is code.
    let plain = line.split('`').step_by(2);
    let mut found: Vec<&str> = plain.flat_map(|text| text.split("](").skip(1)).collect();
    // A link's words may be code themselves, which cuts it in two: `[`x`](y)`.
    found.retain(|rest| rest.contains(')'));
    found.into_iter().filter_map(|rest| rest.split(')').next()).collect()
}

/// The names that headings are linked by, as forges make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for heading in prose(text).filter(|line| line.starts_with('#')) {
        let words = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = words
            .chars()
            .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
        let name: String = kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect();
        let mut candidate = name.clone();
        let mut number = 0;
        while !anchors.insert(candidate) {
            number += 1;
            candidate = format!("{name}-{number}");
        }
    }
    anchors
}

/// What is wrong with a link in a page; `None` for what is right, or somewhere in the world.
fn wrong(page: &Path, link: &str) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = match file {
        "" => page.to_owned(),
        file => page.parent()?.join(file),
    };
    if !target.exists() {
        return Some("there is no such file".to_owned());
    }
    if anchor.is_empty() {
        return None;
    }
    let text = fs::read_to_string(&target).unwrap_or_default();
    (!anchors(&text).contains(anchor)).then(|| format!("no heading is called #{anchor}"))
}

#[test]
fn every_link_leads_somewhere() {
    let (mut dangling, mut followed) = (Vec::new(), 0);
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let shown = page.strip_prefix(root()).unwrap().display();
        for link in prose(&text).flat_map(links) {
            followed += 1;
            dangling.extend(wrong(&page, link).map(|why| format!("{shown}: {link}: {why}")));
        }
    }
    assert!(dangling.is_empty(), "{}", dangling.join("\n"));
    assert!(followed > 200, "only {followed} links were found");
}

#[test]
fn a_link_that_leads_nowhere_is_seen() {
    let page = root().join("docs/bypass.md");
    assert_eq!(wrong(&page, "rules.md#the-ratchet"), None);
    assert_eq!(wrong(&page, "https://kubernetes.io/nowhere"), None);
    assert_eq!(wrong(&page, "nowhere.md").as_deref(), Some("there is no such file"));
    assert_eq!(
        wrong(&page, "rules.md#nowhere").as_deref(),
        Some("no heading is called #nowhere")
    );
    assert_eq!(links("a [b](c) `[d](e)` [`f`](g#h) [i](j"), ["c", "g#h"]);
    let named = anchors("# One\n## One\n```sh\n# no heading\n```\n### `phase`, and \"more\"\n");
    assert_eq!(
        named.into_iter().collect::<Vec<_>>(),
        ["one", "one-1", "phase-and-more"]
    );
}
