//! The process that writes status: no webhook, and an account with exactly the rights that docs/status.md names.

mod away;
mod cluster;
mod defaults;
mod excepted;
mod many;
mod promotion;
mod quiet;
mod rollout;
mod selectors;
mod taken_over;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bed::{Bed, Dorgu, wait_until, write_kubeconfig};

/// Where the kinds are that a test stores many of.
const DEPLOYMENTS: (&str, &str) = ("apis/apps/v1", "deployments");
const PERSONAS: (&str, &str) = ("apis/dorgu.io/v1", "applicationpersonas");

/// How long a change may take on a busy machine; what it takes is printed.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A process that keeps status, and a namespace to try it in.
struct Stage<'b> {
    bed: &'b Bed,
    namespace: String,
    dorgu: Dorgu,
    folder: TempDir,
}

impl<'b> Stage<'b> {
    /// The CRDs are there, the process runs.
    fn new(bed: &'b Bed, prefix: &str, args: &[&str]) -> Stage<'b> {
        install_crds(bed);
        Stage::without_crds(bed, prefix, args)
    }

    fn without_crds(bed: &'b Bed, prefix: &str, args: &[&str]) -> Stage<'b> {
        let namespace = bed.namespace(prefix, &[]);
        let folder = TempDir::new().expect("a folder");
        let kubeconfig = account(bed, &namespace, folder.path());
        let dorgu = Dorgu::companion(&kubeconfig, args);
        Stage {
            bed,
            namespace,
            dorgu,
            folder,
        }
    }

    /// Another process in place of the first, which must have ended.
    fn start_again(&mut self, args: &[&str]) {
        self.dorgu = Dorgu::companion(&self.folder.path().join("kubeconfig"), args);
    }

    /// The process alone, for a test that is about to stop the bed; and the folder with its kubeconfig.
    fn apart(self) -> (Dorgu, TempDir, String) {
        (self.dorgu, self.folder, self.namespace)
    }

    fn kubectl(&self, args: &[&str]) -> crate::bed::Output {
        self.bed.kubectl(&[&["--namespace", &self.namespace], args].concat())
    }

    fn get(&self, path: &str) -> Value {
        get(self.bed, path)
    }

    fn persona_of(&self, name: &str) -> Value {
        let namespace = &self.namespace;
        self.get(&format!(
            "/apis/dorgu.io/v1/namespaces/{namespace}/applicationpersonas/{name}"
        ))
    }

    fn deployment_of(&self, name: &str) -> Value {
        let namespace = &self.namespace;
        self.get(&format!("/apis/apps/v1/namespaces/{namespace}/deployments/{name}"))
    }

    /// Waits until the status of a persona is this one, timestamps aside.
    fn until_status(&self, name: &str, expected: &Value) -> Value {
        let looked = wait_until(TIMEOUT, "the status is as expected", || {
            let persona = self.persona_of(name);
            let status = timeless(&persona["status"]);
            ensure!(status == *expected, "it is {status:#}, not {expected:#}");
            Ok(persona)
        });
        looked.unwrap_or_else(|error| panic!("{error:#}; it said:\n{}", self.dorgu.lines().join("\n")))
    }

    /// From the moment in which a Deployment is as `there` wants it to the one in which its persona says so.
    fn behind(&self, deployment: &str, there: impl Fn(&Value) -> bool, persona: &str, expected: &Value) -> Duration {
        let mut caused: Option<Instant> = None;
        let looked = wait_until(TIMEOUT, "the status follows", || {
            if caused.is_none() && there(&self.deployment_of(deployment)) {
                caused = Some(Instant::now());
            }
            ensure!(caused.is_some(), "the Deployment: {:#}", self.deployment_of(deployment));
            let status = timeless(&self.persona_of(persona)["status"]);
            ensure!(status == *expected, "it is {status:#}, not {expected:#}");
            Ok(())
        });
        looked.unwrap_or_else(|error| panic!("{error:#}; it said:\n{}", self.dorgu.lines().join("\n")));
        let behind = caused.map_or(Duration::ZERO, |caused| caused.elapsed());
        println!("{persona}: {} {behind:?} after its cause", expected["phase"]);
        behind
    }

    /// Reason, note and count of each event about a persona, in order of their times.
    fn events(&self, persona: &str) -> Vec<(String, String, u64)> {
        let path = format!("/apis/events.k8s.io/v1/namespaces/{}/events", self.namespace);
        let list = self.get(&path);
        let of_persona = |event: &&Value| {
            event["regarding"]["name"] == persona && event["reportingController"] == "dorgu.io/operator"
        };
        let mut told: Vec<(String, String, String, u64)> = list["items"]
            .as_array()
            .expect("items")
            .iter()
            .filter(of_persona)
            .map(|event| {
                let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
                let count = event["series"]["count"].as_u64().unwrap_or(1);
                (text("eventTime"), text("reason"), text("note"), count)
            })
            .collect();
        told.sort();
        told.into_iter()
            .map(|(_, reason, note, count)| (reason, note, count))
            .collect()
    }

    /// Stores many objects, several at a time: from a number each, its objects with the paths of their groups and their
    /// kinds in the plural.
    fn store(&self, count: usize, objects: impl Fn(usize) -> Vec<(&'static str, &'static str, Value)> + Sync) {
        const WRITERS: usize = 8;
        let (proxy, namespace, next) = (self.bed.proxy_url(), &self.namespace, AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..WRITERS {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= count {
                            return;
                        }
                        for (group, kind, object) in objects(number) {
                            let url = format!("{proxy}/{group}/namespaces/{namespace}/{kind}");
                            let stored = run(crate::https::post_plain(&url, &object.to_string()));
                            let (status, body) = stored.expect("an answer");
                            assert_eq!(status, 201, "{body}");
                        }
                    }
                });
            }
        });
    }

    fn metrics(&self) -> String {
        run(crate::https::get(&self.dorgu.metrics_url())).expect("an answer").1
    }

    fn persona(&self, name: &str) -> Value {
        json!({
            "apiVersion": "dorgu.io/v1", "kind": "ApplicationPersona",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"name": name, "type": "api", "scaling": {"minReplicas": 2, "maxReplicas": 9}},
        })
    }

    fn deployment(&self, name: &str, app: &str, replicas: u32) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": self.namespace, "labels": {"app.kubernetes.io/name": app}},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"pods-of": name}},
                "template": {
                    "metadata": {"labels": {"pods-of": name}},
                    "spec": {"containers": [{"name": "api", "image": "registry.example.com/orders:1"}]},
                },
            },
        })
    }

    /// Says of a Deployment what a deployment controller would; for beds that have none.
    fn report(&self, deployment: &str, replicas: u32, ready: u32) {
        let now = "2026-01-01T00:00:00Z";
        let available = if ready > 0 { "True" } else { "False" };
        let status = json!({"status": {
            "replicas": replicas, "updatedReplicas": replicas, "readyReplicas": ready, "availableReplicas": ready,
            "conditions": [{
                "type": "Available", "status": available, "reason": "R", "message": "m",
                "lastUpdateTime": now, "lastTransitionTime": now,
            }],
        }});
        let patch = status.to_string();
        let args = [
            "patch",
            "deployment",
            deployment,
            "--subresource=status",
            "--type=merge",
            "-p",
            &patch,
        ];
        self.kubectl(&args).expect_success();
    }
}

