//! Derive: what the status of a persona has to say, from what is known of its app. Pure.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::api::application_persona::status::{HealthState, IssueSeverity, Phase};
use crate::index::{Running, Snapshot};
use crate::k8s::conditions::Draft;
use crate::policy::text::{Shown, cut};
use crate::policy::workload::{Spec, Workload};
use crate::policy::{Issue, Issues, Persona, RuleSet, Severity, issues};

/// Names told in one message; the rest is counted.
const MOST_NAMES: usize = 5;
/// Longest message of a condition.
const LONGEST: usize = 2_048;

/// What is known of one app.
#[derive(Debug)]
pub(super) struct Observed<'a> {
    pub(super) persona: &'a Persona,
    /// `metadata.generation` of the persona.
    pub(super) generation: i64,
    /// All personas of the app, this one too, by name.
    pub(super) sharing: Vec<&'a str>,
    /// The Deployments that belong to it, by name.
    pub(super) deployments: Vec<(&'a str, &'a Running)>,
    /// Whether more than the label was looked at (`--match chain`).
    pub(super) chained: bool,
}

impl<'a> Observed<'a> {
    /// Observe: reads one snapshot of the index. None when there is no such persona.
    pub(super) fn of(snapshot: &'a Snapshot, namespace: &str, name: &str, chained: bool) -> Option<Observed<'a>> {
        let stored = snapshot.persona(namespace, name)?;
        let persona = &*stored.persona;
        let workloads = snapshot.workloads(namespace, &persona.app).into_iter();
        let sharing = snapshot.find(namespace, &persona.app).iter();
        Some(Observed {
            persona,
            generation: stored.generation,
            sharing: sharing.map(|persona| persona.name.as_str()).collect(),
            deployments: workloads
                .filter_map(|deployment| Some((&*deployment.name, deployment.running.as_deref()?)))
                .collect(),
            chained,
        })
    }
}

/// The condition types that are ours, in the order in which they are written.
pub(super) const CONDITIONS: [&str; 5] = ["Ready", "Validated", "WorkloadFound", "SpecValid", "NameUnique"];

/// What a status has to say, without its timestamps and without what others contribute to it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Assessment {
    pub(super) generation: i64,
    pub(super) phase: Phase,
    pub(super) health: HealthState,
    pub(super) health_message: String,
    pub(super) passed: bool,
    pub(super) issues: Vec<Issue>,
    /// `deployments`; none keeps what is there.
    pub(super) deployments: Option<Value>,
    pub(super) conditions: [Draft; 5],
    /// Whether a Deployment was compared at all.
    pub(super) compared: bool,
}

/// Derives the whole of it (contract 3.3 to 3.6 and 9).
pub(super) fn assess(set: RuleSet, observed: &Observed<'_>) -> Assessment {
    match observed.deployments.as_slice() {
        [] => absent(observed),
        [(name, running)] => present(set, observed, name, running),
        several => ambiguous(observed, several),
    }
}

/// Contract 3.3.
fn absent(observed: &Observed<'_>) -> Assessment {
    let app = Shown(&observed.persona.app);
    let mut missing = format!("No Deployment with label app.kubernetes.io/name={app}");
    if observed.chained {
        // Nothing fails when text is written into a String.
        let _ = write!(
            missing,
            ", label app={app}, name {app}, or either label in its selector"
        );
    }
    Assessment {
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
        compared: false,
    }
}

/// Contract 9: naming them is of more use than an arbitrary first, which can flip.
fn ambiguous(observed: &Observed<'_>, deployments: &[(&str, &Running)]) -> Assessment {
    let names = quoted(deployments.iter().map(|(name, _)| *name));
    let message = format!(
        "Deployments {names} all belong to '{}'; expected one",
        Shown(&observed.persona.app)
    );
    Assessment {
        generation: observed.generation,
        phase: Phase::Pending,
        health: HealthState::Unknown,
        health_message: "Several Deployments match".to_owned(),
        // Nothing was compared, so nothing can be vouched for.
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
        compared: false,
    }
}

