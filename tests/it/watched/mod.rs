//! The process with a cluster: personas, exceptions, namespaces and Deployments come from watches, by an account that may list
//! and watch these four kinds and nothing else.

mod cut;
mod defaults;
mod excepted;
mod faults;
mod many;
mod memory;
mod outages;
mod personas;
mod selectors;
mod simulated;
mod typed;
mod unsynced;
mod verdicts;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bed::{Bed, Dorgu, Registration, wait_until, write_kubeconfig};

/// How long a change may take on a busy machine; what it takes is printed.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A process over a cluster, and a namespace that asks it.
struct Stage<'b> {
    bed: &'b Bed,
    namespace: String,
    dorgu: Dorgu,
    folder: TempDir,
    registered: Option<Unregister<'b>>,
}

impl<'b> Stage<'b> {
    /// The CRDs are there, the process is ready, the namespace asks it.
    fn new(bed: &'b Bed, prefix: &str, args: &[&str]) -> Stage<'b> {
        install_crds(bed);
        let mut stage = Stage::unready(bed, prefix, args);
        stage.until_ready();
        bed.register(&stage.registration());
        stage.registered = Some(Unregister {
            bed,
            namespace: stage.namespace.clone(),
        });
        stage
    }

    /// Only started; nothing is known of the cluster.
    fn unready(bed: &'b Bed, prefix: &str, args: &[&str]) -> Stage<'b> {
        Stage::through(bed, &bed.api_url(), prefix, args)
    }

    /// As [`Stage::unready`], but the process reaches the API server at another address.
    fn through(bed: &'b Bed, server: &str, prefix: &str, args: &[&str]) -> Stage<'b> {
        let namespace = bed.namespace(prefix, &[("dorgu.io/validate", "true")]);
        let folder = TempDir::new().expect("a folder");
        let kubeconfig = account(bed, server, &namespace, folder.path());
        let dorgu = Dorgu::with_cluster(&kubeconfig, args);
        Stage {
            bed,
            namespace,
            dorgu,
            folder,
            registered: None,
        }
    }

    /// The process alone, for a test that is about to stop the bed; and the folder with its kubeconfig.
    fn apart(self) -> (Dorgu, TempDir) {
        (self.dorgu, self.folder)
    }

    fn registration(&self) -> Registration {
        Registration::of(&self.dorgu, &self.namespace)
    }

    fn kubectl(&self, args: &[&str]) -> crate::bed::Output {
        self.bed.kubectl(&[&["--namespace", &self.namespace], args].concat())
    }

    fn readyz(&self) -> (u16, String) {
        run(crate::https::get(&format!(
            "{}/readyz?verbose",
            self.dorgu.probes_url()
        )))
        .expect("an answer")
    }

    fn metrics(&self) -> String {
        run(crate::https::get(&self.dorgu.metrics_url())).expect("an answer").1
    }

    fn until_ready(&self) {
        let ready = wait_until(TIMEOUT, "the process is ready", || {
            let (status, text) = self.readyz();
            ensure!(status == 200, "{text}");
            Ok(())
        });
        ready.unwrap_or_else(|error| panic!("{error:#}; it said:\n{}", self.dorgu.lines().join("\n")));
    }

    /// Asks the process itself about a Deployment of `app` with one replica: the whole HTTP answer.
    fn ask_whole(&self, app: &str) -> http::Response<String> {
        ask(&self.dorgu, &self.namespace, app)
    }

    /// The warnings and the denial of the process itself, joined.
    fn ask(&self, app: &str) -> String {
        let answer = self.ask_whole(app);
        assert_eq!(answer.status(), 200, "{}", answer.body());
        let answer: Value = serde_json::from_str(answer.body()).expect("JSON");
        let response = &answer["response"];
        format!("{} {}", response["warnings"], response["status"]["message"])
    }

    /// Waits until the process says `words` of `app`, or no longer says them; how long that took.
    fn until_told(&self, app: &str, words: &str, wanted: bool) -> Duration {
        let started = Instant::now();
        let told = wait_until(TIMEOUT, "the verdict changes", || {
            let said = self.ask(app);
            ensure!(said.contains(words) == wanted, "{said}");
            Ok(())
        });
        told.unwrap_or_else(|error| panic!("{error:#}; it said:\n{}", self.dorgu.lines().join("\n")));
        started.elapsed()
    }

    fn persona(&self, name: &str, minimum: u32) -> Value {
        json!({
            "apiVersion": "dorgu.io/v1", "kind": "ApplicationPersona",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"name": name, "type": "api", "scaling": {"minReplicas": minimum, "maxReplicas": 9}},
        })
    }

    /// A Deployment of an app, whose selector does not name it.
    fn deployment(&self, name: &str, app: Option<&str>, replicas: u32) -> Value {
        let mut object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": self.namespace, "labels": {"team": "x"}},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"pods-of": name}},
                "template": {
                    "metadata": {"labels": {"pods-of": name}},
                    "spec": {"containers": [{"name": "api", "image": "registry.example.com/orders:1"}]},
                },
            },
        });
        if let Some(app) = app {
            object["metadata"]["labels"]["app.kubernetes.io/name"] = json!(app);
        }
        object
    }
}