/// What a status is expected to be, timestamps aside.
struct Expected {
    phase: &'static str,
    health: (&'static str, String),
    passed: bool,
    issues: Value,
    image: Option<&'static str>,
    ready: (&'static str, &'static str, String),
    validated: (&'static str, &'static str, &'static str),
    found: (&'static str, &'static str, String),
    generation: i64,
}

impl Expected {
    /// All is well with a Deployment.
    fn healthy(deployment: &str, replicas: u32) -> Expected {
        Expected {
            phase: "Active",
            health: ("Healthy", format!("{replicas}/{replicas} replicas ready")),
            passed: true,
            issues: Value::Null,
            image: Some("registry.example.com/orders:1"),
            ready: (
                "True",
                "Active",
                "Deployment is healthy and passes all validations".to_owned(),
            ),
            validated: ("True", "Passed", "All validations passed"),
            found: ("True", "Found", format!("Deployment '{deployment}'")),
            generation: 1,
        }
    }

    fn absent(app: &str) -> Expected {
        let message = format!("No Deployment with label app.kubernetes.io/name={app}");
        Expected {
            phase: "Pending",
            health: ("Unknown", "No matching Deployment found".to_owned()),
            passed: true,
            issues: Value::Null,
            image: None,
            ready: ("False", "NoDeployment", message.clone()),
            validated: ("True", "Skipped", "No Deployment to validate"),
            found: ("False", "NoDeployment", message),
            generation: 1,
        }
    }

    fn status(&self, app: &str) -> Value {
        let condition = |kind: &str, (status, reason, message): (&str, &str, &str)| {
            json!({
                "type": kind, "status": status, "reason": reason, "message": message,
                "observedGeneration": self.generation,
            })
        };
        let said = |said: &(&'static str, &'static str, String)| (said.0, said.1, said.2.clone());
        let (ready, found) = (said(&self.ready), said(&self.found));
        let unique = format!("No other ApplicationPersona has spec.name '{app}'");
        let mut status = json!({
            "observedGeneration": self.generation,
            "phase": self.phase,
            "health": {"status": self.health.0, "message": self.health.1},
            "validation": {"passed": self.passed},
            "conditions": [
                condition("Ready", (ready.0, ready.1, &ready.2)),
                condition("Validated", self.validated),
                condition("WorkloadFound", (found.0, found.1, &found.2)),
                condition("SpecValid", ("True", "Valid", "Every value can be read")),
                condition("NameUnique", ("True", "Unique", &unique)),
            ],
        });
        if !self.issues.is_null() {
            status["validation"]["issues"] = self.issues.clone();
        }
        if let Some(image) = self.image {
            status["deployments"] = json!({"current": image});
        }
        status
    }
}

/// Without what moves with the clock. The condition that names a time is the matter of `promotion`.
pub(crate) fn timeless(value: &Value) -> Value {
    const CLOCKS: [&str; 5] = [
        "lastUpdated",
        "lastCheck",
        "lastChecked",
        "lastTransitionTime",
        "cleanSince",
    ];
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(key, _)| !CLOCKS.contains(&key.as_str()));
            kept.map(|(key, value)| (key.clone(), timeless(value))).collect()
        }
        Value::Array(items) => {
            let kept = items.iter().filter(|item| item["type"] != "ReadyToEnforce");
            kept.map(timeless).collect()
        }
        other => other.clone(),
    }
}

