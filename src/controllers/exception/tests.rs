//! What the status of an exception says, second by second, and which Events that makes.

use serde_json::{Value, json};

use super::assess::Assessment;
use super::events::notice;
use super::*;
use crate::index::{AppLabels, Change, Deployment, Running, StoredException};
use crate::policy::exception::{ExceptionPhase, MaxLength};
use crate::policy::{Exception, Matching, Moment, Persona, PlatformRules};

const DAY: i64 = 24 * 60 * 60;
/// 2026-01-01.
const STARTS: i64 = 1_767_225_600;
/// 2026-03-01.
const ENDS: i64 = STARTS + 59 * DAY;

fn stored(name: &str, spec: Value) -> StoredException {
    let mut object = json!({
        "apiVersion": "dorgu.io/v1", "kind": "PersonaException", "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "rules": ["replicas-below-minimum"], "reason": "The second zone comes in spring", "owner": "jane",
            "starts": "2026-01-01T00:00:00Z", "expires": "2026-03-01T00:00:00Z",
        },
    });
    object["spec"]
        .as_object_mut()
        .expect("a spec")
        .extend(spec.as_object().expect("fields").clone());
    let object = serde_json::from_value(object).expect("an exception");
    StoredException {
        generation: 3,
        status: None,
        exception: Arc::new(Exception::parse(&object).expect("it can be used")),
    }
}

/// Two Deployments, web and db, of the app orders; each has a replica less than its persona demands.
fn index() -> Index {
    let index = Index::new(Matching::Label, PlatformRules::NONE).allowing(MaxLength::DEFAULT);
    let persona = Persona {
        namespace: "shop".into(),
        name: "orders".into(),
        app: "orders".into(),
        min_replicas: Some(2),
        run_as_non_root: true,
        ..Persona::default()
    };
    index.replace(Snapshot::build([Arc::new(persona)], []));
    for name in ["web", "db"] {
        index.deployments(Change::Put(deployment(name, 1)));
    }
    index
}

fn deployment(name: &str, replicas: i32) -> Deployment {
    Deployment {
        namespace: "shop".into(),
        name: name.into(),
        labels: AppLabels {
            name: "orders".into(),
            ..AppLabels::default()
        },
        running: Some(Box::new(Running {
            spec: Ok(json!({
                "replicas": replicas, "template": {"spec": {"containers": [{"name": "api"}]}},
            })
            .to_string()
            .into()),
            ..Running::default()
        })),
        ..Deployment::default()
    }
}

fn assessed(index: &Index, stored: &StoredException, now: i64) -> Assessment {
    index.exceptions(Change::Put(stored.clone()));
    Assessment::of(&index.load(), stored, Moment(now))
}

fn conditions(status: &Value) -> Vec<String> {
    let conditions = status["conditions"].as_array().expect("conditions").iter();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let parts = |condition: &Value| {
        ["type", "status", "reason", "message"]
            .map(|key| text(&condition[key]))
            .join("/")
    };
    conditions.map(parts).collect()
}

#[test]
fn the_status_follows_the_phase_to_the_second() {
    let (index, stored) = (index(), stored("until-spring", json!({"app": "orders"})));
    let until = "2026-03-01T00:00:00Z";
    let of = |active: &str, soon: &str| [format!("Active/{active}"), format!("ExpiresSoon/{soon}")];
    let covers = format!("True/Active/Covers findings until {until}");
    for (now, phase, findings, expected, next) in [
        (
            STARTS - 1,
            "Pending",
            0,
            of(
                "False/Pending/Begins at 2026-01-01T00:00:00Z",
                &format!("False/Later/Ends at {until}"),
            ),
            Some(STARTS),
        ),
        (
            STARTS,
            "Active",
            2,
            of(&covers, &format!("False/Later/Ends at {until}")),
            Some(ENDS - 7 * DAY),
        ),
        (
            ENDS - 7 * DAY,
            "Active",
            2,
            of(&covers, &format!("True/SevenDays/Ends at {until}, within seven days")),
            Some(ENDS - DAY),
        ),
        (
            ENDS - DAY,
            "Active",
            2,
            of(&covers, &format!("True/OneDay/Ends at {until}, within a day")),
            Some(ENDS),
        ),
        (
            ENDS,
            "Expired",
            2,
            of(
                &format!("False/Expired/Ended at {until}; 2 findings stand without cover"),
                &format!("False/Expired/Ended at {until}"),
            ),
            None,
        ),
    ] {
        let assessment = assessed(&index, &stored, now);
        let status = assessment.status(&Value::Null, Timestamp::UNIX_EPOCH);
        assert_eq!(
            (&status["phase"], &status["findings"]),
            (&json!(phase), &json!(findings)),
            "{now}"
        );
        assert_eq!(
            (conditions(&status), assessment.next),
            (expected.to_vec(), next.map(Moment)),
            "{now}"
        );
        assert_eq!(status["observedGeneration"], 3);
        let typed: Result<crate::api::PersonaExceptionStatus, _> = serde_json::from_value(status.clone());
        typed.expect("a status as the API declares it");
        // In each second until the next change it says the same, and nothing is written.
        let last = next.unwrap_or(ENDS + 400 * DAY) - 1;
        let stays = assessed(&index, &stored, last);
        assert!(
            stays.says(Some(crate::index::fingerprint::of_exception(&status))),
            "{last}"
        );
        assert!(!stays.says(None));
    }
}

