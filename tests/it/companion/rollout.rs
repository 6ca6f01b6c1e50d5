//! The life of a Deployment in the status of its persona: each state appears soon after its cause.

use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};

use super::{Expected, Stage, TIMEOUT};
use crate::bed::{Bed, Needs, Options, wait_until};

/// From a Deployment's own status to its persona's.
const SOON: Duration = Duration::from_secs(2);

fn counts(deployment: &Value, replicas: u64, ready: u64) -> bool {
    let count = |key: &str| deployment["status"][key].as_u64().unwrap_or(0);
    let condition = |kind: &str| {
        let conditions = deployment["status"]["conditions"].as_array();
        let found = conditions.and_then(|all| all.iter().find(|condition| condition["type"] == kind));
        found.is_some_and(|condition| condition["status"] == "True")
    };
    count("replicas") == replicas
        && count("readyReplicas") == ready
        && condition("Available") == (ready > 0 || replicas == 0)
}

#[test]
fn each_state_of_a_deployment_is_in_its_personas_status_soon_after_its_cause() {
    // A separate bed: the processes of other tests, which no Lease restrains, would report it, too.
    let options = Options {
        needs: Needs::Rollouts,
        ..Options::default()
    };
    let Some(bed) = Bed::start(&options) else {
        return;
    };
    let stage = Stage::new(&bed, "states", &[]);
    let (app, web) = ("orders", "web");

    // The persona first: it waits for its Deployment.
    bed.apply(&stage.persona(app).to_string()).expect_success();
    stage.until_status(app, &Expected::absent(app).status(app));

    bed.apply(&stage.deployment(web, app, 3).to_string()).expect_success();
    let healthy = Expected::healthy(web, 3);
    let behind = stage.behind(web, |it| counts(it, 3, 3), app, &healthy.status(app));
    assert!(behind < SOON, "{behind:?}");

    let image = "registry.example.com/orders:2";
    stage
        .kubectl(&["set", "image", "deployment/web", &format!("api={image}")])
        .expect_success();
    let renewed = Expected {
        image: Some(image),
        ..Expected::healthy(web, 3)
    };
    let rolled = |it: &Value| counts(it, 3, 3) && it["status"]["updatedReplicas"] == 3;
    let behind = stage.behind(web, rolled, app, &renewed.status(app));
    assert!(behind < SOON, "{behind:?}");

    stage
        .kubectl(&["scale", "deployment", web, "--replicas=0"])
        .expect_success();
    let too_few = "Deployment replicas (0) below persona minimum (2)";
    let empty = Expected {
        phase: "Degraded",
        health: ("Healthy", "0/0 replicas ready".to_owned()),
        passed: false,
        issues: json!([{
            "severity": "error", "field": "spec.replicas", "message": too_few,
            "suggestion": "Set replicas to at least 2",
        }]),
        ready: ("False", "Issues", "Phase: Degraded".to_owned()),
        validated: ("False", "ValidationFailed", "1 validation error(s) found"),
        ..Expected {
            image: Some(image),
            ..Expected::healthy(web, 0)
        }
    };
    let behind = stage.behind(web, |it| counts(it, 0, 0), app, &empty.status(app));
    assert!(behind < SOON, "{behind:?}");

    stage
        .kubectl(&["scale", "deployment", web, "--replicas=3"])
        .expect_success();
    let behind = stage.behind(web, |it| counts(it, 3, 3), app, &renewed.status(app));
    assert!(behind < SOON, "{behind:?}");

    // New pods find no node; the old ones stay.
    let nowhere =
        json!({"spec": {"progressDeadlineSeconds": 3, "template": {"spec": {"nodeSelector": {"no": "node"}}}}});
    stage
        .kubectl(&["patch", "deployment", web, "--type=merge", "-p", &nowhere.to_string()])
        .expect_success();
    let half = Expected {
        phase: "Degraded",
        health: ("Degraded", "3/4 replicas ready".to_owned()),
        ready: ("False", "Issues", "Phase: Degraded".to_owned()),
        ..Expected {
            image: Some(image),
            ..Expected::healthy(web, 3)
        }
    };
    let behind = stage.behind(web, |it| counts(it, 4, 3), app, &half.status(app));
    assert!(behind < SOON, "{behind:?}");

    stage.kubectl(&["delete", "deployment", web]).expect_success();
    let gone = Expected {
        image: Some(image),
        ..Expected::absent(app)
    };
    stage.until_status(app, &gone.status(app));

    // Each change that matters to users was reported to them once.
    let told = wait_until(TIMEOUT, "the events", || {
        let events = stage.events(app);
        ensure!(events.len() == 2, "{events:?}");
        Ok(events)
    });
    let event = |reason: &str, note: &str| (reason.to_owned(), note.to_owned(), 1);
    let compliant = event("PersonaCompliant", "The Deployment meets this persona");
    assert_eq!(
        told.expect("told"),
        [event("PersonaViolated", too_few), compliant.clone()]
    );

    // The same violation again is the same event, counted.
    bed.apply(&stage.deployment(web, app, 0).to_string()).expect_success();
    let again = wait_until(TIMEOUT, "the event is counted", || {
        let events = stage.events(app);
        ensure!(events.len() == 2 && events[0].2 == 2, "{events:?}");
        Ok(events)
    });
    assert_eq!(again.expect("counted")[1], compliant);
}

