//! Which Deployments change verdict: by personas of one app, selectors, default personas, modes, levels and exceptions.

mod agreement;

use serde_json::{Value, json};

use super::*;
use crate::index::{Change as Event, Index, Namespace, StoredException, StoredPersona};
use crate::k8s::Decode;
use crate::policy::{Matching, Mode, ModeWish, PlatformRules, RuleSet};

/// The namespace whose default personas govern the others, too.
const PLATFORM: &str = "platform";
const NOW: Moment = Moment(1_790_000_000);

struct World(Index);

impl World {
    fn new() -> World {
        World::matching(Matching::Label)
    }

    fn matching(matching: Matching) -> World {
        let index = Index::new(matching, PlatformRules::NONE).with_platform_defaults(Some(PLATFORM));
        World(index)
            .namespace("shop", "", true)
            .namespace("bank", "", true)
            .namespace(PLATFORM, "", true)
    }

    fn namespace(self, name: &str, mode: &str, is_opted_in: bool) -> World {
        self.0.namespaces(Event::Put(Namespace {
            name: name.into(),
            mode: ModeWish::read(Some(mode).filter(|mode| !mode.is_empty())),
            is_opted_in,
            terminating: false,
            uid: Box::default(),
        }));
        self
    }

    fn persona(self, object: Value) -> World {
        self.0.personas(Event::Put(stored(&object)));
        self
    }

    /// A Deployment of this app with so many replicas.
    fn deployment(self, namespace: &str, name: &str, app: &str, replicas: i32) -> World {
        self.labelled(namespace, name, json!({"app.kubernetes.io/name": app}), replicas)
    }

    fn labelled(self, namespace: &str, name: &str, labels: Value, replicas: i32) -> World {
        let object = deployment(namespace, name, &labels, replicas);
        let decoded = Deployment::decode(&object.to_string()).expect("a Deployment");
        self.0.deployments(Event::Put(decoded));
        self
    }

    fn exception(self, spec: Value) -> World {
        let mut object = json!({
            "metadata": {"name": "x", "namespace": "shop", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"reason": "The next version has no such limit", "owner": "jane", "rules": ["replicas-below-minimum"],
                "starts": "2026-09-20T00:00:00Z", "expires": "2026-10-20T00:00:00Z"},
        });
        for (key, value) in spec.as_object().expect("fields") {
            object["spec"][key] = value.clone();
        }
        let decoded = StoredException::decode(&object.to_string()).expect("an exception");
        self.0.exceptions(Event::Put(decoded));
        self
    }

    fn impact_of(&self, changes: &[Change]) -> Impact {
        impact(&self.0.load(), changes, &enforcing(), &Bound::NONE)
    }

    /// The changes of verdict, as `namespace/name: before -> after`.
    fn told(&self, changes: &[Change]) -> Vec<String> {
        told(&self.impact_of(changes))
    }
}

fn told(impact: &Impact) -> Vec<String> {
    let changes = impact.changes.iter();
    changes
        .map(|one| {
            let (before, after) = (one.before.verdict.as_str(), one.after.verdict.as_str());
            format!("{}/{}: {before} -> {after}", one.namespace, one.name)
        })
        .collect()
}

fn enforcing() -> Settings {
    Settings {
        rulebook: Rulebook {
            set: RuleSet::Complete,
            mode: Mode::Enforcing,
        },
        requires_label: false,
        now: NOW,
    }
}

fn deployment(namespace: &str, name: &str, labels: &Value, replicas: i32) -> Value {
    json!({
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"pods-of": name}}, "template": {"spec": {"containers": [{
            "name": "api", "image": "registry.example.com/x:1",
            "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"cpu": "100m", "memory": "64Mi"}},
            "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true},
            "livenessProbe": {"httpGet": {"path": "/live", "port": 80}},
            "readinessProbe": {"httpGet": {"path": "/ready", "port": 80}},
        }]}}},
    })
}

