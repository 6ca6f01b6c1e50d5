//! Which persona is derived from which workload.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Autoscaler, Existing, Group, Note, Origin, Workload, derive, groups};
use crate::api::ApplicationPersona;
use crate::policy::workload::Workload as Judged;
use crate::policy::{Exceptions, Matching, Persona, PlatformRules, RuleSet, issues};

fn deployment(name: &str, labels: Value, change: impl FnOnce(&mut Value)) -> Value {
    let limits = json!({"cpu": "500m", "memory": "256Mi"});
    let resources = json!({"limits": limits, "requests": {"cpu": "100m", "memory": "128Mi"}});
    let container = json!({
        "name": "app", "image": "registry.example.com/app:1", "resources": resources,
        "ports": [{"containerPort": 8080, "name": "http", "protocol": "TCP"}],
        "livenessProbe": {"httpGet": {"path": "/live", "port": "http"}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
    });
    let mut object = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop", "labels": labels},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels}, "spec": {"containers": [container]},
        }},
    });
    change(&mut object);
    object
}

fn app(name: &str) -> Value {
    json!({"app.kubernetes.io/name": name})
}

struct Derived {
    persona: ApplicationPersona,
    notes: Vec<Note>,
}

impl Derived {
    fn texts(&self) -> String {
        self.notes
            .iter()
            .map(|note| format!("{}: {}\n", note.workload, note.text))
            .collect()
    }
}

fn all(objects: &[Value], autoscalers: &[Value], matching: Matching, invents: bool) -> Vec<Derived> {
    let workloads: Vec<Workload> = objects
        .iter()
        .map(|object| Workload::read(object).expect("readable"))
        .collect();
    let autoscalers: Vec<Autoscaler> = autoscalers.iter().filter_map(Autoscaler::read).collect();
    let groups: Vec<Group<'_>> = groups(&workloads, |_| true, |_| false, matching);
    let derived = groups.iter().map(|group| {
        let (persona, notes) = derive(group, &autoscalers, Origin::Cluster, invents).expect("a persona");
        Derived { persona, notes }
    });
    derived.collect()
}

#[track_caller]
fn one(change: impl FnOnce(&mut Value)) -> Derived {
    let object = deployment("orders", app("orders"), change);
    let mut derived = all(std::slice::from_ref(&object), &[], Matching::Label, false);
    assert_eq!(derived.len(), 1);
    let derived = derived.remove(0);
    assert_meets(&object, &derived.persona);
    derived
}

/// Nothing is found in the workload.
#[track_caller]
fn assert_meets(object: &Value, persona: &ApplicationPersona) {
    let text = object.to_string();
    let workload: Judged<'_> = serde_json::from_str(&text).expect("a workload");
    let persona = Arc::new(Persona::parse(persona));
    let (all, platform) = ([Arc::clone(&persona)], PlatformRules::default());
    let found = issues(
        RuleSet::Complete,
        &workload,
        &persona,
        &all,
        &platform,
        Exceptions::default(),
    );
    assert_eq!(found.list, [], "{text}");
}

fn pod(object: &mut Value) -> &mut Value {
    &mut object["spec"]["template"]["spec"]
}

fn container(object: &mut Value) -> &mut Value {
    &mut pod(object)["containers"][0]
}

