//! Reports to show.

use std::sync::Arc;

use dorgu::policy::{Rule, Severity};
use dorgu::report::{Counts, Edit, Location, ObjectName, Position, Problem, Report, ReportedFinding, Standing};

/// Names and texts with everything that some format could take for its own.
const FILES: [&str; 7] = [
    "deploy/orders.yaml",
    "deploy/ä ö#1.yaml",
    "a,b:c%d|e.yaml",
    "charts/`x`/$(y)/@team.yaml",
    "<b>&amp;\"q\".yaml",
    "-",
    "line\nbreak.yaml",
];
const MESSAGES: [&str; 6] = [
    "the CPU limit 2 is above the persona's 1",
    "image `a|b` is not allowed: *bold* _it_ <script>alert(1)</script> & [x](y) @team #1 ~~s~~",
    "\u{1b}[31mred\u{1b}[0m\r\n::error::injected\n##[error]old\u{7}\u{9b}0m\u{7f}",
    "100%, a: b, \\ ends in a backslash \\",
    "ends \u{202e}reversed\u{2028} with ]]> and \u{0}",
    "日本語, 😀, ünïcödé",
];
const FIXES: [&[&str]; 4] = [
    &["spec.replicas: 1 -> 2"],
    &[],
    &["spec.a: \"x|y\" -> 'z'", "spec.b: unset -> `c` <d> & 5%"],
    &["spec.template.spec.containers[app].image: a:latest -> a@sha256:0"],
];

fn finding(index: usize) -> ReportedFinding {
    let rule = Rule::ALL[index % Rule::ALL.len()];
    let (severity, standing) = [
        (Severity::Error, Standing::New),
        (Severity::Warning, Standing::New),
        (Severity::Warning, Standing::Excepted),
        (Severity::Info, Standing::New),
        (Severity::Error, Standing::New),
        (Severity::Warning, Standing::New),
        (Severity::Error, Standing::Before),
        (Severity::Warning, Standing::Before),
        (Severity::Warning, Standing::New),
    ][index / 2 % 9];
    let (start, end) = (
        Position {
            line: index + 1,
            column: 11,
        },
        Position {
            line: index + 1 + index % 2,
            column: 14,
        },
    );
    let container = index.is_multiple_of(2).then(|| "app".to_owned());
    ReportedFinding {
        rule,
        severity,
        standing,
        denied: severity == Severity::Error && index.is_multiple_of(4),
        object: ObjectName {
            kind: "Deployment".to_owned(),
            namespace: ["shop", ""][index / 3 % 2].to_owned(),
            name: format!("orders-{}", index / 5),
        },
        container,
        persona: ["orders", "", "1", "yes"][index % 4].to_owned(),
        field: format!("/spec/template/spec/containers/{}/image", index % 3),
        path: ["spec.template.spec.containers[app].image", ""][index / 7 % 2].to_owned(),
        message: MESSAGES[index % MESSAGES.len()].to_owned(),
        fix: FIXES[index % FIXES.len()]
            .iter()
            .map(|line| (*line).to_owned())
            .collect(),
        edits: Vec::from_iter((index % FIXES.len() != 1).then(|| Edit {
            bytes: 10..13,
            start,
            end,
            text: "\"1\"\n".to_owned(),
        })),
        location: Location {
            file: Arc::from(FILES[index % FILES.len()]),
            start,
            end,
        },
    }
}

/// Findings of all rules, severities and standings, in files of all names, and problems.
pub(super) fn all_kinds() -> Report {
    Report {
        problems: vec![
            Problem {
                file: "broken|1.yaml".to_owned(),
                line: Some(3),
                reason: "it is no YAML: \u{1b}[0m `{`; fix the line".to_owned(),
            },
            Problem {
                file: "unreadable.yaml".to_owned(),
                line: None,
                reason: "permission denied; chmod +r it".to_owned(),
            },
        ],
        ..many(72)
    }
}

/// A number of findings.
pub(super) fn many(count: usize) -> Report {
    Report {
        findings: (0..count).map(finding).collect(),
        counts: Counts {
            files: 7,
            workloads: 9,
            ungoverned: 2,
            skipped: 3,
        },
        ..Report::default()
    }
}

/// One finding, as the documentation shows it.
pub(super) fn one() -> ReportedFinding {
    ReportedFinding {
        rule: Rule::CpuLimitAbovePersona,
        severity: Severity::Error,
        standing: Standing::New,
        denied: true,
        object: ObjectName {
            kind: "Deployment".to_owned(),
            namespace: "shop".to_owned(),
            name: "orders".to_owned(),
        },
        container: Some("app".to_owned()),
        persona: "orders".to_owned(),
        field: "/spec/template/spec/containers/0/resources/limits/cpu".to_owned(),
        path: "spec.template.spec.containers[app].resources.limits.cpu".to_owned(),
        message: "CPU limit 2 exceeds the persona's limit of 1".to_owned(),
        fix: vec!["spec.template.spec.containers[app].resources.limits.cpu: 2 -> 1".to_owned()],
        edits: vec![Edit {
            bytes: 512..515,
            start: Position { line: 21, column: 18 },
            end: Position { line: 21, column: 21 },
            text: "\"1\"".to_owned(),
        }],
        location: Location {
            file: Arc::from("deploy/orders.yaml"),
            start: Position { line: 21, column: 18 },
            end: Position { line: 21, column: 21 },
        },
    }
}
