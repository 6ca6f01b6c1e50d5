//! The ClusterPersona controller reports in a status what the cluster consists of.
//!
//! Start reading at [`ClusterController::run`]. [`observe`] reads the cluster once for all ClusterPersonas. [`derive`] makes
//! each status of the result. It uses `node`, `pod`, `resources`, `platform`, `addons`, `version` and `conditions`, which do
//! no IO.

mod addons;
mod conditions;
mod derive;
mod first;
mod known;
mod node;
mod observe;
mod observed;
mod pace;
mod platform;
mod pod;
mod resources;
mod version;

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Node;
use serde_json::Value;

use self::derive::derive;
use self::known::Known;
use self::observe::observe;
use self::observed::Observed;
use self::pace::Pace;
use super::metrics::{Controller, Metrics, ReconcileResult};
use crate::api::crd::definition;
use crate::api::names::STATUS_MANAGER;
use crate::api::{ClusterPersona, ClusterPersonaStatus};
use crate::index::Index;
use crate::k8s::{Client, Leadership, Name, Resource, WatchState, follow, write_if_changed};
use crate::runtime::flags::WITH_CLUSTER;
use crate::runtime::{About, Grant, Part, Watched};

fn cluster_personas() -> Resource {
    Resource::of::<ClusterPersona>()
}

fn nodes() -> Resource {
    Resource::of::<Node>()
}

/// Fields that always differ and are no reason to write.
const CLOCKS: [&str; 2] = ["lastDiscovery", "lastTransitionTime"];

/// How long something must stay unreadable before the status says so: an API server that has just started rejects many requests
/// for a moment.
const TOLERANCE: Duration = Duration::from_secs(10);
/// How long the first reconcile waits for the first lists.
const FIRST_LISTS: Duration = Duration::from_secs(10);
/// How often it checks for them.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The flags of the part.
#[derive(Clone, Copy, Debug, Default, Args)]
#[group(skip)]
#[command(next_help_heading = WITH_CLUSTER)]
pub struct ClusterFlags {
    /// Create the ClusterPersona dorgu-cluster where there is none; needs the right to create one. [default: false]
    #[arg(long, value_name = "BOOL", env = "DORGU_AUTO_CREATE_CLUSTER_PERSONA", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    auto_create_cluster_persona: Option<bool>,
}

impl ClusterFlags {
    /// What they ask for.
    pub fn options(self) -> Options {
        Options {
            auto_create: self.auto_create_cluster_persona.unwrap_or_default(),
            ..Options::default()
        }
    }
}

/// How often the controller reconciles, and what it may create.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How often the cluster is read without a change.
    pub interval: Duration,
    /// How long a change of nodes or ClusterPersonas waits for further changes; longer while nodes continue to change.
    pub settle: Duration,
    /// Whether a ClusterPersona is created where there is none; needs the verb `create`.
    pub auto_create: bool,
}

impl Default for Options {
    /// Every five minutes, two seconds after a change, and nothing is created.
    fn default() -> Options {
        Options {
            interval: Duration::from_secs(300),
            settle: Duration::from_secs(2),
            auto_create: false,
        }
    }
}

/// The declaration of this part: it reads nodes and pods, and writes the status of its kind.
pub static ABOUT: About = About {
    // ClusterPersonas are also watched by every replica, and reported there.
    kinds: &["Node"],
    definitions: || vec![definition::<ClusterPersona>()],
    grants: &[
        Grant::everywhere("dorgu.io", "clusterpersonas", &["list", "watch"]),
        Grant::everywhere("dorgu.io", "clusterpersonas/status", &["patch"]),
        Grant::everywhere("", "nodes", &["list", "watch"]),
        Grant::everywhere("", "pods", &["list"]),
    ],
    flags: ClusterFlags::augment_args,
    ..About::named("cluster")
};

/// The controller as a part of the process.
pub fn part(index: Arc<Index>, metrics: Metrics, options: Options) -> Part {
    let followed = Followed::default();
    let watched = |check, kind, state: &Arc<WatchState>| Watched {
        check,
        kind,
        state: Arc::clone(state),
        leading: true,
    };
    Part {
        watches: vec![watched("nodes", "Node", &followed.nodes)],
        leading: vec![Box::new(move |client, leadership| {
            let controller = ClusterController::new(client, leadership, index, metrics, followed, options);
            Box::pin(controller.run())
        })],
        ..Part::new(&ABOUT)
    }
}

/// The state of the two watches that the controller follows while this process holds the Lease; a clone shares it.
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
        let [nodes, personas] = [nodes(), cluster_personas()].map(|of| Arc::new(WatchState::new(&of)));
        Followed { nodes, personas }
    }
}

/// Reconciles the status of every ClusterPersona, while this process holds the Lease.
#[must_use = "it does nothing before `run` is polled"]
pub struct ClusterController {
    client: Client,
    leadership: Leadership,
    index: Arc<Index>,
    metrics: Metrics,
    followed: Followed,
    options: Options,
}

/// The outcome of a pass over the cluster.
enum Pass {
    /// Everything was read and written.
    Complete,
    /// Something was not; it is retried soon.
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

