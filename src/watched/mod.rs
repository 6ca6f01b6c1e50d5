//! Watches the four kinds of a cluster that fill the index: decodes their objects, and passes each event to the index.
//!
//! This module knows the index and the API server. It knows neither who reads the index nor which other tasks run on its
//! thread.

mod decode;

use std::sync::Arc;

use k8s_openapi::api::{apps::v1 as apps, core::v1 as core};

use crate::api::{ApplicationPersona, ClusterPersona};
use crate::index::{AppKey, Change, Index, Kind};
use crate::k8s::{Client, Event, Followed, Resource, WatchState, follow_many};

/// The state of each kind's watch.
#[derive(Clone, Debug)]
pub struct Watches {
    personas: Arc<WatchState>,
    namespaces: Arc<WatchState>,
    deployments: Arc<WatchState>,
    cluster_personas: Arc<WatchState>,
}

impl Default for Watches {
    /// Watches that have not started.
    fn default() -> Watches {
        let state = |kind| Arc::new(WatchState::new(&resource(kind)));
        Watches {
            personas: state(Kind::Persona),
            namespaces: state(Kind::Namespace),
            deployments: state(Kind::Deployment),
            cluster_personas: state(Kind::ClusterPersona),
        }
    }
}

impl Watches {
    /// The state of one kind's watch.
    pub fn of(&self, kind: Kind) -> &Arc<WatchState> {
        match kind {
            Kind::Persona => &self.personas,
            Kind::Namespace => &self.namespaces,
            Kind::Deployment => &self.deployments,
            Kind::ClusterPersona => &self.cluster_personas,
        }
    }

    /// Keeps the index equal to the API server's objects, and never returns. `changed` gets the apps that really changed. A
    /// list calls it even when nothing changed, with no apps.
    pub async fn fill(&self, client: &Client, index: &Index, changed: impl Fn(Vec<AppKey>)) {
        let report = |listed: bool, apps: Vec<AppKey>| {
            if listed || !apps.is_empty() {
                changed(apps);
            }
        };
        let namespaces = Followed {
            metadata_only: true,
            ..Followed::from(resource(Kind::Namespace))
        };
        // A cluster may have ApplicationPersonas alone, and who installed an earlier version may not have granted this right.
        let cluster_personas = Followed {
            may_be_absent: true,
            ..Followed::from(resource(Kind::ClusterPersona))
        };
        tokio::join!(
            follow_many(
                client.clone(),
                cluster_personas,
                Arc::clone(&self.cluster_personas),
                Arc::new,
                |event| report(is_list(&event), index.cluster_rules(change(event))),
            ),
            follow_many(
                client.clone(),
                resource(Kind::Persona),
                Arc::clone(&self.personas),
                |persona| index.reuse_persona(persona),
                |event| report(is_list(&event), index.personas(change(event))),
            ),
            follow_many(
                client.clone(),
                namespaces,
                Arc::clone(&self.namespaces),
                Arc::new,
                |event| report(is_list(&event), index.namespaces(change(event))),
            ),
            follow_many(
                client.clone(),
                resource(Kind::Deployment),
                Arc::clone(&self.deployments),
                |deployment| index.reuse_deployment(deployment),
                |event| report(is_list(&event), index.deployments(change(event))),
            ),
        );
    }
}

fn resource(kind: Kind) -> Resource {
    match kind {
        Kind::Persona => Resource::of::<ApplicationPersona>(),
        Kind::Namespace => Resource::of::<core::Namespace>(),
        Kind::Deployment => Resource::of::<apps::Deployment>(),
        Kind::ClusterPersona => Resource::of::<ClusterPersona>(),
    }
}

fn is_list<T>(event: &Event<T, Arc<T>>) -> bool {
    matches!(event, Event::Listed { .. })
}

fn change<T>(event: Event<T, Arc<T>>) -> Change<T> {
    match event {
        Event::Applied(object) => Change::Put(object),
        Event::Deleted(gone) => Change::Remove {
            namespace: gone.namespace,
            name: gone.name,
        },
        Event::Listed { objects, unreadable } => Change::Replace {
            objects,
            kept: unreadable.into_iter().map(|kept| (kept.namespace, kept.name)).collect(),
        },
    }
}

#[cfg(test)]
mod tests;
