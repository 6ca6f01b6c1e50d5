//! The ClusterPersona controller against a real API server, by an account with the rights that docs/status.md names.

mod calm;
mod first;
mod nodes;
mod process;
mod rollout;
mod takeover;

use std::future::pending;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::ensure;
use dorgu::controllers::cluster::{ClusterController, Followed, Options};
use dorgu::controllers::metrics::Metrics;
use dorgu::index::{Change, Index, Namespace};
use dorgu::k8s::{ClusterSource, Leadership, LeaseName, Timings, client, election, identity};
use dorgu::policy::ModeWish;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::bed::{Bed, wait_until, write_kubeconfig};

/// How long a change may take on a busy machine; what it takes is printed.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The beds of these tests are stopped and started.
const QUICK_TO_STOP: &str = "--shutdown-watch-termination-grace-period=1s";

/// A controller that runs beside the test, until it is dropped.
struct Companion {
    registry: Registry,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    _folder: TempDir,
}

/// It looks every second, and half a second after news.
fn hurried() -> Options {
    Options {
        interval: Duration::from_secs(1),
        settle: Duration::from_millis(500),
        ..Options::default()
    }
}

/// What docs/status.md says the controller may do; more `verbs` for ClusterPersonas.
fn rules(verbs: &[&str]) -> Value {
    let rule = |group: &str, resource: &str, verbs: &[&str]| json!({"apiGroups": [group], "resources": [resource], "verbs": verbs});
    json!([
        rule("dorgu.io", "clusterpersonas", &[&["list", "watch"], verbs].concat()),
        rule("dorgu.io", "clusterpersonas/status", &["patch"]),
        rule("", "nodes", &["list", "watch"]),
        rule("", "pods", &["list"]),
    ])
}

impl Companion {
    /// It always holds the Lease.
    fn start(bed: &Bed, rules: &Value, options: Options) -> Companion {
        Companion::launch(bed, rules, options, None)
    }

    /// It has to be elected first, at these paces; dropped, it dies without a word.
    fn elected(bed: &Bed, rules: &Value, options: Options, timings: Timings) -> Companion {
        Companion::launch(bed, rules, options, Some(timings))
    }

    fn launch(bed: &Bed, rules: &Value, options: Options, timings: Option<Timings>) -> Companion {
        let folder = TempDir::new().expect("a folder");
        let kubeconfig = account(bed, rules, folder.path());
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let (stop, stopped) = oneshot::channel::<()>();
        let run = async move {
            let config = ClusterSource::Kubeconfig(kubeconfig)
                .config()
                .await
                .expect("a configuration");
            let client = client(config).expect("a client");
            let lease = LeaseName {
                namespace: "default".to_owned(),
                name: dorgu::api::names::LEASE.to_owned(),
            };
            let (election, elected) = election(client.clone(), lease, identity(dorgu::api::names::PROGRAM));
            let leadership = if timings.is_some() {
                elected
            } else {
                Leadership::always()
            };
            let (index, followed) = (Arc::new(index()), Followed::default());
            let controller = ClusterController::new(client, leadership, index, metrics, followed, options);
            let stands = async {
                match timings {
                    Some(timings) => election.with_timings(timings).run(pending()).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = controller.run() => {}
                () = stands => {}
                _ = stopped => {}
            }
        };
        Companion {
            registry,
            stop: Some(stop),
            thread: Some(std::thread::spawn(|| self::run(run))),
            _folder: folder,
        }
    }

    /// The value of a sample; 0 before there is one.
    fn sample(&self, name: &str) -> f64 {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).expect("text");
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.rsplit(' ').next());
        value.map_or(0.0, |value| value.parse().expect("a number"))
    }

    fn looks(&self) -> f64 {
        self.sample(r#"dorgu_reconcile_total{controller="clusterpersona",result="success"}"#)
    }

    fn writes(&self) -> f64 {
        self.sample(r#"dorgu_status_writes_total{result="written"}"#)
    }

    /// Waits for `more` further successful reconciles.
    fn until_looked(&self, more: f64) {
        let before = self.looks();
        wait_until(TIMEOUT, "it has looked again", || {
            let looks = self.looks() - before;
            ensure!(looks >= more, "{looks} looks");
            Ok(())
        })
        .expect("looks");
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // What it panicked with was printed already.
            drop(thread.join());
        }
    }
}

