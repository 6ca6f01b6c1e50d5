//! Compares a Deployment with a persona, unless it cannot be read or that is too much work. Pure.

use super::observed::Observed;
use crate::index::Running;
use crate::policy::text::{Shown, cut};
use crate::policy::workload::{Spec, Workload};
use crate::policy::{Issue, Issues, RuleSet, Severity, issues};

/// Bytes of a Deployment (of the fields that rules read) times the personas it is compared with: a thousand personas of a large
/// Deployment, or eight of the largest that an API server stores.
pub(super) const MAX_COMPARED: usize = 12 << 20;
/// Longest message of a condition, and of the issue that says why nothing was compared.
pub(super) const MAX_MESSAGE: usize = 2_048;

/// Why nothing was compared: for a condition, and as the only issue.
pub(super) struct Uncompared {
    pub(super) reason: &'static str,
    pub(super) message: &'static str,
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
pub(super) fn compare(set: RuleSet, observed: &Observed<'_>, running: &Running) -> Result<Issues, Uncompared> {
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
