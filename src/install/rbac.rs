//! What the process may do, one line a grant.
//!
//! Exactly what it does: `tests/it/installed/rights.rs` compares these lines with an API server's audit log, and an unused
//! verb fails it like a missing one. Watchers list and watch, never get.

use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject};

use super::Installation;
use super::metadata::{cluster_wide, namespaced};
use crate::api::names::LEASE;

const GROUP: &str = "rbac.authorization.k8s.io";

fn everywhere(installation: &Installation) -> Vec<PolicyRule> {
    let mut rules = vec![
        // The index: personas, the namespaces' modes, the Deployments behind a Scale.
        rule("dorgu.io", "applicationpersonas", &["list", "watch"]),
        rule("", "namespaces", &["list", "watch"]),
        rule("apps", "deployments", &["list", "watch"]),
        // The caBundle of the one configuration. Never created: deleting it is the emergency stop.
        named(
            &installation.webhook_configuration(),
            rule(
                "admissionregistration.k8s.io",
                "validatingwebhookconfigurations",
                &["list", "patch", "watch"],
            ),
        ),
        // Status, and Events about it.
        rule("dorgu.io", "applicationpersonas/status", &["patch"]),
        rule("events.k8s.io", "events", &["create", "patch"]),
        // What the status of a ClusterPersona is made of, and that status.
        rule("dorgu.io", "clusterpersonas", &["list", "watch"]),
        rule("dorgu.io", "clusterpersonas/status", &["patch"]),
        rule("", "nodes", &["list", "watch"]),
        rule("", "pods", &["list"]),
    ];
    if installation.metrics {
        // Who may read them is for the API server to say.
        rules.push(rule("authentication.k8s.io", "tokenreviews", &["create"]));
        rules.push(rule("authorization.k8s.io", "subjectaccessreviews", &["create"]));
    }
    rules
}

fn at_home(installation: &Installation) -> Vec<PolicyRule> {
    vec![
        // Our certificates and nobody else's Secret. Server-side apply asks for `create` under the object's name, so
        // even that is limited to it.
        named(
            &installation.webhook_secret(),
            rule("", "secrets", &["create", "list", "patch", "watch"]),
        ),
        // A create carries its name in the body, where authorization does not look.
        rule("coordination.k8s.io", "leases", &["create"]),
        named(LEASE, rule("coordination.k8s.io", "leases", &["get", "update"])),
    ]
}

pub(super) fn cluster_role(installation: &Installation) -> ClusterRole {
    ClusterRole {
        metadata: cluster_wide(installation, &role_name(installation)),
        rules: Some(everywhere(installation)),
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
        rules: Some(at_home(installation)),
    }
}

pub(super) fn role_binding(installation: &Installation) -> RoleBinding {
    RoleBinding {
        metadata: namespaced(installation, &role_name(installation)),
        role_ref: role_ref(installation, "Role"),
        subjects: Some(vec![subject(installation)]),
    }
}

/// To be bound to a Prometheus by whoever runs one.
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

/// The Go operator's chart calls it so (contract 7.3).
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

fn rule(group: &str, resource: &str, verbs: &[&str]) -> PolicyRule {
    PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(vec![resource.to_owned()]),
        verbs: verbs.iter().map(|&verb| verb.to_owned()).collect(),
        ..PolicyRule::default()
    }
}

/// Only for the object of this name. A list or watch has to ask for it with a field selector, or it is refused.
fn named(name: &str, rule: PolicyRule) -> PolicyRule {
    PolicyRule {
        resource_names: Some(vec![name.to_owned()]),
        ..rule
    }
}
