//! What the status of a default persona says of the Deployments that it governs.

use super::*;
use crate::policy::Exception;
use crate::policy::exception::MaxLength;
use crate::policy::issue::MOST_ISSUES;

fn everyone() -> Persona {
    Persona {
        name: "everyone".to_owned(),
        app: "*".to_owned(),
        max_replicas: Some(4),
        ..persona()
    }
}

fn with(replicas: i32) -> Running {
    Running {
        spec: Ok(format!(r#"{{"replicas":{replicas}}}"#).into()),
        ..running(3, 3, true, true)
    }
}

/// Deployments of namespaces, with so many replicas.
fn governed(list: &[(&str, &str, i32)]) -> Vec<Arc<Deployment>> {
    let deployment = |(namespace, name, replicas): &(&str, &str, i32)| Deployment {
        namespace: (*namespace).into(),
        name: (*name).into(),
        running: Some(Box::new(with(*replicas))),
        ..Deployment::default()
    };
    list.iter().map(|one| Arc::new(deployment(one))).collect()
}

fn derived(deployments: &[Arc<Deployment>]) -> Value {
    let persona = everyone();
    assess(RuleSet::Complete, &observed(&persona, deployments)).status(&Value::Null, at(0))
}

#[test]
fn the_findings_of_all_deployments_are_listed_with_their_names_the_errors_first() {
    let deployments = governed(&[("shop", "big", 9), ("shop", "well", 3), ("web", "small", 1)]);
    let status = derived(&deployments);
    assert_eq!(
        status["validation"]["issues"],
        json!([
            {
                "severity": "error", "field": "spec.replicas",
                "message": "Deployment 'web/small': Deployment replicas (1) below persona minimum (2)",
                "suggestion": "Set replicas to at least 2",
            },
            {
                "severity": "warning", "field": "spec.replicas",
                "message": "Deployment 'big': Deployment replicas (9) above persona maximum (4)",
                "suggestion": "Set replicas to at most 4",
            },
        ])
    );
    assert_eq!(
        (&status["phase"], &status["validation"]["passed"]),
        (&json!("Degraded"), &json!(false))
    );
    assert_eq!(
        condition(&status, "Validated"),
        "False/ValidationFailed/1 validation error(s) found in 1 of 3 Deployment(s)"
    );
    assert_eq!(condition(&status, "Ready"), "False/Issues/Phase: Degraded");
    assert_eq!(
        condition(&status, "WorkloadFound"),
        "True/Governs/Governs 3 Deployments without an ApplicationPersona of their own"
    );
    assert_eq!(
        condition(&status, "ReadyToEnforce"),
        "False/WouldDeny/1 would be denied: spec.replicas: Deployment 'web/small': Deployment replicas (1) below persona \
         minimum (2). Set replicas to at least 2"
    );
}

#[test]
fn deployments_that_meet_it_are_said_to_pass() {
    let status = derived(&governed(&[("shop", "a", 2), ("shop", "b", 4)]));
    assert_eq!(
        (&status["phase"], &status["validation"]),
        (
            &json!("Active"),
            &json!({
                "passed": true, "lastChecked": "1970-01-01T00:00:00Z", "cleanSince": "1970-01-01T00:00:01Z",
            })
        )
    );
    assert_eq!(condition(&status, "Validated"), "True/Passed/All validations passed");
    let none = derived(&[]);
    assert_eq!(condition(&none, "Validated"), "True/Skipped/No Deployment to validate");
}

#[test]
fn more_findings_than_a_status_holds_are_counted() {
    let names: Vec<String> = (0..3 * MOST_ISSUES).map(|number| format!("d{number:03}")).collect();
    let list: Vec<(&str, &str, i32)> = names
        .iter()
        .enumerate()
        .map(|(number, name)| ("shop", name.as_str(), if number % 3 == 0 { 9 } else { 1 }))
        .collect();
    let status = derived(&governed(&list));
    let issues = status["validation"]["issues"].as_array().expect("issues");
    assert_eq!(issues.len(), MOST_ISSUES + 1);
    let (last, listed) = issues.split_last().expect("issues");
    assert!(listed.iter().all(|issue| issue["severity"] == "error"));
    assert_eq!(last["message"], format!("and {} more", 2 * MOST_ISSUES));
    assert_eq!(
        condition(&status, "Validated"),
        "False/ValidationFailed/200 validation error(s) found in 200 of 300 Deployment(s)"
    );
}

#[test]
fn what_is_too_much_or_unreadable_is_not_compared_and_not_passed() {
    let mut deployments = governed(&[("shop", "a", 3), ("shop", "b", 3), ("shop", "c", 3)]);
    let mut put = |position: usize, spec: Result<Box<str>, Box<str>>| {
        let running = Running { spec, ..with(3) };
        deployments[position] = Arc::new(Deployment {
            running: Some(Box::new(running)),
            ..Deployment::clone(&deployments[position])
        });
    };
    put(0, Err("spec.replicas: a word".into()));
    put(2, Ok(" ".repeat(13 << 20).into()));
    let status = derived(&deployments);
    assert_eq!(status["validation"]["passed"], false);
    assert_eq!(
        condition(&status, "Validated"),
        "Unknown/NotAllCompared/2 of 3 Deployment(s) were not compared: unreadable, or too many; the others pass"
    );
    assert_eq!(
        status["validation"]["issues"][0]["message"],
        "Deployment 'a': dorgu could not read this object (spec.replicas: a word); it was not checked"
    );
    assert!(condition(&status, "ReadyToEnforce").starts_with("Unknown/NotAllCompared/"));
}

#[test]
fn an_exception_covers_the_deployment_that_it_is_for() {
    let object = json!({
        "apiVersion": "dorgu.io/v1", "kind": "PersonaException",
        "metadata": {"name": "until-spring", "namespace": "shop"},
        "spec": {
            "app": "a", "rules": ["replicas-below-minimum"], "reason": "The second zone comes in spring", "owner": "jane",
            "starts": "1970-01-01T00:00:00Z", "expires": "1970-01-02T00:00:00Z",
        },
    });
    let exception = Exception::parse(&serde_json::from_value(object).expect("an exception")).expect("it can be used");
    let granted = [Arc::new(exception)];
    let covered = Exceptions {
        of_app: &granted,
        now: Moment(1),
        max: MaxLength::DEFAULT,
        ..Exceptions::default()
    };
    let (persona, deployments) = (everyone(), governed(&[("shop", "a", 1), ("shop", "b", 1)]));
    let observed = Observed {
        exceptions_of_each: vec![covered, Exceptions::default()],
        ..observed(&persona, &deployments)
    };
    assert_eq!(observed.next_change(), Some(Moment(24 * 60 * 60)));
    let status = assess(RuleSet::Complete, &observed).status(&Value::Null, at(0));
    let issues = status["validation"]["issues"].as_array().expect("issues");
    let found: Vec<(&Value, bool)> = issues
        .iter()
        .map(|issue| {
            let message = issue["message"].as_str().unwrap_or_default();
            (&issue["severity"], message.contains("'until-spring' covers it"))
        })
        .collect();
    assert_eq!(found, [(&json!("error"), false), (&json!("warning"), true)]);
}