    /// Works while the Lease is held, and never returns. Without the Lease nothing is watched and nothing is kept in memory; a
    /// new holder reads everything once.
    pub async fn run(mut self) {
        // Only where there was none from the start. If the last one is deleted, no other is created.
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

    /// Follows nodes and ClusterPersonas and reconciles the status, until it is dropped.
    async fn lead(&self, made: &mut bool) {
        let known = Known::default();
        let Followed { nodes, personas } = self.followed.clone();
        tokio::join!(
            follow(self.client.clone(), self::nodes(), Arc::clone(&nodes), |event| known
                .node(event)),
            follow(self.client.clone(), cluster_personas(), personas, |event| known
                .persona(event)),
            self.reconcile_loop(&known, &nodes, made),
        );
    }

    async fn reconcile_loop(&self, known: &Known, nodes: &WatchState, made: &mut bool) {
        let mut pace = Pace::new(self.options.settle);
        let mut failing = None;
        let depth = self.metrics.depth(Controller::Cluster);
        depth.set(1);
        self.first_lists(known, nodes).await;
        loop {
            let since = failing.map(|since: Instant| since.elapsed());
            let wait = match self.reconcile(known, nodes, since.unwrap_or_default(), made).await {
                Pass::Complete => {
                    failing = None;
                    pace.succeeded();
                    self.options.interval
                }
                Pass::Partial => {
                    failing.get_or_insert_with(Instant::now);
                    pace.failed()
                }
            };
            let reconciled = Instant::now();
            depth.set(usize::from(failing.is_some()));
            tokio::select! {
                () = known.personas_changed() => {
                    depth.set(1);
                    self.settle().await;
                }
                () = known.nodes_changed() => {
                    depth.set(1);
                    tokio::select! {
                        () = tokio::time::sleep(pace.settle(reconciled.elapsed())) => {}
                        () = known.personas_changed() => self.settle().await,
                    }
                }
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Waits for more changes of a burst.
    async fn settle(&self) {
        tokio::time::sleep(self.options.settle).await;
    }

    /// Waits a while for the first lists, so that a new holder's first status is complete.
    async fn first_lists(&self, known: &Known, nodes: &WatchState) {
        let listed = async {
            while !(self.index.is_synced() && known.personas().is_some() && known.nodes().is_some())
                && nodes.trouble().is_none()
            {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        // The status names a list that is late.
        let _late = tokio::time::timeout(FIRST_LISTS, listed).await;
    }

    /// Reads the cluster and writes the status of each ClusterPersona whose status differs. `failing` is how long passes have
    /// failed.
    async fn reconcile(&self, known: &Known, nodes: &WatchState, failing: Duration, made: &mut bool) -> Pass {
        let Some(personas) = known.personas() else {
            // The kind may not exist. Its first list counts as a change.
            return Pass::Complete;
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
            if failing < TOLERANCE {
                self.metrics
                    .reconciled(Controller::Cluster, ReconcileResult::Error, started.elapsed());
                return Pass::Partial;
            }
        }
        let mut pass = if missing.is_empty() {
            Pass::Complete
        } else {
            Pass::Partial
        };
        for name in personas {
            // The Lease may be lost while the cluster is read.
            if !self.leadership.held() {
                return Pass::Partial;
            }
            let written = self.write(&name, &seen).await;
            let complete = written && missing.is_empty();
            let result = if complete {
                ReconcileResult::Success
            } else {
                ReconcileResult::Error
            };
            self.metrics.reconciled(Controller::Cluster, result, started.elapsed());
            if !complete {
                pass = Pass::Partial;
            }
        }
        pass
    }

    /// Writes one status if it changed, and returns whether it is up to date afterwards.
    async fn write(&self, name: &str, seen: &Observed) -> bool {
        let object = Name::cluster_wide(name);
        let outcome = write_if_changed(
            &self.client,
            &cluster_personas(),
            &object,
            STATUS_MANAGER,
            &CLOCKS,
            |current| {
                let status = derive(
                    previous(name, &current.status),
                    current.generation,
                    seen,
                    Timestamp::now(),
                );
                // Strings, numbers and lists of them always become JSON.
                serde_json::to_value(status).unwrap_or_default()
            },
        )
        .await;
        self.metrics.status(&outcome);
        if let Err(error) = &outcome {
            tracing::warn!(name, %error, "Cannot write the status of a ClusterPersona; it is tried again");
        }
        outcome.is_ok()
    }

    /// Creates the first ClusterPersona, once, where the options say so.
    async fn make_first(&self, made: &mut bool) -> Pass {
        if !self.options.auto_create || *made || !self.leadership.held() {
            return Pass::Complete;
        }
        match first::make(&self.client, &self.index).await {
            Ok(()) => {
                *made = true;
                Pass::Complete
            }
            Err(error) => {
                tracing::warn!(%error, "Cannot create a ClusterPersona; it is tried again");
                Pass::Partial
            }
        }
    }
}

/// The stored status. One that cannot be decoded is replaced.
fn previous(name: &str, status: &Value) -> ClusterPersonaStatus {
    if status.is_null() {
        return ClusterPersonaStatus::default();
    }
    serde_json::from_value(status.clone()).unwrap_or_else(|error| {
        tracing::warn!(name, %error, "Cannot read the status of a ClusterPersona; it is written again");
        ClusterPersonaStatus::default()
    })
}

#[cfg(test)]
mod tests;
