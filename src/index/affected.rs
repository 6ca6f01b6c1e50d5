//! Collects the apps that a change affects. Status controllers are triggered by app.

use std::collections::BTreeSet;

use super::Snapshot;
use super::entries::Deployment;
use crate::policy::exception::Target;
use crate::policy::{DEFAULT_APP, Exception, Matching, Persona};

/// An app of a namespace, by the name that personas and Deployments share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppKey {
    /// The namespace.
    pub namespace: Box<str>,
    /// `spec.name` of the personas; empty where only the namespace is known.
    pub app: Box<str>,
}

/// The apps that one change affects.
#[derive(Default)]
pub(super) struct AffectedApps(BTreeSet<AppKey>);

impl AffectedApps {
    fn app(&mut self, namespace: &str, app: &str) {
        self.0.insert(AppKey {
            namespace: namespace.into(),
            app: app.into(),
        });
    }

    /// A Deployment was added, removed or changed.
    pub(super) fn deployment(&mut self, snapshot: &Snapshot, deployment: Option<&Deployment>) {
        if let Some(deployment) = deployment {
            for (_, app) in deployment.names().in_order(snapshot.matching) {
                self.app(&deployment.namespace, app);
            }
            self.defaults(snapshot, &deployment.namespace);
        }
    }

    /// The default personas that may govern a Deployment of this namespace.
    pub(super) fn defaults(&mut self, snapshot: &Snapshot, namespace: &str) {
        let defaults = &snapshot.defaults;
        for namespace in std::iter::once(namespace).chain(defaults.platform()) {
            if defaults.are_in(namespace) {
                self.app(namespace, DEFAULT_APP);
            }
        }
    }

    /// A persona was added, removed or changed. A Deployment that matches several apps may belong to another one now.
    pub(super) fn persona(&mut self, snapshot: &Snapshot, persona: Option<&Persona>) {
        if let Some(persona) = persona {
            self.app(&persona.namespace, &persona.app);
            self.defaults(snapshot, &persona.namespace);
            if snapshot.matching == Matching::Label {
                return;
            }
            let app_deployments = snapshot.app_deployments.get(&persona.namespace, &persona.app);
            for deployment in app_deployments
                .iter()
                .flat_map(|app_deployments| &app_deployments.deployments)
            {
                self.deployment(snapshot, Some(deployment));
            }
        }
    }

    /// An exception was added, removed or changed.
    pub(super) fn exception(&mut self, snapshot: &Snapshot, exception: &Exception) {
        let namespace = &exception.namespace;
        match &exception.target {
            Target::App(app) => {
                self.app(namespace, app);
                self.defaults(snapshot, namespace);
            }
            Target::Deployment(name) => {
                self.deployment(snapshot, snapshot.deployment(namespace, name));
                // Its own status follows, whether or not there is such a Deployment and an app.
                self.app(namespace, "");
            }
        }
    }

    pub(super) fn into_keys(self) -> Vec<AppKey> {
        self.0.into_iter().collect()
    }
}