fn present(set: RuleSet, observed: &Observed<'_>, name: &str, running: &Running) -> Assessment {
    let (health, health_message) = health(running);
    let compared = compare(set, observed, running);
    let (readable, Issues { list, errors }) = match compared {
        Ok(issues) => (true, issues),
        Err(unreadable) => (false, unreadable),
    };
    let phase = phase(health, errors > 0 || !readable);
    let ready = match phase {
        Phase::Active => (
            Some(true),
            "Active",
            "Deployment is healthy and passes all validations".to_owned(),
        ),
        phase => (Some(false), "Issues", format!("Phase: {phase:?}")),
    };
    let validated = match (readable, errors) {
        (false, _) => (
            None,
            "Unreadable",
            "The Deployment could not be read; see validation.issues".to_owned(),
        ),
        (true, 0) => (Some(true), "Passed", "All validations passed".to_owned()),
        (true, errors) => (
            Some(false),
            "ValidationFailed",
            format!("{errors} validation error(s) found"),
        ),
    };
    let found = (Some(true), "Found", format!("Deployment '{}'", Shown(name)));
    Assessment {
        generation: observed.generation,
        phase,
        health,
        health_message,
        passed: readable && errors == 0,
        issues: list,
        deployments: Some(match &*running.image {
            "" => Value::Null,
            image => json!({"current": image}),
        }),
        conditions: conditions(observed, ready, validated, found),
        compared: readable,
    }
}

/// The issues; as an error, the one that says why there are no others.
fn compare(set: RuleSet, observed: &Observed<'_>, running: &Running) -> Result<Issues, Issues> {
    let spec = match &running.spec {
        Ok(spec) => serde_json::from_str::<Spec<'_>>(spec).map_err(|error| error.to_string()),
        Err(reason) => Err(reason.to_string()),
    };
    match spec {
        Ok(spec) => {
            let workload = Workload {
                spec,
                ..Workload::default()
            };
            Ok(issues(set, &workload, observed.persona, &observed.sharing))
        }
        Err(reason) => Err(Issues {
            list: vec![Issue {
                severity: Severity::Warning,
                field: String::new(),
                message: cut(
                    format!(
                        "dorgu could not read this object ({}); it was not checked",
                        Shown(&reason)
                    ),
                    LONGEST,
                ),
                suggestion: "Look at the Deployment with kubectl get -o yaml".to_owned(),
            }],
            errors: 0,
        }),
    }
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
fn phase(health: HealthState, in_breach: bool) -> Phase {
    match (health, in_breach) {
        (_, true) | (HealthState::Degraded | HealthState::Unknown, false) => Phase::Degraded,
        (HealthState::Healthy, false) => Phase::Active,
        (HealthState::Unhealthy, false) => Phase::Failed,
    }
}

/// Status, reason and message of a condition.
type Parts = (Option<bool>, &'static str, String);

fn conditions(observed: &Observed<'_>, ready: Parts, validated: Parts, found: Parts) -> [Draft; 5] {
    let [a, b, c, d, e] = CONDITIONS;
    let draft = |kind, (status, reason, message): Parts| Draft {
        kind,
        status,
        reason,
        message: cut(message, LONGEST),
    };
    [
        draft(a, ready),
        draft(b, validated),
        draft(c, found),
        draft(d, spec_valid(observed.persona)),
        draft(e, name_unique(observed)),
    ]
}

fn spec_valid(persona: &Persona) -> Parts {
    if persona.problems.is_empty() {
        return (Some(true), "Valid", "Every value can be read".to_owned());
    }
    let told = persona.problems.iter().map(|problem| {
        let value = Shown(&problem.value);
        format!("{} '{value}' is not a quantity; its check is skipped", problem.field)
    });
    (Some(false), "UnreadableValue", told.collect::<Vec<_>>().join("; "))
}

fn name_unique(observed: &Observed<'_>) -> Parts {
    let others = observed.sharing.iter().filter(|name| **name != observed.persona.name);
    let others: Vec<&str> = others.copied().collect();
    let app = Shown(&observed.persona.app);
    if others.is_empty() {
        return (
            Some(true),
            "Unique",
            format!("No other ApplicationPersona has spec.name '{app}'"),
        );
    }
    let names = quoted(others.into_iter());
    (
        Some(false),
        "NameShared",
        format!("spec.name '{app}' is also that of {names}; all apply"),
    )
}

/// `'a', 'b' and 3 more`.
fn quoted<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = names.len();
    let told: Vec<String> = names
        .take(MOST_NAMES)
        .map(|name| format!("'{}'", Shown(name)))
        .collect();
    let mut text = told.join(", ");
    if count > MOST_NAMES {
        let _ = write!(text, " and {} more", count - MOST_NAMES);
    }
    text
}

/// The word of the API.
pub(super) fn severity(severity: Severity) -> IssueSeverity {
    match severity {
        Severity::Error => IssueSeverity::Error,
        Severity::Warning => IssueSeverity::Warning,
        Severity::Info => IssueSeverity::Info,
    }
}
