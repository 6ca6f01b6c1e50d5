//! The process as a release starts it: its arguments, environment, account and rights. No step is added except those in the
//! notes, and those of cert-manager or a user who manages the certificate.

use anyhow::ensure;
use serde_json::json;

use super::accepted::install_neighbours;
use super::{NAMESPACE, RELEASE, TIMEOUT, chart, manifests};
use crate::bed::{Addresses, Bed, Helm, Options, Pod, Service, may_play_node, wait_until};

const SERVICE: &str = "dorgu-operator-webhook";
const ACCOUNT: &str = "system:serviceaccount:dorgu-system:dorgu-operator";

/// A release with a pod behind its Service.
struct Running {
    // Dropped in this order: pods before the API server that they would miss.
    pod: Pod,
    _service: Option<Service>,
    notes: String,
    bed: Bed,
}

impl Running {
    /// `None` where this machine cannot run pods. `keep_certificate` runs before the release is installed, or nothing would
    /// become ready.
    fn start(values: &str, keep_certificate: impl FnOnce(&Bed)) -> Option<Self> {
        may_play_node()?;
        let helm = Helm::find()?;
        let bed = Bed::start(&Options::default())?;
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
        bed.apply(&namespace.to_string()).expect_success();
        keep_certificate(&bed);
        let chart = chart().display().to_string();
        let install = ["install", RELEASE, &chart, "--namespace", NAMESPACE, "--set", values];
        let notes = helm.on(&bed).run(&install).expect_success();
        let bound = wait_until(TIMEOUT, "the account may do what its roles say", || {
            let question = ["auth", "can-i", "watch", "deployments", "-A", "--as", ACCOUNT];
            bed.kubectl(&question).checked()
        });
        bound.unwrap_or_else(|error| panic!("{error:#}"));
        let is_served = bed.kubectl(&["get", "service", SERVICE, "-n", NAMESPACE]).succeeded();
        let service = is_served.then(|| Service::of(&bed, NAMESPACE, SERVICE));
        let pod = Pod::of(&bed, NAMESPACE, RELEASE, Addresses::OfItsOwn);
        if let Some(service) = &service {
            service.send_to(&pod);
        }
        pod.until_ready();
        Some(Self {
            pod,
            _service: service,
            notes,
            bed,
        })
    }

    /// Waits until kubectl prints this.
    fn until_printed(&self, args: &[&str], wanted: &str) {
        let printed = wait_until(TIMEOUT, &format!("'{wanted}' is printed"), || {
            let printed = self.bed.kubectl(args).checked()?;
            ensure!(printed == wanted, "'{printed}' is");
            Ok(())
        });
        printed.unwrap_or_else(|error| panic!("{error:#}\n{}", self.pod.process().lines().join("\n")));
    }

    /// Types in the two commands at the end of the notes, the second until `words` are in its answer.
    fn until_it_works(&self, words: &str) {
        let mut lines = self.notes.trim_end().lines().rev();
        let (second, first) = (lines.next().expect("a line"), lines.next().expect("a line"));
        let created = wait_until(TIMEOUT, "personas are served", || self.bed.shell(first).checked());
        created.unwrap_or_else(|error| panic!("{error:#}"));
        let told = wait_until(TIMEOUT, "the answer is as the notes say", || {
            let answer = self.bed.shell(second).to_string();
            ensure!(answer.contains(words), "{answer}");
            Ok(())
        });
        told.unwrap_or_else(|error| panic!("{error:#}\n{}", self.pod.process().lines().join("\n")));
    }
}

#[test]
fn the_notes_prove_that_it_works_with_no_step_in_between() {
    let Some(running) = Running::start("webhook.enabled=true", |_| {}) else {
        return;
    };
    running.until_it_works("Warning: replicas (1) below persona minimum (2)");
}

#[test]
fn in_enforcing_mode_the_same_commands_are_refused() {
    let Some(running) = Running::start("webhook.enabled=true,webhook.mode=enforcing", |_| {}) else {
        return;
    };
    running.until_it_works("Deployment violates ApplicationPersona 'trial': replicas (1) below persona minimum (2)");
}

#[test]
fn a_certificate_of_cert_managers_is_served_and_trusted_with_the_right_to_read_alone() {
    let keep = |bed: &Bed| {
        install_neighbours(bed);
        bed.apply(&certificate("dorgu-operator-webhook-tls")).expect_success();
    };
    let Some(running) = Running::start("webhook.enabled=true,webhook.certManager.enabled=true", keep) else {
        return;
    };
    running.until_it_works("Warning: replicas (1) below persona minimum (2)");
}

#[test]
fn a_secret_of_the_users_is_served_and_trusted() {
    let keep = |bed: &Bed| {
        bed.apply(&certificate("mine")).expect_success();
    };
    let Some(running) = Running::start("webhook.enabled=true,webhook.existingSecret=mine", keep) else {
        return;
    };
    running.until_it_works("Warning: replicas (1) below persona minimum (2)");
}

#[test]
fn by_default_there_is_no_webhook_and_status_is_kept() {
    let Some(running) = Running::start("webhook.enabled=false", |_| {}) else {
        return;
    };
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    running.bed.apply(&namespace.to_string()).expect_success();
    let persona = std::fs::read_to_string(manifests().join("examples/orders-persona.yaml")).unwrap();
    running.bed.apply(&persona).expect_success();
    let phase = ["get", "persona", "orders", "-n", "shop", "-o=jsonpath={.status.phase}"];
    running.until_printed(&phase, "Pending");
}

#[test]
fn the_first_cluster_persona_is_made_where_that_is_asked_for() {
    let Some(running) = Running::start("clusterPersona.autoCreate=true", |_| {}) else {
        return;
    };
    let name = ["get", "clusterpersonas", "-o=jsonpath={.items[*].metadata.name}"];
    running.until_printed(&name, "dorgu-cluster");
}

/// A Secret as cert-manager writes it, with a leaf for our Service by a CA of its own.
fn certificate(name: &str) -> String {
    let (ca_key, key) = (rcgen::KeyPair::generate().unwrap(), rcgen::KeyPair::generate().unwrap());
    let mut authority = rcgen::CertificateParams::default();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    authority
        .distinguished_name
        .push(rcgen::DnType::CommonName, "of the test");
    let ca = authority.self_signed(&ca_key).unwrap();
    let leaf = rcgen::CertificateParams::new([format!("{SERVICE}.{NAMESPACE}.svc")]).unwrap();
    let leaf = leaf.signed_by(&key, &rcgen::Issuer::new(authority, ca_key)).unwrap();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "stringData": {"ca.crt": ca.pem(), "tls.crt": leaf.pem(), "tls.key": key.serialize_pem()},
    });
    secret.to_string()
}