#[test]
fn a_persona_says_what_its_workload_has() {
    let derived = one(|object| {
        object["metadata"]["labels"]["team"] = json!("checkout");
        object["metadata"]["annotations"] = json!({"dorgu.io/owner": "jane@example.com"});
    });
    assert_eq!(derived.notes, []);
    let wanted = json!({
        "apiVersion": "dorgu.io/v1", "kind": "ApplicationPersona",
        "metadata": {
            "name": "orders", "namespace": "shop",
            "labels": {
                "app.kubernetes.io/managed-by": "dorgu", "app.kubernetes.io/name": "orders", "dorgu.io/team": "checkout",
            },
            "annotations": {
                "dorgu.io/imported-from": "Deployment/orders", "dorgu.io/imported-image": "registry.example.com/app:1",
            },
        },
        "spec": {
            "name": "orders", "version": "1", "type": "api", "tier": "standard",
            "technical": {"description": "imported from shop/orders"},
            "resources": {
                "limits": {"cpu": "500m", "memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"},
            },
            "scaling": {"minReplicas": 2, "maxReplicas": 2},
            "health": {"livenessPath": "/live", "readinessPath": "/ready", "port": 8080},
            "networking": {"ports": [{"port": 8080, "protocol": "TCP", "purpose": "http"}]},
            "ownership": {"team": "checkout", "owner": "jane@example.com"},
        },
    });
    assert_eq!(serde_json::to_value(&derived.persona).expect("JSON"), wanted);
}

#[test]
fn a_missing_limit_is_left_out_and_named() {
    let derived = one(|object| container(object)["resources"]["limits"] = json!({"memory": "1Gi"}));
    let limits = derived
        .persona
        .spec
        .resources
        .clone()
        .and_then(|resources| resources.limits)
        .expect("limits");
    assert_eq!((limits.cpu, limits.memory.as_deref()), (None, Some("1Gi")));
    assert!(
        derived.texts().contains("orders: no CPU limit: container app has none"),
        "{}",
        derived.texts()
    );
}

#[test]
fn a_limit_is_invented_only_when_asked_and_never_silently() {
    let object = deployment("orders", app("orders"), |object| {
        container(object)["resources"] = json!({"requests": {"cpu": "300m"}});
    });
    let derived = all(&[object], &[], Matching::Label, true).remove(0);
    let limits = derived
        .persona
        .spec
        .resources
        .clone()
        .and_then(|resources| resources.limits)
        .expect("limits");
    assert_eq!(
        (limits.cpu.as_deref(), limits.memory.as_deref()),
        (Some("600m"), Some("512Mi"))
    );
    assert_eq!(
        derived.notes.iter().filter(|note| note.is_invention).count(),
        2,
        "{}",
        derived.texts()
    );
}

#[test]
fn without_requests_there_are_no_resources_since_they_would_be_demanded() {
    let derived = one(|object| container(object)["resources"] = json!({"limits": {"cpu": "1", "memory": "1Gi"}}));
    assert_eq!(derived.persona.spec.resources, None);
    assert!(
        derived.texts().contains("container app requests nothing"),
        "{}",
        derived.texts()
    );
}

#[test]
fn every_container_meets_the_limits() {
    let more = |name: &str, cpu: &str| {
        let resources = json!({"limits": {"cpu": cpu, "memory": "1Gi"}, "requests": {"cpu": "10m"}});
        json!({"name": name, "image": "x", "resources": resources, "livenessProbe": {"httpGet": {"path": "/live", "port": 1}},
            "readinessProbe": {"tcpSocket": {"port": 1}}})
    };
    let derived = one(|object| {
        pod(object)["containers"]
            .as_array_mut()
            .expect("a list")
            .push(more("proxy", "2"));
        pod(object)["initContainers"] = json!([more("migrate", "3")]);
    });
    let limits = derived
        .persona
        .spec
        .resources
        .and_then(|resources| resources.limits)
        .expect("limits");
    assert_eq!(
        (limits.cpu.as_deref(), limits.memory.as_deref()),
        (Some("3"), Some("1Gi"))
    );
}

#[test]
fn a_limit_of_the_pod_bounds_containers_without_one() {
    let derived = one(|object| {
        pod(object)["resources"] = json!({"limits": {"cpu": "4", "memory": "2Gi"}});
        container(object)["resources"] = json!({});
    });
    let limits = derived
        .persona
        .spec
        .resources
        .and_then(|resources| resources.limits)
        .expect("limits");
    assert_eq!(
        (limits.cpu.as_deref(), limits.memory.as_deref()),
        (Some("4"), Some("2Gi"))
    );
    one(|object| pod(object)["resources"] = json!({"limits": {"cpu": "4", "memory": "2Gi"}}));
}

