//! A table of checks: one thing is broken in a healthy installation, and exactly that is reported.

mod certificates;
mod installation;
mod promotion;
mod registration;
mod setup;
mod written;

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use serde_json::{Value, json};

use super::checks::{Call, Check, View};
use super::commands::Commands;
use super::facts::{Facts, Fetched, LeaseSample, Namespace, SecretFacts, Unavailable};
use super::report::{Report, Status};
use super::run::Examination;
use super::setup::{Setup, Wanted};
use crate::api::{ApplicationPersona, crds};
use crate::certificates::Inspected;
use crate::install::Installation;
use crate::policy::{Persona, PlatformRules};
use crate::runtime::About;
use crate::server::tls::Authority;

const NAMESPACE: &str = "dorgu-system";
const SERVER_NAME: &str = "dorgu-operator-webhook.dorgu-system.svc";

fn at(time: &str) -> Timestamp {
    time.parse().expect("a time")
}

fn now() -> Timestamp {
    at("2026-03-01T12:00:00Z")
}

fn authority() -> Authority {
    Authority::make("a CA", now(), jiff::SignedDuration::from_hours(24 * 300)).expect("a CA")
}

/// Our Secret, with a leaf for this name and time, signed by this CA.
fn secret(authority: &Authority, name: &str, from: &str, until: &str) -> Value {
    let leaf = authority.sign(&[name.to_owned()], at(from), at(until)).expect("a leaf");
    let text = |text: &str| json!(ByteString(text.as_bytes().to_vec()));
    json!({
        "metadata": {"name": "dorgu-operator-webhook-ca", "labels": {"app.kubernetes.io/managed-by": "dorgu"}},
        "type": "Opaque",
        "data": {
            "ca.crt": text(authority.pem()),
            "ca.key": text(&authority.key_pem()),
            "tls.crt": text(&leaf.certificate),
            "tls.key": text(&leaf.key),
        },
    })
}

/// The same, written by another writer.
fn foreign(mut secret: Value) -> Value {
    secret["metadata"]["labels"] = json!({});
    secret["type"] = json!("kubernetes.io/tls");
    secret["data"].as_object_mut().expect("data").remove("ca.key");
    secret
}

fn held(secret: &Value) -> Fetched<SecretFacts> {
    Fetched::Here(SecretFacts {
        inspected: Inspected::read(&secret.to_string()).expect("a Secret"),
        by_cert_manager: false,
    })
}

fn typed<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("the type's JSON")
}

fn namespace(name: &str, labels: &[(&str, &str)]) -> Namespace {
    let own = ("kubernetes.io/metadata.name", name);
    let labels = labels.iter().copied().chain([own]);
    Namespace {
        name: name.to_owned(),
        labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        ..Namespace::default()
    }
}

fn persona(namespace: &str, spec: Value) -> Persona {
    let object: ApplicationPersona = typed(json!({
        "apiVersion": "dorgu.io/v1", "kind": "ApplicationPersona",
        "metadata": {"name": "orders", "namespace": namespace},
        "spec": spec,
    }));
    Persona::parse(&object)
}

/// The parts of the shipped process.
fn parts() -> Vec<&'static About> {
    crate::serve::parts::declared().collect()
}

/// The facts of a healthy installation.
struct Clinic {
    wanted: Wanted,
    facts: Facts,
    commands: Commands,
}

impl Clinic {
    fn new() -> Clinic {
        let objects = Installation::of(crate::serve::parts::declared()).objects();
        let authority = authority();
        let secret = secret(&authority, SERVER_NAME, "2026-02-27T00:00:00Z", "2026-03-06T00:00:00Z");
        let mut configuration = objects.validating_webhook;
        for entry in configuration.webhooks.iter_mut().flatten() {
            entry.client_config.ca_bundle = Some(ByteString(authority.pem().as_bytes().to_vec()));
        }
        let mut deployment = objects.deployment;
        deployment.status = Some(typed(
            json!({"replicas": 2, "availableReplicas": 2, "updatedReplicas": 2}),
        ));
        let definitions = crds().into_iter().map(|definition| {
            let name = definition.metadata.name.clone().expect("a name");
            (name, Fetched::Here(serde_json::to_value(definition).expect("JSON")))
        });
        let demands = json!({"name": "orders", "type": "api", "policies": {"security": {"runAsNonRoot": true}}});
        Clinic {
            commands: Commands::default(),
            wanted: Wanted {
                namespace: NAMESPACE.to_owned(),
                name: "dorgu-operator".to_owned(),
                ..Wanted::default()
            },
            facts: Facts {
                version: "v1.33.1".to_owned(),
                now: now(),
                ahead: Some(jiff::SignedDuration::from_millis(300)),
                definitions: definitions.collect(),
                deployment: Fetched::Here(deployment),
                service: Fetched::Here(objects.webhook_service),
                slices: Fetched::Here(vec![typed(json!({
                    "addressType": "IPv4", "metadata": {},
                    "endpoints": [
                        {"addresses": ["10.0.0.1"], "conditions": {"ready": true}},
                        {"addresses": ["10.0.0.2"], "conditions": {"ready": false}},
                    ],
                }))]),
                policies: Fetched::Here(Vec::new()),
                configuration: Fetched::Here(configuration),
                secret: held(&secret),
                lease: Fetched::Here(sample("a_1", "2026-03-01T11:59:58Z", false)),
                namespaces: Fetched::Here(vec![
                    namespace("default", &[]),
                    namespace("shop", &[("dorgu.io/validate", "true")]),
                ]),
                personas: Fetched::Here(vec![persona("shop", demands)]),
                platform: Fetched::Here(PlatformRules::NONE),
                readiness: BTreeMap::new(),
                missing_rights: Fetched::Here(Vec::new()),
            },
        }
    }

