//! Every rule at `deny`: what was deployed before stays deployable, and what gets worse is denied.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// Decides with every rule at this level, required by the platform.
fn decided<R>(level: Level, object: &Value, old: Option<&Value>, read: impl FnOnce(&Decision<'_>) -> R) -> R {
    let mut platform = PlatformRules::default();
    Rule::all_settable().for_each(|(name, _)| platform.require(name, level));
    judged_by(&platform, object, old, Mode::Enforcing, read)
}

fn refused(object: &Value, old: Option<&Value>) -> Vec<&'static str> {
    decided(Level::Deny, object, old, |decision| {
        let refusals = decision.refusals().iter();
        refusals.map(|attributed| attributed.finding().rule.name()).collect()
    })
}

/// A Deployment without any finding.
pub(super) fn compliant() -> Value {
    json!({
        "metadata": {"name": "orders", "namespace": "shop", "labels": {"app.kubernetes.io/name": "orders"}},
        "spec": {
            "replicas": 3,
            "template": {"spec": {
                "securityContext": {"runAsNonRoot": true},
                "containers": [{
                    "name": "api",
                    "resources": {
                        "limits": {"cpu": "500m", "memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"},
                    },
                    "livenessProbe": {"httpGet": {"path": "/live", "port": 8080}},
                    "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
                    "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true},
                }],
            }},
        },
    })
}

/// The object with another value at a path; `null` removes it.
pub(super) fn with(object: &Value, path: &str, value: Value) -> Value {
    let mut object = object.clone();
    let (parent, key) = path.rsplit_once('/').expect("a path");
    let parent = object
        .pointer_mut(parent)
        .expect("a parent")
        .as_object_mut()
        .expect("an object");
    match value {
        Value::Null => drop(parent.remove(key)),
        value => drop(parent.insert(key.to_owned(), value)),
    }
    object
}

pub(super) const CONTAINER: &str = "/spec/template/spec/containers/0";

/// For each rule steps of one field, each worse than the one before, from one without a finding on.
pub(super) fn steps() -> Vec<(Rule, &'static str, Vec<Value>)> {
    let probe = |path: &str| json!({"httpGet": {"path": path, "port": 8080}});
    vec![
        (
            Rule::CpuLimitAbovePersona,
            "/resources/limits/cpu",
            vec![json!("500m"), json!("600m"), json!("2")],
        ),
        (
            Rule::CpuLimitMissing,
            "/resources/limits/cpu",
            vec![json!("500m"), Value::Null],
        ),
        (
            Rule::MemoryLimitAbovePersona,
            "/resources/limits/memory",
            vec![json!("64Mi"), json!("1Gi"), json!("2Gi")],
        ),
        (
            Rule::MemoryLimitMissing,
            "/resources/limits/memory",
            vec![json!("64Mi"), Value::Null],
        ),
        (
            Rule::RequestsMissing,
            "/resources/requests",
            vec![json!({"cpu": "1m"}), Value::Null],
        ),
        (
            Rule::LivenessProbeMissing,
            "/livenessProbe",
            vec![probe("/live"), Value::Null],
        ),
        (
            Rule::LivenessPathDiffers,
            "/livenessProbe",
            vec![probe("/live"), probe("/other"), probe("/third")],
        ),
        (
            Rule::ReadinessProbeMissing,
            "/readinessProbe",
            vec![probe("/ready"), Value::Null],
        ),
        (
            Rule::PrivilegeEscalationUnset,
            "/securityContext/allowPrivilegeEscalation",
            vec![json!(false), Value::Null],
        ),
        (
            Rule::WritableRootFilesystem,
            "/securityContext/readOnlyRootFilesystem",
            vec![json!(true), json!(false)],
        ),
    ]
}

#[test]
fn each_rule_at_deny_denies_what_gets_worse_and_nothing_else() {
    assert_eq!(refused(&compliant(), None), [""; 0]);
    for (rule, field, values) in steps() {
        let path = format!("{CONTAINER}{field}");
        let objects: Vec<Value> = values
            .iter()
            .map(|value| with(&compliant(), &path, value.clone()))
            .collect();
        let mut before = objects.first().expect("a first step");
        for worse in objects.iter().skip(1) {
            let name = [rule.name()];
            assert_eq!(refused(worse, Some(before)), name, "{before} -> {worse}");
            assert_eq!(refused(worse, None), name, "on a create");
            assert_eq!(refused(worse, Some(worse)), [""; 0], "what stays as it was");
            let scaled = with(worse, "/spec/replicas", json!(4));
            assert_eq!(refused(&scaled, Some(worse)), [""; 0], "another change");
            if rule != Rule::LivenessPathDiffers {
                assert_eq!(
                    refused(before, Some(worse)),
                    [""; 0],
                    "a step back: {worse} -> {before}"
                );
            }
            before = worse;
        }
    }
    for (rule, values) in [
        (Rule::ReplicasBelowMinimum, [2, 1, 0]),
        (Rule::ReplicasAboveMaximum, [5, 6, 7]),
    ] {
        let objects = values.map(|count| with(&compliant(), "/spec/replicas", json!(count)));
        for pair in objects.windows(2) {
            assert_eq!(refused(&pair[1], Some(&pair[0])), [rule.name()]);
            assert_eq!(refused(&pair[1], Some(&pair[1])), [""; 0]);
            assert_eq!(refused(&pair[0], Some(&pair[1])), [""; 0]);
        }
    }
}

