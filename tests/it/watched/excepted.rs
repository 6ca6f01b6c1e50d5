//! An exception stored in the cluster decides until the second of its end.

use anyhow::ensure;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Stage, TIMEOUT};
use crate::bed::{Bed, Needs, wait_until};

const BREACH: &str = "replicas (1) below persona minimum (2)";

fn exception(stage: &Stage<'_>, target: Value, expires: Timestamp) -> Value {
    let mut object = json!({
        "apiVersion": "dorgu.io/v1", "kind": "PersonaException",
        "metadata": {"name": "until-spring", "namespace": stage.namespace},
        "spec": {
            "rules": ["replicas-below-minimum"], "reason": "The second zone comes in spring", "owner": "jane",
            "expires": expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        },
    });
    object["spec"]
        .as_object_mut()
        .expect("a spec")
        .extend(target.as_object().expect("a target").clone());
    object
}

#[test]
fn what_an_exception_covers_is_admitted_until_its_end_and_is_old_from_then_on() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let stage = Stage::new(bed, "excepted", &["--webhook-mode=enforcing"]);
    bed.apply(&stage.persona("orders", 2).to_string()).expect_success();
    stage.until_told("orders", BREACH, true);
    let breach = |name: &str| stage.deployment(name, Some("orders"), 1);
    let refused = bed.apply(&breach("web").to_string()).expect_failure();
    assert!(refused.contains(BREACH), "{refused}");

    let ends = Timestamp::now() + SignedDuration::from_secs(12);
    let app = exception(&stage, json!({"app": "orders"}), ends);
    bed.apply(&app.to_string()).expect_success();
    stage.until_told("orders", "PersonaException 'until-spring' covers it until", true);
    let created = bed.apply(&breach("web").to_string());
    assert!(created.stderr.contains("Warning: replicas (1)"), "{created:?}");
    created.expect_success();
    stage
        .kubectl(&["scale", "deployment", "web", "--replicas=0"])
        .expect_success();
    stage
        .kubectl(&["scale", "deployment", "web", "--replicas=1"])
        .expect_success();

    // No event announces the end.
    let ended = wait_until(TIMEOUT, "the exception has ended", || {
        let said = stage.ask("orders");
        ensure!(said.contains("violates"), "{said}");
        Ok(Timestamp::now())
    });
    let ended = ended.unwrap_or_else(|error| panic!("{error:#}"));
    let second = ends.strftime("%s").to_string().parse().expect("a second");
    assert!(ended.as_second() >= second, "{ended} is before {ends}");
    bed.apply(&breach("other").to_string()).expect_failure();
    let annotated = ["annotate", "deployment", "web", "team=checkout"];
    stage.kubectl(&annotated).expect_success();
    let worse = stage
        .kubectl(&["scale", "deployment", "web", "--replicas=0"])
        .expect_failure();
    assert!(worse.contains("replicas (0) below persona minimum (2)"), "{worse}");
}

#[test]
fn an_exception_for_a_deployment_is_found_for_its_scale_and_its_removal_is_seen() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let stage = Stage::new(bed, "excepted", &["--webhook-mode=enforcing"]);
    bed.apply(&stage.persona("orders", 2).to_string()).expect_success();
    stage.until_told("orders", BREACH, true);
    for name in ["web", "db"] {
        bed.apply(&stage.deployment(name, Some("orders"), 3).to_string())
            .expect_success();
    }
    let target = json!({"workload": {"kind": "Deployment", "name": "web"}});
    let ends = Timestamp::now() + SignedDuration::from_hours(1);
    bed.apply(&exception(&stage, target, ends).to_string()).expect_success();
    let scale = |name: &str| stage.kubectl(&["scale", "deployment", name, "--replicas=1", "--dry-run=server"]);
    let scaled = wait_until(TIMEOUT, "the exception is known", || scale("web").checked().map(drop));
    scaled.unwrap_or_else(|error| panic!("{error:#}"));
    scale("db").expect_failure();
    stage.kubectl(&["delete", "pexc", "until-spring"]).expect_success();
    let denied = wait_until(TIMEOUT, "the exception is gone", || {
        ensure!(scale("web").checked().is_err(), "it is still scaled");
        Ok(())
    });
    denied.unwrap_or_else(|error| panic!("{error:#}"));
}
