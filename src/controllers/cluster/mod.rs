//! The ClusterPersona controller: tells the platform team what the cluster is made of (contract 4).
//!
//! Start reading at [`ClusterController::run`]. One look ([`observe`]) serves every ClusterPersona there is; what their
//! status says of it is decided in [`derive`], by files that do no IO: `node`, `pod`, `resources`, `platform`, `addons`,
//! `version`, `conditions`.

mod addons;
mod conditions;
mod derive;
mod first;
mod known;
mod node;
mod observe;
mod pace;
mod platform;
mod pod;
mod resources;
mod version;

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use self::derive::{Observed, derive};
use self::known::Known;
use self::observe::observe;
use self::pace::Pace;
use super::metrics::{Controller, Metrics, Reconciled};
use crate::api::ClusterPersonaStatus;
use crate::index::Index;
use crate::k8s::{Client, Leadership, Name, Resource, WatchState, follow, write_if_changed};

const CLUSTER_PERSONAS: Resource = Resource::new("dorgu.io", "v1", "clusterpersonas");
const NODES: Resource = Resource::new("", "v1", "nodes");

/// As whom we write.
const MANAGER: &str = "dorgu-operator";
/// What differs in every look, and is no reason to write.
const CLOCKS: [&str; 2] = ["lastDiscovery", "lastTransitionTime"];

/// How long something has to stay unseen before status says so: an API server that has just started refuses much, for a
/// moment.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the first look waits for what it needs.
const FIRST_LISTS: Duration = Duration::from_secs(10);
/// How often it is asked whether that is there.
const GLANCE: Duration = Duration::from_millis(50);

/// How it goes about.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How often the cluster is looked at when nothing is heard.
    pub interval: Duration,
    /// How long a change of nodes or ClusterPersonas waits for more of its kind; longer where nodes go on changing.
    pub settle: Duration,
    /// Whether a ClusterPersona is made where there is none; takes the verb `create`.
    pub auto_create: bool,
}

impl Default for Options {
    /// Every five minutes (contract 4.1), two seconds after a change, and nothing is made.
    fn default() -> Options {
        Options {
            interval: Duration::from_secs(300),
            settle: Duration::from_secs(2),
            auto_create: false,
        }
    }
}

/// How the two watches are doing that the controller follows while this process holds the Lease; a clone tells of the same.
#[derive(Clone, Debug)]
pub struct Followed {
    /// Of nodes.
    pub nodes: Arc<WatchState>,
    /// Of ClusterPersonas.
    pub personas: Arc<WatchState>,
}

impl Default for Followed {
    /// Before anything is followed.
    fn default() -> Followed {
        let [nodes, personas] = [NODES, CLUSTER_PERSONAS].map(|of| Arc::new(WatchState::new(of.plural)));
        Followed { nodes, personas }
    }
}

/// Keeps the status of every ClusterPersona, while this process holds the Lease.
#[must_use = "it does nothing before `run` is polled"]
pub struct ClusterController {
    client: Client,
    leadership: Leadership,
    index: Arc<Index>,
    metrics: Metrics,
    followed: Followed,
    options: Options,
}

/// How a look ended.
enum Look {
    /// Everything was seen and written.
    Whole,
    /// Something was not, and is worth another try soon.
    Partial,
}

impl ClusterController {
    /// A controller that does nothing before [`ClusterController::run`].
    pub fn new(
        client: Client,
        leadership: Leadership,
        index: Arc<Index>,
        metrics: Metrics,
        followed: Followed,
        options: Options,
    ) -> ClusterController {
        ClusterController {
            client,
            leadership,
            index,
            metrics,
            followed,
            options,
        }
    }

    /// Works whenever the Lease is held, and never ends. Nothing is watched and nothing is kept in memory in between; a
    /// new holder looks at everything once.
    pub async fn run(mut self) {
        // Only where there was none from the start: who deletes the last one should not have to fight us.
        let mut made = false;
        loop {
            self.leadership.until_held().await;
            let mut leadership = self.leadership.clone();
            tokio::select! {
                () = self.lead(&mut made) => {}
                () = leadership.until_lost() => {}
            }
        }
    }

    /// Follows nodes and ClusterPersonas and keeps the status right, until it is dropped.
    async fn lead(&self, made: &mut bool) {
        let known = Known::default();
        let Followed { nodes, personas } = self.followed.clone();
        tokio::join!(
            follow(self.client.clone(), NODES, Arc::clone(&nodes), |event| known
                .node(event)),
            follow(self.client.clone(), CLUSTER_PERSONAS, personas, |event| known
                .persona(event)),
            self.look_again_and_again(&known, &nodes, made),
        );
    }

