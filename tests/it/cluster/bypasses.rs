//! Bypasses that only a real API server makes possible: generated names, dry runs, server-side apply, every kind of patch
//! (bypass class 25).

use serde_json::json;

use super::{Stage, container};
use crate::bed::{Bed, Needs};

const REFUSAL: &str = "[api] privilege escalation enabled but persona forbids it";

#[test]
fn every_way_to_write_a_deployment_is_judged() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let stage = Stage::new(bed, "ways", &["--webhook-mode=enforcing"]);
    let breach = stage.deployment(|object| {
        container(object)["securityContext"]["allowPrivilegeEscalation"] = json!(true);
    });
    let refused = |what: &str, output: &crate::bed::Output| {
        assert!(
            !output.succeeded() && output.stderr.contains(REFUSAL),
            "{what}: {output}"
        );
    };

    refused("create", &bed.kubectl_in(&["create", "-f", "-"], &breach));
    refused(
        "dry run",
        &bed.kubectl_in(&["create", "--dry-run=server", "-f", "-"], &breach),
    );
    refused(
        "server-side apply",
        &bed.kubectl_in(&["apply", "--server-side", "-f", "-"], &breach),
    );
    let generated = stage.deployment(|object| {
        object["metadata"]["name"] = json!(null);
        object["metadata"]["generateName"] = json!("orders-");
        container(object)["securityContext"]["allowPrivilegeEscalation"] = json!(true);
    });
    refused("generateName", &bed.kubectl_in(&["create", "-f", "-"], &generated));

    bed.apply(&stage.deployment(|_| {})).expect_success();
    // `--raw`, which names no resourceVersion: a controller may have written the object meanwhile, and a conflict would
    // come before us.
    let raw = format!("--raw=/apis/apps/v1/namespaces/{}/deployments/orders", stage.namespace);
    refused("update", &bed.kubectl_in(&["replace", &raw, "-f", "-"], &breach));
    refused(
        "apply over it",
        &bed.kubectl_in(&["apply", "--server-side", "--force-conflicts", "-f", "-"], &breach),
    );
    let path = "/spec/template/spec/containers/0/securityContext/allowPrivilegeEscalation";
    let json_patch = format!(r#"[{{"op":"replace","path":"{path}","value":true}}]"#);
    let strategic = r#"{"spec":{"template":{"spec":{"containers":[{"name":"api","securityContext":{"allowPrivilegeEscalation":true}}]}}}}"#;
    let image = "registry.example.com/orders:1";
    let merge = format!(
        r#"{{"spec":{{"template":{{"spec":{{"containers":[{{"name":"api","image":"{image}","securityContext":{{"allowPrivilegeEscalation":true}}}}]}}}}}}}}"#
    );
    for (kind, patch) in [
        ("json", json_patch.as_str()),
        ("strategic", strategic),
        ("merge", &merge),
    ] {
        let args = [
            "patch",
            "deployment",
            "orders",
            &format!("--type={kind}"),
            &format!("--patch={patch}"),
        ];
        refused(kind, &stage.kubectl(&args));
    }
}

#[test]
fn a_dry_run_is_answered_like_the_real_thing() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let stage = Stage::new(bed, "dryrun", &[]);
    let breach = stage.deployment(|object| object["spec"]["replicas"] = json!(9));
    let dry = bed.kubectl_in(&["create", "--dry-run=server", "-f", "-"], &breach);
    let wet = bed.kubectl_in(&["create", "-f", "-"], &breach);
    assert_eq!(dry.stderr, wet.stderr);
    assert!(wet.stderr.contains("replicas (9) above persona maximum (6)"), "{wet}");
}
