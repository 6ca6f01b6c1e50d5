//! Derives what the status of a persona says, from what is known of its app. Pure. `status` builds the JSON.

use std::fmt::Write;
use std::sync::Arc;

use serde_json::{Value, json};

use super::Settings;
use super::governs::governs;
use super::itself::{name_unique, quoted, spec_valid};
use super::promotion::{Found, Promotion};
use crate::api::application_persona::status::{HealthState, IssueSeverity, Phase};
use crate::index::fingerprint::CONDITIONS;
use crate::index::{Deployment, Running, Snapshot, StoredPersona};
use crate::k8s::conditions::Draft;
use crate::policy::text::{Shown, cut};
use crate::policy::workload::{Spec, Workload};
use crate::policy::{
    Exceptions, Issue, Issues, Matching, Mode, Moment, Persona, PlatformRules, RuleSet, Severity, issues,
};

/// Bytes of a Deployment (of the fields that rules read) times the personas it is compared with: a thousand personas of a large
/// Deployment, or eight of the largest that an API server stores.
pub(super) const MAX_COMPARED: usize = 12 << 20;
/// Longest message of a condition.
const MAX_MESSAGE: usize = 2_048;

/// What is known of one app.
#[derive(Debug)]
pub(super) struct Observed<'a> {
    pub(super) persona: &'a Persona,
    /// `metadata.generation` of the persona.
    pub(super) generation: i64,
    /// All personas of the app that share a Deployment with it, this one too, by name.
    pub(super) sharing: &'a [Arc<Persona>],
    /// Whether `sharing` lacks personas of the app, since a selector keeps them apart.
    pub(super) are_apart: bool,
    /// The rules, which decide whether a selector counts.
    pub(super) set: RuleSet,
    /// The Deployments that belong to it, by name.
    pub(super) deployments: &'a [Arc<Deployment>],
    /// The names by which they were matched.
    pub(super) matching: Matching,
    /// The levels that the platform requires.
    pub(super) platform: &'a PlatformRules,
    /// The exceptions for the app and its Deployment.
    pub(super) exceptions: Exceptions<'a>,
    /// Those for each Deployment, where the persona is a default one.
    pub(super) exceptions_of_each: Vec<Exceptions<'a>>,
    /// The strictest mode of process, namespace and persona.
    pub(super) mode: Mode,
    /// How many seconds nothing must have been denied before the persona is ready to be enforced.
    pub(super) ready_after: i64,
    pub(super) now: Moment,
}

impl<'a> Observed<'a> {
    /// Observes: reads one snapshot of the index, with the Deployments that were found in it.
    pub(super) fn of(
        snapshot: &'a Snapshot,
        stored: &'a StoredPersona,
        sharing: &'a [Arc<Persona>],
        deployments: &'a [Arc<Deployment>],
        settings: &Settings,
        now: Moment,
    ) -> Observed<'a> {
        let persona = &*stored.persona;
        let deployment = deployments.first().map_or("", |deployment| &deployment.name);
        let of_namespace = snapshot.namespace_mode(&persona.namespace);
        let of_each = |deployment: &'a Arc<Deployment>| {
            let (namespace, name) = (&*deployment.namespace, &*deployment.name);
            let (names, labels) = (deployment.names(), deployment.object_labels());
            let mut place = None;
            let app = snapshot.governed(namespace, names, labels, &mut place).app;
            snapshot.exceptions(namespace, app, name, || now)
        };
        Observed {
            persona,
            generation: stored.generation,
            sharing,
            are_apart: sharing.len() < snapshot.find(&persona.namespace, &persona.app).len(),
            set: settings.set,
            deployments,
            matching: snapshot.matching(),
            platform: snapshot.platform(),
            exceptions: snapshot.exceptions(&persona.namespace, &persona.app, deployment, || now),
            exceptions_of_each: match persona.is_default() {
                true => deployments.iter().map(of_each).collect(),
                false => Vec::new(),
            },
            mode: persona.mode.or_stricter(of_namespace.or_stricter(settings.mode)),
            ready_after: i64::try_from(settings.ready_after.as_secs()).unwrap_or(i64::MAX),
            now,
        }
    }
}

impl Observed<'_> {
    /// When an exception begins or ends next.
    pub(super) fn next_change(&self) -> Option<Moment> {
        let all = self.exceptions_of_each.iter().chain([&self.exceptions]);
        all.filter_map(|exceptions| exceptions.next_change()).min()
    }
}

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
        promotion: (set == RuleSet::Complete).then(|| Promotion::new(observed, found)),
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
    let names = quoted(names, deployments.len());
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
        (None, 0) if excepted > 0 => (
            Some(true),
            "Passed",
            format!("All validations passed; {excepted} excepted"),
        ),
        (None, 0) => (Some(true), "Passed", "All validations passed".to_owned()),
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

/// Why nothing was compared: for a condition, and as the only issue.
pub(super) struct Uncompared {
    reason: &'static str,
    message: &'static str,
    pub(super) issue: Issue,
}

impl Uncompared {
    fn new(reason: &'static str, message: &'static str, issue: String, suggestion: &str) -> Uncompared {
        let issue = Issue {
            severity: Severity::Warning,
            field: String::new(),
            message: cut(issue, MAX_MESSAGE),
            suggestion: suggestion.to_owned(),
        };
        Uncompared { reason, message, issue }
    }

    pub(super) fn unreadable(reason: &str) -> Uncompared {
        let reason = Shown(reason);
        Uncompared::new(
            "Unreadable",
            "The Deployment could not be read; see validation.issues",
            format!("dorgu could not read this object ({reason}); it was not checked"),
            "Look at the Deployment with kubectl get -o yaml",
        )
    }

    fn too_many(observed: &Observed<'_>) -> Uncompared {
        let (count, app) = (observed.sharing.len(), Shown(&observed.persona.app));
        Uncompared::new(
            "TooManyPersonas",
            "Too many ApplicationPersonas share this Deployment; see validation.issues",
            format!(
                "{count} ApplicationPersonas share spec.name '{app}', too many to hold each against a Deployment of this \
                 size; it was not checked"
            ),
            "Give each ApplicationPersona a spec.name of its own",
        )
    }
}

/// The issues, or why there are none. Each persona of an app is compared on its own. Above [`MAX_COMPARED`] none is, so that
/// the work of one change is bounded.
fn compare(set: RuleSet, observed: &Observed<'_>, running: &Running) -> Result<Issues, Uncompared> {
    let spec = match &running.spec {
        Ok(spec) => spec,
        Err(reason) => return Err(Uncompared::unreadable(reason)),
    };
    let sharing = observed.sharing.len();
    if sharing > 1 && spec.len().saturating_mul(sharing) > MAX_COMPARED {
        return Err(Uncompared::too_many(observed));
    }
    Ok(issues(
        set,
        &workload(spec)?,
        observed.persona,
        observed.sharing,
        observed.platform,
        observed.exceptions,
    ))
}

/// What rules read of a stored Deployment.
pub(super) fn workload(spec: &str) -> Result<Workload<'_>, Uncompared> {
    let spec = serde_json::from_str::<Spec<'_>>(spec).map_err(|error| Uncompared::unreadable(&error.to_string()))?;
    Ok(Workload {
        spec,
        ..Workload::default()
    })
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
