//! Derives what the status of a persona says, from what is known of its app. Pure. `status` builds the JSON.

use std::fmt::Write;
use std::sync::Arc;

use serde_json::{Value, json};

use super::compare::{MAX_MESSAGE, compare};
use super::governs::governs;
use super::itself::{name_unique, spec_valid};
use super::observed::Observed;
use super::promotion::{Found, Promotion};
use crate::api::application_persona::status::{HealthState, IssueSeverity, Phase};
use crate::index::fingerprint::CONDITIONS;
use crate::index::{Deployment, Running};
use crate::k8s::conditions::Draft;
use crate::policy::text::{Quoted, Shown, cut};
use crate::policy::{Issue, Issues, Matching, RuleSet, Severity};

/// The decided part of a status, without timestamps and without the fields of other writers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Assessment {
    pub(super) generation: i64,
    pub(super) phase: Phase,
    pub(super) health: HealthState,
    pub(super) health_message: String,
    pub(super) passed: bool,
    pub(super) issues: Vec<Issue>,
    /// `deployments`; `None` keeps the stored value.
    pub(super) deployments: Option<Value>,
    pub(super) conditions: [Draft; 5],
    /// Whether it could be enforced; `None` with `--rules upstream`, where no persona asks for that.
    pub(super) promotion: Option<Promotion>,
    /// Whether a Deployment was compared at all.
    pub(super) compared: bool,
}

/// Derives the assessment (contract 3.3 to 3.6 and 9).
pub(super) fn assess(set: RuleSet, observed: &Observed<'_>) -> Assessment {
    let (assessment, found) = match observed.deployments {
        all if set == RuleSet::Complete && observed.persona.is_default() => governs(observed, all),
        [] => absent(observed),
        [one] => match one.running.as_deref() {
            Some(running) => present(set, observed, &one.name, running),
            None => absent(observed),
        },
        several => ambiguous(observed, several),
    };
    Assessment {
        promotion: (set == RuleSet::Complete).then(|| Promotion::new(observed.persona, observed.terms, found)),
        ..assessment
    }
}

/// Contract 3.3.
fn absent(observed: &Observed<'_>) -> (Assessment, Found) {
    let app = Shown(&observed.persona.app);
    let mut missing = format!("No Deployment with label app.kubernetes.io/name={app}");
    if observed.matching == Matching::Chain {
        // Writing to a String does not fail.
        let _ = write!(
            missing,
            ", label app={app}, name {app}, or either label in its selector"
        );
    }
    if observed.set == RuleSet::Complete && observed.persona.selector.is_some() {
        missing.push_str(" whose labels its selector matches");
    }
    let found = Found::Uncompared("NoDeployment", missing.clone());
    let assessment = Assessment {
        generation: observed.generation,
        phase: Phase::Pending,
        health: HealthState::Unknown,
        health_message: "No matching Deployment found".to_owned(),
        passed: true,
        issues: Vec::new(),
        deployments: None,
        conditions: conditions(
            observed,
            (Some(false), "NoDeployment", missing.clone()),
            (Some(true), "Skipped", "No Deployment to validate".to_owned()),
            (Some(false), "NoDeployment", missing),
        ),
        promotion: None,
        compared: false,
    };
    (assessment, found)
}

/// Contract 9: it names all of them, since an arbitrary first could change from one reconcile to the next.
fn ambiguous(observed: &Observed<'_>, deployments: &[Arc<Deployment>]) -> (Assessment, Found) {
    let names = deployments.iter().map(|deployment| &*deployment.name);
    let names = Quoted(names);
    let message = format!(
        "Deployments {names} all belong to '{}'; expected one",
        Shown(&observed.persona.app)
    );
    let found = Found::Uncompared("AmbiguousDeployment", message.clone());
    let assessment = Assessment {
        generation: observed.generation,
        phase: Phase::Pending,
        health: HealthState::Unknown,
        health_message: "Several Deployments match".to_owned(),
        // Nothing was compared, so nothing is confirmed.
        passed: false,
        issues: Vec::new(),
        deployments: None,
        conditions: conditions(
            observed,
            (Some(false), "AmbiguousDeployment", message.clone()),
            (
                None,
                "Skipped",
                "Several Deployments match; none was validated".to_owned(),
            ),
            (Some(false), "AmbiguousDeployment", message),
        ),
        promotion: None,
        compared: false,
    };
    (assessment, found)
}

