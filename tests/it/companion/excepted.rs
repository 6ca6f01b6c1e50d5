//! The status of an exception, and of the persona whose findings it covers, change in the second of its end.

use anyhow::ensure;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Stage, TIMEOUT};
use crate::bed::{Bed, Needs, wait_until};

/// How late a status may follow, on a busy machine.
const LATE: SignedDuration = SignedDuration::from_secs(10);

#[test]
fn the_statuses_of_an_exception_and_of_its_persona_change_at_its_end_without_another_event() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    // Within the test no reconcile is due without a change.
    let stage = Stage::new(bed, "excepted", &["--requeue-interval=1h"]);
    let ends = Timestamp::now() + SignedDuration::from_secs(15);
    let until = ends.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let exception = json!({
        "apiVersion": "dorgu.io/v1", "kind": "PersonaException",
        "metadata": {"name": "until-spring", "namespace": stage.namespace},
        "spec": {
            "app": "orders", "rules": ["replicas-below-minimum"], "reason": "The second zone comes in spring",
            "owner": "jane", "expires": until,
        },
    });
    for object in [stage.persona("orders"), stage.deployment("web", "orders", 1), exception] {
        bed.apply(&object.to_string()).expect_success();
    }
    let path = format!(
        "/apis/dorgu.io/v1/namespaces/{}/personaexceptions/until-spring",
        stage.namespace
    );
    let says = |phase: &str, active: &str, issue: &str| {
        let said = wait_until(TIMEOUT, phase, || {
            let status = stage.get(&path)["status"].clone();
            ensure!(status["phase"] == phase && status["findings"] == 1, "{status:#}");
            ensure!(status["conditions"][0]["message"] == active, "{status:#}");
            let persona = stage.persona_of("orders");
            let found = persona["status"]["validation"]["issues"][0].clone();
            ensure!(found["severity"] == issue, "{found:#}");
            Ok((
                Timestamp::now(),
                found["message"].as_str().unwrap_or_default().to_owned(),
            ))
        });
        said.unwrap_or_else(|error| panic!("{error:#}; it said:\n{}", stage.dorgu.lines().join("\n")))
    };
    let finding = "Deployment replicas (1) below persona minimum (2); PersonaException 'until-spring'";
    let (_, covered) = says("Active", &format!("Covers findings until {until}"), "warning");
    assert_eq!(covered, format!("{finding} covers it until {until}"));
    let (now, uncovered) = says(
        "Expired",
        &format!("Ended at {until}; 1 finding stands without cover"),
        "error",
    );
    assert_eq!(uncovered, format!("{finding} covered it until {until}"));
    assert!(
        now >= ends - SignedDuration::from_secs(1) && now < ends + LATE,
        "{ends}, and it was {now}"
    );

    let events = wait_until(TIMEOUT, "the event", || {
        let events = stage.events("until-spring");
        ensure!(!events.is_empty(), "{events:?}");
        Ok(events)
    });
    // The processes of other tests, which no Lease restrains, may have sent it, too.
    let note = format!("Ended at {until}; 1 finding stands without cover");
    for event in events.unwrap_or_else(|error| panic!("{error:#}")) {
        assert_eq!(event, ("ExceptionExpired".to_owned(), note.clone(), 1));
    }
    let version = |object: Value| object["metadata"]["resourceVersion"].to_string();
    let before = version(stage.get(&path));
    // A change of the Deployment that changes no finding.
    stage
        .kubectl(&["annotate", "deployment", "web", "team=checkout"])
        .expect_success();
    stage.report("web", 1, 1);
    let ready = wait_until(TIMEOUT, "the persona follows", || {
        ensure!(stage.persona_of("orders")["status"]["health"]["status"] == "Healthy");
        Ok(())
    });
    ready.unwrap_or_else(|error| panic!("{error:#}"));
    assert_eq!(
        version(stage.get(&path)),
        before,
        "what says the same is not written again"
    );
}
