//! What a list and a status show, and what a change means.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Change, Columns, Effect, Paint, changes, describe, table};

fn persona(spec: Value) -> Value {
    json!({"metadata": {"name": "orders", "namespace": "shop"}, "spec": spec})
}

/// The only change between two specs.
#[track_caller]
fn change(old: Value, new: Value) -> Change {
    let mut found = changes(&persona(old), &persona(new));
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

#[track_caller]
fn assert_means(old: Value, new: Value, field: &str, effect: Effect, words: &str) {
    let change = change(old, new);
    assert_eq!((change.field.as_str(), change.effect), (field, effect), "{change:?}");
    assert!(change.meaning.contains(words), "{}", change.meaning);
}

#[test]
fn equal_specs_change_nothing_whatever_their_status() {
    let mut other = persona(json!({"name": "orders", "policies": {"rules": []}}));
    other["status"] = json!({"phase": "Active"});
    assert_eq!(changes(&persona(json!({"name": "orders"})), &other), []);
}

#[test]
fn a_raised_limit_is_looser_and_a_lowered_one_stricter() {
    let limit = |cpu: &str| json!({"resources": {"limits": {"cpu": cpu}}});
    let field = "spec.resources.limits.cpu";
    assert_means(
        limit("500m"),
        limit("1"),
        field,
        Effect::Looser,
        "CPU limits above 1 instead of 500m are warned about",
    );
    assert_means(
        limit("1"),
        limit("500m"),
        field,
        Effect::Stricter,
        "(cpu-limit-above-persona)",
    );
    assert_means(limit("1"), limit("1000m"), field, Effect::Unchecked, "the same amount");
    assert_means(limit("1"), limit("many"), field, Effect::Looser, "not a quantity");
    assert_means(
        limit(""),
        limit("1"),
        field,
        Effect::Stricter,
        "so are missing ones (cpu-limit-missing)",
    );
}

#[test]
fn a_new_object_of_resources_has_requests_checked() {
    let found = changes(
        &persona(json!({"name": "a"})),
        &persona(json!({"name": "a", "resources": {"limits": {"memory": "1Gi"}}})),
    );
    let found: Vec<(&str, Effect)> = found
        .iter()
        .map(|change| (change.field.as_str(), change.effect))
        .collect();
    assert_eq!(
        found,
        [
            ("spec.resources", Effect::Stricter),
            ("spec.resources.limits.memory", Effect::Stricter)
        ]
    );
}

#[test]
fn replica_bounds_have_opposite_directions() {
    let bound = |field: &str, value: Value| json!({"scaling": {field: value}});
    let (min, max) = ("spec.scaling.minReplicas", "spec.scaling.maxReplicas");
    let change = |field: &str, old: Value, new: Value| (bound(field, old), bound(field, new));
    for (short, field, old, new, effect, words) in [
        (
            "minReplicas",
            min,
            json!(2),
            json!(3),
            Effect::Stricter,
            "fewer replicas than 3 instead of 2 are denied where",
        ),
        (
            "minReplicas",
            min,
            json!(3),
            json!(2),
            Effect::Looser,
            "(replicas-below-minimum)",
        ),
        ("minReplicas", min, json!(3), Value::Null, Effect::Looser, "any number"),
        (
            "maxReplicas",
            max,
            json!(3),
            json!(2),
            Effect::Stricter,
            "more replicas than 2 instead of 3 are warned about",
        ),
        (
            "maxReplicas",
            max,
            json!(2),
            json!(3),
            Effect::Looser,
            "(replicas-above-maximum)",
        ),
        (
            "maxReplicas",
            max,
            Value::Null,
            json!(3),
            Effect::Stricter,
            "more replicas than 3",
        ),
    ] {
        let (old, new) = change(short, old, new);
        assert_means(old, new, field, effect, words);
    }
}

#[test]
fn each_demand_of_security_says_what_is_found() {
    let security = |field: &str, value: bool| json!({"policies": {"security": {field: value}}});
    let of = |field: &str| format!("spec.policies.security.{field}");
    for (field, demanding, words) in [
        (
            "runAsNonRoot",
            true,
            "may run as root are denied where the persona is enforced (run-as-non-root)",
        ),
        (
            "readOnlyRootFilesystem",
            true,
            "writable root filesystem are warned about",
        ),
        ("allowPrivilegeEscalation", false, "may gain privileges are denied"),
    ] {
        let (off, on) = (security(field, !demanding), security(field, demanding));
        assert_means(off.clone(), on.clone(), &of(field), Effect::Stricter, words);
        assert_means(on, off, &of(field), Effect::Looser, "no longer a finding");
    }
    assert_means(
        json!({}),
        security("runAsNonRoot", false),
        &of("runAsNonRoot"),
        Effect::Unchecked,
        "neither",
    );
}

#[test]
fn levels_are_compared_rule_by_rule() {
    let rules = |level: &str| json!({"policies": {"rules": [{"rule": "cpu-limit-missing", "level": level}]}});
    let field = "spec.policies.rules[cpu-limit-missing]";
    assert_means(
        json!({}),
        rules("deny"),
        field,
        Effect::Stricter,
        "denied where the persona is enforced",
    );
    assert_means(rules("deny"), json!({}), field, Effect::Looser, "its findings warn");
    assert_means(json!({}), rules("warn"), field, Effect::Unchecked, "as before");
    assert_means(rules("warn"), rules("off"), field, Effect::Looser, "not reported");
}

#[test]
fn probes_registries_names_and_selectors_are_worded() {
    let health = |path: &str| json!({"health": {"livenessPath": path}});
    assert_means(
        json!({}),
        health("/live"),
        "spec.health.livenessPath",
        Effect::Stricter,
        "without a liveness probe",
    );
    assert_means(
        health("/a"),
        health("/b"),
        "spec.health.livenessPath",
        Effect::Different,
        "another path than /b",
    );
    let ready = |path: &str| json!({"health": {"readinessPath": path}});
    assert_means(
        ready("/a"),
        ready("/b"),
        "spec.health.readinessPath",
        Effect::Unchecked,
        "only the presence",
    );
    let from = |list: &[&str]| json!({"policies": {"images": {"registries": list}}});
    let field = "spec.policies.images.registries";
    assert_means(
        json!({}),
        from(&["a.io"]),
        field,
        Effect::Stricter,
        "from elsewhere than a.io are denied",
    );
    assert_means(
        from(&["a.io"]),
        from(&["a.io", "b.io"]),
        field,
        Effect::Looser,
        "a.io, b.io",
    );
    assert_means(from(&["a.io"]), from(&["b.io"]), field, Effect::Different, "b.io");
    assert_means(from(&["a.io"]), from(&[]), field, Effect::Looser, "everywhere");
    assert_means(
        json!({"name": "a"}),
        json!({"name": "b"}),
        "spec.name",
        Effect::Different,
        "name: b instead of",
    );
    let selector = json!({"selector": {"matchLabels": {"tier": "api"}}});
    assert_means(
        json!({}),
        selector,
        "spec.selector",
        Effect::Looser,
        "only the workloads",
    );
    let owned = json!({"ownership": {"team": "checkout"}});
    assert_means(
        json!({}),
        owned,
        "spec.ownership.team",
        Effect::Unchecked,
        "show it to people",
    );
}

#[test]
fn the_mode_is_part_of_the_comparison() {
    let with = |mode: &str| {
        let mut object = persona(json!({"name": "a"}));
        object["metadata"]["annotations"] = json!({"dorgu.io/mode": mode, "other": mode});
        object
    };
    let found = changes(&persona(json!({"name": "a"})), &with("enforcing"));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].field, "metadata.annotations[dorgu.io/mode]");
    assert_eq!(found[0].effect, Effect::Stricter);
    assert_eq!(changes(&with("enforcing"), &with("advisory"))[0].effect, Effect::Looser);
    assert_eq!(
        changes(&with("enforcing"), &with("Enforcing"))[0].effect,
        Effect::Looser
    );
}