#[test]
fn probes_that_not_all_containers_have_are_left_out() {
    let derived = one(|object| {
        let bare = json!({"name": "proxy", "image": "x", "resources": {"requests": {"cpu": "1"}}});
        pod(object)["containers"].as_array_mut().expect("a list").push(bare);
    });
    assert_eq!(derived.persona.spec.health, None);
    assert!(
        derived.texts().contains("no liveness path: container proxy"),
        "{}",
        derived.texts()
    );
    // A probe without HTTP has no path.
    let derived = one(|object| container(object)["livenessProbe"] = json!({"tcpSocket": {"port": 1}}));
    let health = derived.persona.spec.health.expect("readiness");
    assert_eq!(
        (health.liveness_path, health.readiness_path.as_deref()),
        (None, Some("/ready"))
    );
}

fn autoscaler(target: &str, min: i32, max: i32) -> Value {
    let cpu = json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}});
    json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "x", "namespace": "shop"},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
            "minReplicas": min, "maxReplicas": max, "metrics": [cpu]},
    })
}

#[test]
fn replica_bounds_come_from_the_autoscaler() {
    let bounds = |replicas: Value, autoscalers: &[Value]| {
        let object = deployment("orders", app("orders"), |object| object["spec"]["replicas"] = replicas);
        let derived = all(&[object], autoscalers, Matching::Label, false).remove(0);
        let scaling = derived.persona.spec.scaling.clone().expect("bounds");
        (
            scaling.min_replicas,
            scaling.max_replicas,
            scaling.target_cpu,
            derived.notes.len(),
        )
    };
    let ours = [autoscaler("other", 5, 6), autoscaler("orders", 3, 9)];
    assert_eq!(bounds(json!(4), &ours), (Some(3), Some(9), Some(70), 0));
    // What runs is no finding, and people are informed.
    assert_eq!(bounds(json!(0), &ours), (Some(0), Some(9), Some(70), 1));
    // A manifest that leaves the replicas to the autoscaler.
    assert_eq!(bounds(Value::Null, &ours), (Some(3), Some(9), Some(70), 1));
    assert_eq!(bounds(json!(0), &[]), (Some(0), Some(1), None, 0));
    assert_eq!(bounds(json!(4), &[]), (Some(4), Some(4), None, 0));
}

fn existing(derived: &[Derived], matching: Matching) -> Existing {
    Existing::new(derived.iter().map(|derived| &derived.persona), matching)
}

/// Each workload finds the persona of this name.
#[track_caller]
fn assert_found(objects: &[Value], matching: Matching, wanted: &[&str]) -> Vec<Derived> {
    let derived = all(objects, &[], matching, false);
    let existing = existing(&derived, matching);
    let found: Vec<String> = objects
        .iter()
        .map(|object| {
            existing
                .governor(&Workload::read(object).expect("readable"))
                .unwrap_or_default()
        })
        .collect();
    assert_eq!(found, wanted);
    derived
}

