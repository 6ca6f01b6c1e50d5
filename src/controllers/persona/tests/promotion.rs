//! Whether a persona could be enforced, and since when, on a clock that is moved.

use super::*;

const DAY: i64 = 24 * 60 * 60;
/// `--ready-after`, in seconds.
const READY: i64 = 14 * DAY;

fn well() -> Running {
    running(3, 3, true, true)
}

/// With fewer replicas than the minimum.
fn ill() -> Running {
    Running {
        spec: Ok(r#"{"replicas":1}"#.into()),
        ..well()
    }
}

/// One persona, whose status is derived again and again.
struct Story {
    generation: i64,
    mode: Mode,
    status: Value,
}

impl Story {
    fn begin() -> Story {
        Story {
            generation: 7,
            mode: Mode::Advisory,
            status: Value::Null,
        }
    }

    fn assessment(&self, deployments: Vec<(&str, &Running)>, second: i64) -> Assessment {
        let (persona, deployments) = (persona(), self::deployments(deployments));
        let observed = Observed {
            generation: self.generation,
            mode: self.mode,
            now: Moment(second),
            ..observed(&persona, &deployments)
        };
        assess(RuleSet::Complete, &observed)
    }

    /// Reconciles at this second. Returns whether the status was written.
    fn reconcile(&mut self, deployments: Vec<(&str, &Running)>, second: i64) -> bool {
        let assessment = self.assessment(deployments, second);
        let is_known = assessment.says(StatusFingerprint::of(&self.status));
        let status = assessment.status(&self.status, at(second));
        assert_eq!(
            is_known,
            without_clocks(&status) == without_clocks(&self.status),
            "{status}"
        );
        if !is_known {
            self.status = status;
        }
        !is_known
    }

    /// In which second the status changes by itself.
    fn changes_at(&self, deployments: Vec<(&str, &Running)>, second: i64) -> Option<i64> {
        let assessment = self.assessment(deployments, second);
        let since = assessment.clean_since(&self.status);
        assessment.changes_at(since).map(|edge| edge.0)
    }

    fn condition(&self) -> Option<String> {
        let conditions = self.status["conditions"].as_array().expect("conditions");
        let of_kind = conditions
            .iter()
            .find(|condition| condition["type"] == "ReadyToEnforce")?;
        let text = |key: &str| of_kind[key].as_str().expect("a text");
        Some(format!("{}/{}/{}", text("status"), text("reason"), text("message")))
    }

    #[track_caller]
    fn says(&self, words: &[&str]) {
        let condition = self.condition().expect("the condition");
        for word in words {
            assert!(condition.contains(word), "no '{word}' in {condition}");
        }
    }

    fn since(&self) -> Option<&str> {
        self.status["validation"]["cleanSince"].as_str()
    }
}

/// As a write compares a status.
fn without_clocks(status: &Value) -> u64 {
    StatusFingerprint::of(status).map_or(0, |status| status.verdict)
}

#[test]
fn what_would_be_denied_stands_in_the_way_and_its_end_begins_the_time() {
    let (well, ill) = (well(), ill());
    let mut story = Story::begin();
    assert!(story.reconcile(vec![("web", &ill)], 100));
    story.says(&[
        "False/WouldDeny/1 would be denied: ",
        "spec.replicas: Deployment replicas (1) below persona minimum (2). Set replicas to at least 2",
    ]);
    assert_eq!(
        (story.since(), story.changes_at(vec![("web", &ill)], 100)),
        (None, None)
    );
    // The last of it goes.
    assert!(story.reconcile(vec![("web", &well)], 200));
    assert_eq!(story.since(), Some("1970-01-01T00:03:20Z"));
    story.says(&["False/TooRecent/Nothing would be denied since 1970-01-01T00:03:20Z; ready at 1970-01-15T00:03:20Z"]);
    assert_eq!(story.changes_at(vec![("web", &well)], 200), Some(200 + READY));
    // Nothing is written until the time has come, to the second.
    for second in [201, DAY, 199 + READY] {
        assert!(!story.reconcile(vec![("web", &well)], second), "at {second}");
    }
    assert_eq!(story.changes_at(vec![("web", &well)], 199 + READY), Some(200 + READY));
    assert!(story.reconcile(vec![("web", &well)], 200 + READY));
    story.says(&[
        "True/NothingToDeny/Nothing would be denied since 1970-01-01T00:03:20Z; to enforce: ",
        "kubectl annotate applicationpersona orders --namespace shop dorgu.io/mode=enforcing",
    ]);
    assert_eq!(story.changes_at(vec![("web", &well)], 200 + READY), None);
    assert!(!story.reconcile(vec![("web", &well)], 900 * DAY));
    // It comes back.
    assert!(story.reconcile(vec![("web", &ill)], 901 * DAY));
    assert_eq!(story.since(), None);
    story.says(&["False/WouldDeny"]);
}

#[test]
fn another_generation_begins_the_time_again() {
    let well = well();
    let mut story = Story::begin();
    story.reconcile(vec![("web", &well)], 100);
    story.generation = 8;
    assert!(story.reconcile(vec![("web", &well)], 5_000));
    assert_eq!(story.since(), Some("1970-01-01T01:23:20Z"));
}

#[test]
fn without_a_deployment_it_is_unknown_and_the_time_goes_on() {
    let well = well();
    let mut story = Story::begin();
    story.reconcile(Vec::new(), 50);
    assert_eq!(story.since(), None, "no time begins");
    story.says(&["Unknown/NoDeployment/No Deployment with label"]);
    story.reconcile(vec![("web", &well)], 100);
    story.reconcile(Vec::new(), 200);
    assert_eq!(
        story.since(),
        Some("1970-01-01T00:01:40Z"),
        "it was deleted to be created again"
    );
    story.says(&["Unknown/NoDeployment"]);
    assert_eq!(story.changes_at(Vec::new(), 200), None);
    story.reconcile(vec![("a", &well), ("b", &well)], 300);
    story.says(&["Unknown/AmbiguousDeployment/Deployments 'a', 'b'"]);
    let unreadable = Running {
        spec: Err("odd".into()),
        ..running(3, 3, true, true)
    };
    story.reconcile(vec![("web", &unreadable)], 400);
    story.says(&["Unknown/Unreadable"]);
    story.reconcile(vec![("web", &well)], 100 + READY);
    story.says(&["True/NothingToDeny"]);
}

#[test]
fn a_persona_that_is_enforced_has_no_such_condition() {
    let well = well();
    let mut story = Story::begin();
    story.reconcile(vec![("web", &well)], 100);
    story.mode = Mode::Enforcing;
    assert!(story.reconcile(vec![("web", &well)], 200));
    assert_eq!((story.condition(), story.since()), (None, Some("1970-01-01T00:01:40Z")));
    assert_eq!(story.changes_at(vec![("web", &well)], 200), None);
    story.mode = Mode::Advisory;
    assert!(story.reconcile(vec![("web", &well)], 100 + READY));
    story.says(&["True/NothingToDeny"]);
}

#[test]
fn upstream_has_neither() {
    let (persona, well) = (persona(), well());
    let deployments = deployments(vec![("web", &well)]);
    let status = assess(RuleSet::Upstream, &observed(&persona, &deployments)).status(&Value::Null, at(100));
    assert!(!status.to_string().contains("cleanSince") && !status.to_string().contains("ReadyToEnforce"));
}

#[test]
fn a_time_of_another_writer_that_is_none_is_replaced() {
    let well = well();
    let mut story = Story::begin();
    story.reconcile(vec![("web", &well)], 100);
    story.status["validation"]["cleanSince"] = json!("yesterday");
    assert!(story.reconcile(vec![("web", &well)], 200));
    assert_eq!(story.since(), Some("1970-01-01T00:03:20Z"));
}

#[test]
fn many_findings_are_counted_behind_the_first() {
    let spec = json!({"replicas": 1, "template": {"spec": {"containers": (0..9).map(|number| json!({
        "name": format!("c{number}"), "securityContext": {"allowPrivilegeEscalation": true},
    })).collect::<Value>()}}});
    let ill = Running {
        spec: Ok(spec.to_string().into()),
        ..well()
    };
    let persona = Persona {
        forbids_privilege_escalation: true,
        ..persona()
    };
    let deployments = deployments(vec![("web", &ill)]);
    let observed = Observed {
        ready_after: 0,
        ..observed(&persona, &deployments)
    };
    let story = Story {
        status: assess(RuleSet::Complete, &observed).status(&Value::Null, at(100)),
        ..Story::begin()
    };
    story.says(&[
        "10 would be denied: spec.replicas: ",
        "; containers[c0].securityContext.allowPrivilegeEscalation: Persona forbids privilege escalation but container allows it. \
         Set allowPrivilegeEscalation: false; containers[c1]",
        "; and 7 more",
    ]);
}

#[test]
fn a_default_persona_is_ready_by_all_that_it_governs() {
    let everyone = Persona {
        app: "*".to_owned(),
        ..persona()
    };
    let (well, ill) = (well(), ill());
    for (list, reason, since) in [
        (Vec::new(), "Unknown/NoDeployment/Governs no Deployment", None),
        (
            vec![("a", &well), ("b", &well)],
            "False/TooRecent/",
            Some("1970-01-01T00:00:01Z"),
        ),
        (
            vec![("a", &well), ("b", &ill)],
            "False/WouldDeny/1 would be denied",
            None,
        ),
    ] {
        let deployments = deployments(list);
        let story = Story {
            status: assess(RuleSet::Complete, &observed(&everyone, &deployments)).status(&Value::Null, at(100)),
            ..Story::begin()
        };
        story.says(&[reason]);
        assert_eq!(story.since(), since);
    }
}