#[test]
fn a_change_is_two_lines_without_control_characters() {
    let change = change(json!({"type": "api"}), json!({"type": "w\u{1b}[31m\n"}));
    assert_eq!(
        change.text(),
        "spec.type: api -> w\\u001b[31m\\n\n  no check: lists show it to people\n"
    );
}

fn now() -> Timestamp {
    "2026-11-29T12:00:00Z".parse().expect("a time")
}

fn listed(name: &str, created: &str, more: Value) -> Value {
    let mut object = json!({"metadata": {"name": name, "namespace": "shop", "creationTimestamp": created}});
    object["spec"] = json!({"name": name, "type": "api", "tier": "standard"});
    object["status"] = more;
    object
}

#[test]
fn a_list_has_the_columns_of_the_contract() {
    let personas = [
        listed("web", "2026-11-29T11:30:00Z", Value::Null),
        listed(
            "orders",
            "2026-11-26T11:00:00Z",
            json!({"phase": "Active", "health": {"status": "Healthy"}}),
        ),
        listed("cart", "2026-11-29T02:00:00Z", json!({"phase": "Pending"})),
        listed("odd", "yesterday", Value::Null),
    ];
    let shown = "\
NAME     NAMESPACE   PHASE     HEALTH    AGE
cart     shop        Pending   -         10h
odd      shop        -         -         ?
orders   shop        Active    Healthy   3d
web      shop        -         -         30m
";
    assert_eq!(table(&personas, Columns::Usual, now()), shown);
    let wide = table(&personas, Columns::Wide, now());
    assert!(
        wide.contains("   TYPE   TIER       APPLICATION   PASSED   ENFORCEABLE   TEAM\n"),
        "{wide}"
    );
    assert_eq!(table(&[], Columns::Usual, now()), "");
}

