//! Builds the ValidatingWebhookConfiguration: one entry for Deployments and their Scale, and the entries of parts.
//!
//! It has no caBundle. The process owns that field, under a field manager of its own, so that Helm, Argo CD and `kubectl
//! apply` see no difference there.

use k8s_openapi::api::admissionregistration::v1::{
    MatchCondition, RuleWithOperations, ServiceReference, ValidatingWebhook, ValidatingWebhookConfiguration,
    WebhookClientConfig,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

use super::Installation;
use super::metadata::cluster_wide;
use super::network::WEBHOOK_SERVICE_PORT;
use crate::api::labels::VALIDATE;
use crate::api::names::{WEBHOOK, WEBHOOK_PATH};
use crate::policy::Matching;

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

/// The entry for Deployments first, then those of parts.
fn entries(installation: &Installation) -> Vec<ValidatingWebhook> {
    let of_parts = installation.parts.iter().flat_map(|part| part.admission);
    let of_parts = of_parts.map(|admission| (admission.entry)(client_config(installation, admission.path)));
    [webhook(installation)].into_iter().chain(of_parts).collect()
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

fn webhook(installation: &Installation) -> ValidatingWebhook {
    ValidatingWebhook {
        name: WEBHOOK.to_owned(),
        admission_review_versions: texts(&["v1"]),
        side_effects: "None".to_owned(),
        failure_policy: Some("Ignore".to_owned()),
        match_policy: Some("Equivalent".to_owned()),
        timeout_seconds: Some(3),
        client_config: client_config(installation, WEBHOOK_PATH),
        rules: Some(vec![RuleWithOperations {
            api_groups: Some(texts(&["apps"])),
            api_versions: Some(texts(&["v1"])),
            resources: Some(texts(&["deployments", "deployments/scale"])),
            operations: Some(texts(&["CREATE", "UPDATE"])),
            scope: Some("Namespaced".to_owned()),
        }]),
        namespace_selector: Some(namespace_selector(installation)),
        match_conditions: Some(match_conditions(installation.matching)),
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

/// Excludes requests that no rule reads: unlabelled objects, and the controller's own writes of annotations.
fn match_conditions(matching: Matching) -> Vec<MatchCondition> {
    let labelled = MatchCondition {
        name: "labelled".to_owned(),
        // A Scale has no labels.
        expression: "request.subResource == 'scale' || [object, oldObject].exists(o, o != null && \
                     has(o.metadata.labels) && 'app.kubernetes.io/name' in o.metadata.labels)"
            .to_owned(),
    };
    let changed = MatchCondition {
        name: "changed".to_owned(),
        expression: "oldObject == null || object.spec != oldObject.spec || \
                     object.metadata.?labels != oldObject.metadata.?labels"
            .to_owned(),
    };
    match matching {
        Matching::Label => vec![labelled, changed],
        Matching::Chain => vec![changed],
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}