#[test]
fn what_a_container_had_is_found_by_its_name_and_lasts_as_long() {
    let unlimited = with(
        &compliant(),
        &format!("{CONTAINER}/resources"),
        json!({"requests": {"cpu": "1m"}}),
    );
    let moved = |list: &str, extra: Value| {
        let mut object = unlimited.clone();
        let pod = object.pointer_mut("/spec/template/spec").expect("a pod");
        let mut container = pod["containers"][0].take();
        for (key, value) in extra.as_object().expect("an object") {
            container[key] = value.clone();
        }
        pod["containers"] = json!([]);
        pod[list] = json!([container]);
        object
    };
    let once = moved("initContainers", json!({}));
    let sidecar = moved("initContainers", json!({"restartPolicy": "Always"}));
    let limits = ["cpu-limit-missing", "memory-limit-missing"];
    assert_eq!(
        refused(&sidecar, Some(&unlimited)),
        [""; 0],
        "an app container that becomes a sidecar"
    );
    assert_eq!(
        refused(&unlimited, Some(&once)),
        limits,
        "a run-once container that stays"
    );
    let renamed = with(&unlimited, &format!("{CONTAINER}/name"), json!("web"));
    assert_eq!(refused(&renamed, Some(&unlimited)), limits, "a new name");
}

#[test]
fn a_limit_of_the_pod_excuses_what_its_containers_could_use_before() {
    let pod = "/spec/template/spec/resources";
    let unlimited = with(
        &compliant(),
        &format!("{CONTAINER}/resources"),
        json!({"requests": {"cpu": "1m"}}),
    );
    let bound = |cpu: &str| with(&unlimited, pod, json!({"limits": {"cpu": cpu, "memory": "512Mi"}}));
    let (narrow, wide, wider) = (bound("500m"), bound("2"), bound("4"));
    assert_eq!(refused(&narrow, None), [""; 0]);
    assert_eq!(refused(&wide, Some(&unlimited)), [""; 0], "less than everything");
    assert_eq!(
        refused(&wide, Some(&narrow)),
        ["cpu-limit-missing", "cpu-limit-above-persona"],
        "more than before"
    );
    assert_eq!(
        refused(&wider, Some(&wide)),
        ["cpu-limit-missing", "cpu-limit-above-persona"]
    );
    assert_eq!(refused(&wide, Some(&wider)), [""; 0]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_deployed_stays_deployable(object in deployment()) {
        prop_assert_eq!(refused(&object, Some(&object)), [""; 0]);
    }

    #[test]
    fn against_an_object_without_findings_everything_is_new(object in deployment()) {
        let mut before = compliant();
        let good = before["spec"]["template"]["spec"]["containers"][0].take();
        let pod = before.pointer_mut("/spec/template/spec").expect("a pod");
        for list in ["containers", "initContainers"] {
            let same = object["spec"]["template"]["spec"][list].as_array().into_iter().flatten().map(|container| {
                let mut good = good.clone();
                good["name"] = container["name"].clone();
                good["restartPolicy"] = container["restartPolicy"].clone();
                good["resources"]["limits"]["cpu"] = json!("1m");
                good
            });
            pod[list] = same.collect();
        }
        pod["resources"] = json!({"limits": {"cpu": "1m"}});
        // What lets a container do nothing is old; the oracle of `ratchet` has the order of these two.
        let others = |old| -> Vec<&str> {
            let by_powers = ["run-as-non-root", "privilege-escalation"];
            refused(&object, old).into_iter().filter(|rule| !by_powers.contains(rule)).collect()
        };
        prop_assert_eq!(others(None), others(Some(&before)));
    }

    #[test]
    fn the_level_alone_decides_what_happens(object in deployment()) {
        let all = |level| decided(level, &object, None, |decision| {
            let count: u64 = decision.rules().map(|(_, _, count)| count).sum();
            (decision.refusing(), decision.warned(), count)
        });
        let (refusing, warned, count) = all(Level::Deny);
        prop_assert_eq!((refusing as u64, warned), (count, 0));
        prop_assert_eq!(all(Level::Warn), (0, refusing, count));
        prop_assert_eq!(all(Level::Audit), (0, 0, count));
        prop_assert_eq!(all(Level::Off), (0, 0, 0));
    }
}
