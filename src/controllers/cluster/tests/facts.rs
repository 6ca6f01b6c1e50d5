//! Sums, phase and conditions, and what stays when something could not be read.

use serde_json::{Value, json};

use super::{at, node, plain, seen, tally};
use crate::api::cluster_persona::status::ClusterPhase;
use crate::api::{ClusterPersonaStatus, Condition};
use crate::controllers::cluster::derive::derive;
use crate::controllers::cluster::observed::{MAX_NODES, Missing, Observed};

const NOON: &str = "2026-01-01T12:00:00.987654321Z";
const LATER: &str = "2026-01-01T13:00:00Z";

/// The first status, at noon, of generation 7.
fn first(seen: &Observed) -> ClusterPersonaStatus {
    derive(ClusterPersonaStatus::default(), 7, seen, at(NOON))
}

fn told(status: &ClusterPersonaStatus, of: &str) -> String {
    let condition = condition(status, of);
    format!("{}/{}/{}", condition.status, condition.reason, condition.message)
}

fn condition<'a>(status: &'a ClusterPersonaStatus, of: &str) -> &'a Condition {
    let mut found = status.conditions.iter().filter(|condition| condition.type_ == of);
    let only = found.next().expect("a condition of that type");
    assert!(found.next().is_none(), "one of each type");
    only
}

fn pod(node: &str, phase: &str, cpu: &str, memory: &str) -> Value {
    json!({
        "metadata": {"namespace": "shop", "name": "p"},
        "spec": {"nodeName": node, "containers": [{"resources": {"requests": {"cpu": cpu, "memory": memory}}}]},
        "status": {"phase": phase},
    })
}

#[test]
fn a_whole_look_is_a_whole_status() {
    let mut look = seen(vec![plain("a", true), plain("b", true)]);
    look.pods = Ok(tally(&[
        pod("a", "Running", "500m", "1Gi"),
        pod("b", "Running", "1400m", "512Mi"),
        pod("b", "Pending", "100m", "512Mi"),
        pod("", "Pending", "64", "64Gi"),
        pod("a", "Succeeded", "64", "64Gi"),
        pod("a", "Failed", "64", "64Gi"),
    ]));
    let status = first(&look);
    let json = serde_json::to_value(&status).expect("JSON");
    assert_eq!(
        json["resourceSummary"],
        json!({
            "totalCPU": "8", "totalMemory": "32748512Ki", "allocatableCPU": "7600m", "allocatableMemory": "16374256Ki",
            "usedCPU": "2", "usedMemory": "2Gi", "cpuUtilization": "26%", "memoryUtilization": "12%",
            "totalPods": 220, "runningPods": 2, "nodeCount": 2,
        })
    );
    assert_eq!(json["namespaces"], json!({"total": 4, "active": 3, "withPersonas": 1}));
    assert_eq!(
        json!([
            json["phase"],
            json["platform"],
            json["kubernetesVersion"],
            json["applicationCount"]
        ]),
        json!(["Ready", "Generic", "v1.36.3", 2])
    );
    assert_eq!(
        (json["observedGeneration"].as_i64(), json["lastDiscovery"].as_str()),
        (Some(7), Some("2026-01-01T12:00:00Z"))
    );
    assert_eq!(json["addons"].as_array().map(Vec::len), Some(8));
    assert_eq!(json["nodes"][0]["name"], "a");
    assert_eq!(
        told(&status, "Discovered"),
        "True/DiscoveryComplete/Cluster state discovered successfully"
    );
    assert_eq!(told(&status, "Healthy"), "True/AllNodesReady/2/2 nodes ready");
    for condition in &status.conditions {
        assert_eq!(condition.observed_generation, Some(7));
        assert_eq!(condition.last_transition_time.0, at("2026-01-01T12:00:00Z"));
    }
}

