//! Finds the personas that govern an object, and the name by which they were found.

use super::Webhook;
use super::review::Stored;
use crate::index::Snapshot;
use crate::policy::question::Governed;
use crate::policy::workload::{Metadata, Selector, Workload};
use crate::policy::{Joint, Names, ObjectLabels, RuleSet};

/// The labels that the selectors of personas read, and the place of the personas that they leave.
pub(super) struct Selected<'s, 'l> {
    pub(super) labels: ObjectLabels<'l>,
    pub(super) place: &'s mut Option<Joint>,
}

impl Webhook {
    /// The name by which a Deployment is governed, and its personas.
    pub(super) fn governed<'s>(
        &self,
        index: &'s Snapshot,
        namespace: &str,
        metadata: &'s Metadata<'s>,
        selector: &'s Selector<'s>,
        selected: Selected<'s, '_>,
    ) -> Governed<'s> {
        let (labels, required) = (&metadata.labels, &selector.match_labels);
        let names = Names {
            label: labels.name.as_str(),
            app: labels.app.as_str(),
            name: metadata.name.as_str(),
            selected_label: required.name.as_str(),
            selected_app: required.app.as_str(),
        };
        self.found(index, namespace, names, selected)
    }

    /// The same for the Deployment that is replaced. A selector cannot change, so that of the new object is valid for both.
    pub(super) fn governed_before<'s>(
        &self,
        index: &'s Snapshot,
        namespace: &str,
        stored: &'s Stored<'s>,
        object: &'s Workload<'s>,
        selected: Selected<'s, '_>,
    ) -> Governed<'s> {
        self.governed(index, namespace, &stored.metadata.0, &object.spec.selector, selected)
    }

    /// A Scale carries no labels, so those of its Deployment count. Where that is unknown (no cluster, or the watch has not
    /// delivered it yet), its selector shows which pods it counts, and the labels that it requires stand for the object's.
    pub(super) fn governed_scale<'s>(
        &self,
        index: &'s Snapshot,
        namespace: &str,
        name: &'s str,
        scale: &'s Workload<'s>,
        place: &'s mut Option<Joint>,
    ) -> Governed<'s> {
        let selected = |key| scale.status.required_label(key).unwrap_or_default();
        let (names, labels) = match index.deployment(namespace, name) {
            Some(deployment) => (deployment.names(), deployment.object_labels()),
            None => (
                Names {
                    label: selected("app.kubernetes.io/name"),
                    name,
                    selected_app: selected("app"),
                    ..Names::default()
                },
                ObjectLabels::Required(&scale.status),
            ),
        };
        self.found(index, namespace, names, Selected { labels, place })
    }

    /// The personas for these names. Upstream knows neither selectors nor default personas.
    fn found<'s>(
        &self,
        index: &'s Snapshot,
        namespace: &str,
        names: Names<'s>,
        selected: Selected<'s, '_>,
    ) -> Governed<'s> {
        match self.rulebook.set {
            RuleSet::Complete => index.governed(namespace, names, selected.labels, selected.place),
            RuleSet::Upstream => index.governed_by_name(namespace, names),
        }
    }
}
