//! Makes snapshots with a proposed persona, and finds the Deployments that a persona may concern. Only a copy changes, which
//! shares all other parts with the snapshot, so a proposal costs as little as a write.

use std::sync::Arc;

use super::Snapshot;
use super::entries::{Deployment, StoredPersona};
use crate::policy::Persona;

impl Snapshot {
    /// The same with this persona, new or changed.
    #[must_use]
    pub fn with_persona(&self, persona: &Arc<Persona>) -> Snapshot {
        let mut next = self.clone();
        let before = next.persona(&persona.namespace, &persona.name).cloned();
        if let Some(moved) = before.filter(|before| before.persona.app != persona.app) {
            next.release(&moved.persona);
        }
        next.govern(persona);
        next.put_persona(StoredPersona {
            version: 0,
            generation: 0,
            status: None,
            persona: Arc::clone(persona),
        });
        next
    }

    /// The same without that persona.
    #[must_use]
    pub fn without_persona(&self, namespace: &str, name: &str) -> Snapshot {
        let mut next = self.clone();
        if let Some(before) = next.persona(namespace, name).cloned() {
            next.remove_persona(&before);
        }
        next
    }

    /// The Deployments that a persona may govern, whether or not it does: those that name its app; of a default persona, those
    /// of its namespace and, where it is the platform's, all. In no order.
    pub fn reach<'s>(&'s self, persona: &Persona) -> Box<dyn Iterator<Item = &'s Arc<Deployment>> + 's> {
        if !persona.is_default() {
            let of_app = self.app_deployments.get(&persona.namespace, &persona.app);
            return Box::new(of_app.into_iter().flat_map(|of_app| &of_app.deployments));
        }
        if self.defaults.platform() == Some(&persona.namespace) {
            return Box::new(self.deployments.iter());
        }
        let namespace: Box<str> = persona.namespace.as_str().into();
        Box::new(
            self.deployments
                .iter()
                .filter(move |deployment| deployment.namespace == namespace),
        )
    }
}
