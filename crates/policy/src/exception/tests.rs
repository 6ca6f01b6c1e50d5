use dorgu_api::levels::RuleName;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::*;
use crate::answer::warnings;
use crate::level::Level;
use crate::mode::{Mode, ModeWish};
use crate::persona::Persona;
use crate::question::{Governed, Old, Question};
use crate::rules::{RuleSet, Subject};
use crate::workload::Workload;
use crate::{Decision, Rulebook, Severity, decide, issues};

const DAY: i64 = 86_400;
const START: &str = "2026-01-01T00:00:00Z";
/// [`START`] in seconds.
const STARTS: i64 = 1_767_225_600;
const ENDS: i64 = STARTS + 59 * DAY;

fn parsed(more: Value) -> Result<Exception, Unusable> {
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
    Exception::parse(&serde_json::from_value(object).expect("an exception"))
}

fn exception(more: Value) -> Arc<Exception> {
    Arc::new(parsed(more).expect("it can be used"))
}

fn persona() -> Persona {
    Persona {
        namespace: "shop".into(),
        name: "orders".into(),
        app: "orders".into(),
        min_replicas: Some(2),
        run_as_non_root: true,
        forbids_privilege_escalation: true,
        ..Persona::default()
    }
}

/// Replicas, and two containers that do not demand another user than root.
fn object(replicas: i32) -> Value {
    let container = |name: &str| json!({"name": name, "securityContext": {"allowPrivilegeEscalation": false}});
    json!({"spec": {
        "replicas": replicas, "template": {"spec": {"containers": [container("api"), container("web")]}},
    }})
}

/// A request and what is in force around it.
struct Asked<'a> {
    object: Value,
    old: Option<Value>,
    persona: Persona,
    platform: PlatformRules,
    mode: Mode,
    exceptions: &'a [Arc<Exception>],
    now: i64,
}

impl<'a> Asked<'a> {
    fn new(exceptions: &'a [Arc<Exception>], now: i64) -> Asked<'a> {
        Asked {
            object: object(1),
            old: None,
            persona: persona(),
            platform: PlatformRules::NONE,
            mode: Mode::Enforcing,
            exceptions,
            now,
        }
    }

    fn exceptions(&self) -> Exceptions<'_> {
        Exceptions {
            of_app: self.exceptions,
            of_workload: &[],
            now: Moment(self.now),
            max: MaxLength::DEFAULT,
        }
    }

    fn decided<R>(&self, set: RuleSet, read: impl FnOnce(&Decision<'_>) -> R) -> R {
        let (text, before) = (self.object.to_string(), self.old.as_ref().map(Value::to_string));
        let new: Workload<'_> = serde_json::from_str(&text).expect("a Deployment");
        let stored = || serde_json::from_str(before.as_deref()?).ok();
        let personas = [Arc::new(self.persona.clone())];
        let governed = Governed {
            app: "orders",
            personas: personas[..].into(),
            exceptions: self.exceptions(),
            ..Governed::default()
        };
        let question = Question {
            subject: Subject::Deployment,
            new: &new,
            governed,
            old: self.old.as_ref().map(|_| Old {
                governed,
                workload: &stored,
            }),
            namespace: "shop",
            namespace_mode: &ModeWish::Unset,
            platform: &self.platform,
        };
        read(&decide(Rulebook { set, mode: self.mode }, &question))
    }

    fn refused(&self) -> Vec<&'static str> {
        self.decided(RuleSet::Complete, |decision| {
            let refusals = decision.refusals().iter();
            refusals.map(|refusal| refusal.finding().rule.name()).collect()
        })
    }

    fn warnings(&self) -> Vec<String> {
        self.decided(RuleSet::Complete, warnings)
    }

    /// Severity and message of each issue of a status.
    fn status(&self) -> Vec<(Severity, String)> {
        let text = self.object.to_string();
        let workload: Workload<'_> = serde_json::from_str(&text).expect("a Deployment");
        let exceptions = self.exceptions();
        let issues = issues(
            RuleSet::Complete,
            &workload,
            &self.persona,
            &[],
            &self.platform,
            exceptions,
        );
        let list = issues.list.into_iter();
        list.map(|issue| (issue.severity, issue.message)).collect()
    }
}

