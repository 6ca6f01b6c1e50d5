//! The ValidatingWebhookConfiguration that sends one namespace's Deployments to one process.
//!
//! `install` renders it, so that tests have the same filters as users. This file knows no rule.

use serde_json::{Value, json};

use super::Dorgu;
use super::kubectl::Output;

/// As users see it in a denial.
const WEBHOOK: &str = "validate-deployment.dorgu.io";
const SCALE_WEBHOOK: &str = "validate-scale.dorgu.io";
const PERSONA_WEBHOOK: &str = "validate-persona.dorgu.io";
/// One more entry, only in tests, by which a test knows that the API server has read the others.
const MARKER: &str = "marker.bed.dorgu.io";
/// A field that no object has. The API server names it in its denial.
const ABSENT: &str = "readByTheTestBed";
/// An edition that the marker of every configuration denies.
pub(super) const ANY_EDITION: &str = "any";
const MARKER_LABEL: &str = "bed.dorgu.io/marker";

/// Which namespace is sent to which process. Registrations of several tests exist side by side on one bed.
#[derive(Clone, Debug)]
pub struct Registration {
    /// It opted in by its label `dorgu.io/validate=true`. No other namespace's objects are sent.
    pub namespace: String,
    /// The webhook's address, `https://127.0.0.1:PORT/validate-deployment`.
    pub url: String,
    /// The CA of the certificate there, PEM.
    pub ca_pem: String,
    /// Send only labelled Deployments: what is rendered for `--match label`, not for `--match chain`.
    pub match_label: bool,
    /// How long the API server waits for a verdict. After that it admits.
    pub timeout_seconds: u8,
    /// Send ApplicationPersonas, too: only a process with a cluster answers those.
    pub personas: bool,
}

impl Registration {
    /// Sends the namespace's Deployments to this process.
    pub fn of(dorgu: &Dorgu, namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            url: dorgu.webhook_url(),
            ca_pem: dorgu.ca_pem(),
            match_label: true,
            timeout_seconds: 3,
            personas: false,
        }
    }

    /// The configuration's name, one for each namespace.
    pub fn name(&self) -> String {
        format!("dorgu-{}", self.namespace)
    }

    /// The configuration as users register it, but for this one namespace.
    pub fn configuration(&self) -> Value {
        let mut workloads = self.entry(WEBHOOK, "deployments", &["CREATE", "UPDATE"]);
        if self.match_label {
            let labelled = json!({ "key": "app.kubernetes.io/name", "operator": "Exists" });
            workloads["objectSelector"] = json!({ "matchExpressions": [labelled] });
        }
        let mut webhooks = vec![workloads, self.entry(SCALE_WEBHOOK, "deployments/scale", &["UPDATE"])];
        webhooks.extend(self.personas.then(|| self.persona_entry()));
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": { "name": self.name() },
            "webhooks": webhooks,
        })
    }

    /// As users register it, but for this one namespace, which need not have opted in.
    fn persona_entry(&self) -> Value {
        let mut entry = self.entry(PERSONA_WEBHOOK, "applicationpersonas", &["CREATE", "UPDATE"]);
        entry["rules"][0]["apiGroups"] = json!(["dorgu.io"]);
        entry["timeoutSeconds"] = json!(1);
        entry["clientConfig"]["url"] = json!(self.url.replace("/validate-deployment", "/validate-persona"));
        entry["namespaceSelector"] = json!({ "matchLabels": { "kubernetes.io/metadata.name": self.namespace } });
        entry
    }

    fn entry(&self, name: &str, resource: &str, operations: &[&str]) -> Value {
        json!({
            "name": name,
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "failurePolicy": "Ignore",
            "timeoutSeconds": self.timeout_seconds,
            "clientConfig": { "url": self.url, "caBundle": base64(self.ca_pem.as_bytes()) },
            "rules": [{
                "apiGroups": ["apps"],
                "apiVersions": ["v1"],
                "resources": [resource],
                "operations": operations,
            }],
            "namespaceSelector": self.namespace_selector(),
        })
    }

    fn namespace_selector(&self) -> Value {
        let (by_name, never) = (
            "kubernetes.io/metadata.name",
            ["kube-system", "kube-node-lease", "dorgu-system"],
        );
        json!({ "matchExpressions": [
            { "key": "dorgu.io/validate", "operator": "In", "values": ["true"] },
            { "key": by_name, "operator": "NotIn", "values": never },
            { "key": by_name, "operator": "In", "values": [self.namespace] },
        ]})
    }

    /// Adds an entry that denies the [`Self::marked_object`] of this edition, and of every other at [`ANY_EDITION`].
    ///
    /// The API server loads a configuration as a whole, some time after it was stored. When this entry denies, the others
    /// are in effect. Editions distinguish a configuration from the one it replaced.
    pub(super) fn with_marker(&self, edition: &str) -> Value {
        let mut configuration = self.configuration();
        if let Some(webhooks) = configuration["webhooks"].as_array_mut() {
            let editions = [edition, ANY_EDITION];
            webhooks.push(json!({
                "name": MARKER,
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                // The condition fails on every object, so this denies without a call.
                "failurePolicy": "Fail",
                "matchConditions": [{ "name": "never", "expression": format!("object.{ABSENT} == 'x'") }],
                "clientConfig": { "url": "https://127.0.0.1:1/never-called" },
                "rules": [{
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "resources": ["configmaps"],
                    "operations": ["CREATE"],
                }],
                "objectSelector": { "matchExpressions": [
                    { "key": MARKER_LABEL, "operator": "In", "values": editions },
                ]},
                // Whether or not it opted in, so that a test can register a namespace that did not.
                "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": self.namespace } },
            }));
        }
        configuration
    }

    /// The object that the marker of this edition denies.
    pub(super) fn marked_object(&self, edition: &str) -> Value {
        let labels = json!({ MARKER_LABEL: edition });
        let metadata = json!({ "name": "marker", "namespace": self.namespace, "labels": labels });
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata })
    }
}

/// Whether this is a marker's denial.
pub(super) fn is_of_marker(answer: &Output) -> bool {
    !answer.succeeded() && answer.stderr.contains(ABSENT)
}

/// Standard base64 with padding, as in JSON. k8s-openapi implements it.
fn base64(bytes: &[u8]) -> Value {
    serde_json::to_value(k8s_openapi::ByteString(bytes.to_vec())).unwrap()
}
