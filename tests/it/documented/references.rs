//! What the source and the pages cite is in the repository: `contract 2.4` is a heading of docs/contract.md, a row such as `W1`
//! is in one of its tables, and no other paper is cited by number.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::blocks::{read, root};

/// Built, fetched, hidden, or not ours to word.
const SKIPPED: [&str; 3] = ["target", "corpus", "cases"];

/// Papers that are not in the repository.
const ELSEWHERE: [&str; 3] = ["design", "ecosystem", "reliability"];

/// Every text that may contain a reference.
fn texts() -> Vec<PathBuf> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let is_text = [".rs", ".md", ".yaml", ".toml", ".tpl"]
                .iter()
                .any(|ending| name.ends_with(ending));
            if path.is_dir() && !name.starts_with('.') && !SKIPPED.contains(&name.as_str()) {
                collect(&path, found);
            } else if is_text {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    collect(root(), &mut found);
    found.sort();
    found
}

/// A text on one line, without the marks of comments, so that a reference that a line break cuts in two is one.
fn on_one_line(text: &str) -> String {
    let words = text
        .lines()
        .map(|line| line.trim_start().trim_start_matches(['/', '!', '#']).trim());
    words.collect::<Vec<_>>().join(" ")
}

/// The number that a text begins with: `2.4` of `2.4's first line`.
fn number(text: &str) -> Option<&str> {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.');
    let number = text[..end.unwrap_or(text.len())].trim_end_matches('.');
    number
        .starts_with(|letter: char| letter.is_ascii_digit())
        .then_some(number)
}

/// The numbers behind a word: those of `contract 1.1, 1.2 and 9`, one by one.
fn cited<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    let behind = |(at, _): (usize, _)| {
        let starts = !text[..at].ends_with(|letter: char| letter.is_alphanumeric());
        starts.then(|| &text[at + word.len() + 1..])
    };
    for mut rest in text.match_indices(&format!("{word} ")).filter_map(behind) {
        while let Some(number) = number(rest) {
            found.push(number);
            rest = &rest[number.len()..];
            let next = [", ", " and ", " to "].iter().find_map(|mark| rest.strip_prefix(mark));
            let Some(next) = next else { break };
            rest = next;
        }
    }
    found
}

/// The numbers of the headings of docs/contract.md.
fn headings() -> BTreeSet<String> {
    let contract = read("docs/contract.md");
    let headings = contract.lines().filter(|line| line.starts_with('#'));
    let numbers = headings.filter_map(|line| number(line.trim_start_matches('#').trim()));
    numbers.map(str::to_owned).collect()
}

#[test]
fn every_reference_to_the_contract_is_a_heading_of_it() {
    let (headings, mut seen, mut wrong) = (headings(), 0, Vec::new());
    for path in texts() {
        let text = on_one_line(&fs::read_to_string(&path).unwrap()).replace("Contract ", "contract ");
        for number in cited(&text, "contract") {
            seen += 1;
            if !headings.contains(number) {
                wrong.push(format!("{}: contract {number}", path.display()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "docs/contract.md has no such heading:\n{}",
        wrong.join("\n")
    );
    assert!(seen > 40, "only {seen} references were found");
}

#[test]
fn every_page_that_names_the_go_operator_says_which() {
    let (mut seen, mut wrong) = (0, Vec::new());
    for path in texts()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
    {
        let text = fs::read_to_string(&path).unwrap();
        if on_one_line(&text).contains("Go operator") {
            seen += 1;
            if !["contract.md", "https://github.com/dorgu-ai/dorgu-operator"]
                .iter()
                .any(|link| text.contains(link))
            {
                wrong.push(path.display().to_string());
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "which Go operator? link docs/contract.md in:\n{}",
        wrong.join("\n")
    );
    assert!(seen > 5, "only {seen} pages speak of it");
}

#[test]
fn nothing_is_cited_that_is_not_in_the_repository() {
    let mut wrong = Vec::new();
    for path in texts().into_iter().filter(|path| !path.ends_with(file!())) {
        let text = on_one_line(&fs::read_to_string(&path).unwrap()).to_lowercase();
        for word in ELSEWHERE {
            for number in cited(&text.replace(&format!("{word} section "), &format!("{word} ")), word) {
                wrong.push(format!("{}: {word} {number}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_row_that_a_rule_follows_is_in_the_contract() {
    let (contract, rules) = (read("docs/contract.md"), read("docs/rules.md"));
    let rows = rules.lines().filter_map(|line| line.strip_prefix("| contract | "));
    let is_row = |word: &&str| word.starts_with(['W', 'E', 'R']) && word[1..].parse::<u8>().is_ok();
    let mut seen = 0;
    for row in rows.flat_map(|row| row.split([' ', ',', '|'])).filter(is_row) {
        seen += 1;
        assert!(
            contract.contains(&format!("\n| {row} | ")),
            "docs/contract.md has no row {row}"
        );
    }
    assert!(seen > 15, "only {seen} rows are named");
}

#[test]
fn a_reference_that_leads_nowhere_is_seen() {
    let text = "//! Sums (contract\n//! 4.3), by contract 1.1, 1.2 and 9. Contract";
    assert_eq!(cited(&on_one_line(text), "contract"), ["4.3", "1.1", "1.2", "9"]);
    assert_eq!(
        cited("contract 2.5's first line; subcontract 3, contract x", "contract"),
        ["2.5"]
    );
    assert!(!headings().contains("2.7") && headings().contains("2.6") && headings().contains("9"));
}