#[test]
fn sums_take_the_manner_of_the_first_node() {
    let with = |name: &str, cpu: &str, memory: &str| {
        let amounts = json!({"cpu": cpu, "memory": memory, "pods": "500"});
        node(&json!({"metadata": {"name": name}, "status": {"capacity": amounts, "allocatable": amounts}}))
    };
    let summary = |nodes| first(&seen(nodes)).resource_summary.expect("a summary");
    let mixed = summary(vec![with("a", "4", "1Gi"), with("b", "3800m", "1Mi")]);
    assert_eq!(
        (mixed.total_cpu.as_deref(), mixed.total_memory.as_deref()),
        (Some("7800m"), Some("1025Mi"))
    );
    assert_eq!(mixed.total_pods, Some(1000));
    let none = summary(vec![]);
    assert_eq!(
        (none.total_cpu.as_deref(), none.allocatable_memory.as_deref()),
        (Some("0"), Some("0"))
    );
    assert_eq!((none.used_cpu.as_deref(), none.cpu_utilization), (Some("0"), None));
    assert_eq!((none.total_pods, none.node_count), (Some(0), Some(0)));
}

#[test]
fn phase_and_health_follow_the_nodes() {
    for (nodes, phase, discovered, healthy) in [
        (
            vec![],
            ClusterPhase::Discovering,
            "with issues",
            "False/NodesNotReady/0/0 nodes ready",
        ),
        (
            vec![plain("a", true)],
            ClusterPhase::Ready,
            "successfully",
            "True/AllNodesReady/1/1 nodes ready",
        ),
        (
            vec![plain("a", true), plain("b", false)],
            ClusterPhase::Degraded,
            "with issues",
            "False/NodesNotReady/1/2 nodes ready",
        ),
        (
            vec![plain("a", false)],
            ClusterPhase::Degraded,
            "with issues",
            "False/NodesNotReady/0/1 nodes ready",
        ),
    ] {
        let status = first(&seen(nodes));
        assert_eq!(status.phase, Some(phase));
        assert_eq!(
            told(&status, "Discovered"),
            format!("True/DiscoveryComplete/Cluster state discovered {discovered}")
        );
        assert_eq!(told(&status, "Healthy"), healthy);
    }
}

#[test]
fn a_transition_is_a_change_of_status_and_the_message_is_always_current() {
    let before = first(&seen(vec![plain("a", true), plain("b", true), plain("c", true)]));
    let ready = derive(before, 8, &seen(vec![plain("a", true), plain("b", true)]), at(LATER));
    let healthy = condition(&ready, "Healthy");
    assert_eq!(healthy.message, "2/2 nodes ready");
    assert_eq!(healthy.last_transition_time.0, at("2026-01-01T12:00:00Z"));
    assert_eq!(healthy.observed_generation, Some(8));
    let not = derive(ready, 8, &seen(vec![plain("a", true), plain("b", false)]), at(LATER));
    assert_eq!(condition(&not, "Healthy").last_transition_time.0, at(LATER));
    assert_eq!(
        condition(&not, "Discovered").last_transition_time.0,
        at("2026-01-01T12:00:00Z")
    );
}

#[test]
fn the_same_look_is_the_same_status_but_for_the_time() {
    let look = seen(vec![plain("a", true)]);
    let before = first(&look);
    let after = derive(before.clone(), 7, &look, at(LATER));
    assert_ne!(after.last_discovery, before.last_discovery);
    let timeless = |status: ClusterPersonaStatus| ClusterPersonaStatus {
        last_discovery: None,
        ..status
    };
    assert_eq!(timeless(after), timeless(before));
}

