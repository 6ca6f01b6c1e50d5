//! What public charts deploy, with every rule at `deny`: what was deployed before stays deployable, and what gets worse is
//! refused with a fix that the API server stores.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::api_server::{Ask, Reply, ask_all};
use super::fixed::lines::Said;
use crate::bed::{Bed, Dorgu, Options, Registration};
use dorgu::policy::Rule;

#[derive(Deserialize)]
struct Shape {
    name: String,
    replicas: i64,
    pod: Value,
}

impl Shape {
    fn all() -> Vec<Shape> {
        serde_saphyr::from_str(include_str!("charts/shapes.yaml")).expect("the shapes can be read")
    }

    fn deployment(&self, namespace: &str) -> Value {
        let labels = json!({"app.kubernetes.io/name": self.name, "app.kubernetes.io/instance": self.name});
        let mut pod = self.pod.clone();
        for list in ["containers", "initContainers"] {
            for container in pod[list].as_array_mut().into_iter().flatten() {
                container["image"] = json!("registry.example.com/app:1");
            }
        }
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": self.name, "namespace": namespace, "labels": labels},
            "spec": {
                "replicas": self.replicas, "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        })
    }

    fn persona(&self, namespace: &str) -> Value {
        json!({
            "apiVersion": "dorgu.io/v1", "kind": "ApplicationPersona",
            "metadata": {"name": self.name, "namespace": namespace},
            "spec": {
                "name": self.name, "type": "api",
                "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "10m", "memory": "32Mi"}},
                "scaling": {"minReplicas": 2, "maxReplicas": 5},
                "health": {"livenessPath": "/healthz", "readinessPath": "/readyz", "port": 8080},
                "policies": {"security": {
                    "runAsNonRoot": true, "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false,
                }},
            },
        })
    }
}

/// One way in which a Deployment gets worse.
type Worsen = fn(&mut Value);

fn container(object: &mut Value) -> &mut Value {
    &mut object["spec"]["template"]["spec"]["containers"][0]
}

fn remove(object: &mut Value, key: &str) {
    if let Some(fields) = object.as_object_mut() {
        fields.remove(key);
    }
}

/// Each changes only an object that it makes worse.
const WAYS: [(&str, Worsen); 11] = [
    ("without a CPU limit", |object| {
        let resources = &mut container(object)["resources"];
        if resources["limits"]["cpu"].is_string() {
            remove(&mut resources["limits"], "cpu");
        }
    }),
    ("a higher memory limit", |object| {
        let limit = &mut container(object)["resources"]["limits"]["memory"];
        if limit.is_string() {
            *limit = json!("64Gi");
        }
    }),
    ("without a liveness probe", |object| {
        remove(container(object), "livenessProbe")
    }),
    ("without a readiness probe", |object| {
        remove(container(object), "readinessProbe")
    }),
    ("too many replicas", |object| object["spec"]["replicas"] = json!(50)),
    ("a writable root filesystem", |object| {
        let security = &mut container(object)["securityContext"];
        if security["readOnlyRootFilesystem"] == true {
            security["readOnlyRootFilesystem"] = json!(false);
        }
    }),
    ("it may escalate", |object| {
        let security = &mut container(object)["securityContext"];
        if security["allowPrivilegeEscalation"] == false {
            remove(security, "allowPrivilegeEscalation");
        }
    }),
    ("as root", |object| {
        let security = &mut container(object)["securityContext"];
        if security["privileged"] != true {
            security["runAsUser"] = json!(0);
            security["runAsNonRoot"] = json!(false);
        }
    }),
    ("every capability", |object| {
        let security = &mut container(object)["securityContext"];
        if security["privileged"] != true {
            security["capabilities"]["add"] = json!(["SYS_ADMIN"]);
        }
    }),
    ("another container", |object| {
        let more = json!({"name": "more", "image": "registry.example.com/more:1"});
        let containers = &mut object["spec"]["template"]["spec"]["containers"];
        containers.as_array_mut().expect("containers").push(more);
    }),
    ("scaled to zero", |object| object["spec"]["replicas"] = json!(0)),
];

/// The object made worse, and in which way; the ways take turns.
fn worse(stored: &Value, turn: usize) -> (&'static str, Value) {
    let ways = WAYS.iter().cycle().skip(turn).take(WAYS.len());
    let changed = ways.map(|(way, worsen)| {
        let mut object = stored.clone();
        worsen(&mut object);
        (*way, object)
    });
    let fields = |object: &Value| without_nulls(&object["spec"]);
    let mut worse = changed.filter(|(_, object)| fields(object) != fields(stored));
    worse.next().expect("some way makes every object worse")
}

/// Indexing for writing leaves nulls behind.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| (key.clone(), without_nulls(value)));
            let fields = fields.filter(|(_, value)| !value.is_null() && *value != json!({}));
            Value::Object(fields.collect())
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        value => value.clone(),
    }
}

struct Stage<'a> {
    proxy: String,
    all: String,
    names: Vec<&'a str>,
}