/// A persona that demands a least number of replicas and nothing else.
fn persona(namespace: &str, name: &str, app: &str, least: i32) -> Value {
    json!({
        "apiVersion": "dorgu.io/v1", "kind": "ApplicationPersona",
        "metadata": {"name": name, "namespace": namespace, "uid": format!("{namespace}-{name}")},
        "spec": {"name": app, "type": "api", "scaling": {"minReplicas": least}},
    })
}

fn with(mut object: Value, path: &str, value: Value) -> Value {
    let (parent, key) = path.rsplit_once('/').expect("a path");
    object.pointer_mut(parent).expect("a parent")[key] = value;
    object
}

fn stored(object: &Value) -> StoredPersona {
    StoredPersona::decode(&object.to_string()).expect("a persona")
}

fn put(object: &Value) -> Change {
    Change::Put(stored(object).persona)
}

fn delete(namespace: &str, name: &str) -> Change {
    Change::Delete {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

#[test]
fn a_created_persona_names_what_it_would_deny_of_what_it_governs() {
    let world = World::new()
        .deployment("shop", "a", "orders", 1)
        .deployment("shop", "b", "orders", 2)
        .deployment("shop", "c", "orders", 1)
        .deployment("shop", "other", "pay", 1)
        .deployment("bank", "elsewhere", "orders", 1);
    let impact = world.impact_of(&[put(&persona("shop", "orders", "orders", 2))]);
    assert_eq!(told(&impact), ["shop/a: passed -> denied", "shop/c: passed -> denied"]);
    assert_eq!((impact.governed, impact.newly_denied), (3, 2));
    assert_eq!(impact.summary(Some("shop")), "2 of 3 would be denied: 'a', 'c'");
    assert_eq!(impact.summary(None), "2 of 3 would be denied: 'shop/a', 'shop/c'");
    let found = &impact.changes[0].after.denying[0];
    assert_eq!(
        (found.rule, &*found.field),
        (Rule::ReplicasBelowMinimum, "spec.replicas")
    );
    assert_eq!(found.message, "replicas (1) below persona minimum (2)");
    assert_eq!(found.persona, "orders");
    assert_eq!(
        impact.lines(Some("shop")),
        [
            "2 of 3 would be denied: 'a', 'c'",
            "Deployment 'a' would be denied: replicas (1) below persona minimum (2)",
            "Deployment 'c' would be denied: replicas (1) below persona minimum (2)",
        ]
    );
}

#[test]
fn of_several_personas_of_an_app_the_strictest_decides() {
    let world = World::new()
        .persona(persona("shop", "one", "orders", 2))
        .deployment("shop", "a", "orders", 1)
        .deployment("shop", "b", "orders", 3);
    let same = world.impact_of(&[put(&persona("shop", "two", "orders", 1))]);
    // Both share a name from now on, which every answer says.
    assert_eq!(told(&same), ["shop/b: passed -> warned"]);
    let laxer = world.told(&[put(&persona("shop", "one", "orders", 1))]);
    assert_eq!(laxer, ["shop/a: denied -> passed"]);
    let stricter = world.told(&[put(&persona("shop", "two", "orders", 4))]);
    assert_eq!(stricter, ["shop/b: passed -> denied"]);
}

#[test]
fn a_deleted_persona_frees_what_it_denied_and_another_may_take_over() {
    let world = World::new()
        .persona(persona("shop", "orders", "orders", 2))
        .deployment("shop", "a", "orders", 1);
    let gone = world.impact_of(&[delete("shop", "orders")]);
    assert_eq!(told(&gone), ["shop/a: denied -> passed"]);
    assert_eq!(gone.lines(Some("shop")), ["1 of 1 would no longer be denied: 'a'"]);
    assert_eq!(world.told(&[delete("shop", "unknown")]), [""; 0]);
    let replaced = [delete("shop", "orders"), put(&persona("shop", "new", "orders", 3))];
    assert_eq!(world.told(&replaced), [""; 0], "denied before and after");
}

#[test]
fn a_persona_that_moves_to_another_app_frees_one_and_takes_the_other() {
    let world = World::new()
        .persona(persona("shop", "mine", "orders", 2))
        .deployment("shop", "a", "orders", 1)
        .deployment("shop", "b", "pay", 1);
    let moved = world.told(&[put(&persona("shop", "mine", "pay", 2))]);
    assert_eq!(moved, ["shop/a: denied -> passed", "shop/b: passed -> denied"]);
}

#[test]
fn a_selector_leaves_the_other_workloads_of_the_app_alone() {
    let labels = |tier: &str| json!({"app.kubernetes.io/name": "orders", "tier": tier});
    let world = World::new()
        .labelled("shop", "api", labels("api"), 1)
        .labelled("shop", "worker", labels("worker"), 1);
    let narrowed = with(
        persona("shop", "api", "orders", 2),
        "/spec/selector",
        json!({"matchLabels": {"tier": "api"}}),
    );
    let impact = world.impact_of(&[put(&narrowed)]);
    assert_eq!(told(&impact), ["shop/api: passed -> denied"]);
    assert_eq!(impact.governed, 1);
    let widened = world
        .persona(narrowed)
        .told(&[put(&persona("shop", "api", "orders", 2))]);
    assert_eq!(widened, ["shop/worker: passed -> denied"]);
}

#[test]
fn a_default_persona_governs_what_has_no_persona_and_a_binding_one_all() {
    let world = World::new()
        .persona(persona("shop", "orders", "orders", 1))
        .deployment("shop", "own", "orders", 1)
        .deployment("shop", "none", "pay", 1)
        .deployment("bank", "far", "pay", 1);
    let default = persona("shop", "default", "*", 2);
    assert_eq!(world.told(&[put(&default)]), ["shop/none: passed -> denied"]);
    let binding = with(default.clone(), "/spec/policies", json!({"binding": true}));
    let both = ["shop/none: passed -> denied", "shop/own: passed -> denied"];
    assert_eq!(world.told(&[put(&binding)]), both);
    // A persona of its own takes an app from the default one.
    let world = world.persona(default);
    let own = world.told(&[put(&persona("shop", "pay", "pay", 1))]);
    assert_eq!(own, ["shop/none: denied -> passed"]);
}

#[test]
fn the_platforms_default_personas_reach_other_namespaces_and_say_which_are_not_reviewed() {
    let world = World::new()
        .namespace("dev", "", false)
        .persona(persona("bank", "default", "*", 1))
        .deployment("shop", "a", "orders", 1)
        .deployment("bank", "b", "orders", 1)
        .deployment("dev", "c", "orders", 1);
    let impact = world.impact_of(&[put(&persona(PLATFORM, "default", "*", 2))]);
    // The bank has a default persona of its own.
    assert_eq!(told(&impact), ["dev/c: passed -> denied", "shop/a: passed -> denied"]);
    assert_eq!(impact.not_opted_in, [("dev".to_owned(), 1)]);
    let last = "1 of 2 are in namespaces without the label dorgu.io/validate=true, which are not reviewed: 'dev'";
    assert_eq!(impact.lines(Some(PLATFORM)).last().expect("a line"), last);
}

#[test]
fn the_mode_of_process_namespace_and_persona_decides_whether_it_denies() {
    let advisory = Settings {
        rulebook: Rulebook {
            mode: Mode::Advisory,
            ..enforcing().rulebook
        },
        ..enforcing()
    };
    let world = World::new()
        .namespace("bank", "enforcing", true)
        .deployment("shop", "a", "orders", 1)
        .deployment("bank", "b", "orders", 1);
    let asked = |object: &Value| told(&impact(&world.0.load(), &[put(object)], &advisory, &Bound::NONE));
    let mild = persona("shop", "orders", "orders", 2);
    assert_eq!(asked(&mild), ["shop/a: passed -> warned"]);
    let strict = with(mild, "/metadata/annotations", json!({"dorgu.io/mode": "enforcing"}));
    assert_eq!(asked(&strict), ["shop/a: passed -> denied"]);
    assert_eq!(
        asked(&persona("bank", "orders", "orders", 2)),
        ["bank/b: passed -> denied"]
    );
    let warned = impact(
        &world.0.load(),
        &[put(&persona("shop", "orders", "orders", 2))],
        &advisory,
        &Bound::NONE,
    );
    assert_eq!(warned.lines(Some("shop")), ["1 of 1 would be warned about: 'a'"]);
}

#[test]
fn a_level_of_the_persona_and_an_exception_of_today_keep_a_finding_from_denying() {
    let world = World::new().deployment("shop", "a", "orders", 1);
    let milder = with(
        persona("shop", "orders", "orders", 2),
        "/spec/policies",
        json!({"rules": [{"rule": "replicas-below-minimum", "level": "warn"}]}),
    );
    assert_eq!(world.told(&[put(&milder)]), ["shop/a: passed -> warned"]);
    let world = world.exception(json!({"app": "orders"}));
    let strict = [put(&persona("shop", "orders", "orders", 2))];
    assert_eq!(world.told(&strict), ["shop/a: passed -> warned"]);
    let later = Settings {
        now: Moment(NOW.0 + 60 * 24 * 60 * 60),
        ..enforcing()
    };
    let over = impact(&world.0.load(), &strict, &later, &Bound::NONE);
    assert_eq!(told(&over), ["shop/a: passed -> denied"]);
}

#[test]
fn with_the_matching_chain_a_stronger_name_keeps_a_deployment() {
    let world = World::matching(Matching::Chain)
        .persona(persona("shop", "strong", "orders", 1))
        .labelled(
            "shop",
            "a",
            json!({"app.kubernetes.io/name": "orders", "app": "pay"}),
            1,
        )
        .labelled("shop", "b", json!({"app": "pay"}), 1);
    let told = world.told(&[put(&persona("shop", "pay", "pay", 2))]);
    assert_eq!(told, ["shop/b: passed -> denied"]);
    let freed = world.told(&[delete("shop", "strong"), put(&persona("shop", "pay", "pay", 2))]);
    assert_eq!(freed, ["shop/a: passed -> denied", "shop/b: passed -> denied"]);
}

#[test]
fn bounded_work_counts_what_it_left_out() {
    let world = (0..10).fold(World::new(), |world, number| {
        world.deployment("shop", &format!("d{number}"), "orders", 1)
    });
    let changes = [put(&persona("shop", "orders", "orders", 2))];
    let few = Bound {
        judged: 4,
        listed: 2,
        ..Bound::NONE
    };
    let found = impact(&world.0.load(), &changes, &enforcing(), &few);
    assert_eq!((found.governed, found.newly_denied, found.left_out), (4, 4, 6));
    assert_eq!(
        found.lines(Some("shop")),
        [
            "4 of 4 would be denied: 'd0', 'd1' and 2 more",
            "Deployment 'd0' would be denied: replicas (1) below persona minimum (2)",
            "Deployment 'd1' would be denied: replicas (1) below persona minimum (2)",
            "6 more Deployments were not compared, since that would take too long",
        ]
    );
    let late = Bound {
        is_over: &|| true,
        ..Bound::NONE
    };
    let found = impact(&world.0.load(), &changes, &enforcing(), &late);
    assert_eq!((found.governed, found.left_out), (0, 10));
}

#[test]
fn a_deployment_that_cannot_be_read_is_counted() {
    let world = World::new();
    let mut object = deployment("shop", "a", &json!({"app.kubernetes.io/name": "orders"}), 1);
    object["spec"]["replicas"] = json!("many");
    let decoded = Deployment::decode(&object.to_string()).expect("its names");
    world.0.deployments(Event::Put(decoded));
    let found = world.impact_of(&[put(&persona("shop", "orders", "orders", 2))]);
    assert_eq!((found.governed, found.unreadable, found.changes.len()), (1, 1, 0));
}
