//! One persona's status for people: the verdicts first, then a section for each part of the status that is there.

use std::fmt::Write as _;

use serde_json::Value;

use crate::policy::text::{Shown, cut};

/// Longest text in a line.
const MAX_TEXT: usize = 2_048;
/// Characters of a revision that people compare.
const REVISION: usize = 8;

/// Whether words are coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paint(pub bool);

impl Paint {
    fn with(self, colour: u8, text: &str) -> String {
        match self.0 {
            true => format!("\u{1b}[38;5;{colour}m{text}\u{1b}[0m"),
            false => text.to_owned(),
        }
    }

    fn good(self, text: &str) -> String {
        self.with(42, text)
    }

    fn bad(self, text: &str) -> String {
        self.with(196, text)
    }

    fn doubtful(self, text: &str) -> String {
        self.with(214, text)
    }

    fn dim(self, text: &str) -> String {
        self.with(240, text)
    }
}

/// The status of a persona, as lines.
pub fn describe(persona: &Value, paint: Paint) -> String {
    let name = |pointer: &str| text(persona, pointer).unwrap_or_default();
    let mut lines = Lines {
        text: format!(
            "{} in namespace {}\n",
            name("/metadata/name"),
            name("/metadata/namespace")
        ),
        paint,
    };
    let Some(status) = persona
        .get("status")
        .filter(|status| status.as_object().is_some_and(|map| !map.is_empty()))
    else {
        let sentence = "It has no status yet: the operator writes one when it has seen the persona.";
        lines.text.push_str(&paint.dim(sentence));
        lines.text.push('\n');
        return lines.text;
    };
    lines.verdicts(status);
    lines.conditions(status);
    lines.deployment(status);
    lines.failures(status);
    lines.issues(status);
    lines.argo_cd(status);
    lines.baseline(status);
    if let Some(updated) = text(status, "/lastUpdated") {
        lines.heading("Last updated");
        lines.line(&updated);
    }
    lines.text
}

struct Lines {
    text: String,
    paint: Paint,
}

impl Lines {
    fn heading(&mut self, heading: &str) {
        self.text.push('\n');
        self.text.push_str(heading);
        self.text.push('\n');
    }

    fn line(&mut self, line: &str) {
        // Writing to a String does not fail.
        let _ = writeln!(self.text, "  {line}");
    }

    fn verdicts(&mut self, status: &Value) {
        let paint = self.paint;
        let health = text(status, "/health/status").unwrap_or_else(|| "-".to_owned());
        let message = text(status, "/health/message").map(|message| format!(" ({message})"));
        let health = format!("{}{}", coloured(paint, &health), message.unwrap_or_default());
        let phase = text(status, "/phase").unwrap_or_else(|| "-".to_owned());
        let validation = match status.pointer("/validation").map(|validation| &validation["passed"]) {
            None => "-".to_owned(),
            Some(Value::Bool(true)) => paint.good("Passed"),
            // Older operators leave it out when it is false.
            Some(_) => paint.bad("Failed"),
        };
        let _ = writeln!(
            self.text,
            "Phase:       {}\nHealth:      {health}\nValidation:  {validation}",
            coloured(paint, &phase)
        );
    }

    fn conditions(&mut self, status: &Value) {
        let conditions = list(status, "/conditions");
        if conditions.is_empty() {
            return;
        }
        self.heading("Conditions");
        let width = conditions
            .iter()
            .filter_map(|one| one["type"].as_str())
            .map(str::len)
            .max()
            .unwrap_or(0);
        for condition in conditions {
            let of = |pointer: &str| text(condition, pointer).unwrap_or_else(|| "-".to_owned());
            self.line(&format!(
                "{:width$}  {:7}  {}",
                of("/type"),
                of("/status"),
                of("/message")
            ));
        }
    }

    fn deployment(&mut self, status: &Value) {
        self.pairs(
            "Deployment",
            [
                ("current image", text(status, "/deployments/current")),
                ("last successful", text(status, "/deployments/lastSuccessful")),
                ("last failed", text(status, "/deployments/lastFailed")),
            ],
        );
    }

    fn failures(&mut self, status: &Value) {
        let failures = list(status, "/health/podFailures");
        if failures.is_empty() {
            return;
        }
        self.heading("Pod failures");
        for failure in failures {
            let of = |pointer: &str| text(failure, pointer).unwrap_or_else(|| "-".to_owned());
            let message = text(failure, "/message")
                .map(|message| format!(": {message}"))
                .unwrap_or_default();
            let reason = self.paint.bad(&of("/reason"));
            self.line(&format!("{}/{}: {reason}{message}", of("/podName"), of("/container")));
        }
    }

    fn issues(&mut self, status: &Value) {
        let issues = list(status, "/validation/issues");
        if issues.is_empty() {
            return;
        }
        self.heading("Validation issues");
        for issue in issues {
            let severity = text(issue, "/severity").unwrap_or_else(|| "-".to_owned());
            let severity = match severity.as_str() {
                "error" => self.paint.bad(&severity),
                "warning" => self.paint.doubtful(&severity),
                _ => severity,
            };
            let field = text(issue, "/field")
                .map(|field| format!("[{field}] "))
                .unwrap_or_default();
            self.line(&format!(
                "{severity}: {field}{}",
                text(issue, "/message").unwrap_or_default()
            ));
            if let Some(suggestion) = text(issue, "/suggestion") {
                let suggestion = self.paint.dim(&suggestion);
                self.line(&format!("  {suggestion}"));
            }
        }
    }

    fn argo_cd(&mut self, status: &Value) {
        let revision = text(status, "/argoCD/revision").map(|revision| revision.chars().take(REVISION).collect());
        self.pairs(
            "Argo CD",
            [
                ("sync", text(status, "/argoCD/syncStatus")),
                ("health", text(status, "/argoCD/healthStatus")),
                ("revision", revision),
            ],
        );
    }

    fn baseline(&mut self, status: &Value) {
        let baseline = &status["learned"]["resourceBaseline"];
        let used = |average: &str, peak: &str| {
            let peak = text(baseline, peak)
                .map(|peak| format!(" (peak {peak})"))
                .unwrap_or_default();
            text(baseline, average).map(|average| format!("{average}{peak}"))
        };
        self.pairs(
            "Resource baseline",
            [
                ("cpu", used("/avgCPU", "/peakCPU")),
                ("memory", used("/avgMemory", "/peakMemory")),
            ],
        );
    }

    /// A section of the values that are there.
    fn pairs<const N: usize>(&mut self, heading: &str, pairs: [(&str, Option<String>); N]) {
        if pairs.iter().all(|(_, value)| value.is_none()) {
            return;
        }
        self.heading(heading);
        for (what, value) in pairs {
            if let Some(value) = value {
                self.line(&format!("{what}: {value}"));
            }
        }
    }
}

fn coloured(paint: Paint, word: &str) -> String {
    match word {
        "Active" | "Healthy" => paint.good(word),
        "Failed" | "Unhealthy" => paint.bad(word),
        "Degraded" => paint.doubtful(word),
        _ => word.to_owned(),
    }
}

/// A text of another writer, as one line without control characters; `None` where it is absent or empty.
fn text(value: &Value, pointer: &str) -> Option<String> {
    let text = value.pointer(pointer)?.as_str().filter(|text| !text.is_empty())?;
    Some(cut(Shown(text), MAX_TEXT))
}

fn list<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}
