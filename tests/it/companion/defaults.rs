//! The status of a default persona counts whom it governs, and lists what is found of them.

use anyhow::ensure;
use serde_json::{Value, json};

use super::{Stage, TIMEOUT};
use crate::bed::{Bed, Needs, wait_until};

#[test]
fn a_default_persona_counts_whom_it_governs() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let stage = Stage::new(bed, "defaults", &[]);
    let mut everyone = stage.persona("everyone");
    everyone["spec"] = json!({"name": "*", "type": "api", "scaling": {"minReplicas": 2}});
    let until = |wanted: &str| {
        let found = wait_until(TIMEOUT, "the count is right", || {
            let persona = stage.persona_of("everyone");
            let conditions = persona["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let said = conditions.iter().find(|condition| condition["type"] == "WorkloadFound");
            let said = said.map(|condition| condition["message"].clone()).unwrap_or_default();
            ensure!(said == wanted, "{said}");
            Ok(())
        });
        found.unwrap_or_else(|error| panic!("{error:#}; it said:\n{}", stage.dorgu.lines().join("\n")));
    };
    bed.apply(&everyone.to_string()).expect_success();
    until("Governs no Deployment: there is none without an ApplicationPersona of its own");
    bed.apply(&stage.deployment("one", "orders", 2).to_string())
        .expect_success();
    until("Governs 1 Deployment without an ApplicationPersona of its own");
    bed.apply(&stage.deployment("two", "carts", 2).to_string())
        .expect_success();
    until("Governs 2 Deployments without an ApplicationPersona of their own");
    bed.apply(&stage.persona("orders").to_string()).expect_success();
    until("Governs 1 Deployment without an ApplicationPersona of its own");
    bed.apply(&stage.deployment("two", "carts", 1).to_string())
        .expect_success();
    let listed = wait_until(TIMEOUT, "its finding is listed", || {
        let status = &stage.persona_of("everyone")["status"];
        let issues = status["validation"]["issues"].as_array().cloned().unwrap_or_default();
        let messages: Vec<&Value> = issues.iter().map(|issue| &issue["message"]).collect();
        ensure!(
            messages == ["Deployment 'two': Deployment replicas (1) below persona minimum (2)"],
            "{status:#}"
        );
        ensure!(
            status["phase"] == "Degraded" && status["validation"]["passed"] == false,
            "{status:#}"
        );
        Ok(())
    });
    listed.unwrap_or_else(|error| panic!("{error:#}; it said:\n{}", stage.dorgu.lines().join("\n")));
    everyone["spec"]["policies"] = json!({"binding": true});
    bed.apply(&everyone.to_string()).expect_success();
    until("Governs 2 Deployments");
}
