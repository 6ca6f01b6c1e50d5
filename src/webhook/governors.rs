//! Who governs an object: by which name it is found, and which personas have that name.

use super::Webhook;
use super::review::Stored;
use crate::index::{Deployment, Snapshot};
use crate::policy::Matching;
use crate::policy::decision::Governed;
use crate::policy::workload::{Metadata, Selector, Workload};

impl Webhook {
    /// By which name a Deployment is governed, and by whom.
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

    /// The same of the Deployment that is replaced. A selector cannot change, so that of the new object serves for both.
    pub(super) fn governed_before<'s>(
        &self,
        index: &'s Snapshot,
        namespace: &str,
        stored: &'s Stored<'s>,
        object: &'s Workload<'s>,
    ) -> Governed<'s> {
        self.governed(index, namespace, &stored.metadata.0, &object.spec.selector)
    }

    /// A Scale carries no labels: those of its Deployment count, and where that is not known (no cluster, or the watch
    /// has not heard of it yet) its selector says which pods it counts.
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

    /// By label alone, or by the first name on the chain that finds somebody.
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
        if self.matching == Matching::Label || !by_label.personas.is_empty() {
            return by_label;
        }
        let mut chain = chain.into_iter().map(found);
        chain.find(|governed| !governed.personas.is_empty()).unwrap_or(by_label)
    }
}
