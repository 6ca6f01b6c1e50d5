//! Reads the parts of the webhook configuration that matter for certificates, and builds the object that changes its
//! caBundle, the one field that is written.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use serde::Deserialize;
use serde_json::{Value, json};

use super::pem;
use crate::k8s::{Decode, Resource, Unreadable, from_json};

/// The kind.
pub(super) fn configurations() -> Resource {
    Resource::of::<ValidatingWebhookConfiguration>()
}

/// Prefix of cert-manager's CA-injector annotations.
const INJECTED: &str = "cert-manager.io/inject-";
/// OpenShift's service CA injects the caBundle where this is `true`.
const INJECTED_BY_OPENSHIFT: &str = "service.beta.openshift.io/inject-cabundle";

/// The parts of a ValidatingWebhookConfiguration that matter here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Configuration {
    pub(super) uid: String,
    pub(super) version: String,
    /// cert-manager or OpenShift manages the caBundle.
    pub(super) injected: bool,
    /// Its entries; after [`Self::only`] those that call this process.
    pub(super) entries: Vec<Called>,
}

/// How API servers call the webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Called {
    /// The entry's name.
    pub(super) webhook: String,
    /// The name that a certificate must be valid for.
    pub(super) server_name: String,
    pub(super) bundle: Vec<u8>,
}

#[derive(Deserialize)]
struct ConfigurationObject {
    metadata: ConfigurationMetadata,
    #[serde(default)]
    webhooks: Vec<Webhook>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConfigurationMetadata {
    #[serde(default)]
    uid: String,
    #[serde(default)]
    resource_version: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

impl ConfigurationMetadata {
    fn is_injected(&self) -> bool {
        let mut annotations = self.annotations.iter();
        annotations.any(|(key, value)| key.starts_with(INJECTED) || (key == INJECTED_BY_OPENSHIFT && value == "true"))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Webhook {
    name: String,
    client_config: ClientConfig,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientConfig {
    service: Option<ServiceReference>,
    url: Option<String>,
    ca_bundle: Option<ByteString>,
}

#[derive(Deserialize)]
struct ServiceReference {
    name: String,
    namespace: String,
}

impl ClientConfig {
    /// The name that kube-apiserver builds.
    fn server_name(&self) -> String {
        if let Some(service) = &self.service {
            return format!("{}.{}.svc", service.name, service.namespace);
        }
        let url = self.url.as_deref().and_then(|url| url.parse::<http::Uri>().ok());
        let host = url.as_ref().and_then(http::Uri::host).unwrap_or_default();
        host.trim_start_matches('[').trim_end_matches(']').to_owned()
    }
}

impl Decode for Configuration {
    fn decode(json: &str) -> Result<Configuration, Unreadable> {
        let object: ConfigurationObject = from_json(json)?;
        Ok(Configuration {
            injected: object.metadata.is_injected(),
            uid: object.metadata.uid,
            version: object.metadata.resource_version,
            entries: object.webhooks.into_iter().map(Webhook::called).collect(),
        })
    }
}

impl Webhook {
    fn called(self) -> Called {
        Called {
            webhook: self.name,
            server_name: self.client_config.server_name(),
            bundle: self.client_config.ca_bundle.map(|bundle| bundle.0).unwrap_or_default(),
        }
    }
}

impl Configuration {
    /// Without the entries of other webhooks.
    pub(super) fn only(mut self, webhooks: &[&str]) -> Configuration {
        self.entries.retain(|entry| webhooks.contains(&entry.webhook.as_str()));
        self
    }

    /// How API servers call us. Where our entries have different caBundles, the certificates that all of them trust count.
    /// `None` without an entry of ours.
    pub(super) fn called(&self) -> Option<Cow<'_, Called>> {
        let (first, others) = self.entries.split_first()?;
        if others.iter().all(|other| other.bundle == first.bundle) {
            return Some(Cow::Borrowed(first));
        }
        let mut shared = pem::certificates(&first.bundle);
        for other in others {
            let trusted = pem::certificates(&other.bundle);
            shared.retain(|certificate| trusted.contains(certificate));
        }
        Some(Cow::Owned(Called {
            bundle: shared.concat().into_bytes(),
            ..first.clone()
        }))
    }

    /// Whether every entry of ours has exactly this caBundle.
    pub(super) fn has_bundle(&self, bundle: &str) -> bool {
        self.entries.iter().all(|entry| entry.bundle == bundle.as_bytes())
    }
}

/// The object to apply: its identity, and one field of each of our entries. The uid makes the apply fail where the
/// configuration was deleted, even if it exists again: an emergency stop must not be undone. The version makes it fail where
/// another holder was faster.
pub(super) fn with_bundle(name: &str, seen: &Configuration, bundle: &str) -> Value {
    let configurations = configurations();
    let entry = |entry: &Called| {
        let bundle = ByteString(bundle.as_bytes().to_vec());
        json!({"name": entry.webhook, "clientConfig": {"caBundle": bundle}})
    };
    json!({
        "apiVersion": configurations.api_version(),
        "kind": configurations.kind,
        "metadata": {"name": name, "uid": seen.uid, "resourceVersion": seen.version},
        "webhooks": seen.entries.iter().map(entry).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests;
