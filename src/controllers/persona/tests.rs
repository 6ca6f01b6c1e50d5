//! Tables of derived statuses; and an equal status is not written.

mod governs;
mod promotion;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::assess::{Assessment, assess};
use super::events::notice;
use super::observed::Observed;
use super::promotion::Terms;
use crate::index::{Deployment, Running, StatusFingerprint};
use crate::policy::{Exceptions, Matching, Mode, Moment, Persona, PlatformRules, RuleSet};

const MINIMUM: i32 = 2;

const TERMS: Terms = Terms {
    mode: Mode::Advisory,
    ready_after: 14 * 24 * 60 * 60,
    now: Moment(1),
};

fn persona() -> Persona {
    Persona {
        namespace: "shop".to_owned(),
        name: "orders".to_owned(),
        app: "orders".to_owned(),
        min_replicas: Some(MINIMUM),
        ..Persona::default()
    }
}

fn running(replicas: i32, ready: i32, available: bool, progressing: bool) -> Running {
    Running {
        spec: Ok(
            r#"{"replicas":3,"template":{"spec":{"containers":[{"image":"registry.example.com/orders:1"}]}}}"#.into(),
        ),
        unread_image: "".into(),
        replicas,
        ready,
        available,
        progressing,
    }
}

fn deployments(list: Vec<(&str, &Running)>) -> Vec<Arc<Deployment>> {
    let deployment = |(name, running): (&str, &Running)| Deployment {
        name: name.into(),
        running: Some(Box::new(running.clone())),
        ..Deployment::default()
    };
    list.into_iter().map(|one| Arc::new(deployment(one))).collect()
}

fn observed<'a>(persona: &'a Persona, deployments: &'a [Arc<Deployment>]) -> Observed<'a> {
    Observed {
        persona,
        generation: 7,
        sharing: &[],
        are_apart: false,
        set: RuleSet::Complete,
        deployments,
        matching: Matching::Label,
        platform: &PlatformRules::NONE,
        exceptions: Exceptions::default(),
        exceptions_of_each: Vec::new(),
        terms: TERMS,
    }
}

fn assessed(deployments: Vec<(&str, &Running)>) -> Assessment {
    let persona = persona();
    assess(RuleSet::Complete, &observed(&persona, &self::deployments(deployments)))
}