const REPLICAS: &str = "replicas-below-minimum";
const NON_ROOT: &str = "run-as-non-root";

#[test]
fn it_covers_from_its_first_second_to_the_last_before_its_end() {
    let exceptions = [exception(json!({}))];
    for (now, phase, ending) in [
        (STARTS - 1, ExceptionPhase::Pending, ""),
        (STARTS, ExceptionPhase::Active, "covers it until 2026-03-01T00:00:00Z"),
        (ENDS - 1, ExceptionPhase::Active, "covers it until 2026-03-01T00:00:00Z"),
        (ENDS, ExceptionPhase::Expired, "covered it until 2026-03-01T00:00:00Z"),
    ] {
        assert_eq!(exceptions[0].phase(Moment(now), MaxLength::DEFAULT), phase, "{now}");
        let asked = Asked::new(&exceptions, now);
        let ending = match ending {
            "" => String::new(),
            ending => format!("; PersonaException 'until-spring' {ending}"),
        };
        let severity = match phase {
            ExceptionPhase::Active => {
                assert_eq!(asked.refused(), [NON_ROOT]);
                assert_eq!(
                    asked.warnings(),
                    [format!("replicas (1) below persona minimum (2){ending}")]
                );
                Severity::Warning
            }
            _ => {
                assert_eq!(asked.refused(), [REPLICAS, NON_ROOT]);
                Severity::Error
            }
        };
        let replicas = format!("Deployment replicas (1) below persona minimum (2){ending}");
        assert_eq!(asked.status()[0], (severity, replicas));
    }
}

#[test]
fn after_its_end_what_it_covered_is_old_and_what_gets_worse_is_denied() {
    let (exceptions, rules) = ([exception(json!({}))], |replicas, old| {
        move |asked: &mut Asked<'_>| {
            asked.persona.run_as_non_root = false;
            asked.object = object(replicas);
            asked.old = Some(object(old));
        }
    });
    for (replicas, old, during, after) in [(1, 1, true, true), (0, 1, true, false), (1, 0, true, true)] {
        for (now, is_allowed) in [(ENDS - 1, during), (ENDS, after)] {
            let mut asked = Asked::new(&exceptions, now);
            rules(replicas, old)(&mut asked);
            assert_eq!(asked.refused().is_empty(), is_allowed, "{old} -> {replicas} at {now}");
        }
    }
    let mut created = Asked::new(&exceptions, ENDS);
    created.persona.run_as_non_root = false;
    assert_eq!(created.refused(), [REPLICAS]);
}

#[test]
fn one_that_is_too_long_covers_nothing() {
    let ends = |text: &str| exception(json!({"expires": text}));
    let phase = |exception: &Exception| exception.phase(Moment(STARTS), MaxLength::DEFAULT);
    let long = ends("2026-04-01T00:00:01Z");
    assert_eq!(phase(&long), ExceptionPhase::Invalid);
    assert_eq!(long.next_change(Moment(STARTS), MaxLength::DEFAULT), None);
    assert_eq!(Asked::new(&[long], STARTS).refused(), [REPLICAS, NON_ROOT]);
    assert_eq!(phase(&ends("2026-04-01T00:00:00Z")), ExceptionPhase::Active);
    for backwards in [START, "2025-12-31T00:00:00Z"] {
        assert_eq!(phase(&ends(backwards)), ExceptionPhase::Invalid);
    }
    assert_eq!(parsed(json!({"starts": null})), Err(Unusable::NoStart));
    assert_eq!(parsed(json!({"app": null})), Err(Unusable::NoTarget));
}

#[test]
fn a_fraction_of_a_second_is_neither_printed_nor_counted() {
    let exception = exception(json!({"expires": "2026-03-01T00:00:00.9Z"}));
    assert_eq!(
        (exception.expires, &*exception.until),
        (Moment(ENDS), "2026-03-01T00:00:00Z")
    );
}

#[test]
fn one_for_some_containers_covers_what_concerns_those_alone() {
    let of = |containers: Value| exception(json!({"rules": [NON_ROOT], "containers": containers}));
    for (exceptions, is_covered) in [
        (vec![of(json!([]))], true),
        (vec![of(json!(["api", "web"]))], true),
        (vec![of(json!(["api"])), of(json!(["web"]))], true),
        (vec![of(json!(["api"]))], false),
        (vec![of(json!(["db"]))], false),
    ] {
        let asked = Asked::new(&exceptions, STARTS);
        assert_eq!(!asked.refused().contains(&NON_ROOT), is_covered, "{exceptions:?}");
    }
}