impl Stage<'_> {
    fn ask(&self, method: &Method, below: &str, bodies: impl IntoIterator<Item = Value>) -> Vec<Reply> {
        let named = self.names.iter().zip(bodies);
        let asks = named.map(|(name, body)| Ask {
            method: method.clone(),
            path: format!("{}/{name}{below}", self.all),
            body,
        });
        ask_all(&self.proxy, asks)
    }

    /// The stored objects, without what changes with each write.
    fn stored(&self) -> Vec<Value> {
        let replies = self.ask(&Method::GET, "", std::iter::repeat(Value::Null));
        let objects = replies.into_iter().map(|reply| {
            let mut object = reply.body;
            remove(&mut object["metadata"], "resourceVersion");
            remove(&mut object["metadata"], "managedFields");
            remove(&mut object, "status");
            object
        });
        objects.collect()
    }

    /// Every one of them is stored.
    fn passes(&self, what: &str, below: &str, bodies: impl IntoIterator<Item = Value>) -> Vec<Reply> {
        let replies = self.ask(&Method::PUT, below, bodies);
        for (name, reply) in self.names.iter().zip(&replies) {
            assert!(
                reply.succeeded(),
                "{what}: {name}: {} {}",
                reply.status,
                reply.body["message"]
            );
        }
        replies
    }
}

#[test]
fn with_every_rule_at_deny_charts_stay_deployable_and_what_gets_worse_is_refused_with_a_fix() {
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    let shapes = Shape::all();
    let namespace = bed.namespace("charts", &[("dorgu.io/validate", "true")]);
    let folder = TempDir::new().expect("a folder");
    let personas: Vec<String> = shapes
        .iter()
        .map(|shape| shape.persona(&namespace).to_string())
        .collect();
    fs::write(folder.path().join("personas.yaml"), personas.join("\n---\n")).expect("written");
    let levels: Vec<String> = Rule::all_settable()
        .map(|(_, rule)| format!("--rule-level={}=deny", rule.name()))
        .collect();
    let flags = std::iter::once("--webhook-mode=enforcing").chain(levels.iter().map(String::as_str));
    let dorgu = Dorgu::with_personas(folder.path(), &flags.collect::<Vec<_>>());
    let stage = Stage {
        proxy: bed.proxy_url(),
        all: format!("/apis/apps/v1/namespaces/{namespace}/deployments"),
        names: shapes.iter().map(|shape| shape.name.as_str()).collect(),
    };
    // Deployed while nothing is registered.
    let made = shapes.iter().map(|shape| Ask {
        method: Method::POST,
        path: stage.all.clone(),
        body: shape.deployment(&namespace),
    });
    for (shape, reply) in shapes.iter().zip(ask_all(&stage.proxy, made)) {
        assert!(reply.succeeded(), "{}: {}", shape.name, reply.body["message"]);
    }
    bed.register(&Registration::of(&dorgu, &namespace));

    let warned = stage.passes("an upgrade without a change", "", stage.stored());
    let warned = warned.iter().filter(|reply| !reply.warnings.is_empty()).count();
    assert!(
        warned > 35,
        "only {warned} of {} are warned about: was dorgu asked?",
        shapes.len()
    );
    let changed = |change: fn(&mut Value)| {
        stage.stored().into_iter().map(move |mut object| {
            change(&mut object);
            object
        })
    };
    stage.passes(
        "a rollout",
        "",
        changed(|object| container(object)["image"] = json!("registry.example.com/app:2")),
    );
    stage.passes(
        "a restart",
        "",
        changed(|object| {
            let restarted = json!({"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"});
            object["spec"]["template"]["metadata"]["annotations"] = restarted;
        }),
    );
    let scales = stage.stored().into_iter().map(|object| {
        // Towards what the persona asks for.
        let replicas = match object["spec"]["replicas"].as_i64() {
            Some(count @ 2..5) => count + 1,
            Some(count @ 5..) => count - 1,
            _ => 2,
        };
        let metadata = json!({"name": object["metadata"]["name"], "namespace": namespace});
        json!({
            "apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": metadata, "spec": {"replicas": replicas},
        })
    });
    stage.passes("scaling", "/scale", scales.collect::<Vec<_>>());

    let worsened = stage
        .stored()
        .into_iter()
        .enumerate()
        .map(|(turn, stored)| worse(&stored, turn));
    let (ways, objects): (Vec<_>, Vec<_>) = worsened.unzip();
    let denials = stage.ask(&Method::PUT, "", objects.clone());
    let (mut fixed, mut rules) = (Vec::new(), BTreeSet::new());
    for (((name, way), mut object), denial) in stage.names.iter().zip(&ways).zip(objects).zip(&denials) {
        let message = denial.body["message"].as_str().unwrap_or_default();
        assert_eq!(denial.status, 403, "{name}, {way}: {message}\n{object:#}");
        let said = Said::read(message).unwrap_or_else(|why| panic!("{name}, {way}: {why}\n{message}"));
        assert!(!said.lines.is_empty(), "{name}, {way}: no fix in {message}");
        for line in &said.lines {
            line.apply(&mut object)
                .unwrap_or_else(|why| panic!("{name}, {way}: {why}\n{message}"));
        }
        let causes = denial.body["details"]["causes"].as_array().into_iter().flatten();
        rules.extend(causes.filter_map(|cause| cause["reason"].as_str().map(str::to_owned)));
        fixed.push(object);
    }
    stage.passes("the printed fix", "", fixed);
    let mut turns: BTreeMap<&str, usize> = BTreeMap::new();
    ways.iter().for_each(|way| *turns.entry(way).or_default() += 1);
    println!(
        "{} Deployments; made worse: {turns:?}; refused for {rules:?}",
        shapes.len()
    );
    assert_eq!(turns.len(), WAYS.len(), "{turns:?}");
    assert!(rules.len() >= 10, "{rules:?}");
}