/// Personas of one app, of which only the names matter.
fn sharing(names: impl IntoIterator<Item = String>) -> Vec<Arc<Persona>> {
    let named = |name| Arc::new(Persona { name, ..persona() });
    names.into_iter().map(named).collect()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

/// `type=status/reason/message` of a condition.
fn condition(status: &Value, kind: &str) -> String {
    let conditions = status["conditions"].as_array().expect("conditions");
    let of_kind: Vec<&Value> = conditions
        .iter()
        .filter(|condition| condition["type"] == kind)
        .collect();
    assert_eq!(of_kind.len(), 1, "one of each type: {status}");
    let text = |key: &str| of_kind[0][key].as_str().unwrap_or_default().to_owned();
    assert_eq!(of_kind[0]["observedGeneration"], 7);
    format!("{}/{}/{}", text("status"), text("reason"), text("message"))
}

#[test]
fn health_and_phase_follow_the_tables_of_the_contract() {
    // replicas, ready, available, progressing; violated; health, message, phase
    let cases = [
        (3, 3, true, true, false, "Healthy", "3/3 replicas ready", "Active"),
        (3, 3, true, true, true, "Healthy", "3/3 replicas ready", "Degraded"),
        (0, 0, true, true, false, "Healthy", "0/0 replicas ready", "Active"),
        (3, 2, true, false, false, "Degraded", "2/3 replicas ready", "Degraded"),
        (
            3,
            0,
            true,
            true,
            false,
            "Unknown",
            "Deployment is progressing",
            "Degraded",
        ),
        (3, 0, true, false, false, "Unhealthy", "0/3 replicas ready", "Failed"),
        (
            3,
            1,
            false,
            true,
            false,
            "Unknown",
            "Deployment is progressing",
            "Degraded",
        ),
        (3, 1, false, false, false, "Unhealthy", "1/3 replicas ready", "Failed"),
        (3, 1, false, false, true, "Unhealthy", "1/3 replicas ready", "Degraded"),
        (0, 0, false, false, false, "Unhealthy", "0/0 replicas ready", "Failed"),
    ];
    for (replicas, ready, available, progressing, breach, health, message, phase) in cases {
        let mut running = running(replicas, ready, available, progressing);
        if breach {
            running.spec = Ok(r#"{"replicas":1}"#.into());
        }
        let status = assessed(vec![("web", &running)]).status(&Value::Null, at(0));
        let case = format!("{running:?}");
        assert_eq!(status["health"]["status"], health, "{case}");
        assert_eq!(status["health"]["message"], message, "{case}");
        assert_eq!(status["phase"], phase, "{case}");
        assert_eq!(status["validation"]["passed"], !breach, "{case}");
        let ready = if phase == "Active" {
            "True/Active/Deployment is healthy and passes all validations".to_owned()
        } else {
            format!("False/Issues/Phase: {phase}")
        };
        assert_eq!(condition(&status, "Ready"), ready, "{case}");
        let validated = if breach {
            "False/ValidationFailed/1 validation error(s) found"
        } else {
            "True/Passed/All validations passed"
        };
        assert_eq!(condition(&status, "Validated"), validated, "{case}");
        assert_eq!(condition(&status, "WorkloadFound"), "True/Found/Deployment 'web'");
    }
}

#[test]
fn the_whole_status_of_a_deployment_in_breach() {
    let mut running = running(1, 1, true, true);
    running.spec =
        Ok(r#"{"replicas":1,"template":{"spec":{"containers":[{"image":"registry.example.com/orders:1"}]}}}"#.into());
    let (persona, deployments) = (persona(), deployments(vec![("web", &running)]));
    let status = |set| assess(set, &observed(&persona, &deployments)).status(&Value::Null, at(1_700_000_000));
    let now = "2023-11-14T22:13:20Z";
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": message,
            "observedGeneration": 7, "lastTransitionTime": now,
        })
    };
    let mut expected = json!({
        "observedGeneration": 7, "phase": "Degraded", "lastUpdated": now,
        "deployments": {"current": "registry.example.com/orders:1"},
        "health": {"status": "Healthy", "message": "1/1 replicas ready", "lastCheck": now},
        "validation": {"passed": false, "lastChecked": now, "issues": [{
            "severity": "error", "field": "spec.replicas",
            "message": "Deployment replicas (1) below persona minimum (2)",
            "suggestion": "Set replicas to at least 2",
        }]},
        "conditions": [
            condition("Ready", "False", "Issues", "Phase: Degraded"),
            condition("Validated", "False", "ValidationFailed", "1 validation error(s) found"),
            condition("WorkloadFound", "True", "Found", "Deployment 'web'"),
            condition("SpecValid", "True", "Valid", "Every value can be read"),
            condition("NameUnique", "True", "Unique", "No other ApplicationPersona has spec.name 'orders'"),
        ],
    });
    assert_eq!(status(RuleSet::Upstream), expected);
    let could_be = "1 would be denied: spec.replicas: Deployment replicas (1) below persona minimum (2). Set replicas to at least 2";
    let conditions = expected["conditions"].as_array_mut().expect("conditions");
    conditions.push(condition("ReadyToEnforce", "False", "WouldDeny", could_be));
    let status = status(RuleSet::Complete);
    assert_eq!(status, expected);
    let typed: Result<crate::api::ApplicationPersonaStatus, _> = serde_json::from_value(status);
    typed.expect("a status as the API declares it");
}

#[test]
fn without_a_deployment_what_ran_last_stays_told() {
    let before = json!({"deployments": {"current": "old:1"}, "phase": "Active"});
    let status = assessed(Vec::new()).status(&before, at(0));
    assert_eq!(status["phase"], "Pending");
    assert_eq!(status["health"]["status"], "Unknown");
    assert_eq!(status["health"]["message"], "No matching Deployment found");
    assert_eq!(
        status["validation"],
        json!({"passed": true, "lastChecked": "1970-01-01T00:00:00Z"})
    );
    assert_eq!(status["deployments"], before["deployments"]);
    let missing = "No Deployment with label app.kubernetes.io/name=orders";
    assert_eq!(condition(&status, "Ready"), format!("False/NoDeployment/{missing}"));
    assert_eq!(
        condition(&status, "Validated"),
        "True/Skipped/No Deployment to validate"
    );
    assert_eq!(
        condition(&status, "WorkloadFound"),
        format!("False/NoDeployment/{missing}")
    );
}

