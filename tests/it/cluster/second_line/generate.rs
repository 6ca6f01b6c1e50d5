//! Generates pairs of a persona and a Deployment. The Deployments are those of `fixed::generate`, whose security settings vary
//! most, with resources, probes and images of their own.

use dorgu::policy::{Mode, ModeWish, PlatformRules};
use http::Method;
use serde_json::{Map, Value, json};

use super::{Pair, parse};
use crate::cluster::api_server::Ask;
use crate::cluster::fixed::generate::{Generator, Random};

const NAME: &str = "app.kubernetes.io/name";
const RULES: [&str; 17] = [
    "cpu-limit-above-persona",
    "memory-limit-above-persona",
    "cpu-limit-missing",
    "memory-limit-missing",
    "requests-missing",
    "replicas-below-minimum",
    "replicas-above-maximum",
    "liveness-probe-missing",
    "liveness-path-differs",
    "readiness-probe-missing",
    "run-as-non-root",
    "privilege-escalation",
    "privilege-escalation-unset",
    "writable-root-filesystem",
    "image-registry-not-allowed",
    "image-tag-latest",
    "image-digest-missing",
];
const LEVELS: [&str; 6] = ["deny", "deny", "deny", "warn", "audit", "off"];
const CPU: [&str; 8] = ["0", "0.25", "500m", "0.5", "1", "1500m", "3", "100"];
const MEMORY: [&str; 8] = ["0", "64Mi", "512Mi", "536870912", "0.5Gi", "1G", "1Gi", "1Ti"];
const IMAGES: [&str; 28] = [
    "nginx",
    "nginx:latest",
    "nginx:1.27",
    "library/nginx:1.27",
    "docker.io/nginx:1.28",
    "docker.io/library/nginx",
    "index.docker.io/nginx:1",
    "INDEX.docker.io/nginx:1",
    "Docker.IO/library/nginx:1",
    "acme/api:1",
    "acme/api/v2:1",
    "ghcr.io/acme/api:1",
    "ghcr.io/acme/api:2",
    "GHCR.io/acme/api:2",
    "ghcr.io/acme-evil/api:1",
    "ghcr.io/acme",
    "ghcr.io:443/acme/api:1",
    "localhost/api:latest",
    "registry:5000/acme/api",
    "[::1]:5000/api:1",
    "[abc]/api:1",
    "a_b.c/api:1",
    "ghcr.io/acme/api@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "nginx:latest@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "NGINX:1",
    "ghcr.io/acme/api:",
    "ghcr.io/acme//api:1",
];
const REGISTRIES: [&str; 7] = [
    "ghcr.io/acme",
    "GHCR.io",
    "docker.io/library",
    "acme",
    "nginx",
    "localhost",
    "registry:5000",
];
const PATHS: [&str; 3] = ["/live", "/it's", "/"];

/// More pairs than are needed: some are rejected by an API server.
pub(super) fn pairs(seed: u64, count: usize) -> Vec<Pair> {
    let mut maker = Maker {
        random: Random(seed),
        deployments: Generator::new(seed.wrapping_add(1), ""),
    };
    let mut pairs = Vec::new();
    let mut number = 0;
    while pairs.len() < count {
        pairs.extend(maker.pair(number));
        number += 1;
    }
    pairs
}

struct Maker {
    random: Random,
    deployments: Generator,
}

