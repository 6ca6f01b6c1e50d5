//! Explains rules: what each checks, why, and how to fix it, with examples. The only source is docs/rules.md, whose examples and
//! commands are tested, so that the page and the program cannot differ. The page is part of the program.

mod markdown;
mod text;

use serde::Serialize;

use crate::policy::Rule;

/// docs/rules.md.
const PAGE: &str = include_str!("../../docs/rules.md");

/// What the page says about a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The rule's name.
    pub rule: &'static str,
    /// Its severity where no level is set.
    pub severity: &'static str,
    /// What it checks, in one sentence.
    pub summary: String,
    /// The section of the page, as Markdown, without its heading.
    pub markdown: &'static str,
}

impl Explanation {
    /// What the page says about a rule.
    pub fn of(rule: Rule) -> Self {
        let markdown = section(rule.name());
        Explanation {
            rule: rule.name(),
            severity: rule.severity().as_str(),
            summary: text::first_sentence(markdown),
            markdown,
        }
    }

    /// All rules, in the order in which findings are reported.
    pub fn all() -> impl Iterator<Item = Self> {
        Rule::ALL.into_iter().map(Explanation::of)
    }

    /// The section as text for a terminal of 80 columns. Commands are in one line each, to be copied.
    pub fn text(&self) -> String {
        format!("{} ({})\n\n{}", self.rule, self.severity, text::plain(self.markdown))
    }

    /// The section as Markdown for another place, with links to the page at this address; without one, without links.
    pub fn markdown_at(&self, page: &str) -> String {
        markdown::at(self.markdown, page)
    }
}

/// The section with this heading. A test holds that every rule has one.
fn section(heading: &str) -> &'static str {
    let mut sections = PAGE
        .split("\n## ")
        .skip(1)
        .filter_map(|section| section.split_once('\n'));
    let found = sections.find(|(named, _)| *named == heading);
    found.map(|(_, body)| body.trim()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