    fn with(change: impl FnOnce(&mut Clinic)) -> Clinic {
        let mut clinic = Clinic::new();
        change(&mut clinic);
        clinic
    }

    /// The entry of the webhook configuration for workloads, changed as JSON.
    fn entry(&mut self, change: impl FnOnce(&mut Value)) {
        self.entries(|entries| change(&mut entries[0]));
    }

    /// All entries of the webhook configuration.
    fn entries(&mut self, change: impl FnOnce(&mut Vec<Value>)) {
        edit(&mut self.facts.configuration, |object| {
            change(object["webhooks"].as_array_mut().expect("entries"));
        });
    }

    fn setup(&self) -> Setup {
        Setup::read(&self.wanted, &parts(), self.facts.deployment.here())
    }

    fn view<T>(&self, look: impl FnOnce(&View<'_>) -> T) -> T {
        look(&View {
            facts: &self.facts,
            setup: &self.setup(),
            commands: &self.commands,
        })
    }

    fn report(&self) -> Report {
        let examination = Examination {
            wanted: self.wanted.clone(),
            ..Examination::default()
        };
        self.view(|view| examination.judged(view))
    }

    /// Exactly this check ends with this status and contains these words. All others pass or are skipped.
    #[track_caller]
    fn tells(&self, check: Check, status: Status, words: &[&str]) {
        let report = self.report();
        let told: Vec<(&str, Status)> = report
            .checks
            .iter()
            .filter(|line| !matches!(line.status, Status::Ok | Status::Skip))
            .map(|line| (line.check, line.status))
            .collect();
        assert_eq!(told, [(check.name(), status)], "{}", report.text());
        let line = report.checks.iter().find(|line| line.check == check.name());
        for finding in &line.expect("the check").findings {
            assert!(!finding.cause.is_empty() && !finding.cure.is_empty(), "{finding:?}");
        }
        let text = report.text();
        for word in words {
            assert!(text.contains(word), "no '{word}' in\n{text}");
        }
    }

    /// This check is skipped for this reason, and nothing is found.
    #[track_caller]
    fn skips(&self, check: Check, reason: &str) {
        let report = self.report();
        let line = report.checks.iter().find(|line| line.check == check.name());
        let line = line.expect("the check");
        assert_eq!(line.status, Status::Skip, "{}", report.text());
        assert!(line.seen.contains(reason), "no '{reason}' in '{}'", line.seen);
    }
}

fn edit<T: serde::Serialize + serde::de::DeserializeOwned>(seen: &mut Fetched<T>, change: impl FnOnce(&mut Value)) {
    let mut object = serde_json::to_value(seen.here().expect("it is there")).expect("JSON");
    change(&mut object);
    *seen = Fetched::Here(typed(object));
}

fn sample(holder: &str, renewed: &str, renewed_meanwhile: bool) -> LeaseSample {
    let micro = renewed.replace('Z', ".000000Z");
    LeaseSample {
        spec: typed(json!({"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": micro})),
        renewed_meanwhile,
        at: now(),
    }
}

fn forbidden<T>(reason: &str) -> Fetched<T> {
    Fetched::Unavailable(Unavailable {
        reason: reason.to_owned(),
        forbidden: true,
    })
}

#[test]
fn an_installation_that_is_well_has_no_finding_and_no_check_is_skipped() {
    let report = Clinic::new().report();
    let well = report.checks.iter().all(|line| line.status == Status::Ok);
    assert!(well && report.is_clean() && !report.incomplete, "{}", report.text());
    assert_eq!(report.checks.len() + 1, Check::ALL.len(), "all but the experiment");
}

#[test]
fn names_of_checks_are_their_own_and_found_again() {
    for check in Check::ALL {
        assert_eq!(Check::named(check.name()), Some(*check));
    }
    assert_eq!(Check::named("Clock"), None);
}

#[test]
fn what_may_not_be_read_is_skipped_with_the_reason_and_is_no_failure() {
    let clinic = Clinic::with(|clinic| {
        clinic.facts.namespaces = forbidden("you may not read namespaces");
        clinic.facts.secret = forbidden("you may not read secrets x");
        clinic.facts.missing_rights = forbidden("you may not ask what the account may do");
    });
    for check in [Check::OptIn, Check::OptInExcluded, Check::Modes, Check::Personas] {
        clinic.skips(check, "you may not read namespaces");
    }
    for check in [Check::CertificateSecret, Check::Certificate, Check::CaTrust] {
        clinic.skips(check, "you may not read secrets x");
    }
    clinic.skips(Check::Rights, "you may not ask");
    let report = clinic.report();
    assert!(report.is_clean() && !report.incomplete);
}

#[test]
fn a_report_without_what_all_rests_on_is_incomplete_whoever_kept_it_away() {
    let clinic = Clinic::with(|clinic| clinic.facts.deployment = forbidden("you may not read deployments"));
    clinic.skips(Check::Deployment, "you may not read deployments");
    assert!(clinic.report().incomplete);
}

#[test]
fn what_could_not_be_read_although_it_may_leaves_the_report_incomplete() {
    let clinic = Clinic::with(|clinic| {
        clinic.facts.service = Fetched::Unavailable(Unavailable {
            reason: "cannot read services".to_owned(),
            forbidden: false,
        });
    });
    clinic.skips(Check::Service, "cannot read services");
    assert!(clinic.report().incomplete);
}