#[test]
fn several_deployments_are_named_and_none_is_picked() {
    let running = running(3, 3, true, true);
    let names: Vec<String> = (0..9).map(|n| format!("web-{n}")).collect();
    let several = names.iter().map(|name| (name.as_str(), &running)).collect();
    let status = assessed(several).status(&Value::Null, at(0));
    assert_eq!(status["phase"], "Pending");
    let named = "'web-0', 'web-1', 'web-2', 'web-3', 'web-4' and 4 more";
    let message = format!("Deployments {named} all belong to 'orders'; expected one");
    assert_eq!(
        condition(&status, "Ready"),
        format!("False/AmbiguousDeployment/{message}")
    );
    assert_eq!(status["validation"]["passed"], false, "nothing was compared");
    assert!(status.get("deployments").is_none());
}

#[test]
fn a_persona_with_a_value_that_cannot_be_read_and_a_shared_name_says_so() {
    let running = running(3, 3, true, true);
    let mut persona = persona();
    persona.problems.push(crate::policy::persona::Problem {
        field: "spec.resources.limits.cpu",
        value: "abc".to_owned(),
        flaw: crate::policy::persona::Flaw::Unreadable,
    });
    let deployments = deployments(vec![("web", &running)]);
    let sharing = sharing(["a", "b", "orders"].map(str::to_owned));
    let observed = Observed {
        sharing: &sharing,
        ..observed(&persona, &deployments)
    };
    let status = assess(RuleSet::Upstream, &observed).status(&Value::Null, at(0));
    assert_eq!(
        condition(&status, "SpecValid"),
        "False/UnreadableValue/spec.resources.limits.cpu 'abc' is not a quantity; check skipped"
    );
    assert_eq!(
        condition(&status, "NameUnique"),
        "False/NameShared/spec.name 'orders' is also that of 'a', 'b'; all apply"
    );
}

#[test]
fn a_deployment_that_cannot_be_read_is_never_taken_for_a_good_one() {
    let mut running = running(3, 3, true, true);
    running.spec = Err("spec.replicas: a number".into());
    let status = assessed(vec![("web", &running)]).status(&Value::Null, at(0));
    assert_eq!(
        (&status["phase"], &status["validation"]["passed"]),
        (&json!("Degraded"), &json!(false))
    );
    let message = "dorgu could not read this object (spec.replicas: a number); it was not checked";
    assert_eq!(status["validation"]["issues"][0]["message"], message);
    assert!(condition(&status, "Validated").starts_with("Unknown/Unreadable/"));
}