impl Maker {
    fn pair(&mut self, number: u64) -> Option<Pair> {
        let question = self.deployments.question(number);
        if question.is_scale() {
            return None;
        }
        let namespace = format!("pair-{number}");
        let (mut stored, mut object) = (question.stored, question.object);
        let app = stored.as_ref().unwrap_or(&object)["spec"]["selector"]["matchLabels"][NAME].clone();
        if let Some(stored) = &mut stored {
            self.dress(stored, None, &namespace);
        }
        self.dress(&mut object, stored.as_ref(), &namespace);
        let persona = self.persona(&namespace, app.as_str()?);
        let wish = *self
            .random
            .pick(&[None, None, Some(Mode::Advisory), Some(Mode::Enforcing)]);
        let list = format!("/apis/apps/v1/namespaces/{namespace}/deployments");
        let named = format!("{list}/{}", question.name);
        let ask = |method: Method, path: String, body: &Value| Ask {
            method,
            path,
            body: body.clone(),
        };
        let (method, path) = match stored {
            Some(_) => (Method::PUT, &named),
            None => (Method::POST, &list),
        };
        let mut labels = json!({});
        if let Some(mode) = wish {
            labels[ModeWish::KEY] = json!(mode.as_str());
        }
        Some(Pair {
            what: format!("pair {number}"),
            make: ask(
                Method::POST,
                "/api/v1/namespaces".to_owned(),
                &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}),
            ),
            ask: ask(method, format!("{path}?dryRun=All"), &object),
            look: stored.as_ref().map(|_| ask(Method::GET, named.clone(), &Value::Null)),
            store: stored.as_ref().map(|stored| ask(Method::POST, list.clone(), stored)),
            delete: None,
            personas: vec![parse(persona)],
            platform: PlatformRules::NONE,
            mode: *self
                .random
                .pick(&[Mode::Enforcing, Mode::Enforcing, Mode::Enforcing, Mode::Advisory]),
            wish: wish.map_or(ModeWish::Unset, ModeWish::Set),
            namespace,
        })
    }

    fn persona(&mut self, namespace: &str, app: &str) -> Value {
        let random = &mut self.random;
        let mut spec = json!({"name": app, "type": "api"});
        if !random.one_in(4) {
            let mut limits = Map::new();
            for (key, values) in [("cpu", CPU), ("memory", MEMORY)] {
                if !random.one_in(4) {
                    limits.insert(key.to_owned(), json!(random.pick(&values)));
                }
            }
            spec["resources"] = json!({"limits": limits});
        }
        if !random.one_in(3) {
            let minimum = random.below(4);
            spec["scaling"] = json!({"minReplicas": minimum, "maxReplicas": minimum + random.below(3)});
        }
        if !random.one_in(3) {
            spec["health"] = json!({"livenessPath": random.pick(&PATHS), "readinessPath": "/ready"});
        }
        let flag = |random: &mut Random| !random.one_in(3);
        let mut policies = json!({"security": {
            "runAsNonRoot": flag(random), "allowPrivilegeEscalation": !flag(random), "readOnlyRootFilesystem": flag(random),
        }});
        if !random.one_in(3) {
            let some = random.below(3);
            let registries: Vec<&str> = (0..some).map(|_| *random.pick(&REGISTRIES)).collect();
            policies["images"] =
                json!({"registries": registries, "denyLatest": flag(random), "requireDigest": !flag(random)});
        }
        let mut rules = Vec::new();
        for rule in RULES {
            if random.one_in(2) {
                rules.push(json!({"rule": rule, "level": random.pick(&LEVELS)}));
            }
        }
        policies["rules"] = json!(rules);
        spec["policies"] = policies;
        match random.below(12) {
            0 => spec["selector"] = json!({"matchLabels": {"tier": "api"}}),
            1 => {
                spec["selector"] =
                    json!({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["web"]}]})
            }
            2 => spec["selector"] = json!({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}),
            3 => spec["selector"] = json!({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}),
            _ => {}
        }
        let mut metadata = json!({"name": "orders", "namespace": namespace});
        if random.one_in(4) {
            metadata["annotations"] = json!({ModeWish::KEY: "enforcing"});
        }
        json!({"apiVersion": "dorgu.io/v1", "kind": "ApplicationPersona", "metadata": metadata, "spec": spec})
    }

    /// Gives a Deployment resources, probes, images and labels; most of what `before` has stays.
    fn dress(&mut self, deployment: &mut Value, before: Option<&Value>, namespace: &str) {
        deployment["metadata"]["namespace"] = json!(namespace);
        if let Some(tier) = *self.random.pick(&[None, None, Some("api"), Some("web")])
            && deployment["metadata"]["labels"].is_object()
        {
            deployment["metadata"]["labels"]["tier"] = json!(tier);
        }
        let old = before.map(|before| &before["spec"]["template"]["spec"]);
        let pod = &mut deployment["spec"]["template"]["spec"];
        for list in ["containers", "initContainers"] {
            for container in pod[list].as_array_mut().into_iter().flatten() {
                let all = |old: &Value| {
                    let lists = ["containers", "initContainers"].into_iter();
                    let all = lists.filter_map(|list| old[list].as_array().cloned()).flatten();
                    all.into_iter().find(|kept| kept["name"] == container["name"])
                };
                let kept = old.and_then(all).filter(|_| !self.random.one_in(3));
                let is_app = list == "containers" || container["restartPolicy"] == "Always";
                self.dress_container(container, kept.as_ref(), is_app);
            }
        }
        let resources = match old {
            Some(old) if !self.random.one_in(3) => old["resources"].clone(),
            _ if self.random.one_in(4) => self.resources(&["2", "4", "8"], &["2Gi", "4Gi"]),
            _ => Value::Null,
        };
        if !resources.is_null() {
            pod["resources"] = resources;
        }
    }

    fn dress_container(&mut self, container: &mut Value, kept: Option<&Value>, is_app: bool) {
        let fields = ["image", "resources", "livenessProbe", "readinessProbe"];
        if let Some(kept) = kept {
            for field in fields {
                container[field] = kept[field].clone();
            }
        } else {
            container["image"] = json!(self.random.pick(&IMAGES));
            container["resources"] = self.resources(&CPU, &MEMORY);
            for probe in ["livenessProbe", "readinessProbe"] {
                container[probe] = match self.random.below(4) {
                    0 => Value::Null,
                    1 => json!({"tcpSocket": {"port": 8080}}),
                    _ => json!({"httpGet": {"path": self.random.pick(&PATHS), "port": 8080}}),
                };
            }
        }
        if !is_app {
            // Of what runs once, an API server takes no probe.
            container["livenessProbe"] = Value::Null;
            container["readinessProbe"] = Value::Null;
        }
    }

    /// Limits, and requests that are no higher.
    fn resources(&mut self, cpu: &[&str], memory: &[&str]) -> Value {
        let (mut limits, mut requests) = (Map::new(), Map::new());
        for (key, values, least) in [("cpu", cpu, "10m"), ("memory", memory, "1Mi")] {
            let limit = *self.random.pick(values);
            if !self.random.one_in(3) {
                limits.insert(key.to_owned(), json!(limit));
            }
            if self.random.one_in(3) {
                let request = if limit == "0" { "0" } else { least };
                requests.insert(key.to_owned(), json!(request));
            }
        }
        json!({"limits": limits, "requests": requests})
    }
}
