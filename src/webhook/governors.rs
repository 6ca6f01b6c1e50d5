//! Finds the personas that govern an object, and the name by which they were found.

use super::Webhook;
use super::review::Stored;
use crate::index::Snapshot;
use crate::policy::question::Governed;
use crate::policy::workload::{Metadata, Selector, Workload};
use crate::policy::{Names, RuleSet};

impl Webhook {
    /// The name by which a Deployment is governed, and its personas.
    pub(super) fn governed<'s>(
        &self,
        index: &'s Snapshot,
        namespace: &str,
        metadata: &'s Metadata<'s>,
        selector: &'s Selector<'s>,
    ) -> Governed<'s> {
        let (labels, selected) = (&metadata.labels, &selector.match_labels);
        let names = Names {
            label: labels.name.as_str(),
            app: labels.app.as_str(),
            name: metadata.name.as_str(),
            selected_label: selected.name.as_str(),
            selected_app: selected.app.as_str(),
        };
        self.found(index, namespace, names)
    }

    /// The same for the Deployment that is replaced. A selector cannot change, so that of the new object is valid for both.
    pub(super) fn governed_before<'s>(
        &self,
        index: &'s Snapshot,
        namespace: &str,
        stored: &'s Stored<'s>,
        object: &'s Workload<'s>,
    ) -> Governed<'s> {
        self.governed(index, namespace, &stored.metadata.0, &object.spec.selector)
    }

    /// A Scale carries no labels, so those of its Deployment count. Where that is unknown (no cluster, or the watch has not
    /// delivered it yet), its selector shows which pods it counts.
    pub(super) fn governed_scale<'s>(
        &self,
        index: &'s Snapshot,
        namespace: &str,
        name: &'s str,
        scale: &'s Workload<'s>,
    ) -> Governed<'s> {
        let selected = |key| scale.status.required_label(key).unwrap_or_default();
        let names = match index.deployment(namespace, name) {
            Some(deployment) => deployment.names(),
            None => Names {
                label: selected("app.kubernetes.io/name"),
                name,
                selected_app: selected("app"),
                ..Names::default()
            },
        };
        self.found(index, namespace, names)
    }

    /// The personas for these names. Upstream knows no default personas.
    fn found<'s>(&self, index: &'s Snapshot, namespace: &str, names: Names<'s>) -> Governed<'s> {
        match self.rulebook.set {
            RuleSet::Complete => index.governed(namespace, names),
            RuleSet::Upstream => index.governed_by_name(namespace, names),
        }
    }
}
