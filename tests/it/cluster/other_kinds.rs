//! Other kinds have a Scale, too. Where a registration sends it, no persona applies, since personas govern Deployments.

use std::time::Duration;

use anyhow::ensure;
use serde_json::json;

use super::{Stage, container};
use crate::bed::{Bed, Needs, wait_until};

#[test]
fn a_statefulset_of_the_same_label_scales_as_it_likes() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let stage = Stage::new(bed, "statefulset", &["--webhook-mode=enforcing"]);
    let made = bed.apply(&stage.deployment(|object| {
        object["kind"] = json!("StatefulSet");
        object["metadata"]["name"] = json!("orders-db");
        object["spec"]["serviceName"] = json!("orders-db");
        object["spec"]["replicas"] = json!(3);
        let labels = json!({"app.kubernetes.io/name": "orders", "app.kubernetes.io/component": "db"});
        object["spec"]["selector"] = json!({"matchLabels": labels});
        object["spec"]["template"]["metadata"]["labels"] = labels;
        container(object)["securityContext"]["allowPrivilegeEscalation"] = json!(true);
    }));
    made.expect_success();
    bed.apply(&stage.deployment(|_| {})).expect_success();

    let more = json!([{"op": "add", "path": "/webhooks/1/rules/0/resources/-", "value": "statefulsets/scale"}]);
    let name = stage.registration.name();
    let patch = [
        "patch",
        "validatingwebhookconfiguration",
        &name,
        "--type=json",
        "-p",
        &more.to_string(),
    ];
    bed.kubectl(&patch).expect_success();
    let scale = |object: &str| stage.kubectl(&["scale", object, "--replicas=1", "--dry-run=server"]);
    // The API server takes up a registration some time after it was stored.
    let scaled = wait_until(Duration::from_secs(60), "its Scale is sent to us", || {
        let scaled = scale("statefulset/orders-db");
        ensure!(scaled.stderr.contains("its resource is statefulsets.apps"), "{scaled}");
        Ok(scaled)
    });
    scaled.expect("sent").expect_success();
    let refused = scale("deployment/orders").expect_failure();
    assert!(refused.contains("replicas (1) below persona minimum (2)"), "{refused}");
}