#[test]
fn every_workload_finds_its_own_persona() {
    let plain = |name: &str, labels: Value| deployment(name, labels, |_| {});
    let part = |name: &str, component: &str, version: &str| {
        let labels = json!({"app.kubernetes.io/name": "shop", "app.kubernetes.io/component": component,
            "app.kubernetes.io/version": version});
        plain(name, labels)
    };
    for matching in [Matching::Label, Matching::Chain] {
        let derived = assert_found(
            &[part("a", "web", "1"), part("b", "worker", "2")],
            matching,
            &["a", "b"],
        );
        let selector = derived[0].persona.spec.selector.clone().expect("a selector");
        let labels = selector.match_labels.expect("labels");
        // The version changes with every release.
        assert_eq!(labels.keys().collect::<Vec<_>>(), ["app.kubernetes.io/component"]);
        // One has more labels than the other.
        assert_found(
            &[plain("a", app("shop")), part("b", "worker", "2")],
            matching,
            &["a", "b"],
        );
        assert_found(
            &[part("a", "x", "1"), part("b", "x", "2"), part("c", "y", "2")],
            matching,
            &["a", "b", "c"],
        );
    }
    // By label app, by name, and by a name that is the label of another.
    let objects = [
        plain("a", json!({"app": "x"})),
        plain("b", json!({"app.kubernetes.io/name": "x"})),
        plain("x", json!({"tier": "web"})),
        plain("d", json!({"app": "x", "tier": "db"})),
    ];
    assert_found(&objects, Matching::Chain, &["a", "b", "x", "d"]);
    let derived = assert_found(&objects, Matching::Label, &["", "b", "", ""]);
    let without = derived
        .iter()
        .filter(|derived| derived.texts().contains("no persona governs it without the label"));
    assert_eq!(without.count(), 3);
}

#[test]
fn workloads_with_the_same_labels_share_a_persona_that_all_meet() {
    let objects = [
        deployment("blue", app("orders"), |object| object["spec"]["replicas"] = json!(1)),
        deployment("green", app("orders"), |object| {
            object["spec"]["replicas"] = json!(5);
            container(object)["resources"]["limits"]["cpu"] = json!(2);
        }),
    ];
    let derived = assert_found(&objects, Matching::Label, &["blue", "blue"]);
    assert_eq!(derived.len(), 1);
    assert!(
        derived[0].texts().contains("governs green as well"),
        "{}",
        derived[0].texts()
    );
    objects
        .iter()
        .for_each(|object| assert_meets(object, &derived[0].persona));
}

#[test]
fn a_persona_for_one_keeps_off_the_others_of_its_app() {
    let labels = |component: &str| json!({"app.kubernetes.io/name": "shop", "component": component});
    let objects = [
        deployment("a", labels("x"), |_| {}),
        deployment("b", labels("y"), |_| {}),
    ];
    let workloads: Vec<Workload> = objects
        .iter()
        .map(|object| Workload::read(object).expect("readable"))
        .collect();
    let found = groups(&workloads, |workload| workload.name == "a", |_| false, Matching::Label);
    assert_eq!(found.len(), 1);
    assert!(found[0].selector.is_some());
    // One that has a persona already gets none, and is kept apart.
    let found = groups(&workloads, |_| true, |workload| workload.name == "a", Matching::Label);
    assert_eq!((found.len(), found[0].workloads[0].name.as_str()), (1, "b"));
    assert!(found[0].selector.is_some());
}

#[test]
fn what_cannot_be_read_is_named() {
    let broken = |change: fn(&mut Value)| Workload::read(&deployment("a", app("a"), change)).expect_err("an error");
    let quantity = broken(|object| container(object)["resources"]["limits"]["cpu"] = json!("lots"));
    assert_eq!(
        quantity,
        r#"container app: resources.limits.cpu: "lots" is not a quantity"#
    );
    assert_eq!(
        broken(|object| object["metadata"]["name"] = Value::Null),
        "metadata.name: Required value"
    );
    let empty = broken(|object| pod(object)["containers"] = json!([]));
    assert_eq!(empty, "spec.template.spec.containers: Required value");
}

#[test]
fn a_name_that_is_no_label_is_no_label() {
    let long = "a".repeat(80);
    let object = deployment(&long, json!({"tier": "web"}), |_| {});
    let derived = all(&[object], &[], Matching::Chain, false).remove(0);
    assert_eq!(derived.persona.spec.name, long);
    let labels = derived.persona.metadata.labels.expect("labels");
    assert!(!labels.contains_key("app.kubernetes.io/name"), "{labels:?}");
}
