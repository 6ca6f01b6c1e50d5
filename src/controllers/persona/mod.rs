//! Keeps the status of every ApplicationPersona up to date (contract 3): what is derived, and when. `reconciler` does the rest.

mod assess;
mod compare;
mod events;
mod found;
mod governs;
mod itself;
mod observed;
mod promotion;
mod status;

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde_json::Value;

use self::assess::{Assessment, assess};
use self::found::FoundDeployments;
use self::observed::Observed;
use super::metrics::{self, Metrics};
use super::reconciler::{self, Derived, Key, Statuses, Step, key};
pub use super::trigger::Trigger;
use crate::api::ApplicationPersona;
use crate::api::crd::definition;
use crate::index::{AppKey, Index, Snapshot, StatusFingerprint};
use crate::k8s::{Name, Notice, Resource};
use crate::policy::{Mode, Moment, Persona, RuleSet};
use crate::runtime::flags::{WITH_CLUSTER, duration};
use crate::runtime::{About, Grant, Part};

/// The default of `--requeue-interval` (contract 3.1).
const REQUEUE_INTERVAL: Duration = Duration::from_secs(60);
/// The default of `--ready-after`.
const READY_AFTER: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// Less would be a busy loop.
const MIN_REQUEUE_INTERVAL: Duration = Duration::from_secs(1);

/// The flags of the part.
#[derive(Clone, Copy, Debug, Args)]
#[group(skip)]
#[command(next_help_heading = WITH_CLUSTER)]
pub struct PersonaFlags {
    /// How often every status is reconciled without a change; at least 1s [default: 60s]
    #[arg(long, value_name = "DURATION", env = "DORGU_REQUEUE_INTERVAL", value_parser = interval)]
    requeue_interval: Option<Duration>,
    /// How long a persona's status must name nothing that would be denied, until its condition ReadyToEnforce is True
    /// [default: 336h]
    #[arg(long, value_name = "DURATION", env = "DORGU_READY_AFTER", value_parser = duration)]
    ready_after: Option<Duration>,
}

impl PersonaFlags {
    /// How often every persona is reconciled without a change.
    pub fn interval(self) -> Duration {
        self.requeue_interval.unwrap_or(REQUEUE_INTERVAL)
    }

    /// How long nothing must have been denied before a persona is ready to be enforced.
    pub fn ready_after(self) -> Duration {
        self.ready_after.unwrap_or(READY_AFTER)
    }
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = duration(text)?;
    if interval < MIN_REQUEUE_INTERVAL {
        return Err(format!("that is too short: the least is {MIN_REQUEUE_INTERVAL:?}"));
    }
    Ok(interval)
}

/// The declaration of this part: it writes the status of its kind, and Events about it.
pub static ABOUT: About = About {
    definitions: || vec![definition::<ApplicationPersona>()],
    grants: &[
        Grant::everywhere("dorgu.io", "applicationpersonas/status", &["patch"]),
        Grant::everywhere("events.k8s.io", "events", &["create", "patch"]),
    ],
    flags: PersonaFlags::augment_args,
    ..About::named("personas")
};

/// The controller as a part of the process, and its trigger.
pub fn part(
    index: Arc<Index>,
    settings: Settings,
    reconciling: reconciler::Settings,
    metrics: Metrics,
) -> (Trigger, Part) {
    let personas = Personas {
        settings,
        found: FoundDeployments::default(),
    };
    reconciler::part(&ABOUT, personas, index, reconciling, metrics)
}

/// The configuration.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Which rules (flag `--rules`).
    pub set: RuleSet,
    /// The process's own mode (flag `--webhook-mode`).
    pub mode: Mode,
    /// How long nothing must have been denied before a persona is ready to be enforced (flag `--ready-after`).
    pub ready_after: Duration,
}

/// The statuses of personas.
struct Personas {
    settings: Settings,
    found: FoundDeployments,
}

impl Statuses for Personas {
    type Derived = Changed;
    const CONTROLLER: metrics::Controller = metrics::Controller::Persona;
    const WORDS: [&'static str; 2] = ["a persona", "personas"];

    fn resource() -> Resource {
        Resource::of::<ApplicationPersona>()
    }

    fn keys(snapshot: &Snapshot, apps: Option<&[AppKey]>) -> Vec<Key> {
        let key = |persona: &Persona| key(&persona.namespace, &persona.name);
        let Some(apps) = apps else {
            return snapshot.personas().map(|stored| key(&stored.persona)).collect();
        };
        let found = apps.iter().map(|app| snapshot.find(&app.namespace, &app.app));
        found
            .flat_map(|found| found.list())
            .map(|persona| key(persona))
            .collect()
    }

    fn derive(&self, snapshot: &Snapshot, name: &Name, now: Moment) -> Step<Changed> {
        let Some(stored) = snapshot.persona(&name.namespace, &name.name) else {
            return Step::Gone;
        };
        let set = self.settings.set;
        let deployments = self.found.of(snapshot, &stored.persona, set);
        let sharing = snapshot.sharing(&stored.persona, &deployments, set);
        let observed = Observed::of(snapshot, stored, &sharing, &deployments, &self.settings, now);
        let edge = observed.next_change();
        let assessment = assess(set, &observed);
        if assessment.says(stored.status) {
            let since = stored.status.and_then(StatusFingerprint::clean_since);
            Step::UpToDate(earlier(edge, assessment.changes_at(since)))
        } else {
            Step::Changed(Box::new(Changed { assessment, edge }))
        }
    }
}

/// A status that differs from the stored one.
struct Changed {
    assessment: Assessment,
    /// When an exception begins or ends next.
    edge: Option<Moment>,
}

impl Derived for Changed {
    fn status(&self, previous: &Value, now: Timestamp) -> Value {
        self.assessment.status(previous, now)
    }

    fn next(&self, previous: &Value) -> Option<Moment> {
        let since = self.assessment.clean_since(previous);
        earlier(self.edge, self.assessment.changes_at(since))
    }

    fn notice(&self, previous: &Value, status: &Value) -> Option<Notice> {
        events::notice(previous, status, &self.assessment)
    }
}

/// The earlier of two changes.
fn earlier(one: Option<Moment>, other: Option<Moment>) -> Option<Moment> {
    one.into_iter().chain(other).min()
}

#[cfg(test)]
mod tests;