/// Takes the registration back.
struct Unregister<'b> {
    bed: &'b Bed,
    namespace: String,
}

impl Drop for Unregister<'_> {
    /// The configuration of a test that is over would send every later review of the namespace into nothing.
    fn drop(&mut self) {
        let name = format!("dorgu-{}", self.namespace);
        self.bed
            .kubectl(&["delete", "validatingwebhookconfiguration", "--ignore-not-found", &name]);
    }
}

fn ask(dorgu: &Dorgu, namespace: &str, app: &str) -> http::Response<String> {
    let review = json!({
        "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
        "request": {"uid": "u-1", "operation": "CREATE", "namespace": namespace, "object": {
            "metadata": {"namespace": namespace, "labels": {"app.kubernetes.io/name": app}}, "spec": {"replicas": 1},
        }},
    });
    let (url, ca) = (dorgu.webhook_url(), dorgu.ca_pem());
    run(crate::https::post_whole(&url, &ca, &review.to_string())).expect("an answer")
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

fn crds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/crds")
}

/// Installs the CRDs and waits until they are served. Tests share a bed; two that create one object at a time clash.
pub(crate) fn install_crds(bed: &Bed) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock();
    let folder = crds().display().to_string();
    bed.kubectl(&["apply", "--server-side", "-f", &folder]).expect_success();
    let wait = ["wait", "--for=condition=Established", "--timeout=60s", "-f", &folder];
    bed.kubectl(&wait).expect_success();
}

/// A kubeconfig of an account with the rights that docs/operating.md names.
fn account(bed: &Bed, server: &str, namespace: &str, folder: &Path) -> PathBuf {
    let rule = |group: &str, resources: &[&str]| json!({"apiGroups": [group], "resources": resources, "verbs": ["list", "watch"]});
    let objects = [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "dorgu", "namespace": namespace}}),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": format!("dorgu-{namespace}")},
            "rules": [
                rule("dorgu.io", &["applicationpersonas", "personaexceptions"]),
                rule("", &["namespaces"]),
                rule("apps", &["deployments"]),
            ],
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": format!("dorgu-{namespace}")},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": format!("dorgu-{namespace}")},
            "subjects": [{"kind": "ServiceAccount", "name": "dorgu", "namespace": namespace}],
        }),
    ];
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    bed.apply(&list.to_string()).expect_success();
    let token = bed.kubectl(&["create", "token", "dorgu", "--namespace", namespace, "--duration=1h"]);
    let file = folder.join("kubeconfig");
    let token = token.expect_success();
    write_kubeconfig(&file, server, &bed.ca_file(), token.trim()).expect("written");
    file
}
