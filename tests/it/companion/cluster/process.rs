//! The whole process: the namespaces and personas of its watches are in the status, too.

use serde_json::json;

use super::super::{Stage, install_crds};
use super::{until, worker};
use crate::bed::{Bed, Options};

#[test]
fn the_process_makes_the_first_cluster_persona_and_keeps_its_status() {
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    let bed = &bed;
    install_crds(bed);
    let stage = Stage::new(bed, "whole", &["--auto-create-cluster-persona"]);
    let said = |line: &str| line.contains("Cannot create a ClusterPersona");
    stage.dorgu.wait_for_line("that it has no right to create one", said);
    let subject = format!("--serviceaccount={}:dorgu", stage.namespace);
    let role = [
        "create",
        "clusterrole",
        "creator",
        "--verb=create",
        "--resource=clusterpersonas.dorgu.io",
    ];
    bed.kubectl(&role).expect_success();
    let binding = [
        "create",
        "clusterrolebinding",
        "creator",
        "--clusterrole=creator",
        &subject,
    ];
    bed.kubectl(&binding).expect_success();
    let (made, took) = until(bed, "dorgu-cluster", "it is made", |status| !status.is_null());
    println!("made {took:?} after it may be");
    let system = bed.kubectl(&["get", "namespace", "kube-system", "--output=jsonpath={.metadata.uid}"]);
    assert_eq!(
        made["metadata"]["annotations"]["dorgu.io/cluster-uid"],
        system.expect_success()
    );

    bed.apply(&stage.persona("orders").to_string()).expect_success();
    stage.kubectl(&["get", "applicationpersona", "orders"]).expect_success();
    // Without a controller manager a deleted namespace continues to exist.
    bed.kubectl(&["create", "namespace", "going"]).expect_success();
    bed.kubectl(&["delete", "namespace", "going", "--wait=false"])
        .expect_success();
    worker(bed, "worker-0");
    let (object, _) = until(
        bed,
        "dorgu-cluster",
        "node, persona and namespaces are told",
        |status| status["phase"] == "Ready" && status["applicationCount"] == 1,
    );
    let namespaces = &object["status"]["namespaces"];
    let total = namespaces["total"].as_u64().expect("a number");
    assert_eq!(
        *namespaces,
        json!({"total": total, "active": total - 1, "withPersonas": 1})
    );
    let metrics = stage.metrics();
    let counted = r#"dorgu_reconcile_total{controller="clusterpersona",result="success"}"#;
    let looks = metrics.lines().find_map(|line| line.strip_prefix(counted));
    assert!(looks.is_some_and(|looks| looks != " 0"), "{metrics}");
}
