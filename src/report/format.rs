//! Names the formats and chooses the function of each.

use super::{FailOn, Report, github, gitlab, json, junit, markdown, sarif, table, yaml};

/// A form of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// For a terminal: a row for each finding, fix and help below it.
    Table,
    /// For a terminal: everything about a finding in one row.
    Wide,
    /// For programs, by the JSON Schema in docs/schemas/check-report.json.
    Json,
    /// The same document as YAML.
    Yaml,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit XML: a test case for each finding.
    Junit,
    /// Workflow commands of GitHub Actions, which become annotations.
    Github,
    /// GitLab's Code Quality report.
    Gitlab,
    /// A table for a comment or a page.
    Markdown,
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 9] = [
        Format::Table,
        Format::Wide,
        Format::Json,
        Format::Yaml,
        Format::Sarif,
        Format::Junit,
        Format::Github,
        Format::Gitlab,
        Format::Markdown,
    ];

    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Table => "table",
            Format::Wide => "wide",
            Format::Json => "json",
            Format::Yaml => "yaml",
            Format::Sarif => "sarif",
            Format::Junit => "junit",
            Format::Github => "github",
            Format::Gitlab => "gitlab",
            Format::Markdown => "markdown",
        }
    }
}

/// How a report is shown. The exit code does not depend on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Which findings count.
    pub fail_on: FailOn,
    /// Whether only those are shown.
    pub quiet: bool,
}

/// A report as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The text, with its last line end.
    pub text: String,
    /// How many findings it leaves out because of the format's limits. The text says so too.
    pub left_out: usize,
}

impl From<String> for Rendered {
    fn from(text: String) -> Self {
        Rendered { text, left_out: 0 }
    }
}

/// A report that is not text in a format, which is a defect of dorgu's or, of a writer, of its crate.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub enum RenderError {
    /// JSON, SARIF and Code Quality.
    Json(#[from] serde_json::Error),
    /// YAML.
    Yaml(#[from] serde_saphyr::ser_error::Error),
    /// The compression by which SARIF is measured.
    Compress(#[from] std::io::Error),
}

/// The report in a format. `report` is what [`Report::shown`] returns.
///
/// # Errors
/// See [`RenderError`].
pub fn render(report: &Report, format: Format, view: View) -> Result<Rendered, RenderError> {
    Ok(match format {
        Format::Table => table::rows(report, view).into(),
        Format::Wide => table::wide(report, view).into(),
        Format::Json => json::render(report, view)?.into(),
        Format::Yaml => yaml::render(report, view)?.into(),
        Format::Sarif => sarif::render(report, view)?,
        Format::Junit => junit::render(report, view).into(),
        Format::Github => github::render(report, view).into(),
        Format::Gitlab => gitlab::render(report)?.into(),
        Format::Markdown => markdown::render(report, view, None),
    })
}

/// The report for the page of a step of GitHub Actions, cut to what such a page takes.
pub fn step_summary(report: &Report, view: View) -> Rendered {
    /// Of all that a step writes; more is rejected as a whole. The rest is left to what the step says besides.
    const MAX_BYTES: usize = 1024 * 1024 - 64 * 1024;
    markdown::render(report, view, Some(MAX_BYTES))
}
