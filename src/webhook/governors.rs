//! Finds the personas that govern an object, and the name by which they were found.

use super::review::Stored;
use super::{Match, Webhook};
use crate::index::{Deployment, Snapshot};
use crate::policy::decision::Governed;
use crate::policy::workload::{Metadata, Selector, Workload};

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
        let chain = [&labels.app, &metadata.name, &selected.name, &selected.app].map(|text| text.as_str());
        self.first_governed(index, namespace, labels.name.as_str(), chain)
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
        match index.deployment(namespace, name) {
            Some(Deployment { labels, selected, .. }) => self.first_governed(
                index,
                namespace,
                &labels.name,
                [&labels.app, name, &selected.name, &selected.app],
            ),
            None => {
                let by_label = selected("app.kubernetes.io/name");
                self.first_governed(index, namespace, by_label, [name, selected("app")])
            }
        }
    }

    /// By the label alone, or by the first name on the chain that finds a persona.
    fn first_governed<'s, const N: usize>(
        &self,
        index: &'s Snapshot,
        namespace: &str,
        by_label: &'s str,
        chain: [&'s str; N],
    ) -> Governed<'s> {
        let found = |app: &'s str| Governed {
            app,
            personas: index.find(namespace, app),
        };
        let by_label = found(by_label);
        if self.matching == Match::Label || !by_label.personas.is_empty() {
            return by_label;
        }
        let mut chain = chain.into_iter().map(found);
        chain.find(|governed| !governed.personas.is_empty()).unwrap_or(by_label)
    }
}
