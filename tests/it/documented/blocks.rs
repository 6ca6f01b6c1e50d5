//! Finds the commands in a page: fenced blocks of `sh` and `console`, their section, and what the page says about running them.
//! It knows no cluster and runs nothing.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

/// A block of commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// The page, relative to the repository, and the line of the fence: `docs/install.md:27`.
    pub(crate) place: String,
    /// The `##` it stands under; empty above the first.
    pub(crate) section: String,
    pub(crate) mark: Option<Mark>,
    pub(crate) steps: Vec<Step>,
}

/// The comment right above a block that is not run here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// `<!-- needs: … -->`: what it takes and a test bed has not.
    Needs(String),
    /// `<!-- run by: FILE::TEST -->` or `<!-- run by: FILE -->`: who runs it instead.
    RunBy(String),
}

/// What is typed in at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) command: String,
    /// What the terminal then shows, `…` standing for anything; `None` where the page does not say.
    pub(crate) answer: Option<String>,
}

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A page of the repository, by its path in it.
pub(super) fn read(page: &str) -> String {
    fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

/// The blocks of a page of the repository.
pub(crate) fn of_page(page: &str) -> Vec<Block> {
    blocks(page, &read(page)).unwrap_or_else(|error| panic!("{error:#}"))
}

/// The Markdown files of a folder, by their paths in the repository.
pub(super) fn pages_in(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let files = entries.map(|entry| PathBuf::from(folder).join(entry.unwrap().file_name()));
    let mut pages: Vec<String> = files
        .filter(|file| file.extension().is_some_and(|extension| extension == "md"))
        .map(|file| file.display().to_string())
        .collect();
    pages.sort();
    pages
}

/// The blocks of a text.
///
/// # Errors
/// Where a fence does not end, where commands are fenced as no commands, and where a console block has no prompt.
pub(super) fn blocks(page: &str, text: &str) -> Result<Vec<Block>> {
    let (mut section, mut before, mut found) = ("", "", Vec::new());
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title;
        }
        if let Some(language) = line.trim_start().strip_prefix("```") {
            let place = format!("{page}:{}", number + 1);
            let indentation = line.len() - line.trim_start().len();
            let inside = inside(lines.by_ref().map(|(_, line)| line), indentation).with_context(|| place.clone())?;
            let steps = match language {
                "sh" => vec![Step {
                    command: inside.join("\n"),
                    answer: None,
                }],
                "console" => dialogue(&inside).with_context(|| place.clone())?,
                _ => {
                    let command = inside.iter().find(|line| is_typed(line));
                    ensure!(
                        command.is_none() || !["", "bash", "shell"].contains(&language),
                        "{place}: commands are fenced as `sh`, and with what they show as `console`: {command:?}"
                    );
                    continue;
                }
            };
            found.push(Block {
                place,
                section: section.to_owned(),
                mark: mark(before),
                steps,
            });
        }
        before = line;
    }
    Ok(found)
}

/// The lines up to the end of the fence, without the indentation of a list.
fn inside<'a>(lines: impl Iterator<Item = &'a str>, indentation: usize) -> Result<Vec<&'a str>> {
    let mut inside = Vec::new();
    for line in lines {
        if line.trim() == "```" {
            return Ok(inside);
        }
        inside.push(line.get(indentation..).unwrap_or_default());
    }
    bail!("the block has no end")
}

/// Commands behind `$ `, each with its output below. A command that ends in `\` continues in the next line.
fn dialogue(lines: &[&str]) -> Result<Vec<Step>> {
    let mut steps: Vec<(String, Vec<&str>)> = Vec::new();
    let mut goes_on = false;
    for line in lines {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push((command.to_owned(), Vec::new()));
        } else {
            let (command, answer) = steps.last_mut().context("a console block begins with `$ `")?;
            if goes_on {
                command.push('\n');
                command.push_str(line);
            } else {
                answer.push(line);
            }
        }
        let is_command = steps.last().is_some_and(|(_, answer)| answer.is_empty());
        goes_on = is_command && line.ends_with('\\');
    }
    ensure!(!steps.is_empty(), "a console block without a command");
    let step = |(command, answer): (String, Vec<&str>)| Step {
        command,
        answer: Some(answer.join("\n")),
    };
    Ok(steps.into_iter().map(step).collect())
}