fn present(set: RuleSet, observed: &Observed<'_>, name: &str, running: &Running) -> (Assessment, Found) {
    let (health, health_message) = health(running);
    let compared = compare(set, observed, running);
    let (
        uncompared,
        Issues {
            list, errors, excepted, ..
        },
    ) = match compared {
        Ok(issues) => (None, issues),
        Err(uncompared) => {
            let list = vec![uncompared.issue];
            (
                Some((uncompared.reason, uncompared.message)),
                Issues {
                    list,
                    ..Issues::default()
                },
            )
        }
    };
    let readable = uncompared.is_none();
    let phase = phase(health, errors > 0 || !readable);
    let ready = match phase {
        Phase::Active => (
            Some(true),
            "Active",
            "Deployment is healthy and passes all validations".to_owned(),
        ),
        phase => (Some(false), "Issues", format!("Phase: {phase:?}")),
    };
    let promotable = match &uncompared {
        Some((reason, message)) => Found::Uncompared(reason, (*message).to_owned()),
        None => Found::of(&list, errors),
    };
    let validated = match (uncompared, errors) {
        (Some((reason, message)), _) => (None, reason, message.to_owned()),
        (None, 0) => passed(excepted),
        (None, errors) => (
            Some(false),
            "ValidationFailed",
            format!("{errors} validation error(s) found"),
        ),
    };
    let found = (Some(true), "Found", format!("Deployment '{}'", Shown(name)));
    let assessment = Assessment {
        generation: observed.generation,
        phase,
        health,
        health_message,
        passed: readable && errors == 0,
        issues: list,
        deployments: Some(match running.image().as_str() {
            "" => Value::Null,
            image => json!({"current": image}),
        }),
        conditions: conditions(observed, ready, validated, found),
        promotion: None,
        compared: readable,
    };
    (assessment, promotable)
}

/// The condition `Validated` where nothing is an error.
pub(super) fn passed(excepted: usize) -> Parts {
    let message = match excepted {
        0 => "All validations passed".to_owned(),
        excepted => format!("All validations passed; {excepted} excepted"),
    };
    (Some(true), "Passed", message)
}

/// Contract 3.5.
fn health(running: &Running) -> (HealthState, String) {
    let (ready, replicas) = (running.ready, running.replicas);
    let counted = format!("{ready}/{replicas} replicas ready");
    match (running.available, running.progressing) {
        (true, _) if ready == replicas => (HealthState::Healthy, counted),
        (true, _) if ready > 0 => (HealthState::Degraded, counted),
        (_, true) => (HealthState::Unknown, "Deployment is progressing".to_owned()),
        _ => (HealthState::Unhealthy, counted),
    }
}

/// Contract 3.6.
fn phase(health: HealthState, violated: bool) -> Phase {
    match (health, violated) {
        (_, true) | (HealthState::Degraded | HealthState::Unknown, false) => Phase::Degraded,
        (HealthState::Healthy, false) => Phase::Active,
        (HealthState::Unhealthy, false) => Phase::Failed,
    }
}

/// Status, reason and message of a condition.
pub(super) type Parts = (Option<bool>, &'static str, String);

pub(super) fn conditions(observed: &Observed<'_>, ready: Parts, validated: Parts, found: Parts) -> [Draft; 5] {
    let [a, b, c, d, e, _] = CONDITIONS;
    let draft = |kind, (status, reason, message): Parts| Draft {
        kind,
        status,
        reason,
        message: cut(message, MAX_MESSAGE),
    };
    [
        draft(a, ready),
        draft(b, validated),
        draft(c, found),
        draft(d, spec_valid(observed)),
        draft(e, name_unique(observed)),
    ]
}

/// The word of the API.
pub(super) fn severity(severity: Severity) -> IssueSeverity {
    match severity {
        Severity::Error => IssueSeverity::Error,
        Severity::Warning => IssueSeverity::Warning,
        Severity::Info => IssueSeverity::Info,
    }
}
