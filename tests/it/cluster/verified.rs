//! Only API servers may call: a client with the right certificate gets an answer, and no other client.

use std::fs;
use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use super::{compliant, persona};
use crate::bed::{Bed, Dorgu, Options, Output, Registration};

/// The file names of an authority and of what it signed for API servers.
const FILES: [&str; 3] = ["ca.crt", "client.crt", "client.key"];
const NAME: &str = "kube-apiserver";

/// Writes an authority, a certificate of its for an API server, and the configuration that makes one present it.
fn present(folder: &Path) -> String {
    let (ca_key, key) = (rcgen::KeyPair::generate().unwrap(), rcgen::KeyPair::generate().unwrap());
    let mut authority = rcgen::CertificateParams::default();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = authority.self_signed(&ca_key).unwrap();
    let mut client = rcgen::CertificateParams::default();
    client.distinguished_name.push(rcgen::DnType::CommonName, NAME);
    client.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let client = client.signed_by(&key, &rcgen::Issuer::new(authority, ca_key)).unwrap();
    let texts = [ca.pem(), client.pem(), key.serialize_pem()];
    for (file, text) in FILES.iter().zip(texts) {
        fs::write(folder.join(file), text).unwrap();
    }
    let user = json!({"client-certificate": folder.join(FILES[1]), "client-key": folder.join(FILES[2])});
    let kubeconfig = json!({"apiVersion": "v1", "kind": "Config", "users": [{"name": "*", "user": user}]});
    fs::write(folder.join("webhooks.kubeconfig"), kubeconfig.to_string()).unwrap();
    let configuration = json!({
        "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AdmissionConfiguration",
        "plugins": [{"name": "ValidatingAdmissionWebhook", "configuration": {
            "apiVersion": "apiserver.config.k8s.io/v1", "kind": "WebhookAdmissionConfiguration",
            "kubeConfigFile": folder.join("webhooks.kubeconfig"),
        }}],
    });
    let file = folder.join("admission.yaml");
    fs::write(&file, configuration.to_string()).unwrap();
    file.display().to_string()
}

/// A Deployment with too few replicas, asked for where this process is registered.
fn breach(bed: &Bed, dorgu: &Dorgu, namespace: &str) -> Output {
    bed.register(&Registration::of(dorgu, namespace));
    let mut breach = compliant(namespace);
    breach["spec"]["replicas"] = json!(1);
    bed.kubectl_in(&["create", "--dry-run=server", "-f", "-"], &breach.to_string())
}

#[test]
fn an_api_server_with_the_right_certificate_is_answered_and_nobody_else() {
    let folder = TempDir::new().unwrap();
    let flag = format!("--admission-control-config-file={}", present(folder.path()));
    let options = Options {
        api_server_flags: vec![flag],
        ..Options::default()
    };
    let Some(bed) = Bed::start(&options) else { return };
    let namespace = bed.namespace("verified", &[("dorgu.io/validate", "true")]);
    let personas = TempDir::new().unwrap();
    fs::write(personas.path().join("orders.yaml"), persona(&namespace).to_string()).unwrap();
    let ca = folder.path().join(FILES[0]).display().to_string();
    let only = |name| {
        Dorgu::with_personas(
            personas.path(),
            &["--client-ca-file", &ca, "--client-allowed-names", name],
        )
    };
    let unanswered = || bed.metric("apiserver_admission_webhook_fail_open_count");

    let dorgu = only(NAME);
    let asked = breach(&bed, &dorgu, &namespace);
    assert_eq!(asked.warnings(), ["replicas (1) below persona minimum (2)"], "{asked}");
    assert!(unanswered() < 1.0);

    // Any other client that reaches the port fails in the handshake.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let uninvited = runtime.block_on(crate::https::post_whole(&dorgu.webhook_url(), &dorgu.ca_pem(), "{}"));
    assert!(uninvited.is_err(), "{uninvited:?}");

    // The same authority, another name: the list of names is what counts.
    let another = only("somebody-else");
    let asked = breach(&bed, &another, &namespace);
    assert!(
        asked.succeeded() && asked.warnings().is_empty(),
        "it is not let in: {asked}"
    );
    assert!(unanswered() > 0.0, "and it was not for want of a registration");
}
