//! Derives two conditions: Discovered (everything could be read) and Healthy (all nodes are ready).

use jiff::Timestamp;

use super::observed::{MAX_NODES, Observed};
use crate::api::Condition;
use crate::k8s::conditions::{Draft, merge};

pub(super) fn conditions(previous: &[Condition], generation: i64, seen: &Observed, now: Timestamp) -> Vec<Condition> {
    let before = previous.iter().find(|before| before.type_ == HEALTHY);
    let (healthy, kept) = match (healthy(seen), before) {
        (Some(healthy), _) => (Some(healthy), None),
        // Without nodes it keeps its status; Discovered says why.
        (None, Some(before)) => (None, Some(before.clone())),
        (None, None) => (Some(undiscovered()), None),
    };
    let drafts = [Some(discovered(seen)), healthy].into_iter().flatten();
    let mut conditions = merge(previous, drafts, generation, now);
    conditions.extend(kept);
    conditions
}

const HEALTHY: &str = "Healthy";

/// Whether everything could be read.
fn discovered(seen: &Observed) -> Draft {
    let missing = seen.missing();
    let (status, reason, mut message) = match &seen.nodes {
        Err(_) => (false, "NodeDiscoveryFailed", String::new()),
        Ok(_) if !missing.is_empty() => (false, "DiscoveryIncomplete", String::new()),
        Ok(nodes) => {
            let all = !nodes.is_empty() && nodes.iter().all(|seen| seen.node.ready);
            let how = if all { "successfully" } else { "with issues" };
            (true, "DiscoveryComplete", format!("Cluster state discovered {how}"))
        }
    };
    if !missing.is_empty() {
        let told = missing.iter().map(|(fact, why)| format!("{fact} ({why})"));
        let told: Vec<String> = told.collect();
        message = format!(
            "Not seen, so that what status says of it is of an earlier time: {}",
            told.join("; ")
        );
    }
    if let Ok(nodes) = &seen.nodes
        && nodes.len() > MAX_NODES
    {
        message.push_str(&format!(
            "; status.nodes lists the first {MAX_NODES} of {}",
            nodes.len()
        ));
    }
    Draft {
        kind: "Discovered",
        status: Some(status),
        reason,
        message,
    }
}

/// Nodes could never be read.
fn undiscovered() -> Draft {
    Draft {
        kind: HEALTHY,
        status: None,
        reason: "NodeDiscoveryFailed",
        message: "the nodes were not seen yet".to_owned(),
    }
}

/// Whether all nodes are ready; `None` when they could not be read.
fn healthy(seen: &Observed) -> Option<Draft> {
    let nodes = seen.nodes.as_ref().ok()?;
    let ready = nodes.iter().filter(|seen| seen.node.ready).count();
    let all = !nodes.is_empty() && ready == nodes.len();
    Some(Draft {
        kind: HEALTHY,
        status: Some(all),
        reason: if all { "AllNodesReady" } else { "NodesNotReady" },
        message: format!("{ready}/{} nodes ready", nodes.len()),
    })
}
