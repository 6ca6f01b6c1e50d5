use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::answer::warnings;
use crate::level::{Level, PlatformRules};
use crate::mode::{Mode, ModeWish};
use crate::persona::Persona;
use crate::question::{Governed, Question};
use crate::rules::{RuleSet, Subject};
use crate::workload::Workload;
use crate::{Rulebook, decide, issues};

const DAY: i64 = 86_400;
const START: &str = "2026-01-01T00:00:00Z";
/// [`START`] in seconds.
const STARTS: i64 = 1_767_225_600;

fn exception(more: Value) -> Option<Arc<Exception>> {
    let mut object = json!({
        "apiVersion": "dorgu.io/v1", "kind": "PersonaException",
        "metadata": {"name": "until-spring", "namespace": "shop"},
        "spec": {
            "app": "orders", "rules": ["replicas-below-minimum"], "reason": "The second zone comes in spring",
            "owner": "jane", "starts": START, "expires": "2026-03-01T00:00:00Z",
        },
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        match value {
            Value::Null => drop(object["spec"].as_object_mut().expect("a spec").remove(key)),
            value => object["spec"][key] = value.clone(),
        }
    }
    let object: PersonaException = serde_json::from_value(object).expect("an exception");
    Exception::parse(&object, 90 * DAY).map(Arc::new)
}

fn persona() -> Persona {
    Persona {
        namespace: "shop".into(),
        name: "orders".into(),
        app: "orders".into(),
        min_replicas: Some(2),
        run_as_non_root: true,
        ..Persona::default()
    }
}

/// One replica, and two containers that do not demand another user than root.
fn object() -> Value {
    json!({"spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "api"}, {"name": "web"}]}}}})
}

/// Refused rules and warnings of a decision, and the severities and messages of a status.
struct Judged {
    refused: Vec<&'static str>,
    warnings: Vec<String>,
    status: Vec<(crate::Severity, String)>,
    errors: usize,
}

fn judged(exceptions: &[Arc<Exception>], now: i64, platform: &PlatformRules) -> Judged {
    let text = object().to_string();
    let new: Workload<'_> = serde_json::from_str(&text).expect("a Deployment");
    let personas = [Arc::new(persona())];
    let exceptions = Exceptions {
        of_app: exceptions,
        of_workload: &[],
        now: Moment(now),
    };
    let question = Question {
        subject: Subject::Deployment,
        new: &new,
        governed: Governed {
            app: "orders",
            personas: personas[..].into(),
        },
        old: None,
        namespace: "shop",
        namespace_mode: &ModeWish::Unset,
        platform,
        exceptions,
    };
    let rulebook = Rulebook {
        set: RuleSet::Complete,
        mode: Mode::Enforcing,
    };
    let decision = decide(rulebook, &question);
    let status = issues(RuleSet::Complete, &new, &personas[0], &personas, platform, exceptions);
    Judged {
        refused: decision
            .refusals()
            .iter()
            .map(|refusal| refusal.finding().rule.name())
            .collect(),
        warnings: warnings(&decision),
        errors: status.errors,
        status: status
            .list
            .into_iter()
            .map(|issue| (issue.severity, issue.message))
            .collect(),
    }
}

#[test]
fn it_covers_from_its_first_second_to_the_last_before_its_end() {
    let exception = exception(json!({})).expect("it can be read");
    let ends = STARTS + 59 * DAY;
    for (now, phase) in [
        (STARTS - 1, ExceptionPhase::Pending),
        (STARTS, ExceptionPhase::Active),
        (ends - 1, ExceptionPhase::Active),
        (ends, ExceptionPhase::Expired),
    ] {
        assert_eq!(exception.phase(Moment(now)), phase, "{now}");
        let judged = judged(&[Arc::clone(&exception)], now, &PlatformRules::NONE);
        let replicas = "replicas-below-minimum";
        let covered = "replicas (1) below persona minimum (2); PersonaException 'until-spring' covers it until \
                       2026-03-01T00:00:00Z";
        match phase {
            ExceptionPhase::Active => {
                assert_eq!(judged.refused, ["run-as-non-root"]);
                assert_eq!(judged.warnings, [covered]);
                assert_eq!(judged.errors, 1);
            }
            _ => {
                assert_eq!(judged.refused, [replicas, "run-as-non-root"]);
                assert_eq!(judged.errors, 2);
            }
        }
        let says_so = judged
            .status
            .iter()
            .any(|(_, message)| message.contains("PersonaException"));
        assert_eq!(says_so, phase == ExceptionPhase::Active, "{:?}", judged.status);
    }
}

#[test]
fn one_that_is_too_long_or_has_no_beginning_covers_nothing() {
    let ends = |text: &str| exception(json!({"expires": text})).expect("it can be read");
    let long = ends("2026-04-01T00:00:01Z");
    assert_eq!(long.phase(Moment(STARTS)), ExceptionPhase::Invalid);
    let longest = ends("2026-04-01T00:00:00Z");
    assert_eq!(longest.phase(Moment(STARTS)), ExceptionPhase::Active);
    for backwards in [START, "2025-12-31T00:00:00Z"] {
        assert_eq!(ends(backwards).phase(Moment(STARTS)), ExceptionPhase::Invalid);
    }
    assert_eq!(judged(&[long], STARTS, &PlatformRules::NONE).refused.len(), 2);
    assert!(
        exception(json!({"starts": null})).is_none(),
        "no time of creation either"
    );
    assert!(exception(json!({"app": null})).is_none(), "no target");
}

#[test]
fn a_locked_rule_is_never_covered() {
    let exception = exception(json!({})).expect("it can be read");
    for level in Level::ALL {
        let mut platform = PlatformRules::default();
        platform.require(dorgu_api::levels::RuleName::ReplicasBelowMinimum, level);
        platform.lock(dorgu_api::levels::RuleName::ReplicasBelowMinimum);
        let judged = judged(&[Arc::clone(&exception)], STARTS, &platform);
        assert_eq!(judged.refused.contains(&"replicas-below-minimum"), level == Level::Deny);
        assert!(
            judged.warnings.iter().all(|line| !line.contains("PersonaException")),
            "{level:?}"
        );
        assert!(
            judged.status.iter().all(|(_, line)| !line.contains("PersonaException")),
            "{level:?}"
        );
    }
}

#[test]
fn one_for_some_containers_covers_nothing_that_concerns_another() {
    let of = |containers: Value| exception(json!({"rules": ["run-as-non-root"], "containers": containers}));
    for (containers, is_covered) in [
        (json!([]), true),
        (json!(["api", "web"]), true),
        (json!(["api"]), false),
        (json!(["db"]), false),
    ] {
        let exception = of(containers.clone()).expect("it can be read");
        let judged = judged(&[exception], STARTS, &PlatformRules::NONE);
        assert_eq!(!judged.refused.contains(&"run-as-non-root"), is_covered, "{containers}");
    }
}

#[test]
fn of_several_the_one_that_lasts_longest_is_named() {
    let named = |name: &str, expires: &str| {
        let exception = exception(json!({"expires": expires})).expect("it can be read");
        Arc::new(Exception {
            name: name.into(),
            ..Exception::clone(&exception)
        })
    };
    let all = [
        named("b", "2026-02-01T00:00:00Z"),
        named("d", "2026-03-01T00:00:00Z"),
        named("c", "2026-03-01T00:00:00Z"),
    ];
    let judged = judged(&all, STARTS, &PlatformRules::NONE);
    assert!(judged.warnings[0].contains("'c' covers it"), "{:?}", judged.warnings);
}

proptest! {
    #[test]
    fn webhook_and_controller_agree_at_every_second(now in STARTS - 5..STARTS + 95 * DAY) {
        let exception = exception(json!({})).expect("it can be read");
        let judged = judged(&[exception], now, &PlatformRules::NONE);
        prop_assert_eq!(judged.errors, judged.refused.len());
    }
}
