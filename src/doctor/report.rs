//! Prints the report: one line for each check, with cause and cure below it; or the same as JSON.

use std::fmt::Write;

use serde::Serialize;

use super::checks::Check;
use super::finding::{Finding, NotOk, Outcome, Severity};

/// The outcome of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It passed.
    Ok,
    /// Unusual, missing or about to fail.
    Warn,
    /// Failed.
    Fail,
    /// Not checked.
    Skip,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Warn => "warn",
            Status::Fail => "fail",
            Status::Skip => "skip",
        }
    }
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Its name.
    pub check: &'static str,
    /// Its outcome.
    pub status: Status,
    /// What was observed, or why it was skipped. Empty where the findings say it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub seen: String,
    /// What is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

/// Every check, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The address of the API server.
    pub server: String,
    /// The namespace of the installation.
    pub namespace: String,
    /// Its Deployment.
    pub name: String,
    /// The results.
    pub checks: Vec<Line>,
    /// Whether something could not be read although the user may read it, or something that other checks depend on. Then no one
    /// can say that all is well.
    pub incomplete: bool,
}

impl Report {
    pub(super) fn add(&mut self, check: Check, outcome: Outcome) {
        let (status, seen, findings) = match outcome {
            Ok(seen) => (Status::Ok, seen, Vec::new()),
            Err(NotOk::Skip(reason)) => (Status::Skip, reason, Vec::new()),
            Err(NotOk::Unavailable(unavailable)) => {
                self.incomplete |= !unavailable.forbidden || check.is_indispensable();
                (Status::Skip, unavailable.reason, Vec::new())
            }
            Err(NotOk::Found(findings)) => {
                let worst = findings.iter().map(|finding| finding.severity).max();
                let status = match worst {
                    Some(Severity::Fail) => Status::Fail,
                    Some(Severity::Warn) | None => Status::Warn,
                };
                (status, String::new(), findings)
            }
        };
        self.checks.push(Line {
            check: check.name(),
            status,
            seen,
            findings,
        });
    }

    /// The first check that failed.
    pub(super) fn first_failure(&self) -> Option<&'static str> {
        let failed = self.checks.iter().find(|line| line.status == Status::Fail);
        failed.map(|line| line.check)
    }

    fn count(&self, status: Status) -> usize {
        self.checks.iter().filter(|line| line.status == status).count()
    }

    /// Whether nothing is wrong, as far as was checked.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.count(Status::Warn) + self.count(Status::Fail) == 0
    }

    /// For a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let width = Check::ALL.iter().map(|check| check.name().len()).max().unwrap_or(0);
        let mut text = String::new();
        let (name, namespace, server) = (&self.name, &self.namespace, &self.server);
        put(&mut text, format_args!("{name} in {namespace} at {server}\n\n"));
        for line in &self.checks {
            let Line {
                check,
                status,
                seen,
                findings,
            } = line;
            if findings.is_empty() {
                let word = status.word();
                put(&mut text, format_args!("{word:<5} {check:<width$}  {}\n", shown(seen)));
            }
            for finding in findings {
                let word = match finding.severity {
                    Severity::Warn => Status::Warn.word(),
                    Severity::Fail => Status::Fail.word(),
                };
                put(
                    &mut text,
                    format_args!("{word:<5} {check:<width$}  {}\n", shown(&finding.seen)),
                );
                put(&mut text, format_args!("      cause: {}\n", shown(&finding.cause)));
                put(&mut text, format_args!("      cure:  {}\n", shown(&finding.cure)));
            }
        }
        let counted = [Status::Ok, Status::Warn, Status::Fail, Status::Skip]
            .map(|status| format!("{} {}", self.count(status), status.word()));
        put(
            &mut text,
            format_args!("\n{} checks: {}\n", self.checks.len(), counted.join(", ")),
        );
        text
    }

    /// For a program.
    #[must_use]
    pub fn json(&self) -> String {
        #[derive(Serialize)]
        struct Whole<'a> {
            #[serde(flatten)]
            report: &'a Report,
            summary: Summary,
        }
        #[derive(Serialize)]
        struct Summary {
            ok: usize,
            warn: usize,
            fail: usize,
            skip: usize,
        }
        let whole = Whole {
            report: self,
            summary: Summary {
                ok: self.count(Status::Ok),
                warn: self.count(Status::Warn),
                fail: self.count(Status::Fail),
                skip: self.count(Status::Skip),
            },
        };
        // Strings, numbers and lists always serialise.
        let mut text = serde_json::to_string_pretty(&whole).unwrap_or_default();
        text.push('\n');
        text
    }
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String does not fail.
    let _ = text.write_fmt(line);
}

/// On one line, without control characters: names and messages come from the cluster.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