#[test]
fn a_persona_without_a_status_has_one_sentence() {
    for status in [Value::Null, json!({})] {
        let text = describe(&listed("orders", "", status), Paint(false));
        assert_eq!(
            text,
            "orders in namespace shop\nIt has no status yet: the operator writes one when it has seen the persona.\n"
        );
    }
}

#[test]
fn a_status_has_a_section_for_each_part_that_is_there() {
    let status = json!({
        "phase": "Degraded", "lastUpdated": "2026-11-29T11:00:00Z",
        "health": {"status": "Degraded", "message": "1/2 replicas ready", "podFailures": [
            {"podName": "orders-1", "container": "api", "reason": "CrashLoopBackOff", "message": "back-off"}]},
        "validation": {"passed": false, "issues": [
            {"severity": "error", "field": "spec.replicas", "message": "too few", "suggestion": "Scale up"}]},
        "conditions": [{"type": "Ready", "status": "False", "message": "Phase: Degraded"}],
        "deployments": {"current": "orders:1"},
        "argoCD": {"syncStatus": "Synced", "revision": "0123456789abcdef"},
        "learned": {"resourceBaseline": {"avgCPU": "20m", "peakCPU": "90m", "avgMemory": "64Mi"}},
    });
    let shown = "\
orders in namespace shop
Phase:       Degraded
Health:      Degraded (1/2 replicas ready)
Validation:  Failed

Conditions
  Ready  False    Phase: Degraded

Deployment
  current image: orders:1

Pod failures
  orders-1/api: CrashLoopBackOff: back-off

Validation issues
  error: [spec.replicas] too few
    Scale up

Argo CD
  sync: Synced
  revision: 01234567

Resource baseline
  cpu: 20m (peak 90m)
  memory: 64Mi

Last updated
  2026-11-29T11:00:00Z
";
    let persona = listed("orders", "", status);
    assert_eq!(describe(&persona, Paint(false)), shown);
    let painted = describe(&persona, Paint(true));
    assert!(
        painted.contains("Phase:       \u{1b}[38;5;214mDegraded\u{1b}[0m"),
        "{painted}"
    );
    assert!(painted.contains("\u{1b}[38;5;196mFailed\u{1b}[0m"), "{painted}");
}

#[test]
fn a_status_of_another_writer_cannot_send_control_characters() {
    let persona = listed(
        "orders",
        "",
        json!({"phase": "\u{1b}[2J", "conditions": [{"type": 7}], "health": "well"}),
    );
    assert!(!describe(&persona, Paint(true)).contains("[2J\u{1b}"));
    assert!(describe(&persona, Paint(false)).contains("\\u001b[2J"));
}
