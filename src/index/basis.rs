//! Whether what was found in one snapshot is still what another would find, without holding either.

use std::sync::{Arc, Weak};

use super::Snapshot;
use super::entries::Claimants;
use super::table::Edition;
use crate::policy::Persona;

/// What the Deployments of an app are found by.
#[derive(Debug)]
pub struct Basis {
    /// A persona elsewhere may have a stronger claim to one of them.
    governors: Edition<Persona>,
    claimants: Weak<Claimants>,
}

impl PartialEq for Basis {
    fn eq(&self, other: &Basis) -> bool {
        self.governors == other.governors && self.claimants.ptr_eq(&other.claimants)
    }
}

impl Snapshot {
    /// Equal to that of another moment when [`Snapshot::workloads`] finds the same.
    pub fn basis(&self, namespace: &str, app: &str) -> Basis {
        let claimants = self.claimants.get(namespace, app);
        Basis {
            governors: self.governors.edition(),
            claimants: claimants.map_or_else(Weak::new, Arc::downgrade),
        }
    }
}
