//! Builds the names and labels that every object carries, and the two objects that have little else: Namespace and
//! ServiceAccount.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

use super::Installation;
use crate::api::labels::APP_NAME;

const INSTANCE: &str = "app.kubernetes.io/instance";
/// The modes of Pod Security, each with a label of its own.
const POD_SECURITY: [&str; 3] = ["enforce", "audit", "warn"];

pub(super) fn labels(installation: &Installation) -> BTreeMap<String, String> {
    let mut labels = selector_labels(installation);
    labels.extend(
        [
            ("app.kubernetes.io/version", env!("CARGO_PKG_VERSION")),
            ("app.kubernetes.io/component", "admission-webhook"),
            ("app.kubernetes.io/part-of", "dorgu"),
            ("app.kubernetes.io/managed-by", "kustomize"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned())),
    );
    labels
}

/// Name and instance only: a Deployment's selector can never change, and this is the Go operator's.
fn selector_labels(installation: &Installation) -> BTreeMap<String, String> {
    [(APP_NAME, "dorgu-operator"), (INSTANCE, installation.fullname.as_str())]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

pub(super) fn service_selector(installation: &Installation) -> BTreeMap<String, String> {
    selector_labels(installation)
}

pub(super) fn selector(installation: &Installation) -> LabelSelector {
    LabelSelector {
        match_labels: Some(selector_labels(installation)),
        ..LabelSelector::default()
    }
}

/// Of a cluster-scoped object.
pub(super) fn cluster_wide(installation: &Installation, name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        labels: Some(labels(installation)),
        ..ObjectMeta::default()
    }
}

pub(super) fn namespaced(installation: &Installation, name: &str) -> ObjectMeta {
    ObjectMeta {
        namespace: Some(installation.namespace.clone()),
        ..cluster_wide(installation, name)
    }
}

pub(super) fn namespace(installation: &Installation) -> Namespace {
    let mut metadata = cluster_wide(installation, &installation.namespace);
    let restricted = POD_SECURITY.map(|level| (format!("pod-security.kubernetes.io/{level}"), "restricted".to_owned()));
    metadata.labels.get_or_insert_default().extend(restricted);
    Namespace {
        metadata,
        ..Namespace::default()
    }
}

pub(super) fn service_account(installation: &Installation) -> ServiceAccount {
    ServiceAccount {
        metadata: namespaced(installation, &installation.fullname),
        // Our own pods request the token themselves. Another pod that names this account by mistake gets none.
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}