/// Three namespaces, of which one is going, and no personas.
fn index() -> Index {
    let namespace = |name: &str, terminating| {
        Arc::new(Namespace {
            name: name.into(),
            mode: ModeWish::Unset,
            is_opted_in: false,
            terminating,
            uid: if name == Namespace::OF_CLUSTER {
                "the-uid".into()
            } else {
                "".into()
            },
        })
    };
    let objects = vec![
        namespace("kube-system", false),
        namespace("shop", false),
        namespace("old", true),
    ];
    let kept = Vec::new();
    let index = Index::default();
    index.namespaces(Change::Replace { objects, kept });
    index.personas(Change::Replace {
        objects: Vec::new(),
        kept: Vec::new(),
    });
    index.deployments(Change::Replace {
        objects: Vec::new(),
        kept: Vec::new(),
    });
    index
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

/// A kubeconfig of an account that may do this and nothing else.
fn account(bed: &Bed, rules: &Value, folder: &Path) -> std::path::PathBuf {
    let namespace = bed.namespace("companion", &[]);
    let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": namespace});
    let objects = [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "dorgu", "namespace": namespace}}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": namespace}, "rules": rules}),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": namespace},
            "roleRef": role, "subjects": [{"kind": "ServiceAccount", "name": "dorgu", "namespace": namespace}],
        }),
    ];
    bed.apply(&json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string())
        .expect_success();
    let token = bed.kubectl(&["create", "token", "dorgu", "--namespace", &namespace, "--duration=1h"]);
    let file = folder.join("kubeconfig");
    write_kubeconfig(&file, &bed.api_url(), &bed.ca_file(), token.expect_success().trim()).expect("written");
    file
}

fn install_crd(bed: &Bed) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/crds/dorgu.io_clusterpersonas.yaml");
    let file = file.display().to_string();
    bed.kubectl(&["apply", "--server-side", "-f", &file]).expect_success();
    let wait = ["wait", "--for=condition=Established", "--timeout=60s", "-f", &file];
    bed.kubectl(&wait).expect_success();
}

fn persona(bed: &Bed, name: &str, description: &str) {
    let persona = json!({
        "apiVersion": "dorgu.io/v1", "kind": "ClusterPersona", "metadata": {"name": name},
        "spec": {"name": name, "environment": "staging", "description": description},
    });
    bed.apply(&persona.to_string()).expect_success();
}

fn stored(bed: &Bed, name: &str) -> anyhow::Result<Value> {
    let get = ["get", "clusterpersona", name, "--output=json", "--show-managed-fields"];
    Ok(serde_json::from_str(&bed.kubectl(&get).checked()?)?)
}

/// Waits until what is stored is `wanted`; the object then, and how long that took.
fn until(bed: &Bed, name: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> (Value, Duration) {
    let started = Instant::now();
    let object = wait_until(TIMEOUT, what, || {
        let object = stored(bed, name)?;
        ensure!(wanted(&object["status"]), "{:#}", object["status"]);
        Ok(object)
    });
    (object.unwrap_or_else(|error| panic!("{error:#}")), started.elapsed())
}

/// A Node as a kubelet registers and then reports it, without the taints that the API server adds meanwhile.
fn node(bed: &Bed, name: &str, labels: &Value, provider: &str, taints: &Value, ready: &str) {
    let spec = json!({"providerID": provider});
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}, "spec": spec});
    bed.kubectl_in(&["create", "-f", "-"], &node.to_string())
        .expect_success();
    let amounts = json!({"cpu": "4", "memory": "16374256Ki", "pods": "110", "ephemeral-storage": "83873772Ki"});
    let status = json!({
        "capacity": amounts, "allocatable": amounts,
        "conditions": [{"type": "Ready", "status": ready, "reason": "R", "message": "m"}],
        "nodeInfo": {
            "kubeletVersion": "v1.36.3", "containerRuntimeVersion": "containerd://2.1.0", "architecture": "arm64",
            "bootID": "", "kernelVersion": "", "kubeProxyVersion": "", "machineID": "", "operatingSystem": "linux",
            "osImage": "", "systemUUID": "",
        },
    });
    let patch = |patch: Value, more: &[&str]| {
        let patch = patch.to_string();
        let args = ["patch", "node", name, "--type=merge", "--patch", &patch];
        bed.kubectl(&[&args, more].concat()).expect_success();
    };
    patch(json!({"spec": {"taints": taints}}), &[]);
    patch(json!({"status": status}), &["--subresource=status"]);
}

/// A worker that is ready.
fn worker(bed: &Bed, name: &str) {
    node(bed, name, &json!({}), "", &Value::Null, "True");
}
