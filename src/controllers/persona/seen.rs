//! The Deployments of the app that was looked at last. Personas that share an app are looked at one after the other; to
//! find its Deployments for each of them would be personas times Deployments.

use std::sync::{Arc, Mutex, PoisonError};

use crate::index::{AppKey, Basis, Deployment, Snapshot};
use crate::policy::Persona;

/// Deployments of which enough is known to judge them, by name.
pub(super) type Workloads = Arc<[Arc<Deployment>]>;

/// What was found last, for an app that has several personas.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<Option<(AppKey, Basis, Workloads)>>);

impl Seen {
    /// The Deployments that belong to the app of this persona.
    pub(super) fn workloads(&self, snapshot: &Snapshot, persona: &Persona) -> Workloads {
        let (namespace, app) = (&*persona.namespace, &*persona.app);
        let find = || -> Workloads {
            let all = snapshot.workloads(namespace, app).into_iter();
            all.filter(|deployment| deployment.running.is_some()).cloned().collect()
        };
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if snapshot.find(namespace, app).list().len() < 2 {
            *seen = None;
            return find();
        }
        let basis = snapshot.basis(namespace, app);
        match &*seen {
            Some((key, before, workloads)) if (&*key.namespace, &*key.app) == (namespace, app) && *before == basis => {
                Arc::clone(workloads)
            }
            _ => {
                let key = AppKey {
                    namespace: namespace.into(),
                    app: app.into(),
                };
                let workloads = find();
                *seen = Some((key, basis, Arc::clone(&workloads)));
                workloads
            }
        }
    }
}