#[test]
fn a_fact_that_was_not_seen_keeps_its_value_and_is_named() {
    let mut whole = seen(vec![plain("a", true)]);
    whole.pods = Ok(tally(&[pod("a", "Running", "380m", "1Gi")]));
    let before = first(&whole);
    let no = || Missing::Watch("forbidden (403)".to_owned());

    let mut look = seen(vec![plain("a", true), plain("b", true)]);
    (look.pods, look.version, look.namespaces, look.applications) = (Err(no()), Err(no()), Err(no()), Err(no()));
    let after = derive(before.clone(), 7, &look, at(LATER));
    assert_eq!(
        told(&after, "Discovered"),
        "False/DiscoveryIncomplete/Not seen, so that what status says of it is of an earlier time: pods (forbidden (403)); \
         version (forbidden (403)); namespaces (forbidden (403)); applicationpersonas (forbidden (403))"
    );
    let of = |status: &ClusterPersonaStatus| serde_json::to_value(status).expect("JSON");
    let (was, is) = (of(&before), of(&after));
    for kept in ["addons", "namespaces", "kubernetesVersion", "applicationCount"] {
        assert_eq!(is[kept], was[kept], "{kept}");
    }
    for kept in ["usedCPU", "usedMemory", "cpuUtilization", "runningPods"] {
        assert_eq!(is["resourceSummary"][kept], was["resourceSummary"][kept], "{kept}");
        assert!(!is["resourceSummary"][kept].is_null(), "{kept}");
    }
    assert_eq!(is["resourceSummary"]["nodeCount"], 2);
    assert_eq!(told(&after, "Healthy"), "True/AllNodesReady/2/2 nodes ready");
}

#[test]
fn without_nodes_what_was_known_of_them_stays() {
    let before = first(&seen(vec![plain("a", true), plain("b", false)]));
    let mut blind = seen(vec![]);
    blind.nodes = Err(Missing::Watch("the API server does not answer".to_owned()));
    blind.pods = Ok(tally(&[pod("a", "Running", "3800m", "1Gi")]));
    let after = derive(before.clone(), 9, &blind, at(LATER));
    assert_eq!(
        (&after.nodes, after.phase, &after.platform),
        (&before.nodes, before.phase, &before.platform)
    );
    let discovered = told(&after, "Discovered");
    assert!(discovered.starts_with("False/NodeDiscoveryFailed/"), "{discovered}");
    assert!(
        discovered.ends_with("nodes (the API server does not answer)"),
        "{discovered}"
    );
    assert_eq!(condition(&after, "Healthy"), condition(&before, "Healthy"));
    let summary = after.resource_summary.expect("a summary");
    assert_eq!(
        (summary.node_count, summary.cpu_utilization.as_deref()),
        (Some(2), Some("50%"))
    );

    let never = first(&blind);
    assert_eq!((never.phase, never.platform), (Some(ClusterPhase::Discovering), None));
    let healthy = never.conditions.iter().find(|condition| condition.type_ == "Healthy");
    assert_eq!(healthy.map(|healthy| &*healthy.status), Some("Unknown"));
}

#[test]
fn conditions_that_others_left_behind_go() {
    let mut before = first(&seen(vec![plain("a", true)]));
    let mut foreign = before.conditions[0].clone();
    foreign.type_ = "Available".to_owned();
    before.conditions.push(foreign);
    let after = derive(before, 7, &seen(vec![plain("a", true)]), at(LATER));
    let types: Vec<&str> = after.conditions.iter().map(|condition| &*condition.type_).collect();
    assert_eq!(types, ["Discovered", "Healthy"]);
}

#[test]
fn beyond_a_thousand_nodes_they_are_counted_and_no_longer_listed() {
    let nodes = (0..=MAX_NODES)
        .map(|number| plain(&format!("node-{number:04}"), number > 0))
        .collect();
    let status = first(&seen(nodes));
    assert_eq!(status.nodes.len(), MAX_NODES);
    assert_eq!(
        status.resource_summary.as_ref().and_then(|summary| summary.node_count),
        Some(1001)
    );
    assert_eq!(told(&status, "Healthy"), "False/NodesNotReady/1000/1001 nodes ready");
    assert_eq!(
        told(&status, "Discovered"),
        "True/DiscoveryComplete/Cluster state discovered with issues; status.nodes lists the first 1000 of 1001"
    );
}
