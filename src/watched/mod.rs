//! The three kinds of a cluster that fill the index: what is kept of an object, and each event on its way there.
//!
//! Knows the index and the API server, and neither who reads the index nor which tasks run beside it.

mod decode;

use std::sync::Arc;

use k8s_openapi::api::{apps::v1 as apps, core::v1 as core};

use crate::api::ApplicationPersona;
use crate::index::{AppKey, Change, Index, Kind};
use crate::k8s::{Client, Event, Followed, Resource, WatchState, follow_many};

/// How the watch of each kind is doing.
#[derive(Clone, Debug)]
pub struct Watches {
    personas: Arc<WatchState>,
    namespaces: Arc<WatchState>,
    deployments: Arc<WatchState>,
}

impl Default for Watches {
    /// Of watches that have not begun.
    fn default() -> Watches {
        let state = |kind| Arc::new(WatchState::new(&resource(kind)));
        Watches {
            personas: state(Kind::Persona),
            namespaces: state(Kind::Namespace),
            deployments: state(Kind::Deployment),
        }
    }
}

impl Watches {
    /// That of one kind.
    pub fn of(&self, kind: Kind) -> &Arc<WatchState> {
        match kind {
            Kind::Persona => &self.personas,
            Kind::Namespace => &self.namespaces,
            Kind::Deployment => &self.deployments,
        }
    }

    /// Keeps the index equal to what the API server says, for ever. `changed` gets the apps that really changed; after a
    /// list, which is news even when nothing changed, maybe none.
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
        tokio::join!(
            follow_many(
                client.clone(),
                resource(Kind::Persona),
                Arc::clone(&self.personas),
                |persona| index.known_persona(persona),
                |event| report(is_list(&event), index.personas(change(event))),
            ),
            follow_many(
                client.clone(),
                namespaces,
                Arc::clone(&self.namespaces),
                Arc::new,
                |event| index.namespaces(change(event)),
            ),
            follow_many(
                client.clone(),
                resource(Kind::Deployment),
                Arc::clone(&self.deployments),
                |deployment| index.known_deployment(deployment),
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
