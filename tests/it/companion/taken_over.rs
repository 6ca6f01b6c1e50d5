//! A status that the Go operator left.

use serde_json::json;

use super::{Expected, Stage, install_crds};
use crate::bed::{Bed, Needs};

#[test]
fn a_status_of_the_go_operator_is_taken_over_without_stale_fields() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    install_crds(bed);
    let mut stage = Stage::new(bed, "taken", &[]);
    // It listens, so it has begun to listen for signals.
    stage.metrics();
    assert!(
        stage.dorgu.stop().success(),
        "without a webhook it ends at once and well"
    );
    let app = "orders";
    bed.apply(&stage.deployment("web", app, 3).to_string()).expect_success();
    stage.report("web", 3, 3);
    bed.apply(&stage.persona(app).to_string()).expect_success();

    let then = "2026-01-01T00:00:00Z";
    let condition = |kind: &str, status: &str, reason: &str| json!({"type": kind, "status": status, "reason": reason, "message": "stale", "lastTransitionTime": then});
    let theirs = json!({
        "phase": "Failed", "lastUpdated": then,
        "deployments": {
            "current": "old:1", "lastSuccessful": "older:1", "lastFailed": "oldest:1",
            "history": [{"version": "v", "timestamp": then, "status": "done"}],
        },
        "health": {"status": "Unhealthy", "lastCheck": then, "message": "0/3 replicas ready", "podFailures": [
            {"podName": "p", "container": "c", "reason": "CrashLoopBackOff"},
        ]},
        "validation": {"lastChecked": then, "issues": [
            {"severity": "error", "field": "f", "message": "m", "suggestion": "s"},
        ]},
        "learned": {"resourceBaseline": {"avgCPU": "10m"}, "incidentCount": 2},
        "recommendations": [{"type": "cost", "priority": "low", "message": "m"}],
        "argoCD": {"syncStatus": "Synced", "healthStatus": "Healthy", "applicationName": "orders"},
        "conditions": [condition("Ready", "False", "Issues"), condition("Validated", "True", "Passed")],
    });
    let mut object = stage.persona_of(app);
    object["status"] = theirs.clone();
    let args = ["replace", "--subresource=status", "--field-manager=manager", "-f", "-"];
    bed.kubectl_in(&args, &object.to_string()).expect_success();

    stage.start_again(&[]);
    let mut expected = Expected::healthy("web", 3).status(app);
    for kept in ["learned", "recommendations", "argoCD"] {
        expected[kept] = theirs[kept].clone();
    }
    let taken = stage.until_status(app, &expected);
    let since = |position: usize| taken["status"]["conditions"][position]["lastTransitionTime"].clone();
    assert_ne!(since(0), then, "Ready has become True");
    assert_eq!(since(1), then, "Validated stayed True");
    // What it once shared with the other writer goes as well, the moment that it is no longer said.
    stage.kubectl(&["delete", "deployment", "web"]).expect_success();
    let mut gone = Expected {
        image: Some("registry.example.com/orders:1"),
        ..Expected::absent(app)
    }
    .status(app);
    for kept in ["learned", "recommendations", "argoCD"] {
        gone[kept] = theirs[kept].clone();
    }
    stage.until_status(app, &gone);
}