#[test]
fn an_update_is_denied_for_the_containers_that_are_neither_old_nor_covered() {
    let exceptions = [exception(json!({"rules": [NON_ROOT, REPLICAS], "containers": ["api"]}))];
    let non_root = |names: &[&str]| {
        let mut object = object(2);
        let containers = object["spec"]["template"]["spec"]["containers"].as_array_mut();
        for container in containers.expect("containers") {
            if names.iter().any(|name| container["name"] == *name) {
                container["securityContext"]["runAsNonRoot"] = true.into();
            }
        }
        object
    };
    let mut asked = Asked::new(&exceptions, STARTS);
    (asked.object, asked.old) = (non_root(&[]), Some(non_root(&["api"])));
    assert!(asked.refused().is_empty(), "web is old, and api is covered");
    asked.old = Some(non_root(&["web"]));
    assert_eq!(asked.refused(), [NON_ROOT], "web is new");
    asked.object = object(1);
    asked.old = Some(object(2));
    assert_eq!(asked.refused(), [REPLICAS], "replicas concern no container");
}

#[test]
fn of_several_the_one_that_lasts_longest_is_named() {
    let named = |name: &str, expires: &str| {
        Arc::new(Exception {
            name: name.into(),
            ..Exception::clone(&exception(json!({"expires": expires})))
        })
    };
    let all = [
        named("b", "2026-02-01T00:00:00Z"),
        named("d", "2026-03-01T00:00:00Z"),
        named("c", "2026-03-01T00:00:00Z"),
    ];
    let warnings = Asked::new(&all, STARTS).warnings();
    assert!(warnings[0].contains("'c' covers it"), "{warnings:?}");
    let exceptions = Exceptions {
        of_app: &all,
        now: Moment(STARTS - 1),
        ..Exceptions::default()
    };
    assert_eq!(exceptions.next_change(), Some(Moment(STARTS)));
}

#[test]
fn a_long_name_leaves_room_for_the_finding() {
    let exceptions = [Arc::new(Exception {
        name: "n".repeat(253).into(),
        ..Exception::clone(&exception(json!({})))
    })];
    let warnings = Asked::new(&exceptions, STARTS).warnings();
    assert!(warnings[0].starts_with("replicas (1) below persona minimum (2); PersonaException 'nnn"));
    assert!(warnings[0].ends_with("covers it until 2026-03-01T00:00:00Z") && warnings[0].len() <= 256);
}

#[test]
fn covered_findings_are_counted_by_exception_and_rule() {
    let exceptions = [exception(json!({"rules": [NON_ROOT, REPLICAS]}))];
    let asked = Asked::new(&exceptions, STARTS);
    let counted = |set| {
        asked.decided(set, |decision| -> Vec<_> {
            let excepted = decision.excepted();
            let excepted = excepted.map(|(by, rule, count)| (by.name.to_string(), rule.name(), count));
            excepted.collect()
        })
    };
    let name = || "until-spring".to_owned();
    assert_eq!(
        counted(RuleSet::Complete),
        [(name(), REPLICAS, 1), (name(), NON_ROOT, 1)]
    );
    assert_eq!(counted(RuleSet::Upstream), [], "upstream knows no exceptions");
    assert!(!asked.decided(RuleSet::Upstream, |decision| decision.allows()));
}

/// One cell of the table of levels: which rule, who requires and wishes what, and which request it is.
#[derive(Clone, Debug)]
struct Cell {
    rule: RuleName,
    floor: Option<Level>,
    wish: Option<Level>,
    is_locked: bool,
    mode: Mode,
    phase: ExceptionPhase,
    /// Whether the exception names the rule.
    is_named: bool,
    /// The stored object: none, one as bad, one without the finding.
    old: Option<bool>,
}