fn is_typed(line: &str) -> bool {
    ["$ ", "kubectl ", "helm ", "dorgu ", "curl ", "cargo "]
        .iter()
        .any(|start| line.starts_with(start))
}

fn mark(line: &str) -> Option<Mark> {
    let words = line.trim().strip_prefix("<!-- ")?.strip_suffix(" -->")?;
    let needs = words.strip_prefix("needs: ").map(|what| Mark::Needs(what.to_owned()));
    needs.or_else(|| words.strip_prefix("run by: ").map(|who| Mark::RunBy(who.to_owned())))
}

/// Whether a terminal shows what a page says, `…` standing for anything.
pub(super) fn fits(said: &str, shown: &str) -> bool {
    let tidy = |text: &str| {
        let lines: Vec<&str> = text.trim().lines().map(str::trim_end).collect();
        lines.join("\n")
    };
    let (said, shown) = (tidy(said), tidy(shown));
    let Some((first, rest)) = said.split_once('…') else {
        return said == shown;
    };
    let Some(mut left) = shown.strip_prefix(first) else {
        return false;
    };
    let mut pieces: Vec<&str> = rest.split('…').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        let Some((_, behind)) = left.split_once(piece) else {
            return false;
        };
        left = behind;
    }
    left.ends_with(last)
}

#[test]
fn a_block_knows_its_section_and_what_it_needs() {
    let text = "## A\n\n```sh\nfirst\n```\n\n1. In a list\n\n   ```sh\n   second \\\n     third\n   ```\n<!-- needs: it -->\n```sh\nx\n```\n\
                <!-- run by: a.rs::b -->\n```sh\ny\n```\n";
    let block = |line: usize, mark: Option<Mark>, command: &str| Block {
        place: format!("a.md:{line}"),
        section: "A".to_owned(),
        mark,
        steps: vec![Step {
            command: command.to_owned(),
            answer: None,
        }],
    };
    let wanted = [
        block(3, None, "first"),
        block(9, None, "second \\\n  third"),
        block(14, Some(Mark::Needs("it".to_owned())), "x"),
        block(18, Some(Mark::RunBy("a.rs::b".to_owned())), "y"),
    ];
    assert_eq!(blocks("a.md", text).unwrap(), wanted);
}

#[test]
fn a_console_block_is_commands_with_their_answers() {
    let text = "```console\n$ one\n$ two \\\n  three\nsays this\n  and that\n```\n";
    let step = |command: &str, answer: &str| Step {
        command: command.to_owned(),
        answer: Some(answer.to_owned()),
    };
    let wanted = [step("one", ""), step("two \\\n  three", "says this\n  and that")];
    assert_eq!(blocks("a.md", text).unwrap()[0].steps, wanted);
}

#[test]
fn commands_that_would_be_overlooked_are_named() {
    let message = |text: &str| format!("{:#}", blocks("a.md", text).unwrap_err());
    assert!(message("```\nkubectl get pods\n```\n").starts_with("a.md:1: commands are fenced as `sh`"));
    assert!(message("\n```bash\nhelm list\n```\n").starts_with("a.md:2: commands are fenced as `sh`"));
    assert_eq!(message("```sh\nkubectl\n"), "a.md:1: the block has no end");
    assert_eq!(
        message("```console\nx\n```\n"),
        "a.md:1: a console block begins with `$ `"
    );
    assert_eq!(blocks("a.md", "```yaml\nkind: X\n```\n").unwrap(), []);
}

#[test]
fn an_ellipsis_stands_for_anything_and_nothing_else_does() {
    assert!(fits("a\nb", "a  \nb\n\n"));
    assert!(fits("NAME …\norders … 5…", "NAME AGE\norders Active 5d"));
    assert!(fits("…", ""));
    assert!(fits("a … c", "a b\nb c"));
    for (said, shown) in [
        ("a", "b"),
        ("a", "a\nb"),
        ("a … c", "a b"),
        ("… c", "c d"),
        ("a…b…b", "a b"),
    ] {
        assert!(!fits(said, shown), "{said} {shown}");
    }
}
