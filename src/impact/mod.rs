//! Finds the running Deployments whose verdict changes when personas are created, changed or deleted. Pure: a snapshot of the
//! index and the changes in, the differences out; the caller says how long it may take.
//!
//! Start reading at [`impact`]. A Deployment is judged as if it were created now, by the personas that a review would find
//! (`judge`). The ratchet excuses what a stored object already has, so an update of a Deployment that is named here may still
//! be admitted. `words` puts the result into lines.

mod judge;
mod words;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use judge::Judge;

use crate::index::{Deployment, Snapshot};
use crate::policy::workload::{Labels, Metadata, Spec, Workload};
use crate::policy::{Governed, Moment, Persona, Rule, Rulebook};

/// A proposed change of one persona.
#[derive(Clone, Debug)]
pub enum Change {
    /// The persona is created or changed.
    Put(Arc<Persona>),
    /// The persona is deleted.
    Delete {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}

impl Change {
    fn key(&self) -> (&str, &str) {
        match self {
            Change::Put(persona) => (&persona.namespace, &persona.name),
            Change::Delete { namespace, name } => (namespace, name),
        }
    }

    fn applied_to(&self, snapshot: &Snapshot) -> Snapshot {
        match self {
            Change::Put(persona) => snapshot.with_persona(persona),
            Change::Delete { namespace, name } => snapshot.without_persona(namespace, name),
        }
    }
}

/// The settings of the process that verdicts depend on.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Rules and mode.
    pub rulebook: Rulebook,
    /// Whether a Deployment without the app label is a finding where no persona governs it.
    pub requires_label: bool,
    /// The time, by which exceptions begin and end.
    pub now: Moment,
}

/// How much work may be done. What is beyond it is counted.
#[derive(Clone, Copy)]
pub struct Bound<'b> {
    /// How many Deployments are judged.
    pub judged: usize,
    /// How many changed ones are listed with what is found of them.
    pub listed: usize,
    /// Whether the time is over. Asked before each Deployment is judged.
    pub is_over: &'b dyn Fn() -> bool,
}

impl Bound<'_> {
    /// All of it.
    pub const NONE: Bound<'static> = Bound {
        judged: usize::MAX,
        listed: usize::MAX,
        is_over: &|| false,
    };
}

/// What a review of a Deployment would end with. Ordered by strictness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing to report, or no persona governs it.
    Passed,
    /// Admitted with warnings.
    Warned,
    /// Denied.
    Denied,
}

impl Verdict {
    /// The word in tables and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Warned => "warned",
            Verdict::Denied => "denied",
        }
    }
}

/// A finding that denies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its rule.
    pub rule: Rule,
    /// `metadata.name` of the persona; empty where none governs.
    pub persona: String,
    /// The field, as in an answer.
    pub field: String,
    /// The words of an answer.
    pub message: String,
}

/// How a Deployment is judged at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The verdict.
    pub verdict: Verdict,
    /// The findings that deny, as many as an answer names.
    pub denying: Vec<Found>,
    /// How many deny.
    pub count: usize,
}

/// A Deployment whose verdict changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// As it is judged today.
    pub before: Outcome,
    /// As it would be judged.
    pub after: Outcome,
}

impl Changed {
    /// Whether it would be denied and is not today.
    pub fn is_newly_denied(&self) -> bool {
        self.after.verdict == Verdict::Denied && self.before.verdict != Verdict::Denied
    }
}

/// The running Deployments that change verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Impact {
    /// How many Deployments the personas govern, before or after.
    pub governed: usize,
    /// Those that change verdict, by namespace and name, as many as may be listed.
    pub changes: Vec<Changed>,
    /// How many would be denied and are not today.
    pub newly_denied: usize,
    /// How many are denied today and would not be.
    pub no_longer_denied: usize,
    /// How many pass today and would be admitted with warnings.
    pub newly_warned: usize,
    /// How many have warnings today and would have none.
    pub no_longer_warned: usize,
    /// How many could not be read, so that neither verdict is known.
    pub unreadable: usize,
    /// How many were left out since the work was bounded.
    pub left_out: usize,
    /// The namespaces that are not opted in, so that their Deployments are not reviewed, and how many of these are governed.
    pub not_opted_in: Vec<(String, usize)>,
}

