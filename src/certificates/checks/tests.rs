//! The advice about a foreign Secret.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::super::Settings;
use super::super::configuration::{Configuration, configurations};
use super::super::secret::Secret;
use super::*;
use crate::k8s::{Decode, Name};
use crate::server::tls::{Authority, Resolver};

const SERVER: &str = "dorgu-webhook.dorgu-system.svc";

fn authority() -> Authority {
    Authority::make("theirs", Timestamp::now(), SignedDuration::from_hours(48)).unwrap()
}

/// A Secret as `kubectl create secret tls` makes it, for this name, with this `ca.crt`.
fn secret(authority: &Authority, name: &str, ca: Option<&str>) -> Value {
    let (now, hours) = (Timestamp::now(), SignedDuration::from_hours);
    let leaf = authority
        .sign(&[name.to_owned()], now - hours(1), now + hours(24))
        .unwrap();
    let base64 = |text: &str| serde_json::to_value(k8s_openapi::ByteString(text.as_bytes().to_vec())).unwrap();
    let mut data = json!({"tls.crt": base64(&leaf.certificate), "tls.key": base64(&leaf.key)});
    if let Some(ca) = ca {
        data["ca.crt"] = base64(ca);
    }
    json!({"metadata": {"resourceVersion": "7"}, "type": "kubernetes.io/tls", "data": data})
}

/// The report about this Secret with an empty caBundle.
fn told(secret: &Value) -> String {
    told_with(secret, &json!({}))
}

fn settings() -> Settings {
    Settings {
        configuration: "dorgu".to_owned(),
        webhooks: vec!["validate-deployment.dorgu.io".to_owned()],
        secret: Some(Name {
            namespace: "dorgu-system".to_owned(),
            name: "theirs".to_owned(),
        }),
        service: "dorgu-webhook".to_owned(),
    }
}

/// The same, with these annotations on the configuration.
fn told_with(secret: &Value, annotations: &Value) -> String {
    let state = State::new(settings(), Arc::clone(&Resolver::empty()));
    let configuration = json!({
        "apiVersion": configurations().api_version(), "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "dorgu", "uid": "1", "resourceVersion": "1", "annotations": annotations},
        "webhooks": [{
            "name": "validate-deployment.dorgu.io",
            "clientConfig": {"service": {"name": "dorgu-webhook", "namespace": "dorgu-system"}},
        }],
    });
    state.see_configuration(Some(Configuration::decode(&configuration.to_string()).unwrap()));
    state.see_secret(Some(Secret::decode(&secret.to_string()).unwrap()));
    state.ca_bundle(Timestamp::now()).unwrap_err()
}

#[test]
fn entries_of_parts_are_kept_beside_the_webhooks_own() {
    let entry = |name: &str| {
        let service = json!({"name": "dorgu-webhook", "namespace": "dorgu-system"});
        json!({"name": name, "clientConfig": {"service": service}})
    };
    let names = [
        "validate-deployment.dorgu.io",
        "validate-configmap.dorgu.io",
        "else.example.com",
    ];
    let configuration = json!({
        "metadata": {"name": "dorgu", "uid": "1", "resourceVersion": "1"}, "webhooks": names.map(entry),
    });
    let entries = |of_parts: &[&str]| {
        let state = State::new(settings(), Arc::clone(&Resolver::empty()));
        state.serve_parts(of_parts.iter().map(|&name| name.to_owned()).collect());
        state.see_configuration(Some(Configuration::decode(&configuration.to_string()).unwrap()));
        let observed = state.observed.borrow();
        let seen = observed.configuration().expect("seen").expect("it exists");
        seen.entries
            .iter()
            .map(|entry| entry.webhook.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(entries(&[]), names[..1]);
    assert_eq!(entries(&names[1..2]), names[..2]);
}

#[test]
fn a_secret_without_a_ca_is_for_people_to_complete() {
    let said = told(&secret(&authority(), SERVER, None));
    assert!(
        said.contains("Secret dorgu-system/theirs is not ours and has no ca.crt: add the CA"),
        "{said}"
    );
    assert!(!said.contains("the replica that holds the Lease"), "{said}");
}

#[test]
fn a_secret_with_the_wrong_ca_is_for_people_to_mend() {
    let said = told(&secret(&authority(), SERVER, Some(authority().pem())));
    assert!(said.contains("its ca.crt has not signed its tls.crt"), "{said}");
}

#[test]
fn a_certificate_for_another_name_is_for_people_to_issue_again() {
    let ca = authority();
    for pem in [None, Some(ca.pem())] {
        let said = told(&secret(&ca, "elsewhere.example.com", pem));
        assert!(
            said.ends_with(&format!(
                "have the certificate in Secret dorgu-system/theirs issued for {SERVER}"
            )),
            "{said}"
        );
    }
}

#[test]
fn a_whole_secret_is_for_the_holder_to_make_known() {
    let ca = authority();
    let said = told(&secret(&ca, SERVER, Some(ca.pem())));
    assert!(said.contains("the replica that holds the Lease writes it"), "{said}");
}

#[test]
fn a_bundle_that_somebody_else_keeps_is_theirs_to_write() {
    let secret = secret(&authority(), SERVER, None);
    for (key, value, kept) in [
        ("cert-manager.io/inject-ca-from", "dorgu-system/dorgu", true),
        ("service.beta.openshift.io/inject-cabundle", "true", true),
        ("service.beta.openshift.io/inject-cabundle", "false", false),
    ] {
        let said = told_with(&secret, &json!({key: value}));
        assert_eq!(
            said.contains("cert-manager or OpenShift keeps its caBundle"),
            kept,
            "{said}"
        );
    }
}
