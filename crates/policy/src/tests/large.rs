//! Objects with more findings than are kept: all are counted, and each of them denies.

use serde_json::{Value, json};

use super::{judged, persona};
use crate::answer::{Help, message, warnings};
use crate::issue::MOST_ISSUES;
use crate::{Decision, Exceptions, Mode, PlatformRules, Rule, RuleSet, Workload, issues, render};

const COUNT: usize = 3_000;

/// This many containers with every violation that small ones can have.
fn crowd() -> Value {
    let container = |number: usize| {
        json!({
            "name": format!("c{number}"),
            "securityContext": {"allowPrivilegeEscalation": true, "runAsUser": 0},
        })
    };
    let containers: Vec<Value> = (0..COUNT).map(container).collect();
    json!({
        "metadata": {"name": "orders", "namespace": "shop", "labels": {"app.kubernetes.io/name": "orders"}},
        "spec": {"replicas": 1, "template": {"spec": {"containers": containers}}},
    })
}

fn with_a_privileged_one(number: usize) -> Value {
    let mut object = crowd();
    object["spec"]["template"]["spec"]["containers"][number]["securityContext"]["privileged"] = json!(true);
    object
}

/// The findings of each rule in them.
const FOUND: [(Rule, usize); 9] = [
    (Rule::CpuLimitMissing, COUNT),
    (Rule::MemoryLimitMissing, COUNT),
    (Rule::RequestsMissing, COUNT),
    (Rule::ReplicasBelowMinimum, 1),
    (Rule::LivenessProbeMissing, COUNT),
    (Rule::ReadinessProbeMissing, COUNT),
    (Rule::RunAsNonRoot, COUNT + 1),
    (Rule::PrivilegeEscalation, COUNT),
    (Rule::WritableRootFilesystem, COUNT),
];

/// The number at the end of `... and 12 more`, and similar texts.
fn left(text: &str) -> usize {
    let number = text.rsplit("and ").next().and_then(|rest| rest.split(' ').next());
    number.and_then(|number| number.parse().ok()).expect("a number")
}

fn assert_counted(decision: &Decision<'_>) {
    let mut rules: Vec<(Rule, usize)> = decision
        .rules()
        .map(|(rule, _, count)| (rule, usize::try_from(count).expect("small")))
        .collect();
    rules.sort_unstable();
    assert_eq!(rules, FOUND);
    let all: usize = FOUND.iter().map(|(_, count)| count).sum();
    assert_eq!(decision.refusing() + decision.warned(), all);
    let lines = warnings(decision);
    let counted = lines.last().expect("a line that counts the rest");
    assert_eq!(lines.len() - 1 + left(counted), decision.warned(), "{counted}");
}

#[test]
fn more_findings_than_are_kept_are_counted_in_a_denial() {
    judged(&crowd(), None, Mode::Enforcing, |decision| {
        assert_counted(decision);
        let errors = FOUND
            .iter()
            .filter(|(rule, _)| rule.severity() == crate::Severity::Error);
        assert_eq!(decision.refusing(), errors.map(|(_, count)| count).sum::<usize>());
        assert!(decision.refusals().len() < decision.refusing());
        let text = message(decision, None, &Help::NONE);
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        let named = first.matches("persona requires").count()
            + first.matches("persona forbids").count()
            + first.matches("below persona").count();
        assert_eq!(named + left(first), decision.refusing(), "{first:.300}");
        assert!(
            lines.last().is_some_and(|last| last.starts_with("  and ")),
            "{text:.300}"
        );
    });
}

#[test]
fn old_errors_are_counted_and_hide_no_new_one() {
    judged(&crowd(), Some(&crowd()), Mode::Enforcing, |decision| {
        assert!(decision.allows());
        assert_counted(decision);
    });
    for number in [0, COUNT / 2, COUNT - 1] {
        let new = with_a_privileged_one(number);
        judged(&new, Some(&crowd()), Mode::Enforcing, |decision| {
            let refused: Vec<String> = decision
                .refusals()
                .iter()
                .map(|attributed| render::Message(attributed.finding()).to_string())
                .collect();
            assert_eq!(
                refused,
                [format!("[c{number}] privileged; persona forbids privilege escalation")]
            );
            let patch = message(decision, None, &Help::NONE);
            let fix = format!("spec.template.spec.containers[c{number}].securityContext.privileged: true -> false");
            assert!(patch.contains(&fix), "{patch}");
        });
        // And what is gone excuses nothing else.
        judged(&crowd(), Some(&new), Mode::Enforcing, |decision| {
            assert!(decision.allows())
        });
    }
}

#[test]
fn a_status_counts_them_too() {
    let (persona, text) = (persona(), crowd().to_string());
    let workload: Workload<'_> = serde_json::from_str(&text).expect("a Deployment");
    let issues = issues(
        RuleSet::Complete,
        &workload,
        &persona,
        &[],
        &PlatformRules::NONE,
        Exceptions::default(),
    );
    assert_eq!(issues.list.len(), MOST_ISSUES + 1);
    let all: usize = FOUND.iter().map(|(_, count)| count).sum();
    let last = issues.list.last().expect("the one that counts");
    assert_eq!(left(&last.message), all - MOST_ISSUES);
    assert_eq!(issues.errors, 2 * COUNT + 2);
}

/// Warnings that fit all but for their number.
#[test]
fn warnings_beyond_those_kept_are_counted_though_the_kept_ones_fit() {
    let container = |number: usize| {
        json!({
            "name": format!("c{number}"),
            "resources": {"limits": {"memory": "1Mi"}, "requests": {"cpu": "1m", "memory": "1Mi"}},
            "securityContext": {"readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false, "runAsNonRoot": true},
            "livenessProbe": {"httpGet": {"path": "/healthz"}}, "readinessProbe": {"httpGet": {"path": "/ready"}},
        })
    };
    let containers: Vec<Value> = (0..300).map(container).collect();
    let mut object = crowd();
    object["spec"]["replicas"] = json!(3);
    object["spec"]["template"]["spec"]["containers"] = json!(containers);
    judged(&object, None, Mode::Enforcing, |decision| {
        let lines = warnings(decision);
        let shown: usize = lines.iter().map(String::len).sum();
        assert!(
            decision.warned() > 200 && shown <= 4_096,
            "{}, {shown}",
            decision.warned()
        );
        let last = lines.last().expect("a warning");
        assert_eq!(lines.len() - 1 + left(last), decision.warned(), "{last}");
    });
}
