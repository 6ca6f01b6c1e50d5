//! Default personas decide for the apps that have no persona of their own, in their namespace and in others.

use serde_json::json;

use super::Stage;
use crate::bed::{Bed, Needs};

#[test]
fn default_personas_decide_for_apps_without_a_persona_of_their_own() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let platform = bed.namespace("platform", &[]);
    let flag = format!("--default-personas-namespace={platform}");
    let stage = Stage::new(bed, "governed", &["--webhook-mode=enforcing", &flag]);
    let default = |namespace: &str, minimum: u32, binding: bool| {
        let mut persona = stage.persona("everyone", minimum);
        persona["metadata"]["namespace"] = json!(namespace);
        persona["spec"]["name"] = json!("*");
        persona["spec"]["policies"] = json!({"binding": binding});
        persona.to_string()
    };
    let of_platform = format!("ApplicationPersona '{platform}/everyone'");

    bed.apply(&default(&platform, 2, false)).expect_success();
    stage.until_told("orders", &of_platform, true);
    let refused = bed
        .kubectl_in(
            &["apply", "-f", "-"],
            &stage.deployment("web", Some("orders"), 1).to_string(),
        )
        .expect_failure();
    assert!(refused.contains(&of_platform), "{refused}");

    bed.apply(&default(&stage.namespace, 3, false)).expect_success();
    stage.until_told("orders", "minimum (3)", true);
    stage.until_told("orders", &of_platform, false);

    bed.apply(&stage.persona("orders", 1).to_string()).expect_success();
    stage.until_told("orders", "minimum", false);

    bed.apply(&default(&platform, 2, true)).expect_success();
    stage.until_told("orders", &of_platform, true);

    stage
        .kubectl(&["delete", "applicationpersona", "orders", "everyone"])
        .expect_success();
    stage.until_told("orders", "minimum (2)", true);
    let delete = ["--namespace", &platform, "delete", "applicationpersona", "everyone"];
    bed.kubectl(&delete).expect_success();
    stage.until_told("orders", "minimum", false);
}
