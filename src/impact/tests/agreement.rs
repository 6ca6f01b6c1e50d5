//! In generated clusters, both verdicts are those of the webhook about the same Deployment: before the change, and after it
//! was made.

use std::sync::Arc;

use prometheus_client::registry::Registry;

use super::*;
use crate::server::body::Budget;
use crate::webhook::{Metrics, Webhook};

const WORLDS: u64 = 400;
const NAMESPACES: [&str; 3] = ["shop", "bank", PLATFORM];
const APPS: [&str; 3] = ["orders", "pay", "*"];

/// A small generator, so that a failure names its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).expect("small")]
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

fn any_persona(random: &mut Random) -> Value {
    let (namespace, app) = (random.of(&NAMESPACES), random.of(&APPS));
    let name = random.of(&["one", "two"]);
    let least = i32::try_from(random.below(4)).expect("small");
    let mut object = persona(namespace, name, app, least);
    if random.one_in(3) {
        object["spec"]["selector"] = json!({"matchLabels": {"tier": random.of(&["api", "worker"])}});
    }
    let mode = random.of(&["", "", "enforcing", "enforced"]);
    if !mode.is_empty() {
        object["metadata"]["annotations"] = json!({"dorgu.io/mode": mode});
    }
    let mut policies = json!({"security": {"runAsNonRoot": random.one_in(3)}, "binding": random.one_in(3)});
    if random.one_in(4) {
        let level = random.of(&["off", "warn", "deny"]);
        policies["rules"] = json!([{"rule": "replicas-below-minimum", "level": level}]);
    }
    object["spec"]["policies"] = policies;
    object
}

fn any_deployment(random: &mut Random, number: usize) -> Value {
    let mut labels = json!({"tier": random.of(&["api", "worker"])});
    if !random.one_in(5) {
        labels["app.kubernetes.io/name"] = json!(random.of(&["orders", "pay", "else"]));
    }
    if random.one_in(2) {
        labels["app"] = json!(random.of(&["orders", "pay"]));
    }
    let replicas = i32::try_from(random.below(4)).expect("small");
    deployment(random.of(&NAMESPACES), &format!("d{number}"), &labels, replicas)
}

/// The webhook's verdict about creating it.
fn reviewed(webhook: &Webhook, object: &Value) -> Verdict {
    let review = json!({
        "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
        "request": {"uid": "u", "operation": "CREATE", "namespace": object["metadata"]["namespace"], "object": object},
    });
    let answer: Value = serde_json::from_slice(&webhook.reply(review.to_string().as_bytes())).expect("JSON");
    let response = &answer["response"];
    match (&response["allowed"], &response["warnings"]) {
        (Value::Bool(false), _) => Verdict::Denied,
        (_, Value::Array(_)) => Verdict::Warned,
        _ => Verdict::Passed,
    }
}

#[test]
fn both_verdicts_are_the_webhooks() {
    let (mut changed, mut denied) = (0, 0);
    for seed in 0..WORLDS {
        let random = &mut Random(seed);
        let matching = random.of(&[Matching::Label, Matching::Chain]);
        let mut world = World::matching(matching);
        for namespace in NAMESPACES {
            world = world.namespace(namespace, random.of(&["", "", "enforcing"]), !random.one_in(4));
        }
        for _ in 0..random.below(5) {
            world = world.persona(any_persona(random));
        }
        if random.one_in(2) {
            world = world.exception(json!({"app": random.of(&["orders", "pay"])}));
        }
        let objects: Vec<Value> = (0..8).map(|number| any_deployment(random, number)).collect();
        for object in &objects {
            let decoded = Deployment::decode(&object.to_string()).expect("a Deployment");
            world.0.deployments(Event::Put(decoded));
        }
        let settings = Settings {
            rulebook: Rulebook {
                set: RuleSet::Complete,
                mode: random.of(&Mode::ALL),
            },
            requires_label: matching == Matching::Chain && random.one_in(3),
            now: world.0.now(),
        };
        let proposed = any_persona(random);
        let is_deleted = random.one_in(4);
        let (namespace, name) = (
            proposed["metadata"]["namespace"].as_str().expect("a namespace"),
            proposed["metadata"]["name"].as_str().expect("a name"),
        );
        let change = match is_deleted {
            true => delete(namespace, name),
            false => put(&proposed),
        };
        let found = impact(&world.0.load(), &[change], &settings, &Bound::NONE);

        let metrics = Metrics::register(&mut Registry::default());
        let webhook = Webhook {
            requires_label: settings.requires_label,
            ..Webhook::new(settings.rulebook, Arc::new(world.0), metrics, Budget::new(1 << 20))
        };
        let verdicts =
            |webhook: &Webhook| -> Vec<Verdict> { objects.iter().map(|object| reviewed(webhook, object)).collect() };
        let before = verdicts(&webhook);
        webhook.index.personas(match is_deleted {
            true => Event::Remove {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            },
            false => Event::Put(stored(&proposed)),
        });
        let after = verdicts(&webhook);
        let mut wanted: Vec<String> = objects
            .iter()
            .zip(before.iter().zip(&after))
            .filter(|(_, (before, after))| before != after)
            .map(|(object, (before, after))| {
                let metadata = &object["metadata"];
                let (namespace, name) = (metadata["namespace"].as_str(), metadata["name"].as_str());
                let (namespace, name) = (namespace.unwrap_or_default(), name.unwrap_or_default());
                format!("{namespace}/{name}: {} -> {}", before.as_str(), after.as_str())
            })
            .collect();
        wanted.sort();
        assert_eq!(told(&found), wanted, "seed {seed}: {proposed}");
        changed += wanted.len();
        denied += found.newly_denied;
    }
    assert!(changed > 300 && denied > 100, "{changed} changed, {denied} denied");
}