fn get(bed: &Bed, path: &str) -> Value {
    let (_, body) = run(crate::https::get(&format!("{}{path}", bed.proxy_url()))).expect("an answer");
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"))
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

/// Installs the CRDs and waits until they are served. Tests share a bed; two that create one object at a time clash.
pub(crate) fn install_crds(bed: &Bed) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/crds");
    let folder = folder.display().to_string();
    bed.kubectl(&["apply", "--server-side", "-f", &folder]).expect_success();
    let wait = ["wait", "--for=condition=Established", "--timeout=60s", "-f", &folder];
    bed.kubectl(&wait).expect_success();
}

/// A kubeconfig of an account with the rights that docs/status.md names.
fn account(bed: &Bed, namespace: &str, folder: &Path) -> PathBuf {
    let rule = |group: &str, resource: &str, verbs: &[&str]| json!({"apiGroups": [group], "resources": [resource], "verbs": verbs});
    let name = format!("dorgu-{namespace}");
    let objects = [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "dorgu", "namespace": namespace}}),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name},
            "rules": [
                rule("dorgu.io", "applicationpersonas", &["list", "watch"]),
                rule("dorgu.io", "applicationpersonas/status", &["patch"]),
                rule("dorgu.io", "personaexceptions", &["list", "watch"]),
                rule("dorgu.io", "personaexceptions/status", &["patch"]),
                rule("apps", "deployments", &["list", "watch"]),
                rule("", "namespaces", &["list", "watch"]),
                rule("events.k8s.io", "events", &["create", "patch"]),
                rule("dorgu.io", "clusterpersonas", &["list", "watch"]),
                rule("dorgu.io", "clusterpersonas/status", &["patch"]),
                rule("", "nodes", &["list", "watch"]),
                rule("", "pods", &["list"]),
            ],
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": "dorgu", "namespace": namespace}],
        }),
    ];
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    bed.apply(&list.to_string()).expect_success();
    let token = bed.kubectl(&["create", "token", "dorgu", "--namespace", namespace, "--duration=1h"]);
    let file = folder.join("kubeconfig");
    let token = token.expect_success();
    write_kubeconfig(&file, &bed.api_url(), &bed.ca_file(), token.trim()).expect("written");
    file
}
