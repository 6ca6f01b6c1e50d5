//! `kubectl` against a real API server that calls the real process, as a platform engineer sees it.

pub(crate) mod api_server;
mod bypasses;
mod charts;
mod checked;
mod checked_live;
pub(crate) mod corpus;
pub(crate) mod fixed;
mod kubectl;
mod other_kinds;
mod padded;
mod replaced;
mod rollout;
mod second_line;
mod typed;
mod undo;
mod verified;
mod warnings;

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bed::{Bed, Dorgu, Registration};

/// A process that holds one namespace against the orders persona, and that namespace's registration.
pub(super) struct Stage {
    pub(super) bed: &'static Bed,
    pub(super) namespace: String,
    pub(super) dorgu: Dorgu,
    pub(super) registration: Registration,
    _personas: TempDir,
}

impl Stage {
    /// Starts the process and a fresh namespace; nothing is registered yet, so that objects can be stored unjudged.
    pub(super) fn unregistered(bed: &'static Bed, prefix: &str, args: &[&str]) -> Stage {
        let namespace = bed.namespace(prefix, &[("dorgu.io/validate", "true")]);
        let personas = TempDir::new().expect("a folder");
        fs::write(personas.path().join("orders.yaml"), persona(&namespace).to_string()).expect("written");
        let dorgu = Dorgu::with_personas(personas.path(), args);
        let registration = Registration::of(&dorgu, &namespace);
        Stage {
            bed,
            namespace,
            dorgu,
            registration,
            _personas: personas,
        }
    }

    pub(super) fn new(bed: &'static Bed, prefix: &str, args: &[&str]) -> Stage {
        let stage = Stage::unregistered(bed, prefix, args);
        stage.bed.register(&stage.registration);
        stage
    }

    /// kubectl in this namespace.
    pub(super) fn kubectl(&self, args: &[&str]) -> crate::bed::Output {
        self.bed.kubectl(&[&["--namespace", &self.namespace], args].concat())
    }

    /// A Deployment as the persona wants it, with changes.
    pub(super) fn deployment(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut object = compliant(&self.namespace);
        change(&mut object);
        object.to_string()
    }
}

impl Drop for Stage {
    /// The configuration of a test that is over would send every later review of the namespace into nothing.
    fn drop(&mut self) {
        self.bed.kubectl(&[
            "delete",
            "validatingwebhookconfiguration",
            "--ignore-not-found",
            &self.registration.name(),
        ]);
    }
}

fn persona(namespace: &str) -> Value {
    json!({
        "apiVersion": "dorgu.io/v1", "kind": "ApplicationPersona",
        "metadata": {"name": "orders", "namespace": namespace},
        "spec": {
            "name": "orders", "type": "api",
            "resources": {"limits": {"cpu": "500m", "memory": "512Mi"}},
            "scaling": {"minReplicas": 2, "maxReplicas": 6},
            "health": {"livenessPath": "/live"},
            "policies": {"security": {}},
        },
    })
}

fn compliant(namespace: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "orders", "namespace": namespace, "labels": {"app.kubernetes.io/name": "orders"}},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app.kubernetes.io/name": "orders"}},
            "template": {
                "metadata": {"labels": {"app.kubernetes.io/name": "orders"}},
                "spec": {
                    "securityContext": {"runAsNonRoot": true},
                    "containers": [{
                        "name": "api", "image": "registry.example.com/orders:1",
                        "resources": {
                            "requests": {"cpu": "100m", "memory": "64Mi"},
                            "limits": {"cpu": "500m", "memory": "512Mi"},
                        },
                        "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true},
                        "livenessProbe": {"httpGet": {"path": "/live", "port": 8080}},
                    }],
                },
            },
        },
    })
}

/// The first container of a Deployment.
pub(super) fn container(deployment: &mut Value) -> &mut Value {
    &mut deployment["spec"]["template"]["spec"]["containers"][0]
}
