//! Real controllers: a roll-out in enforcing mode finishes, and the deployment controller is never blocked.

use std::time::Duration;

use serde_json::json;

use super::{Stage, container};
use crate::bed::{Bed, Needs, wait_until};

#[test]
fn a_roll_out_finishes_in_enforcing_mode_also_for_a_deployment_in_breach() {
    let Some(bed) = Bed::shared(Needs::Rollouts) else {
        return;
    };
    let stage = Stage::unregistered(bed, "rollout", &["--webhook-mode=enforcing"]);
    // A violation that exists before the webhook: one replica, where two are the minimum.
    bed.apply(&stage.deployment(|object| object["spec"]["replicas"] = json!(1)))
        .expect_success();
    bed.register(&stage.registration);
    let next = stage.deployment(|object| {
        object["spec"]["replicas"] = json!(1);
        container(object)["image"] = json!("registry.example.com/orders:2");
    });
    bed.apply(&next).expect_success();
    let finished = wait_until(Duration::from_secs(120), "the roll-out finishes", || {
        let status = stage.kubectl(&["rollout", "status", "deployment/orders", "--timeout=10s"]);
        anyhow::ensure!(status.succeeded(), "{status}");
        Ok(())
    });
    finished.expect("the controller's own writes pass");
    let revision = stage.kubectl(&[
        "get",
        "deployment",
        "orders",
        "--output=jsonpath={.metadata.annotations.deployment\\.kubernetes\\.io/revision}",
    ]);
    assert_eq!(revision.expect_success(), "2");
}
