//! What status says of what was seen. Pure: the time is an argument.
//!
//! A fact that could not be seen keeps the value that it had, and the condition Discovered names it.

use std::sync::Arc;

use jiff::Timestamp;

use super::addons::Finds;
use super::node::SeenNode;
use super::pod::Pod;
use super::resources::{Used, count_nodes, count_pods, number};
use super::{conditions, platform};
use crate::api::ClusterPersonaStatus;
use crate::api::cluster_persona::status::{ClusterPhase, Namespaces};
use crate::k8s::time::in_seconds;

/// How many nodes are listed one by one; sums and readiness count all of them. An object that etcd takes has room for
/// about twice as many.
pub(super) const MOST_NODES: usize = 1000;

/// A fact, or why it could not be seen, in one line.
pub(super) type Fact<T> = Result<T, String>;

/// What one look at the cluster has shown.
#[derive(Clone, Debug)]
pub(super) struct Observed {
    /// By name.
    pub(super) nodes: Fact<Vec<Arc<SeenNode>>>,
    pub(super) pods: Fact<Tally>,
    /// `gitVersion` of the API server.
    pub(super) version: Fact<String>,
    pub(super) namespaces: Fact<Namespaces>,
    /// How many ApplicationPersonas there are.
    pub(super) applications: Fact<usize>,
}

impl Observed {
    /// What could not be seen: the fact, and why.
    pub(super) fn missing(&self) -> Vec<(&'static str, &str)> {
        let facts = [
            ("nodes", self.nodes.as_ref().err()),
            ("pods", self.pods.as_ref().err()),
            ("version", self.version.as_ref().err()),
            ("namespaces", self.namespaces.as_ref().err()),
            ("applicationpersonas", self.applications.as_ref().err()),
        ];
        let missing = facts.into_iter();
        missing
            .filter_map(|(fact, reason)| Some((fact, reason?.as_str())))
            .collect()
    }
}

/// What is kept of all pods: nothing of any one.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) used: Used,
    pub(super) addons: Finds,
}

impl Tally {
    pub(super) fn count(&mut self, pod: &Pod) {
        self.used.count(pod);
        self.addons.count(pod);
    }
}

/// The whole status that follows `previous`.
pub(super) fn derive(
    previous: ClusterPersonaStatus,
    generation: i64,
    seen: &Observed,
    now: Timestamp,
) -> ClusterPersonaStatus {
    let conditions = conditions::conditions(&previous.conditions, generation, seen, now);
    let mut status = ClusterPersonaStatus {
        observed_generation: Some(generation),
        last_discovery: Some(in_seconds(now)),
        conditions,
        ..previous
    };
    let summary = status.resource_summary.get_or_insert_default();
    if let Ok(nodes) = &seen.nodes {
        count_nodes(summary, nodes);
        status.nodes = nodes.iter().take(MOST_NODES).map(|seen| seen.node.clone()).collect();
        status.platform = Some(platform::platform(nodes).to_owned());
        status.phase = Some(phase(nodes));
    }
    if let Ok(pods) = &seen.pods {
        count_pods(summary, &pods.used);
        status.addons = pods.addons.addons();
    }
    if let Ok(version) = &seen.version {
        status.kubernetes_version = Some(version.clone());
    }
    if let Ok(namespaces) = &seen.namespaces {
        status.namespaces = Some(namespaces.clone());
    }
    if let Ok(applications) = &seen.applications {
        status.application_count = Some(number(*applications));
    }
    // Nothing was seen of the nodes, neither now nor ever.
    status.phase.get_or_insert(ClusterPhase::Discovering);
    status
}

fn phase(nodes: &[Arc<SeenNode>]) -> ClusterPhase {
    if nodes.is_empty() {
        ClusterPhase::Discovering
    } else if nodes.iter().all(|seen| seen.node.ready) {
        ClusterPhase::Ready
    } else {
        ClusterPhase::Degraded
    }
}