#[test]
fn only_findings_that_it_names_are_counted() {
    let index = index();
    let count = |spec: Value| assessed(&index, &stored("x", spec), STARTS).findings;
    assert_eq!(count(json!({"app": "orders"})), 2);
    assert_eq!(
        count(json!({"app": "orders", "rules": ["replicas-below-minimum", "run-as-non-root"]})),
        4
    );
    assert_eq!(
        count(json!({"app": "orders", "rules": ["run-as-non-root"], "containers": ["web"]})),
        0
    );
    assert_eq!(count(json!({"app": "other"})), 0);
    assert_eq!(count(json!({"workload": {"kind": "Deployment", "name": "web"}})), 1);
    assert_eq!(count(json!({"workload": {"kind": "Deployment", "name": "gone"}})), 0);
    index.deployments(Change::Put(deployment("web", 2)));
    assert_eq!(count(json!({"app": "orders"})), 1);
}

#[test]
fn after_its_end_what_another_covers_does_not_stand_without_cover() {
    let (index, old) = (index(), stored("old", json!({"app": "orders"})));
    assert_eq!(assessed(&index, &old, ENDS).findings, 2);
    let web = json!({
        "workload": {"kind": "Deployment", "name": "web"}, "starts": "2026-02-20T00:00:00Z", "expires": "2026-04-01T00:00:00Z",
    });
    assert_eq!(assessed(&index, &stored("new", web), ENDS).findings, 1);
    assert_eq!(assessed(&index, &old, ENDS).findings, 1);
}

#[test]
fn one_that_is_too_long_says_how_long_it_may_be() {
    let (index, long) = (
        index(),
        stored("x", json!({"app": "orders", "expires": "2027-01-01T00:00:00Z"})),
    );
    let assessment = assessed(&index, &long, STARTS);
    let status = assessment.status(&Value::Null, Timestamp::UNIX_EPOCH);
    assert_eq!(
        (assessment.phase, assessment.findings, assessment.next),
        (ExceptionPhase::Invalid, 0, None)
    );
    assert_eq!(
        conditions(&status)[0],
        "Active/False/TooLong/Covers nothing: it lasts 365 days, and the platform allows 90 days"
    );
    let notice = notice(&Value::Null, &assessment).expect("an Event");
    assert_eq!((notice.warning, notice.reason), (true, "ExceptionTooLong"));
}

#[test]
fn an_event_is_sent_seven_days_and_one_day_before_the_end_and_at_the_end_each_once() {
    let (index, stored) = (index(), stored("until-spring", json!({"app": "orders"})));
    let mut status = Value::Null;
    let mut told = Vec::new();
    // Every sixth hour, as a reconcile without a change is due.
    for now in (STARTS - DAY..ENDS + 2 * DAY).step_by(6 * 60 * 60) {
        let assessment = assessed(&index, &stored, now);
        if let Some(notice) = notice(&status, &assessment) {
            told.push((now, notice.warning, notice.reason, notice.note));
        }
        status = assessment.status(&status, Timestamp::UNIX_EPOCH);
    }
    let until = "2026-03-01T00:00:00Z";
    let soon = |time: &str| format!("Ends at {until}, within {time}; 2 findings are covered");
    assert_eq!(
        told,
        [
            (ENDS - 7 * DAY, true, "ExceptionExpiresSoon", soon("seven days")),
            (ENDS - DAY, true, "ExceptionExpiresSoon", soon("a day")),
            (
                ENDS,
                true,
                "ExceptionExpired",
                format!("Ended at {until}; 2 findings stand without cover")
            ),
        ]
    );
}

#[test]
fn an_exception_that_was_not_needed_ends_without_a_warning() {
    let (index, stored) = (index(), stored("x", json!({"app": "other"})));
    let status = assessed(&index, &stored, ENDS - 1).status(&Value::Null, Timestamp::UNIX_EPOCH);
    let notice = notice(&status, &assessed(&index, &stored, ENDS)).expect("an Event");
    let said = (notice.warning, notice.reason, notice.note.as_str());
    assert_eq!(said, (false, "ExceptionExpired", "Ended at 2026-03-01T00:00:00Z"));
}

#[test]
fn a_change_of_an_app_wakes_the_exceptions_of_its_namespace() {
    let index = index();
    index.exceptions(Change::Put(stored("a", json!({"app": "orders"}))));
    let of = |namespace: &str| {
        let app = AppKey {
            namespace: namespace.into(),
            app: Box::default(),
        };
        Exceptions::keys(&index.load(), Some(&[app])).len()
    };
    assert_eq!((of("shop"), of("bank")), (1, 0));
}
