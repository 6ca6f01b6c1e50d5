//! Starts the thread of the watches in cluster mode, and reports in `/readyz` and metrics which kinds were listed and which
//! watches work.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use jiff::Timestamp;
use tokio::sync::oneshot;

use super::leader::LeaderTasks;
use super::parts::Entry;
use crate::controllers::persona::Trigger;
use crate::index::{AppKey, Index, Kind};
use crate::k8s::{ClusterSource, Leadership, WatchState, client};
use crate::runtime::Watched;
use crate::watched;

/// Reports the state of a watch.
pub(super) type Note = Box<dyn Fn() -> String + Send + Sync>;

/// The states of all watches.
#[derive(Clone, Debug)]
pub(super) struct Watches {
    /// The watches that fill the index.
    filling: watched::Watches,
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
        Kind::ALL.into_iter().map(|kind| (kind, &**self.filling.of(kind)))
    }

    /// All watches, by the kind's name in the API.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, &WatchState)> {
        let filling = self.iter().map(|(kind, state)| (kind.as_str(), state));
        let of_parts = self.of_parts.iter().map(|watched| (watched.kind, &*watched.state));
        filling.chain(of_parts)
    }

    /// Whether the watch of that kind is connected; updated by the watch.
    pub(super) fn live(&self, kind: Kind) -> Arc<AtomicBool> {
        self.filling.of(kind).live()
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
        let state = self.filling.of(kind);
        let trouble = state.trouble();
        if !index.has(kind) {
            return Err(format!(
                "not synced: {}",
                trouble.as_deref().unwrap_or("the first list is not over")
            ));
        }
        let heard = state.last_event().unwrap_or_else(Timestamp::now);
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
    /// Resolves when they have ended, which they must not before they are stopped: to what ended first, or to an error if that is
    /// not known.
    pub(super) ended: oneshot::Receiver<String>,
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
    index: &Arc<Index>,
    led: LeaderTasks,
    of_parts: Vec<Watched>,
    triggers: Vec<Trigger>,
) -> anyhow::Result<(Watches, Running)> {
    let config = place.config().await?;
    tracing::info!(server = %config.cluster_url, "Watching a cluster");
    let filling = watched::Watches::default();
    let watches = Watches {
        filling: filling.clone(),
        of_parts,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime of the watches")?;
    let index = Arc::clone(index);
    let (started, outcome) = oneshot::channel();
    let (alive, ended) = oneshot::channel();
    let (stop, stopping) = oneshot::channel();
    let follow_all = move || {
        runtime.block_on(async move {
            let client = match client(config) {
                Ok(client) => client,
                Err(error) => return drop(started.send(Err(error))),
            };
            let (election, leadership) = led.stand(&client);
            drop(started.send(Ok(leadership.clone())));
            let following = client.clone();
            let watches = filling.fill(&following, &index, |apps: Vec<AppKey>| {
                for trigger in &triggers {
                    trigger.send(apps.clone());
                }
            });
            if let Some(first) = led.run(client, election, leadership, watches, stopping).await {
                // Without a receiver the process is already ending.
                drop(alive.send(first));
            }
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