#[test]
fn a_roll_out_that_never_gets_ready_is_on_its_way_and_then_failed() {
    let Some(bed) = Bed::shared(Needs::Rollouts) else {
        return;
    };
    let stage = Stage::new(bed, "broken", &[]);
    let (app, web) = ("broken", "web");
    let mut deployment = stage.deployment(web, app, 3);
    deployment["spec"]["progressDeadlineSeconds"] = json!(4);
    deployment["spec"]["template"]["spec"]["nodeSelector"] = json!({"no": "node"});
    bed.apply(&deployment.to_string()).expect_success();
    bed.apply(&stage.persona(app).to_string()).expect_success();
    let on_its_way = Expected {
        phase: "Degraded",
        health: ("Unknown", "Deployment is progressing".to_owned()),
        ready: ("False", "Issues", "Phase: Degraded".to_owned()),
        ..Expected::healthy(web, 3)
    };
    stage.until_status(app, &on_its_way.status(app));
    let failed = Expected {
        phase: "Failed",
        health: ("Unhealthy", "0/3 replicas ready".to_owned()),
        ready: ("False", "Issues", "Phase: Failed".to_owned()),
        ..Expected::healthy(web, 3)
    };
    let gave_up = |it: &Value| {
        let conditions = it["status"]["conditions"].as_array().into_iter().flatten();
        conditions
            .filter(|condition| condition["type"] == "Progressing")
            .any(|condition| condition["status"] == "False")
    };
    let behind = stage.behind(web, gave_up, app, &failed.status(app));
    assert!(behind < SOON, "{behind:?}");
}

#[test]
fn two_deployments_of_one_app_are_named_and_neither_is_picked() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let stage = Stage::new(bed, "two", &[]);
    let app = "orders";
    for name in ["web-a", "web-b"] {
        bed.apply(&stage.deployment(name, app, 3).to_string()).expect_success();
        stage.report(name, 3, 3);
    }
    bed.apply(&stage.persona(app).to_string()).expect_success();
    let message = "Deployments 'web-a', 'web-b' all belong to 'orders'; expected one".to_owned();
    let ambiguous = Expected {
        health: ("Unknown", "Several Deployments match".to_owned()),
        passed: false,
        ready: ("False", "AmbiguousDeployment", message.clone()),
        validated: ("Unknown", "Skipped", "Several Deployments match; none was validated"),
        found: ("False", "AmbiguousDeployment", message),
        ..Expected::absent(app)
    };
    stage.until_status(app, &ambiguous.status(app));
    // One of them leaves, by its label alone.
    stage
        .kubectl(&["label", "deployment", "web-b", "app.kubernetes.io/name-"])
        .expect_success();
    stage.until_status(app, &Expected::healthy("web-a", 3).status(app));
}

#[test]
fn personas_of_one_name_and_values_that_cannot_be_read_are_conditions() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let stage = Stage::new(bed, "shared", &[]);
    bed.apply(&stage.persona("orders").to_string()).expect_success();
    stage.until_status("orders", &Expected::absent("orders").status("orders"));
    let mut second = stage.persona("second");
    second["spec"]["name"] = json!("orders");
    bed.apply(&second.to_string()).expect_success();
    let unique = |name: &str| {
        let persona = stage.persona_of(name);
        let conditions = persona["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let found = conditions
            .into_iter()
            .find(|condition| condition["type"] == "NameUnique");
        found.map(|condition| condition["message"].as_str().unwrap_or_default().to_owned())
    };
    wait_until(TIMEOUT, "both say so", || {
        for (name, other) in [("orders", "second"), ("second", "orders")] {
            let message = unique(name).unwrap_or_default();
            ensure!(
                message == format!("spec.name 'orders' is also that of '{other}'; all apply"),
                "{name}: {message}"
            );
        }
        Ok(())
    })
    .expect("told");
    stage
        .kubectl(&["delete", "applicationpersona", "second"])
        .expect_success();
    stage.until_status("orders", &Expected::absent("orders").status("orders"));
    // A changed spec is another generation, and the status says of which it speaks.
    let mut third = stage.persona("orders");
    third["spec"]["scaling"]["minReplicas"] = json!(3);
    bed.apply(&third.to_string()).expect_success();
    let later = Expected {
        generation: 2,
        ..Expected::absent("orders")
    };
    stage.until_status("orders", &later.status("orders"));
}
