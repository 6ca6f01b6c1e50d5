//! The ValidatingWebhookConfiguration that sends one namespace's Deployments to one process.
//!
//! `install` renders it, so that tests have the same filters as users. This file knows no rule.

use serde_json::{Value, json};

use super::Dorgu;
use super::kubectl::Output;

/// As users see it in a denial.
const WEBHOOK: &str = "validate-deployment.dorgu.io";
/// A second entry, only in tests, by which a test knows that the API server has read the first.
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
}

impl Registration {
    /// Sends the namespace's Deployments to this process.
    pub fn of(dorgu: &Dorgu, namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            url: dorgu.webhook_url(),
            ca_pem: dorgu.ca_pem(),
            match_label: true,
        }
    }

    /// The configuration's name, one for each namespace.
    pub fn name(&self) -> String {
        format!("dorgu-{}", self.namespace)
    }

    /// The configuration as users register it, but for this one namespace.
    pub fn configuration(&self) -> Value {
        let mut conditions = vec![json!({
            "name": "changed",
            "expression": "oldObject == null || object.spec != oldObject.spec || \
                           object.metadata.?labels != oldObject.metadata.?labels",
        })];
        if self.match_label {
            conditions.insert(
                0,
                json!({
                    "name": "labelled",
                    "expression": "request.subResource == 'scale' || [object, oldObject].exists(o, o != null && \
                                   has(o.metadata.labels) && 'app.kubernetes.io/name' in o.metadata.labels)",
                }),
            );
        }
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": { "name": self.name() },
            "webhooks": [{
                "name": WEBHOOK,
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Ignore",
                "timeoutSeconds": 3,
                "clientConfig": { "url": self.url, "caBundle": base64(self.ca_pem.as_bytes()) },
                "rules": [{
                    "apiGroups": ["apps"],
                    "apiVersions": ["v1"],
                    "resources": ["deployments", "deployments/scale"],
                    "operations": ["CREATE", "UPDATE"],
                }],
                "matchConditions": conditions,
                "namespaceSelector": self.namespace_selector(),
            }],
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
    /// The API server loads a configuration as a whole, some time after it was stored. When the second entry denies, the first
    /// is in effect. Editions distinguish a configuration from the one it replaced.
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
