//! What is known of one app: all that a status is derived from.

use std::sync::Arc;

use super::Settings;
use super::promotion::Terms;
use crate::index::{Deployment, Snapshot, StoredPersona};
use crate::policy::{Exceptions, Matching, Moment, Persona, PlatformRules, RuleSet};

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
    pub(super) terms: Terms,
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
            terms: Terms {
                mode: persona.mode.or_stricter(of_namespace.or_stricter(settings.mode)),
                ready_after: i64::try_from(settings.ready_after.as_secs()).unwrap_or(i64::MAX),
                now,
            },
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
