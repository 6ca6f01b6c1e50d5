//! [`Basis`] shows whether two snapshots have the same Deployments for an app. It keeps neither snapshot in memory.

use std::sync::{Arc, Weak};

use super::Snapshot;
use super::defaults::Defaults;
use super::entries::{AppDeployments, Deployment, Namespace};
use super::table::Edition;
use crate::policy::Persona;

/// The parts of a snapshot that determine the Deployments of an app.
#[derive(Debug)]
pub struct Basis {
    /// All personas count: one of another app may match one of the Deployments more strongly.
    governors: Edition<Persona>,
    app_deployments: Weak<AppDeployments>,
    /// What default personas govern depends on all Deployments, on other default personas, and on namespaces that are opted in.
    of_defaults: Option<OfDefaults>,
}

/// What determines the Deployments of a default persona.
#[derive(Debug)]
struct OfDefaults {
    is_binding: bool,
    deployments: Edition<Deployment>,
    namespaces: Edition<Namespace>,
    defaults: Weak<Defaults>,
}

impl PartialEq for OfDefaults {
    fn eq(&self, other: &OfDefaults) -> bool {
        self.is_binding == other.is_binding
            && self.deployments == other.deployments
            && self.namespaces == other.namespaces
            && self.defaults.ptr_eq(&other.defaults)
    }
}

impl PartialEq for Basis {
    fn eq(&self, other: &Basis) -> bool {
        self.governors == other.governors
            && self.app_deployments.ptr_eq(&other.app_deployments)
            && self.of_defaults == other.of_defaults
    }
}

impl Snapshot {
    /// Equal to the basis at another moment when [`Snapshot::workloads`] finds the same, and for default personas
    /// [`Snapshot::governed_by`].
    pub fn basis(&self, persona: &Persona) -> Basis {
        let app_deployments = self.app_deployments.get(&persona.namespace, &persona.app);
        Basis {
            governors: self.governors.edition(),
            app_deployments: app_deployments.map_or_else(Weak::new, Arc::downgrade),
            of_defaults: persona.is_default().then(|| OfDefaults {
                is_binding: persona.is_binding,
                deployments: self.deployments.edition(),
                namespaces: self.namespaces.edition(),
                defaults: Arc::downgrade(&self.defaults),
            }),
        }
    }
}