    async fn look_again_and_again(&self, known: &Known, nodes: &WatchState, made: &mut bool) {
        let mut pace = Pace::new(self.options.settle);
        let mut failing = None;
        let depth = self.metrics.depth(Controller::Cluster);
        depth.set(1);
        self.first_lists(known, nodes).await;
        loop {
            let since = failing.map(|since: Instant| since.elapsed());
            let wait = match self.look(known, nodes, since.unwrap_or_default(), made).await {
                Look::Whole => {
                    failing = None;
                    pace.succeeded();
                    self.options.interval
                }
                Look::Partial => {
                    failing.get_or_insert_with(Instant::now);
                    pace.failed()
                }
            };
            let looked = Instant::now();
            depth.set(usize::from(failing.is_some()));
            tokio::select! {
                () = known.asked() => {
                    depth.set(1);
                    self.settle().await;
                }
                () = known.news() => {
                    depth.set(1);
                    tokio::select! {
                        () = tokio::time::sleep(pace.settle(looked.elapsed())) => {}
                        () = known.asked() => self.settle().await,
                    }
                }
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Waits for more of what has just begun.
    async fn settle(&self) {
        tokio::time::sleep(self.options.settle).await;
    }

    /// Waits a while for the first lists, so that the first status of a new holder is not half of one.
    async fn first_lists(&self, known: &Known, nodes: &WatchState) {
        let listed = async {
            while !(self.index.is_synced() && known.personas().is_some() && known.nodes().is_some())
                && nodes.trouble().is_none()
            {
                tokio::time::sleep(GLANCE).await;
            }
        };
        // Whoever is late is named in the status.
        let _late = tokio::time::timeout(FIRST_LISTS, listed).await;
    }

    /// One look, and a write for each ClusterPersona about which it says something new. Looks have failed for `failing`.
    async fn look(&self, known: &Known, nodes: &WatchState, failing: Duration, made: &mut bool) -> Look {
        let Some(personas) = known.personas() else {
            // There may be no such kind. Its first list is news.
            return Look::Whole;
        };
        if personas.is_empty() {
            return self.make_first(made).await;
        }
        *made = true;
        let started = Instant::now();
        let seen = observe(&self.client, known, nodes, &self.index).await;
        let missing = seen.missing();
        if !missing.is_empty() {
            tracing::warn!(?missing, "Cannot see all of the cluster; it is tried again");
            if failing < PATIENCE {
                self.metrics
                    .reconciled(Controller::Cluster, Reconciled::Error, started.elapsed());
                return Look::Partial;
            }
        }
        let mut look = if missing.is_empty() { Look::Whole } else { Look::Partial };
        for name in personas {
            // Asked anew each time: the look took its time.
            if !self.leadership.held() {
                return Look::Partial;
            }
            let written = self.write(&name, &seen).await;
            let whole = written && missing.is_empty();
            let result = if whole { Reconciled::Success } else { Reconciled::Error };
            self.metrics.reconciled(Controller::Cluster, result, started.elapsed());
            if !whole {
                look = Look::Partial;
            }
        }
        look
    }

    /// Whether the status of that ClusterPersona is right now.
    async fn write(&self, name: &str, seen: &Observed) -> bool {
        let object = Name {
            namespace: String::new(),
            name: name.to_owned(),
        };
        let outcome = write_if_changed(&self.client, CLUSTER_PERSONAS, &object, MANAGER, &CLOCKS, |current| {
            let status = derive(
                previous(name, &current.status),
                current.generation,
                seen,
                Timestamp::now(),
            );
            // Strings, numbers and lists of them: it always becomes JSON.
            serde_json::to_value(status).unwrap_or_default()
        })
        .await;
        self.metrics.status(&outcome);
        if let Err(error) = &outcome {
            tracing::warn!(name, %error, "Cannot write the status of a ClusterPersona; it is tried again");
        }
        outcome.is_ok()
    }

    /// Makes the first ClusterPersona, once, where that was asked for.
    async fn make_first(&self, made: &mut bool) -> Look {
        if !self.options.auto_create || *made || !self.leadership.held() {
            return Look::Whole;
        }
        match first::make(&self.client, &self.index).await {
            Ok(()) => {
                *made = true;
                Look::Whole
            }
            Err(error) => {
                tracing::warn!(%error, "Cannot create a ClusterPersona; it is tried again");
                Look::Partial
            }
        }
    }
}

/// The status as it is. One that somebody wrote oddly counts for nothing and is written anew.
fn previous(name: &str, status: &Value) -> ClusterPersonaStatus {
    if status.is_null() {
        return ClusterPersonaStatus::default();
    }
    serde_json::from_value(status.clone()).unwrap_or_else(|error| {
        tracing::warn!(name, %error, "Cannot read the status of a ClusterPersona; it is written anew");
        ClusterPersonaStatus::default()
    })
}

#[cfg(test)]
mod tests;
