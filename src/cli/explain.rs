//! `dorgu explain`: what a rule checks, why, and how to fix it; without a rule, one line for each.

use clap::Args;

use super::values::{self, ReportFormat};
use crate::explain::Explanation;
use crate::policy::Rule;

#[derive(Debug, Args)]
pub(super) struct Flags {
    /// The rule, by the name that findings have. Without it, all rules are listed.
    #[arg(value_name = "RULE", value_parser = values::rule)]
    rule: Option<Rule>,
    /// text: for people. json: for programs.
    #[arg(long, short, value_name = "FORMAT", default_value = "text", value_parser = values::report)]
    output: ReportFormat,
}

pub(super) fn run(flags: &Flags) -> anyhow::Result<()> {
    let one = flags.rule.map(Explanation::of);
    super::print(&match (one, flags.output) {
        (Some(one), ReportFormat::Text) => one.text(),
        (Some(one), ReportFormat::Json) => json(&one)?,
        (None, ReportFormat::Text) => list(),
        (None, ReportFormat::Json) => json(&Explanation::all().collect::<Vec<_>>())?,
    })
}

/// One line for each rule: name, severity, summary.
fn list() -> String {
    let all: Vec<Explanation> = Explanation::all().collect();
    let widest = |column: fn(&Explanation) -> &str| all.iter().map(|one| column(one).len()).max().unwrap_or_default();
    let (name, severity) = (widest(|one| one.rule), widest(|one| one.severity));
    let line = |one: &Explanation| format!("{:name$}  {:severity$}  {}\n", one.rule, one.severity, one.summary);
    all.iter().map(line).collect()
}

fn json(explained: &impl serde::Serialize) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(explained)? + "\n")
}
