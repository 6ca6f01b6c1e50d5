//! Cluster mode: keeps the index equal to the API server's objects of three kinds, and triggers the controllers.
//!
//! The watches and the controllers run on a thread and a runtime of their own, so that reading a long list never delays a
//! review.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use jiff::Timestamp;
use k8s_openapi::api::{apps::v1 as apps, core::v1 as core};
use tokio::sync::oneshot;

use super::leader::LeaderTasks;
use super::parts::Entry;
use crate::api::ApplicationPersona;
use crate::controllers::persona::Trigger;
use crate::index::{AppKey, AppLabels, Change, Deployment, Index, Kind, Namespace};
use crate::k8s::{ClusterSource, Event, Followed, Leadership, Resource, WatchState, client, follow_many};
use crate::runtime::Watched;
use crate::webhook::Match;

/// Reports the state of a watch.
pub(super) type Note = Box<dyn Fn() -> String + Send + Sync>;

/// The states of all watches.
#[derive(Clone, Debug)]
pub(super) struct Watches {
    /// The watches that fill the index.
    filling: Vec<(Kind, Arc<WatchState>)>,
    /// The watches of parts.
    of_parts: Vec<Watched>,
}

impl Watches {
    /// The kinds that a process with these parts watches.
    pub(super) fn kinds(parts: &[Entry]) -> impl Iterator<Item = &'static str> {
        let of_parts = parts.iter().flat_map(|part| part.about.kinds.iter().copied());
        Kind::ALL.map(Kind::as_str).into_iter().chain(of_parts)
    }

    /// The watches that fill the index.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Kind, &WatchState)> {
        self.filling.iter().map(|(kind, state)| (*kind, &**state))
    }

    /// All watches, by the kind's name in the API.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, &WatchState)> {
        let filling = self.filling.iter().map(|(kind, state)| (kind.as_str(), &**state));
        let of_parts = self.of_parts.iter().map(|watched| (watched.kind, &*watched.state));
        filling.chain(of_parts)
    }

    /// Whether the watch of that kind is connected; updated by the watch.
    pub(super) fn live(&self, kind: Kind) -> Arc<AtomicBool> {
        let state = self.filling.iter().find(|(of, _)| *of == kind);
        state.map(|(_, state)| state.live()).unwrap_or_default()
    }

    /// The lines of `/readyz?verbose` for the watches of parts. Never a failure: no review is answered from them.
    pub(super) fn notes(&self, leadership: &Leadership) -> impl Iterator<Item = (&'static str, Note)> {
        self.of_parts.iter().cloned().map(|watched| {
            let leadership = leadership.clone();
            let note: Note = Box::new(move || followed(&watched.state, !watched.leading || leadership.held()));
            (watched.check, note)
        })
    }

    /// The line of `/readyz?verbose` for one kind. A lost watch does not make the replica unready: most known objects stay
    /// valid, and without a ready replica everything would be admitted.
    pub(super) fn readiness(&self, kind: Kind, index: &Index) -> Result<String, String> {
        let state = self.filling.iter().find(|(of, _)| *of == kind).map(|(_, state)| state);
        let trouble = state.and_then(|state| state.trouble());
        if !index.has(kind) {
            return Err(format!(
                "not synced: {}",
                trouble.as_deref().unwrap_or("the first list is not over")
            ));
        }
        let heard = state
            .and_then(|state| state.last_event())
            .unwrap_or_else(Timestamp::now);
        let objects = index.load().count(kind);
        Ok(format!(
            "synced, objects: {objects}, {}",
            since(heard, trouble.as_deref())
        ))
    }
}

fn followed(state: &WatchState, held: bool) -> String {
    let trouble = state.trouble();
    match state.last_event() {
        _ if !held => "followed by the holder of the Lease".to_owned(),
        Some(heard) => since(heard, trouble.as_deref()),
        None => format!(
            "not listed: {}",
            trouble.as_deref().unwrap_or("the first list is not over")
        ),
    }
}

/// The age of the last event, and why none follows.
fn since(heard: Timestamp, trouble: Option<&str>) -> String {
    let age = Timestamp::now().duration_since(heard).unsigned_abs().as_secs();
    match trouble {
        Some(trouble) => format!("last event {age} s ago, watch error: {trouble}"),
        None => format!("last event {age} s ago"),
    }
}

