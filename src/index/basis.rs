//! [`Basis`] shows whether two snapshots have the same Deployments for an app. It keeps neither snapshot in memory.

use std::sync::{Arc, Weak};

use super::Snapshot;
use super::entries::AppDeployments;
use super::table::Edition;
use crate::policy::Persona;

/// The parts of a snapshot that determine the Deployments of an app.
#[derive(Debug)]
pub struct Basis {
    /// All personas count: one of another app may match one of the Deployments more strongly.
    governors: Edition<Persona>,
    app_deployments: Weak<AppDeployments>,
}

impl PartialEq for Basis {
    fn eq(&self, other: &Basis) -> bool {
        self.governors == other.governors && self.app_deployments.ptr_eq(&other.app_deployments)
    }
}

impl Snapshot {
    /// Equal to the basis at another moment when [`Snapshot::workloads`] finds the same.
    pub fn basis(&self, namespace: &str, app: &str) -> Basis {
        let app_deployments = self.app_deployments.get(namespace, app);
        Basis {
            governors: self.governors.edition(),
            app_deployments: app_deployments.map_or_else(Weak::new, Arc::downgrade),
        }
    }
}
