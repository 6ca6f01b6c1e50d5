//! Caches the Deployments of the app that was reconciled last. Personas that share an app are reconciled one after the
//! other, and searching for its Deployments each time would cost personas times Deployments.

use std::sync::{Arc, Mutex, PoisonError};

use crate::index::{AppKey, Basis, Deployment, Snapshot};
use crate::policy::{Persona, RuleSet};

/// The Deployments of one app, those that can be judged, by name.
type Deployments = Arc<[Arc<Deployment>]>;

/// The last result, for an app that has several personas.
#[derive(Debug, Default)]
pub(super) struct FoundDeployments(Mutex<Option<(AppKey, Basis, Deployments)>>);

impl FoundDeployments {
    /// The Deployments that this persona governs: those of its app, unless selectors part them.
    pub(super) fn of(&self, snapshot: &Snapshot, persona: &Persona, set: RuleSet) -> Deployments {
        let (namespace, app) = (&*persona.namespace, &*persona.app);
        let find = || -> Deployments {
            let all = match persona.is_default() {
                true => snapshot.governed_by(persona),
                false => snapshot.workloads(persona, set),
            };
            let readable = all.into_iter().filter(|deployment| deployment.running.is_some());
            readable.cloned().collect()
        };
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sharing = snapshot.find(namespace, app);
        if sharing.len() < 2 || sharing.is_narrowed() {
            *last = None;
            return find();
        }
        let basis = snapshot.basis(persona);
        match &*last {
            Some((key, before, found)) if (&*key.namespace, &*key.app) == (namespace, app) && *before == basis => {
                Arc::clone(found)
            }
            _ => {
                let key = AppKey {
                    namespace: namespace.into(),
                    app: app.into(),
                };
                let found = find();
                *last = Some((key, basis, Arc::clone(&found)));
                found
            }
        }
    }
}

#[cfg(test)]
mod tests;
