//! Derives the status of a ClusterPersona from what was observed. Pure: the time is an argument.
//!
//! A fact that could not be read keeps its last value, and the condition Discovered names it.

use std::sync::Arc;

use jiff::Timestamp;

use super::node::SeenNode;
use super::observed::{MAX_NODES, Observed};
use super::resources::{count_nodes, count_pods, number};
use super::{conditions, platform};
use crate::api::ClusterPersonaStatus;
use crate::api::cluster_persona::status::ClusterPhase;
use crate::k8s::time::in_seconds;

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
        status.nodes = nodes.iter().take(MAX_NODES).map(|seen| seen.node.clone()).collect();
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
    // Nodes could not be read, neither now nor before.
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
