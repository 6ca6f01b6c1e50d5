//! The status of a narrowed persona is about the workload that it governs, as a review is.

use anyhow::ensure;
use serde_json::json;

use super::{Stage, TIMEOUT};
use crate::bed::{Bed, Needs, wait_until};

#[test]
fn the_status_of_a_narrowed_persona_lists_the_workload_that_it_governs() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let stage = Stage::new(bed, "selected", &[]);
    let persona = |name: &str, tier: &str| {
        let mut persona = stage.persona(name);
        persona["spec"]["name"] = json!("orders");
        persona["spec"]["selector"] = json!({"matchLabels": {"tier": tier}});
        persona.to_string()
    };
    let deployment = |name: &str, tier: &str, replicas: u32| {
        let mut object = stage.deployment(name, "orders", replicas);
        object["metadata"]["labels"]["tier"] = json!(tier);
        object.to_string()
    };
    let until = |persona: &str, kind: &str, wanted: &str| {
        let found = wait_until(TIMEOUT, "the status is right", || {
            let persona = stage.persona_of(persona);
            let conditions = persona["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let said = conditions.iter().find(|condition| condition["type"] == kind);
            let said = said.map(|condition| condition["message"].clone()).unwrap_or_default();
            ensure!(said == wanted, "{said}");
            Ok(())
        });
        found.unwrap_or_else(|error| panic!("{error:#}; it said:\n{}", stage.dorgu.lines().join("\n")));
    };
    bed.apply(&persona("orders-api", "api")).expect_success();
    bed.apply(&persona("orders-cache", "cache")).expect_success();
    bed.apply(&deployment("api", "api", 1)).expect_success();
    bed.apply(&deployment("cache", "cache", 2)).expect_success();
    bed.apply(&deployment("web", "web", 1)).expect_success();
    until("orders-api", "WorkloadFound", "Deployment 'api'");
    until("orders-api", "Validated", "1 validation error(s) found");
    until("orders-cache", "WorkloadFound", "Deployment 'cache'");
    until("orders-cache", "Validated", "All validations passed");
    let unique = "No other ApplicationPersona with spec.name 'orders' governs the same Deployment";
    until("orders-cache", "NameUnique", unique);
    // A label is all that changes.
    bed.kubectl(&[
        "label",
        "deployment",
        "api",
        "--namespace",
        &stage.namespace,
        "tier=none",
        "--overwrite",
    ])
    .expect_success();
    until(
        "orders-api",
        "WorkloadFound",
        "No Deployment with label app.kubernetes.io/name=orders whose labels its selector matches",
    );
    // Both govern it.
    bed.apply(&persona("orders-all", "cache")).expect_success();
    until(
        "orders-cache",
        "NameUnique",
        "spec.name 'orders' is also that of 'orders-all'; all apply",
    );
}