/// The running Deployments that change verdict when these changes are made together.
pub fn impact(live: &Snapshot, changes: &[Change], settings: &Settings, bound: &Bound<'_>) -> Impact {
    let next = changes
        .iter()
        .fold(live.clone(), |snapshot, change| change.applied_to(&snapshot));
    let keys: HashSet<(&str, &str)> = changes.iter().map(Change::key).collect();
    let before = Judge::new(live, settings);
    let after = Judge::new(&next, settings);
    let mut found = Impact::default();
    let mut not_opted_in: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut judged, mut is_over) = (0, false);
    for deployment in candidates(live, &next, &keys) {
        is_over = is_over || judged >= bound.judged || (bound.is_over)();
        if is_over {
            found.left_out += 1;
            continue;
        }
        let (mut place, mut next_place) = (None, None);
        let (was, is) = (
            before.governed(deployment, &mut place),
            after.governed(deployment, &mut next_place),
        );
        let is_governed = governs(&keys, was) || governs(&keys, is);
        // An exception is for the app by which a Deployment is found.
        if !is_governed && was.app == is.app {
            continue;
        }
        if is_governed {
            found.governed += 1;
            if live
                .namespace(&deployment.namespace)
                .is_some_and(|one| !one.is_opted_in)
            {
                *not_opted_in.entry(&deployment.namespace).or_default() += 1;
            }
        }
        judged += 1;
        let Some(workload) = workload(deployment) else {
            found.unreadable += 1;
            continue;
        };
        let verdicts = (
            before.verdict(deployment, was, &workload),
            after.verdict(deployment, is, &workload),
        );
        found.count(verdicts);
        if verdicts.0 != verdicts.1 && found.changes.len() < bound.listed {
            found.changes.push(Changed {
                namespace: deployment.namespace.to_string(),
                name: deployment.name.to_string(),
                before: before.outcome(deployment, was, &workload),
                after: after.outcome(deployment, is, &workload),
            });
        }
    }
    found.not_opted_in = not_opted_in
        .into_iter()
        .map(|(namespace, count)| (namespace.to_owned(), count))
        .collect();
    found
}

impl Impact {
    fn count(&mut self, (before, after): (Verdict, Verdict)) {
        match (before, after) {
            (Verdict::Denied, Verdict::Denied) => {}
            (_, Verdict::Denied) => self.newly_denied += 1,
            (Verdict::Denied, _) => self.no_longer_denied += 1,
            (Verdict::Passed, Verdict::Warned) => self.newly_warned += 1,
            (Verdict::Warned, Verdict::Passed) => self.no_longer_warned += 1,
            (Verdict::Passed, Verdict::Passed) | (Verdict::Warned, Verdict::Warned) => {}
        }
    }
}

/// The Deployments that a changed persona may govern, by namespace and name.
fn candidates<'s>(
    live: &'s Snapshot,
    next: &'s Snapshot,
    keys: &HashSet<(&str, &str)>,
) -> impl Iterator<Item = &'s Deployment> + use<'s> {
    let mut found: BTreeMap<(&str, &str), &Deployment> = BTreeMap::new();
    for (snapshot, (namespace, name)) in [live, next]
        .into_iter()
        .flat_map(|one| keys.iter().map(move |key| (one, key)))
    {
        let persona = snapshot.persona(namespace, name).map(|stored| &stored.persona);
        for deployment in persona.into_iter().flat_map(|persona| snapshot.reach(persona)) {
            found.insert((&deployment.namespace, &deployment.name), deployment);
        }
    }
    // Nothing names the app of one that is kept without its fields, so no persona governs it.
    found.into_values().filter(|deployment| deployment.running.is_some())
}

/// Whether one of these personas, by namespace and name, governs.
fn governs(keys: &HashSet<(&str, &str)>, governed: Governed<'_>) -> bool {
    let all = governed.personas.list().iter().chain(governed.binding.list());
    // The platform's default personas are named with their namespace where they govern another.
    let name = |persona: &'_ Persona| persona.name.rsplit('/').next().unwrap_or_default().to_owned();
    all.into_iter()
        .any(|persona| keys.contains(&(persona.namespace.as_str(), name(persona).as_str())))
}

/// What rules read of a Deployment; `None` where it cannot be read.
fn workload(deployment: &Deployment) -> Option<Workload<'_>> {
    let spec = deployment.running.as_deref()?.spec.as_ref().ok()?;
    Some(Workload {
        metadata: Metadata {
            name: (&*deployment.name).into(),
            namespace: (&*deployment.namespace).into(),
            labels: Labels {
                name: (&*deployment.labels.name).into(),
                app: (&*deployment.labels.app).into(),
            },
            deletion_timestamp: None,
        },
        spec: serde_json::from_str::<Spec<'_>>(spec).ok()?,
        ..Workload::default()
    })
}

#[cfg(test)]
mod tests;
