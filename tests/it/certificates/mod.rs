//! Certificates in the cluster, on a real API server, by an account with exactly the rights that docs/certificates.md names.
//! Nothing is created by hand: the process generates its certificate and writes the caBundle.

mod foreign;
mod install;
mod load;
mod rotation;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::ByteString;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bed::{Bed, Dorgu, Output, Registration, wait_until, write_kubeconfig};

/// How long a change may take on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);
const SECRET: &str = "dorgu-webhook-ca";
const LEASE: &str = "48ec518d.dorgu.io";

/// A namespace with an account, and the names of what is kept for it.
struct Stage<'b> {
    bed: &'b Bed,
    namespace: String,
    folder: TempDir,
}

impl<'b> Stage<'b> {
    /// A persona `orders` that demands two replicas; no process, no registration.
    fn new(bed: &'b Bed, prefix: &str) -> Stage<'b> {
        crate::watched::install_crds(bed);
        let namespace = bed.namespace(prefix, &[("dorgu.io/validate", "true")]);
        let stage = Stage {
            bed,
            namespace,
            folder: TempDir::new().expect("a folder"),
        };
        stage.account();
        let persona = json!({
            "apiVersion": "dorgu.io/v1", "kind": "ApplicationPersona",
            "metadata": {"name": "orders", "namespace": stage.namespace},
            "spec": {"name": "orders", "type": "api", "scaling": {"minReplicas": 2, "maxReplicas": 9}},
        });
        bed.apply(&persona.to_string()).expect_success();
        stage
    }

    fn configuration(&self) -> String {
        format!("dorgu-{}", self.namespace)
    }

    /// A replica of its own port. The Service's name is the one that reaches this machine.
    fn start(&self, args: &[&str]) -> Dorgu {
        let (configuration, kubeconfig) = (self.configuration(), self.kubeconfig());
        let ours = [
            "--kubeconfig",
            &kubeconfig,
            "--enable-webhook",
            "--webhook-mode=enforcing",
            "--metrics-secure=false",
            "--namespace",
            &self.namespace,
            "--webhook-service=localhost",
            "--webhook-config",
            &configuration,
            "--webhook-secret",
            SECRET,
        ];
        Dorgu::start(&[&ours, args].concat())
    }

    fn kubeconfig(&self) -> String {
        self.folder.path().join("kubeconfig").display().to_string()
    }

    /// What a user applies: no caBundle in it.
    fn registration(&self, dorgu: &Dorgu) -> Value {
        let registration = Registration {
            namespace: self.namespace.clone(),
            url: url(dorgu),
            ca_pem: String::new(),
            match_label: true,
            timeout_seconds: 3,
            personas: false,
        };
        let mut configuration = registration.configuration();
        for entry in configuration["webhooks"].as_array_mut().expect("entries") {
            let client = entry["clientConfig"].as_object_mut();
            client.expect("a client").remove("caBundle");
        }
        configuration
    }

    fn kubectl(&self, args: &[&str]) -> Output {
        self.bed.kubectl(&[&["--namespace", &self.namespace], args].concat())
    }

    fn annotate(&self, rotate: &str) {
        let annotation = format!("dorgu.io/rotate={rotate}");
        self.kubectl(&["annotate", "secret", SECRET, &annotation])
            .expect_success();
    }

    fn secret(&self) -> Result<Value> {
        let text = self.kubectl(&["get", "secret", SECRET, "-o", "json"]).checked()?;
        Ok(serde_json::from_str(&text)?)
    }

    fn registered(&self) -> Result<Value> {
        let name = self.configuration();
        let text = self.kubectl(&["get", "validatingwebhookconfiguration", &name, "-o", "json"]);
        Ok(serde_json::from_str(&text.checked()?)?)
    }

    fn ca_bundle(&self) -> Result<String> {
        text(&self.registered()?["webhooks"][0]["clientConfig"]["caBundle"])
    }

    /// Requests a Deployment that violates its persona, which must be denied.
    fn breach(&self) -> Output {
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"generateName": "breach-", "namespace": self.namespace, "labels": {"app.kubernetes.io/name": "orders"}},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"pods-of": "x"}},
                "template": {
                    "metadata": {"labels": {"pods-of": "x"}},
                    "spec": {"containers": [{"name": "api", "image": "registry.example.com/orders:1"}]},
                },
            },
        });
        let create = ["create", "--dry-run=server", "-f", "-"];
        self.bed.kubectl_in(&create, &object.to_string())
    }

    fn is_refused(&self) -> Result<()> {
        let answer = self.breach();
        ensure!(answer.stderr.contains("below persona minimum (2)"), "{answer}");
        Ok(())
    }

    fn until<T>(&self, what: &str, processes: &[&Dorgu], look: impl FnMut() -> Result<T>) -> T {
        wait_until(TIMEOUT, what, look).unwrap_or_else(|error| {
            // A line for each of thousands of denials would hide the others.
            let told = |line: &String| !line.contains("Denied a Deployment");
            let said = processes.iter().map(|dorgu| {
                let lines = dorgu.lines().into_iter().filter(told);
                lines.collect::<Vec<_>>().join("\n")
            });
            let said: Vec<_> = said.collect();
            panic!("{error:#}; they said:\n{}", said.join("\n----\n"))
        })
    }

    fn account(&self) {
        let (namespace, name) = (&self.namespace, self.configuration());
        let watched = |group: &str, resource: &str| json!({"apiGroups": [group], "resources": [resource], "verbs": ["list", "watch"]});
        let subject = json!([{"kind": "ServiceAccount", "name": "dorgu", "namespace": namespace}]);
        let rbac = "rbac.authorization.k8s.io";
        let objects = json!([
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "dorgu", "namespace": namespace}},
            {
                "apiVersion": format!("{rbac}/v1"), "kind": "ClusterRole", "metadata": {"name": name},
                "rules": [
                    watched("dorgu.io", "applicationpersonas"), watched("", "namespaces"), watched("apps", "deployments"),
                    {
                        "apiGroups": ["admissionregistration.k8s.io"], "resources": ["validatingwebhookconfigurations"],
                        "resourceNames": [name], "verbs": ["list", "watch", "patch"],
                    },
                ],
            },
            {
                "apiVersion": format!("{rbac}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": name},
                "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": name}, "subjects": subject,
            },
            {
                "apiVersion": format!("{rbac}/v1"), "kind": "Role", "metadata": {"name": "dorgu", "namespace": namespace},
                "rules": [
                    {
                        "apiGroups": [""], "resources": ["secrets"], "resourceNames": [SECRET],
                        "verbs": ["list", "watch", "patch", "create"],
                    },
                    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
                    {
                        "apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": [LEASE],
                        "verbs": ["get", "update"],
                    },
                ],
            },
            {
                "apiVersion": format!("{rbac}/v1"), "kind": "RoleBinding", "metadata": {"name": "dorgu", "namespace": namespace},
                "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "dorgu"}, "subjects": subject,
            },
        ]);
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        self.bed.apply(&list.to_string()).expect_success();
        let token = self.kubectl(&["create", "token", "dorgu", "--duration=1h"]);
        let file = self.folder.path().join("kubeconfig");
        let (server, ca) = (self.bed.api_url(), self.bed.ca_file());
        write_kubeconfig(&file, &server, &ca, token.expect_success().trim()).expect("written");
    }
}