/// The thread of the watches and the controllers.
pub(super) struct Running {
    /// Whether this process may write.
    pub(super) leadership: Leadership,
    /// Resolves when they have ended, which they must not before they are stopped.
    pub(super) ended: oneshot::Receiver<()>,
    /// Stops them when dropped.
    pub(super) stop: oneshot::Sender<()>,
}

/// Starts the watches and, on the same thread, the tasks of parts. `triggers` get the apps that really changed. If the API
/// server is unreachable or does not have our kinds yet, this retries.
///
/// # Errors
/// The configuration of the client cannot be used.
pub(super) async fn watch(
    place: &ClusterSource,
    matching: Match,
    index: &Arc<Index>,
    led: LeaderTasks,
    of_parts: Vec<Watched>,
    triggers: Vec<Trigger>,
) -> anyhow::Result<(Watches, Running)> {
    let config = place.config().await?;
    tracing::info!(server = %config.cluster_url, "Watching a cluster");
    let kinds = [
        Resource::of::<ApplicationPersona>(),
        Resource::of::<core::Namespace>(),
        Resource::of::<apps::Deployment>(),
    ];
    let states = kinds.each_ref().map(|kind| Arc::new(WatchState::new(kind)));
    let watches = Watches {
        filling: Kind::ALL.into_iter().zip(states.iter().cloned()).collect(),
        of_parts,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime of the watches")?;
    let index = Arc::clone(index);
    let (started, outcome) = oneshot::channel();
    let (alive, ended) = oneshot::channel::<()>();
    let (stop, stopping) = oneshot::channel();
    let follow_all = move || {
        let _alive = alive;
        runtime.block_on(async {
            let client = match client(config) {
                Ok(client) => client,
                Err(error) => return drop(started.send(Err(error))),
            };
            let (election, leadership) = led.stand(&client);
            drop(started.send(Ok(leadership.clone())));
            let [personas, namespaces, deployments] = states;
            let [of_personas, of_namespaces, of_deployments] = kinds.map(Followed::from);
            let of_namespaces = Followed {
                metadata_only: true,
                ..of_namespaces
            };
            let watching = client.clone();
            let woken = |listed: bool, apps: Vec<AppKey>| {
                // A first list is an event even when it is empty.
                if listed || !apps.is_empty() {
                    for trigger in &triggers {
                        trigger.send(apps.clone());
                    }
                }
            };
            let known_deployment = |deployment| index.known_deployment(slim(deployment, matching));
            let watches = async {
                tokio::join!(
                    follow_many(
                        watching.clone(),
                        of_personas,
                        personas,
                        |stored| index.known_persona(stored),
                        |event| {
                            woken(is_list(&event), index.personas(change(event)));
                        }
                    ),
                    follow_many(watching.clone(), of_namespaces, namespaces, Arc::new, |event| {
                        index.namespaces(change::<Namespace>(event));
                    }),
                    follow_many(watching, of_deployments, deployments, known_deployment, |event| {
                        woken(is_list(&event), index.deployments(slimmed(change(event), matching)));
                    }),
                );
            };
            led.run(client, election, leadership, watches, stopping).await;
        });
    };
    std::thread::Builder::new()
        .name("watches".to_owned())
        .spawn(follow_all)
        .context("cannot start the thread of the watches")?;
    let leadership = outcome.await.context("the watches ended at once")??;
    let running = Running {
        leadership,
        ended,
        stop,
    };
    Ok((watches, running))
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

/// The Deployment of an event, slim. Those of a list are slim already.
fn slimmed(change: Change<Deployment>, matching: Match) -> Change<Deployment> {
    match change {
        Change::Put(deployment) => Change::Put(slim(deployment, matching)),
        other => other,
    }
}

/// Removes the fields that are never read: with `--match label` the other names, and for a Deployment that names no app
/// everything but its existence.
fn slim(mut deployment: Deployment, matching: Match) -> Deployment {
    deployment.chained = matching == Match::Chain;
    if matching == Match::Label {
        deployment.labels.app = Box::default();
        deployment.selected = AppLabels::default();
    }
    if deployment.claims().next().is_none() {
        deployment.running = None;
    }
    deployment
}

#[cfg(test)]
mod tests;
