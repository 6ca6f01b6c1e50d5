//! Discovered and Healthy (contract 4.6).

use jiff::Timestamp;

use super::derive::{MOST_NODES, Observed};
use crate::api::Condition;
use crate::controllers::condition::Holds;

pub(super) fn conditions(previous: &[Condition], generation: i64, seen: &Observed, now: Timestamp) -> Vec<Condition> {
    let since = |holds: Holds| holds.since(previous, generation, now);
    // Without nodes it stays as it was: Discovered says why.
    let before = || previous.iter().find(|before| before.type_ == HEALTHY).cloned();
    let healthy = healthy(seen).map(since).or_else(before).unwrap_or_else(|| {
        since(Holds {
            r#type: HEALTHY,
            status: None,
            reason: "NodeDiscoveryFailed",
            message: "the nodes were not seen yet".to_owned(),
        })
    });
    vec![since(discovered(seen)), healthy]
}

const HEALTHY: &str = "Healthy";

/// Whether everything was seen.
fn discovered(seen: &Observed) -> Holds {
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
        && nodes.len() > MOST_NODES
    {
        message.push_str(&format!(
            "; status.nodes lists the first {MOST_NODES} of {}",
            nodes.len()
        ));
    }
    Holds {
        r#type: "Discovered",
        status: Some(status),
        reason,
        message,
    }
}

/// Whether all nodes are ready; none when they could not be seen.
fn healthy(seen: &Observed) -> Option<Holds> {
    let nodes = seen.nodes.as_ref().ok()?;
    let ready = nodes.iter().filter(|seen| seen.node.ready).count();
    let all = !nodes.is_empty() && ready == nodes.len();
    Some(Holds {
        r#type: HEALTHY,
        status: Some(all),
        reason: if all { "AllNodesReady" } else { "NodesNotReady" },
        message: format!("{ready}/{} nodes ready", nodes.len()),
    })
}
