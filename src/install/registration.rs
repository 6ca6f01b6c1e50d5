//! Builds the ValidatingWebhookConfiguration: an entry for Deployments, one for their Scale, and the entries of parts.
//!
//! They have no caBundle. The process owns that field, under a field manager of its own, so that Helm, Argo CD and `kubectl
//! apply` see no difference there.

use k8s_openapi::api::admissionregistration::v1::{
    RuleWithOperations, ServiceReference, ValidatingWebhook, ValidatingWebhookConfiguration, WebhookClientConfig,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

use super::Installation;
use super::metadata::cluster_wide;
use super::network::WEBHOOK_SERVICE_PORT;
use crate::api::labels::{APP_NAME, VALIDATE};
use crate::api::names::{SCALE_WEBHOOK, WEBHOOK, WEBHOOK_PATH};

/// Our own Deployment must not wait for ourselves, and these two namespaces keep the cluster running.
const NEVER: [&str; 2] = ["kube-system", "kube-node-lease"];
/// AKS otherwise adds a selector of its own to every webhook, which every later apply of the manifests removes again.
const AKS_HANDS_OFF: (&str, &str) = ("admissions.enforcer/disabled", "true");

pub(super) fn configuration(installation: &Installation) -> ValidatingWebhookConfiguration {
    let mut metadata = cluster_wide(installation, &installation.webhook_configuration());
    let (key, value) = AKS_HANDS_OFF;
    metadata.annotations = Some([(key.to_owned(), value.to_owned())].into());
    ValidatingWebhookConfiguration {
        metadata,
        webhooks: Some(entries(installation)),
    }
}

/// Ours first, then those of parts.
pub(super) fn entries(installation: &Installation) -> Vec<ValidatingWebhook> {
    let of_parts = installation.parts.iter().flat_map(|part| part.admission);
    let of_parts = of_parts.map(|admission| (admission.entry)(client_config(installation, admission.path)));
    let ours = [workloads(installation), scale(installation)];
    ours.into_iter().chain(of_parts).collect()
}

/// The address at which API servers reach the process.
fn client_config(installation: &Installation, path: &str) -> WebhookClientConfig {
    WebhookClientConfig {
        service: Some(ServiceReference {
            name: installation.webhook_service(),
            namespace: installation.namespace.clone(),
            path: Some(path.to_owned()),
            port: Some(WEBHOOK_SERVICE_PORT),
        }),
        ..WebhookClientConfig::default()
    }
}

/// Deployments that name an app, or all where those without a label are judged, too. API servers ask when either the old or the
/// new object matches the selector, so a label that is removed is still seen. A selector is matched without work; a condition in
/// CEL has the API server convert both objects.
fn workloads(installation: &Installation) -> ValidatingWebhook {
    let labelled = || LabelSelectorRequirement {
        key: APP_NAME.to_owned(),
        operator: "Exists".to_owned(),
        values: None,
    };
    let object_selector = (!installation.judges_unlabelled()).then(|| LabelSelector {
        match_expressions: Some(vec![labelled()]),
        ..LabelSelector::default()
    });
    ValidatingWebhook {
        object_selector,
        ..entry(installation, WEBHOOK, "deployments", &["CREATE", "UPDATE"])
    }
}

/// A Scale has no labels, so it needs an entry without a selector. It is never created.
fn scale(installation: &Installation) -> ValidatingWebhook {
    entry(installation, SCALE_WEBHOOK, "deployments/scale", &["UPDATE"])
}

fn entry(installation: &Installation, name: &str, resource: &str, operations: &[&str]) -> ValidatingWebhook {
    ValidatingWebhook {
        name: name.to_owned(),
        admission_review_versions: texts(&["v1"]),
        side_effects: "None".to_owned(),
        failure_policy: Some("Ignore".to_owned()),
        match_policy: Some("Equivalent".to_owned()),
        timeout_seconds: Some(3),
        client_config: client_config(installation, WEBHOOK_PATH),
        rules: Some(vec![RuleWithOperations {
            api_groups: Some(texts(&["apps"])),
            api_versions: Some(texts(&["v1"])),
            resources: Some(texts(&[resource])),
            operations: Some(texts(operations)),
            scope: Some("Namespaced".to_owned()),
        }]),
        namespace_selector: Some(namespace_selector(installation)),
        ..ValidatingWebhook::default()
    }
}

fn namespace_selector(installation: &Installation) -> LabelSelector {
    let never = NEVER.iter().copied().chain([installation.namespace.as_str()]);
    LabelSelector {
        match_expressions: Some(vec![
            LabelSelectorRequirement {
                key: VALIDATE.to_owned(),
                operator: "In".to_owned(),
                values: Some(texts(&["true"])),
            },
            LabelSelectorRequirement {
                key: "kubernetes.io/metadata.name".to_owned(),
                operator: "NotIn".to_owned(),
                values: Some(never.map(str::to_owned).collect()),
            },
        ]),
        ..LabelSelector::default()
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}
