//! What processes and an API server serve after everything that is counted has happened once. The reference lists the same
//! families.

use std::collections::BTreeSet;
use std::fs;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::ensure;
use dorgu::metric::Described;
use dorgu::serve::{parts, reference::sections};
use jiff::Timestamp;
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::exposition::Exposition;
use super::{SCALE_WEBHOOK, WEBHOOK, root};
use crate::bed::{Bed, Dorgu, Needs, Options, wait_until};
use crate::https;
use crate::watched::install_crds;

/// On a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Of a process with files and one with a cluster; `None` where there can be none of the latter.
pub(super) fn ours() -> Option<&'static Exposition> {
    static OURS: OnceLock<Option<Exposition>> = OnceLock::new();
    let ours = OURS.get_or_init(|| {
        let bed = Bed::shared(Needs::ApiServer)?;
        let mut exposition = Exposition::default();
        exposition.take(&from_files());
        exposition.take(&with_an_exception());
        exposition.take(&from_cluster(bed));
        Some(exposition)
    });
    ours.as_ref()
}

/// After one review with findings and one that cannot be read.
fn from_files() -> String {
    let (runtime, examples) = (runtime(), root().join("manifests/examples"));
    let dorgu = Dorgu::with_personas(&examples, &[]);
    let (url, ca) = (dorgu.webhook_url(), dorgu.ca_pem());
    for body in [fs::read_to_string(examples.join("review.json")).unwrap().as_str(), "{}"] {
        runtime.block_on(https::post_whole(&url, &ca, body)).expect("an answer");
    }
    runtime.block_on(https::get(&dorgu.metrics_url())).expect("metrics").1
}

/// After one review with a finding that an exception covers.
fn with_an_exception() -> String {
    let folder = TempDir::new().unwrap();
    let now = Timestamp::now();
    let exception = json!({
        "apiVersion": "dorgu.io/v1", "kind": "PersonaException", "metadata": {"name": "for-now", "namespace": "shop"},
        "spec": {
            "app": "orders", "rules": ["replicas-below-minimum"], "reason": "The second zone comes in spring", "owner": "jane",
            "starts": now.to_string(), "expires": (now + Duration::from_secs(3_600)).to_string(),
        },
    });
    let examples = root().join("manifests/examples");
    fs::copy(examples.join("orders-persona.yaml"), folder.path().join("persona.yaml")).unwrap();
    fs::write(folder.path().join("exception.yaml"), exception.to_string()).unwrap();
    let dorgu = Dorgu::with_personas(folder.path(), &[]);
    let body = fs::read_to_string(examples.join("review.json")).unwrap();
    let (runtime, url, ca) = (runtime(), dorgu.webhook_url(), dorgu.ca_pem());
    runtime
        .block_on(https::post_whole(&url, &ca, &body))
        .expect("an answer");
    runtime.block_on(https::get(&dorgu.metrics_url())).expect("metrics").1
}

/// Of one that keeps its certificate in the cluster, for a registration that asks it nothing, and a persona's status.
fn from_cluster(bed: &Bed) -> String {
    install_crds(bed);
    let namespace = bed.namespace("measured", &[]);
    let configuration = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": namespace},
        "webhooks": [{
            "name": WEBHOOK, "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "failurePolicy": "Ignore", "rules": [],
            "clientConfig": {"service": {"name": "webhook", "namespace": namespace}},
        }],
    });
    bed.apply(&configuration.to_string()).expect_success();
    let persona = json!({
        "apiVersion": "dorgu.io/v1", "kind": "ApplicationPersona",
        "metadata": {"name": "orders", "namespace": namespace},
        "spec": {"name": "orders", "type": "api", "tier": "critical"},
    });
    bed.apply(&persona.to_string()).expect_success();
    let kubeconfig = bed.kubeconfig().display().to_string();
    let names = ["namespace", "webhook-config"].map(|flag| format!("--{flag}={namespace}"));
    let dorgu = Dorgu::start(&[
        "--kubeconfig",
        &kubeconfig,
        "--enable-webhook",
        "--metrics-secure=false",
        "--leader-elect=false",
        &names[0],
        &names[1],
        "--webhook-service=webhook",
        "--webhook-secret=webhook-ca",
    ]);
    let (runtime, metrics) = (runtime(), dorgu.metrics_url());
    let served = wait_until(TIMEOUT, "a certificate is trusted and a status written", || {
        let (_, served) = runtime.block_on(https::get(&metrics))?;
        for wanted in [
            "dorgu_certificate_trusted 1\n",
            "dorgu_ca_expiry_timestamp_seconds ",
            "dorgu_personas{phase=\"Pending\",tier=\"critical\"} ",
            "dorgu_reconcile_duration_seconds_count{controller=\"applicationpersona\"} ",
        ] {
            ensure!(served.contains(wanted), "no {wanted}:\n{served}");
        }
        ensure!(!served.contains("dorgu_personas{phase=\"Pending\",tier=\"critical\"} 0\n"));
        Ok(served)
    });
    let served = served.unwrap_or_else(|error| panic!("{error:#}\n{}", dorgu.lines().join("\n")));
    bed.kubectl(&["delete", "validatingwebhookconfiguration", &namespace])
        .expect_success();
    served
}

