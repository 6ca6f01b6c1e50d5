//! Lists the rights of the process, one line for each grant, and builds the roles from them.
//!
//! The list is exact: `tests/it/installed/rights.rs` compares these lines with an API server's audit log, and fails for an
//! unused verb as for a missing one. Watches need list and watch, never get.

use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject};

use super::Installation;
use super::metadata::{cluster_wide, namespaced};
use crate::api::names::LEASE;
use crate::runtime::{About, Grant, Need, Object, Scope};

const GROUP: &str = "rbac.authorization.k8s.io";

/// For the index: personas, exceptions, the modes of namespaces, the Deployments behind a Scale.
const INDEX: &[Grant] = &[
    Grant::everywhere("dorgu.io", "applicationpersonas", &["list", "watch"]),
    Grant::everywhere("dorgu.io", "personaexceptions", &["list", "watch"]),
    Grant::everywhere("", "namespaces", &["list", "watch"]),
    Grant::everywhere("apps", "deployments", &["list", "watch"]),
];

/// To authorize clients of the metrics.
const METRICS: &[Grant] = &[
    Grant {
        need: Need::Metrics,
        ..Grant::everywhere("authentication.k8s.io", "tokenreviews", &["create"])
    },
    Grant {
        need: Need::Metrics,
        ..Grant::everywhere("authorization.k8s.io", "subjectaccessreviews", &["create"])
    },
];

/// For leader election.
const ELECTION: &[Grant] = &[
    // A create carries its name in the body, which authorization does not read.
    Grant {
        scope: Scope::Home,
        need: Need::Election,
        ..Grant::everywhere("coordination.k8s.io", "leases", &["create"])
    },
    Grant {
        object: Object::Named(LEASE),
        scope: Scope::Home,
        need: Need::Election,
        ..Grant::everywhere("coordination.k8s.io", "leases", &["get", "update"])
    },
];

/// The grants of a process with these parts.
pub(super) fn grants(parts: &[&'static About]) -> impl Iterator<Item = &'static Grant> {
    let of_parts = parts.iter().flat_map(|part| part.grants);
    INDEX.iter().chain(of_parts).chain(METRICS).chain(ELECTION)
}

fn rules(installation: &Installation, scope: Scope) -> Vec<PolicyRule> {
    installation
        .grants()
        .filter(|grant| grant.scope == scope && (installation.metrics || grant.need != Need::Metrics))
        .map(|grant| rule(installation, grant))
        .collect()
}

pub(super) fn cluster_role(installation: &Installation) -> ClusterRole {
    ClusterRole {
        metadata: cluster_wide(installation, &role_name(installation)),
        rules: Some(rules(installation, Scope::Cluster)),
        ..ClusterRole::default()
    }
}

pub(super) fn cluster_role_binding(installation: &Installation) -> ClusterRoleBinding {
    ClusterRoleBinding {
        metadata: cluster_wide(installation, &role_name(installation)),
        role_ref: role_ref(installation, "ClusterRole"),
        subjects: Some(vec![subject(installation)]),
    }
}

pub(super) fn role(installation: &Installation) -> Role {
    Role {
        metadata: namespaced(installation, &role_name(installation)),
        rules: Some(rules(installation, Scope::Home)),
    }
}

pub(super) fn role_binding(installation: &Installation) -> RoleBinding {
    RoleBinding {
        metadata: namespaced(installation, &role_name(installation)),
        role_ref: role_ref(installation, "Role"),
        subjects: Some(vec![subject(installation)]),
    }
}

/// For an administrator to bind to a Prometheus.
pub(super) fn metrics_reader(installation: &Installation) -> ClusterRole {
    ClusterRole {
        metadata: cluster_wide(installation, &format!("{}-metrics-reader", installation.fullname)),
        rules: Some(vec![PolicyRule {
            non_resource_urls: Some(vec!["/metrics".to_owned()]),
            verbs: vec!["get".to_owned()],
            ..PolicyRule::default()
        }]),
        ..ClusterRole::default()
    }
}

/// Lets those see exceptions who may see the other objects of a namespace: Kubernetes adds it to `view`, and so to `edit` and
/// `admin`.
pub(super) fn exception_viewer(installation: &Installation) -> ClusterRole {
    let mut metadata = cluster_wide(installation, &format!("{}-exception-viewer", installation.fullname));
    let labels = metadata.labels.get_or_insert_default();
    labels.insert(
        "rbac.authorization.k8s.io/aggregate-to-view".to_owned(),
        "true".to_owned(),
    );
    ClusterRole {
        metadata,
        rules: Some(vec![on_exceptions(&["get", "list", "watch"])]),
        ..ClusterRole::default()
    }
}

/// For an administrator to bind to those who grant exceptions. No role of Kubernetes has it: who may write exceptions in a
/// namespace decides there what is enforced.
pub(super) fn exception_editor(installation: &Installation) -> ClusterRole {
    ClusterRole {
        metadata: cluster_wide(installation, &format!("{}-exception-editor", installation.fullname)),
        rules: Some(vec![on_exceptions(&[
            "create", "delete", "get", "list", "patch", "update", "watch",
        ])]),
        ..ClusterRole::default()
    }
}

fn on_exceptions(verbs: &[&str]) -> PolicyRule {
    PolicyRule {
        api_groups: Some(vec!["dorgu.io".to_owned()]),
        resources: Some(vec!["personaexceptions".to_owned()]),
        verbs: verbs.iter().map(|verb| (*verb).to_owned()).collect(),
        ..PolicyRule::default()
    }
}

/// The name in the Go operator's chart (contract 7.3).
fn role_name(installation: &Installation) -> String {
    format!("{}-manager", installation.fullname)
}

fn role_ref(installation: &Installation, kind: &str) -> RoleRef {
    RoleRef {
        api_group: GROUP.to_owned(),
        kind: kind.to_owned(),
        name: role_name(installation),
    }
}

fn subject(installation: &Installation) -> Subject {
    Subject {
        kind: "ServiceAccount".to_owned(),
        name: installation.fullname.clone(),
        namespace: Some(installation.namespace.clone()),
        api_group: None,
    }
}

/// A list or watch of one object by name must use a field selector, or it is denied.
fn rule(installation: &Installation, grant: &Grant) -> PolicyRule {
    PolicyRule {
        api_groups: Some(vec![grant.group.to_owned()]),
        resources: Some(vec![grant.resource.to_owned()]),
        resource_names: match grant.object {
            Object::Any => None,
            Object::Named(name) => Some(vec![name.to_owned()]),
            Object::WebhookConfiguration => Some(vec![installation.webhook_configuration()]),
            Object::WebhookSecret => Some(vec![installation.webhook_secret()]),
        },
        verbs: grant.verbs.iter().map(|&verb| verb.to_owned()).collect(),
        ..PolicyRule::default()
    }
}