fn cells() -> impl Strategy<Value = Cell> {
    let level = || prop_oneof![Just(None), select(Level::ALL.to_vec()).prop_map(Some)];
    let rules = [
        RuleName::ReplicasBelowMinimum,
        RuleName::PrivilegeEscalation,
        RuleName::ReplicasAboveMaximum,
    ];
    let phases = [
        ExceptionPhase::Pending,
        ExceptionPhase::Active,
        ExceptionPhase::Expired,
        ExceptionPhase::Invalid,
    ];
    let of_rule = (select(rules.to_vec()), level(), level(), any::<bool>());
    let of_request = (
        select(Mode::ALL.to_vec()),
        select(phases.to_vec()),
        any::<bool>(),
        select(vec![None, Some(false), Some(true)]),
    );
    (of_rule, of_request).prop_map(|((rule, floor, wish, is_locked), (mode, phase, is_named, old))| Cell {
        rule,
        floor,
        wish,
        is_locked,
        mode,
        phase,
        is_named,
        old,
    })
}

/// The object with the finding of this rule alone, or without any.
fn violating(rule: RuleName, is_violating: bool) -> Value {
    let mut object = object(match (rule, is_violating) {
        (RuleName::ReplicasBelowMinimum, true) => 1,
        (RuleName::ReplicasAboveMaximum, true) => 9,
        _ => 2,
    });
    let is_escalating = rule == RuleName::PrivilegeEscalation && is_violating;
    object["spec"]["template"]["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] =
        is_escalating.into();
    object
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn webhook_and_status_agree_in_every_cell_and_none_excepts_what_is_locked(cell in cells()) {
        let (named, other) = (Rule::from(cell.rule).name(), NON_ROOT);
        let exceptions = [exception(json!({
            "rules": [if cell.is_named { named } else { other }],
            "expires": if cell.phase == ExceptionPhase::Invalid { "2027-01-01T00:00:00Z" } else { "2026-03-01T00:00:00Z" },
        }))];
        let mut asked = Asked::new(&exceptions, match cell.phase {
            ExceptionPhase::Pending => STARTS - 1,
            ExceptionPhase::Active | ExceptionPhase::Invalid => STARTS,
            ExceptionPhase::Expired => ENDS,
        });
        asked.object = violating(cell.rule, true);
        asked.old = cell.old.map(|is_better| violating(cell.rule, !is_better));
        (asked.persona.run_as_non_root, asked.persona.max_replicas) = (false, Some(5));
        asked.mode = cell.mode;
        cell.floor.into_iter().for_each(|level| asked.platform.require(cell.rule, level));
        cell.wish.into_iter().for_each(|level| asked.persona.levels.set(cell.rule, level));
        if cell.is_locked {
            asked.platform.lock(cell.rule);
        }

        let level = asked.platform.level(cell.rule.into(), &asked.persona.levels);
        let is_covered = cell.phase == ExceptionPhase::Active && cell.is_named && !cell.is_locked;
        let is_old = cell.old == Some(false);
        let is_denied = level == Level::Deny && cell.mode == Mode::Enforcing && !is_covered && !is_old;
        prop_assert_eq!(asked.refused(), if is_denied { vec![named] } else { vec![] });

        let level = if is_covered { level.min(Level::Warn) } else { level };
        let (status, warnings) = (asked.status(), asked.warnings());
        let severities: Vec<Severity> = status.iter().map(|(severity, _)| *severity).collect();
        prop_assert_eq!(severities, Vec::from_iter(Severity::of(level)));
        prop_assert_eq!(warnings.len(), usize::from(!is_denied && level >= Level::Warn));
        let names_it = |line: &String| line.contains("' covers it until 2026-03-01T00:00:00Z");
        prop_assert!(warnings.iter().all(|line| names_it(line) == is_covered));
        prop_assert!(status.iter().all(|(_, line)| names_it(line) == is_covered));
        let excepted = asked.decided(RuleSet::Complete, |decision| decision.excepted().count());
        prop_assert_eq!(excepted, usize::from(is_covered && level != Level::Off));
    }

    #[test]
    fn what_it_covers_is_decided_by_the_second(now in STARTS - 5..ENDS + 5) {
        let exceptions = [exception(json!({}))];
        let asked = Asked::new(&exceptions, now);
        let is_covered = (STARTS..ENDS).contains(&now);
        prop_assert_eq!(!asked.refused().contains(&REPLICAS), is_covered);
        let errors = asked.status().iter().filter(|(severity, _)| *severity == Severity::Error).count();
        prop_assert_eq!(errors, asked.refused().len());
    }
}
