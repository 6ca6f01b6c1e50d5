//! The result as a table for people, and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::impact::{Changed, Impact, Outcome};
use crate::policy::text::Shown;

const HEAD: [&str; 5] = ["NAMESPACE", "DEPLOYMENT", "BEFORE", "AFTER", "WHY"];

impl Impact {
    /// A row for each Deployment that changes verdict, and a last line that counts those that would be denied.
    pub fn table(&self) -> String {
        let rows: Vec<[String; 5]> = self.changes.iter().map(row).collect();
        let mut text = String::new();
        if !rows.is_empty() {
            let widths: [usize; 4] = std::array::from_fn(|column| {
                let cells = rows.iter().map(|row| row.get(column).map_or(0, String::len));
                cells.chain(HEAD.get(column).map(|head| head.len())).max().unwrap_or(0)
            });
            line(&mut text, &widths, &HEAD.map(str::to_owned));
            rows.iter().for_each(|row| line(&mut text, &widths, row));
        }
        text + &self.summary(None) + "\n"
    }

    /// All of it for programs.
    pub fn to_json(&self) -> Value {
        let not_opted_in = self.not_opted_in.iter();
        json!({
            "governed": self.governed,
            "newlyDenied": self.newly_denied,
            "noLongerDenied": self.no_longer_denied,
            "newlyWarned": self.newly_warned,
            "noLongerWarned": self.no_longer_warned,
            "unreadable": self.unreadable,
            "notOptedIn": not_opted_in.map(|(namespace, count)| json!({"namespace": namespace, "deployments": count}))
                .collect::<Vec<_>>(),
            "changes": self.changes.iter().map(|one| json!({
                "namespace": one.namespace,
                "deployment": one.name,
                "before": outcome(&one.before),
                "after": outcome(&one.after),
            })).collect::<Vec<_>>(),
        })
    }
}

fn outcome(outcome: &Outcome) -> Value {
    let denying = outcome.denying.iter().map(|found| {
        json!({
            "rule": found.rule.name(), "persona": found.persona, "field": found.field, "message": found.message,
        })
    });
    json!({"verdict": outcome.verdict.as_str(), "denying": denying.collect::<Vec<_>>()})
}

fn row(one: &Changed) -> [String; 5] {
    // What denies now or, where nothing does any more, what denied.
    let found = match one.after.denying.is_empty() {
        true => &one.before,
        false => &one.after,
    };
    let why = match (found.denying.first(), found.count.saturating_sub(1)) {
        (None, _) => String::new(),
        (Some(first), 0) => first.message.clone(),
        (Some(first), more) => format!("{} (and {more} more)", first.message),
    };
    [
        Shown(&one.namespace).to_string(),
        Shown(&one.name).to_string(),
        one.before.verdict.as_str().to_owned(),
        one.after.verdict.as_str().to_owned(),
        why,
    ]
}

fn line(text: &mut String, widths: &[usize; 4], cells: &[String; 5]) {
    let mut row = String::new();
    for (cell, width) in cells.iter().zip(widths.iter().chain([&0])) {
        // Writing to a String does not fail.
        let _ = write!(row, "{cell:width$}   ");
    }
    text.push_str(row.trim_end());
    text.push('\n');
}