impl Drop for Stage<'_> {
    /// A configuration of a test that is over would send every later review of the namespace into nothing.
    fn drop(&mut self) {
        let name = self.configuration();
        self.bed
            .kubectl(&["delete", "validatingwebhookconfiguration", "--ignore-not-found", &name]);
    }
}

/// By the name that its certificate is for.
fn url(dorgu: &Dorgu) -> String {
    dorgu.webhook_url().replace("127.0.0.1", "localhost")
}

fn readyz(dorgu: &Dorgu) -> (u16, String) {
    let probe = format!("{}/readyz?verbose", dorgu.probes_url());
    run(crate::https::get(&probe)).expect("an answer")
}

fn ready(dorgu: &Dorgu) -> Result<String> {
    let (status, text) = readyz(dorgu);
    ensure!(status == 200, "{text}");
    Ok(text)
}

fn metrics(dorgu: &Dorgu) -> String {
    run(crate::https::get(&dorgu.metrics_url())).expect("an answer").1
}

/// The serial number of what a process serves, as it says itself.
fn serial(dorgu: &Dorgu) -> Result<String> {
    let text = readyz(dorgu).1;
    let serial = text.split("serial ").nth(1).and_then(|rest| rest.split(',').next());
    Ok(serial.with_context(|| text.clone())?.to_owned())
}

/// What base64 in an object says.
fn text(base64: &Value) -> Result<String> {
    if base64.is_null() {
        return Ok(String::new());
    }
    let bytes: ByteString = serde_json::from_value(base64.clone())?;
    Ok(String::from_utf8(bytes.0)?)
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}
