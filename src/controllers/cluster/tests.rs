//! From the nodes and pods of an API server to the status of the cluster.

mod facts;
mod nodes;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::node::SeenNode;
use super::observed::{Observed, Tally};
use super::pod::Pod;
use crate::api::cluster_persona::status::Namespaces;
use crate::k8s::Decode;

fn at(time: &str) -> Timestamp {
    time.parse().expect("a time")
}

fn node(object: &Value) -> Arc<SeenNode> {
    Arc::new(SeenNode::decode(&object.to_string()).expect("a node"))
}

/// A node of that name that is ready or not, with 4 cores, 16 GB and room for 110 pods.
fn plain(name: &str, ready: bool) -> Arc<SeenNode> {
    let status = if ready { "True" } else { "False" };
    node(&json!({
        "metadata": {"name": name},
        "status": {
            "capacity": {"cpu": "4", "memory": "16374256Ki", "pods": "110"},
            "allocatable": {"cpu": "3800m", "memory": "8187128Ki", "pods": "110"},
            "conditions": [{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": status}],
        },
    }))
}

fn tally(pods: &[Value]) -> Tally {
    let mut tally = Tally::default();
    for pod in pods {
        tally.count(&Pod::decode(&pod.to_string()).expect("a pod"));
    }
    tally
}

/// Everything could be read, with these nodes and no pods.
fn seen(nodes: Vec<Arc<SeenNode>>) -> Observed {
    Observed {
        nodes: Ok(nodes),
        pods: Ok(Tally::default()),
        version: Ok("v1.36.3".to_owned()),
        namespaces: Ok(Namespaces {
            total: 4,
            active: Some(3),
            with_personas: Some(1),
        }),
        applications: Ok(2),
    }
}
