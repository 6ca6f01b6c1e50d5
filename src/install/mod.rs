//! Builds the Kubernetes objects of an installation, for `manifests/` and `dorgu manifests`.
//!
//! Pure: serialised types are built from an [`Installation`], never from a text template. This module knows the names of the
//! flags of `serve` and not how they work. The chart must render the same objects.

mod metadata;
mod network;
mod rbac;
mod registration;
mod render;
mod workload;

#[cfg(test)]
mod tests;

use k8s_openapi::api::admissionregistration::v1::{ValidatingWebhook, ValidatingWebhookConfiguration};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

pub use render::RenderError;

use crate::policy::{Matching, Mode};
use crate::runtime::{About, Grant};

/// The parameters of an installation.
#[derive(Clone, Debug)]
pub struct Installation {
    /// The namespace of all namespaced objects.
    pub namespace: String,
    /// The prefix of all names (contract 7.4).
    pub fullname: String,
    /// The number of pods.
    pub replicas: u16,
    /// The container image, with its tag or digest.
    pub image: String,
    /// `--webhook-mode`.
    pub mode: Mode,
    /// `--match`; the registration sends what it needs.
    pub matching: Matching,
    /// `--require-label`; the registration sends what it needs.
    pub requires_label: bool,
    /// Serve `/metrics`, to clients that the API server authorizes.
    pub metrics: bool,
    /// The parts of the process, with the kinds, rights and webhook entries that they need.
    pub parts: Vec<&'static About>,
}

impl Installation {
    /// The shipped installation of a process with these parts.
    pub fn of(parts: impl IntoIterator<Item = &'static About>) -> Installation {
        Installation {
            namespace: "dorgu-system".to_owned(),
            fullname: "dorgu-operator".to_owned(),
            replicas: 2,
            image: concat!("dorgu:", env!("CARGO_PKG_VERSION")).to_owned(),
            mode: Mode::default(),
            matching: Matching::default(),
            requires_label: false,
            metrics: true,
            parts: parts.into_iter().collect(),
        }
    }
}

impl Installation {
    /// Whether Deployments without the app label are judged, so that API servers have to send them.
    pub fn judges_unlabelled(&self) -> bool {
        self.requires_label || self.matching == Matching::Chain
    }

    /// Every object of it.
    pub fn objects(&self) -> Objects {
        Objects {
            namespace: metadata::namespace(self),
            service_account: metadata::service_account(self),
            cluster_role: rbac::cluster_role(self),
            cluster_role_binding: rbac::cluster_role_binding(self),
            role: rbac::role(self),
            role_binding: rbac::role_binding(self),
            exception_viewer: rbac::exception_viewer(self),
            exception_editor: rbac::exception_editor(self),
            metrics_reader: self.metrics.then(|| rbac::metrics_reader(self)),
            deployment: workload::deployment(self),
            pod_disruption_budget: workload::pod_disruption_budget(self),
            webhook_service: network::webhook(self),
            metrics_service: self.metrics.then(|| network::metrics(self)),
            validating_webhook: registration::configuration(self),
            definitions: self.definitions(),
        }
    }

    /// The entries of the webhook configuration, the one for workloads first.
    pub fn webhook_entries(&self) -> Vec<ValidatingWebhook> {
        registration::entries(self)
    }

    /// The CustomResourceDefinitions of all parts.
    pub fn definitions(&self) -> Vec<CustomResourceDefinition> {
        self.parts.iter().flat_map(|part| (part.definitions)()).collect()
    }

    /// Every right of the process, in the order of the roles.
    pub fn grants(&self) -> impl Iterator<Item = &'static Grant> + '_ {
        rbac::grants(&self.parts)
    }

    /// The Service that an API server calls (contract 2.1).
    pub fn webhook_service(&self) -> String {
        format!("{}-webhook", self.fullname)
    }

    /// Our own certificates; `<fullname>-webhook-certs` is made by users and never written.
    pub fn webhook_secret(&self) -> String {
        format!("{}-webhook-ca", self.fullname)
    }

    /// The ValidatingWebhookConfiguration (contract 2.1).
    pub fn webhook_configuration(&self) -> String {
        format!("{}-deployment", self.fullname)
    }
}

/// The objects of an [`Installation`].
#[derive(Clone, Debug)]
pub struct Objects {
    /// The namespace of all namespaced objects below, with restricted Pod Security.
    pub namespace: Namespace,
    /// The account of the process.
    pub service_account: ServiceAccount,
    /// Its rights in every namespace.
    pub cluster_role: ClusterRole,
    /// Binds them to the account.
    pub cluster_role_binding: ClusterRoleBinding,
    /// Its rights in its own namespace.
    pub role: Role,
    /// Binds them to the account.
    pub role_binding: RoleBinding,
    /// Adds the right to read exceptions to the role `view`.
    pub exception_viewer: ClusterRole,
    /// For those who grant exceptions; not bound here.
    pub exception_editor: ClusterRole,
    /// For clients that scrape `/metrics`; not bound here.
    pub metrics_reader: Option<ClusterRole>,
    /// The process.
    pub deployment: Deployment,
    /// `None` for a single replica, where it would only keep a node from being drained.
    pub pod_disruption_budget: Option<PodDisruptionBudget>,
    /// In front of the webhook.
    pub webhook_service: Service,
    /// In front of `/metrics`.
    pub metrics_service: Option<Service>,
    /// The webhook configuration.
    pub validating_webhook: ValidatingWebhookConfiguration,
    /// The CustomResourceDefinitions.
    pub definitions: Vec<CustomResourceDefinition>,
}