/// Of an API server that called a webhook of ours and got no answer: under one policy it admitted the Deployment, under the
/// other it refused. On a bed of its own, since others count what goes by unseen.
pub(super) fn api_servers() -> Option<Exposition> {
    let bed = Bed::start(&Options::default())?;
    let namespace = bed.namespace("unanswered", &[]);
    let register = |policy: &str| {
        let entry = |name: &str| {
            json!({
                "name": name, "sideEffects": "None", "admissionReviewVersions": ["v1"], "failurePolicy": policy,
                // Nothing listens there.
                "clientConfig": {"url": "https://127.0.0.1:1/validate-deployment"},
                "rules": [{
                    "apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"], "operations": ["CREATE"],
                }],
            })
        };
        let configuration = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "unanswered"}, "webhooks": [entry(WEBHOOK), entry(SCALE_WEBHOOK)],
        });
        bed.apply(&configuration.to_string()).expect_success();
    };
    let create = || {
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": namespace},
            "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "example.com/web:1"}]},
            }},
        });
        bed.kubectl_in(&["create", "--dry-run=server", "-f", "-"], &deployment.to_string())
    };
    let metrics = || bed.kubectl(&["get", "--raw", "/metrics"]).expect_success();
    register("Ignore");
    let counted = wait_until(TIMEOUT, "a failure to ask is counted", || {
        create().checked()?;
        let metrics = metrics();
        for name in [WEBHOOK, SCALE_WEBHOOK] {
            ensure!(metrics.contains(&format!("fail_open_count{{name=\"{name}\"")), "{name}");
        }
        Ok(())
    });
    counted.unwrap_or_else(|error| panic!("{error:#}"));
    register("Fail");
    let refused = wait_until(TIMEOUT, "the other policy is in force", || {
        ensure!(!create().succeeded());
        Ok(())
    });
    refused.unwrap_or_else(|error| panic!("{error:#}"));
    let mut exposition = Exposition::default();
    exposition.take(&metrics());
    Some(exposition)
}

/// Every family of the reference.
pub(super) fn described() -> Vec<&'static Described> {
    sections(parts::ALL)
        .into_iter()
        .flat_map(|section| section.families)
        .collect()
}

#[test]
fn every_family_of_the_reference_is_served_and_every_family_served_is_in_it() {
    let Some(ours) = ours() else { return };
    let described = described();
    let named: BTreeSet<String> = described.iter().map(|family| family.family()).collect();
    assert_eq!(named.len(), described.len(), "a family is described twice");
    let served: BTreeSet<String> = ours.families.keys().cloned().collect();
    assert_eq!(named, served, "the reference on the left, what is served on the right");
    for family in described {
        let (name, told) = (family.family(), &ours.families[&family.family()]);
        assert_eq!(told.of_type, family.of_type.as_str(), "{name}");
        assert_eq!(told.unit, family.unit.map_or("", |unit| unit.as_str()), "{name}");
        assert_eq!(told.help.trim_end_matches('.'), family.help, "{name}");
        for series in family.series() {
            let labels = ours
                .series
                .get(&series)
                .unwrap_or_else(|| panic!("nobody serves {series}"));
            let seen: BTreeSet<&str> = labels
                .keys()
                .map(String::as_str)
                .filter(|label| *label != "le")
                .collect();
            let wanted: BTreeSet<&str> = family.labels.iter().map(|label| label.name).collect();
            assert_eq!(seen, wanted, "labels of {series}: served on the left");
            for label in family.labels {
                let values = (label.values)();
                for value in &labels[label.name] {
                    let known = values.is_empty() || values.contains(&value.as_str());
                    assert!(known, "{series}: {}=\"{value}\" is not in {values:?}", label.name);
                }
            }
        }
    }
}

#[test]
fn no_label_has_more_values_than_a_person_would_list() {
    for family in described() {
        let values = family.labels.iter().map(|label| (label.values)().len().max(1));
        let series: usize = values.product();
        assert!(series <= 150, "{}: {series} series a pod", family.family());
    }
}