/// Each of many personas is compared on its own, so the size of the shared Deployment counts for each.
#[test]
fn more_personas_than_can_be_compared_with_a_large_deployment_are_told_so() {
    let containers: Vec<Value> = (0..5_000)
        .map(|n| json!({"name": format!("c{n}"), "securityContext": {"privileged": true}}))
        .collect();
    let spec = json!({"replicas": 1, "template": {"spec": {"containers": containers}}});
    let mut large = running(3, 3, true, true);
    large.spec = Ok(spec.to_string().into());
    let mut small = running(3, 3, true, true);
    small.spec = Ok(r#"{"replicas":1}"#.into());
    let persona = persona();
    let validated = |running: &Running, count: usize| {
        let deployments = deployments(vec![("web", running)]);
        let sharing = sharing((0..count).map(|n| format!("p{n}")));
        let observed = Observed {
            sharing: &sharing,
            ..observed(&persona, &deployments)
        };
        let status = assess(RuleSet::Complete, &observed).status(&Value::Null, at(0));
        let issue = status["validation"]["issues"][0]["message"].to_string();
        assert_eq!(status["validation"]["passed"], false);
        (condition(&status, "Validated"), issue)
    };
    let failed = "False/ValidationFailed/1 validation error(s) found";
    for (running, count) in [(&small, 1), (&small, 1_000), (&large, 1), (&large, 10)] {
        assert_eq!(validated(running, count).0, failed, "{count}");
    }
    let (condition, issue) = validated(&large, 1_000);
    assert!(condition.starts_with("Unknown/TooManyPersonas/"), "{condition}");
    let told = "1000 ApplicationPersonas share spec.name 'orders', too many to hold each against a Deployment of this size; \
                it was not checked";
    assert_eq!(issue, format!("\"{told}\""));
}

#[test]
fn a_transition_is_a_change_of_status_and_a_message_is_always_current() {
    let (well, half) = (running(3, 3, true, true), running(3, 1, true, true));
    let none = running(4, 1, true, true);
    let first = assessed(vec![("web", &well)]).status(&Value::Null, at(100));
    let second = assessed(vec![("web", &half)]).status(&first, at(200));
    let third = assessed(vec![("web", &none)]).status(&second, at(300));
    let since = |status: &Value, position: usize| status["conditions"][position]["lastTransitionTime"].clone();
    assert_eq!(since(&second, 0), "1970-01-01T00:03:20Z", "Ready became False");
    assert_eq!(since(&second, 1), since(&first, 1), "Validated stayed");
    assert_eq!(since(&third, 0), since(&second, 0));
    assert_eq!(third["health"]["message"], "1/4 replicas ready");
    assert_eq!(third["health"]["lastCheck"], "1970-01-01T00:05:00Z");
}

#[test]
fn what_others_contribute_is_restated_and_what_is_ours_is_not_left_stale() {
    let before = json!({
        "phase": "Failed", "learned": {"incidentCount": 3}, "argoCD": {"syncStatus": "Synced"},
        "recommendations": [{"type": "cost", "priority": "low", "message": "m"}],
        "deployments": {"current": "old:1", "lastFailed": "older:1"},
        "health": {"status": "Unhealthy", "podFailures": [{"podName": "p", "container": "c", "reason": "r"}]},
        "conditions": [
            {"type": "Ready", "status": "False", "reason": "Issues", "message": "stale", "lastTransitionTime": "x"},
            {"type": "Theirs", "status": "True", "reason": "R", "message": "", "lastTransitionTime": "y"},
        ],
    });
    let running = running(3, 3, true, true);
    let status = assessed(vec![("web", &running)]).status(&before, at(0));
    for kept in ["learned", "argoCD", "recommendations"] {
        assert_eq!(status[kept], before[kept]);
    }
    assert_eq!(
        status["deployments"],
        json!({"current": "registry.example.com/orders:1"})
    );
    assert!(status["health"].get("podFailures").is_none());
    assert_eq!(status["conditions"][6], before["conditions"][1]);
    assert_eq!(status["conditions"].as_array().map(Vec::len), Some(7));
}

#[test]
fn a_status_that_says_the_same_is_known_by_its_number() {
    let running = running(3, 3, true, true);
    for deployments in [
        vec![("web", &running)],
        Vec::new(),
        vec![("a", &running), ("b", &running)],
    ] {
        let assessment = assessed(deployments);
        let stored = assessment.status(&Value::Null, at(1));
        assert!(assessment.says(StatusFingerprint::of(&stored)));
        assert!(
            !assessment.says(StatusFingerprint::of(&Value::Null)),
            "no status says nothing"
        );
        // An API server stores keys and conditions in its own order, other writers contribute, timestamps change.
        let mut later = assessment.status(&stored, at(5_000));
        later["learned"] = json!({"incidentCount": 1});
        later["argoCD"] = json!({"syncStatus": "Synced"});
        later["conditions"].as_array_mut().expect("conditions").reverse();
        assert!(assessment.says(StatusFingerprint::of(&later)));
        for (key, value) in [
            ("phase", json!("Failed")),
            ("observedGeneration", json!(6)),
            ("health", json!({"status": "Healthy"})),
            ("validation", json!({})),
            ("conditions", json!([])),
        ] {
            let mut other = stored.clone();
            other[key] = value;
            assert!(!assessment.says(StatusFingerprint::of(&other)), "{key} differs");
        }
    }
    let mut other = assessed(vec![("web", &running)]).status(&Value::Null, at(1));
    other["deployments"] = json!({"current": "other:2"});
    assert!(
        !assessed(vec![("web", &running)]).says(StatusFingerprint::of(&other)),
        "another image runs"
    );
}

#[test]
fn people_are_told_when_the_set_of_issues_changes_and_only_then() {
    let (well, mut ill) = (running(3, 3, true, true), running(3, 3, true, true));
    ill.spec = Ok(r#"{"replicas":1}"#.into());
    let fresh = Value::Null;
    let good = assessed(vec![("web", &well)]);
    let bad = assessed(vec![("web", &ill)]);
    let none = assessed(Vec::new());
    let news = |before: &Value, after: &Assessment| {
        let status = after.status(before, at(0));
        notice(before, &status, after).map(|notice| (notice.reason, notice.note))
    };
    let (well, ill) = (good.status(&fresh, at(0)), bad.status(&fresh, at(0)));
    assert_eq!(news(&fresh, &good), None, "it never was otherwise");
    let violated = "Deployment replicas (1) below persona minimum (2)";
    assert_eq!(news(&fresh, &bad), Some(("PersonaViolated", violated.to_owned())));
    assert_eq!(news(&ill, &bad), None);
    let compliant = "The Deployment meets this persona";
    assert_eq!(news(&ill, &good), Some(("PersonaCompliant", compliant.to_owned())));
    assert_eq!(news(&well, &good), None);
    assert_eq!(news(&ill, &none), None, "a Deployment that is gone meets nothing");
}
