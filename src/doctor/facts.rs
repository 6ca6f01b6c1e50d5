//! Defines the facts that `observe` collects. A fact is there, is absent, or is unavailable for a reason. Personas are
//! parsed; of a Secret nothing private is kept.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde_json::Value;

use super::rights::Right;
use crate::certificates::Inspected;
use crate::policy::{Persona, PlatformRules};

/// The outcome of a request.
#[derive(Clone, Debug)]
pub enum Fetched<T> {
    /// The object.
    Here(T),
    /// It does not exist.
    Absent,
    /// Unknown.
    Unavailable(Unavailable),
}

/// Why something could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable {
    /// In one line.
    pub reason: String,
    /// Whether the user lacks the right to read it, which is no failure.
    pub forbidden: bool,
}

impl<T> Fetched<T> {
    /// The object, if it exists.
    pub fn here(&self) -> Option<&T> {
        match self {
            Fetched::Here(seen) => Some(seen),
            Fetched::Absent | Fetched::Unavailable(_) => None,
        }
    }
}

/// The input of all checks, except for the answer to the canary, which is sent after them.
#[derive(Clone, Debug)]
pub struct Facts {
    /// `gitVersion` of the API server.
    pub version: String,
    /// The API server's time, by which certificates are judged.
    pub now: Timestamp,
    /// How far our own clock is ahead of it; `None` when the API server does not report its time.
    pub ahead: Option<SignedDuration>,
    /// Each CustomResourceDefinition of ours by its name.
    pub definitions: Vec<(String, Fetched<Value>)>,
    /// The process.
    pub deployment: Fetched<Deployment>,
    /// The Service in front of the webhook.
    pub service: Fetched<Service>,
    /// The endpoints of that Service.
    pub slices: Fetched<Vec<EndpointSlice>>,
    /// All NetworkPolicies in the namespace of the installation.
    pub policies: Fetched<Vec<NetworkPolicy>>,
    /// The webhook configuration.
    pub configuration: Fetched<ValidatingWebhookConfiguration>,
    /// The Secret with the certificate.
    pub secret: Fetched<SecretFacts>,
    /// The Lease.
    pub lease: Fetched<LeaseSample>,
    /// All namespaces.
    pub namespaces: Fetched<Vec<Namespace>>,
    /// All personas.
    pub personas: Fetched<Vec<Persona>>,
    /// What all ClusterPersonas require together.
    pub platform: Fetched<PlatformRules>,
    /// The condition `ReadyToEnforce` of personas by namespace and name, where they have it.
    pub readiness: BTreeMap<(String, String), Readiness>,
    /// The rights that the process needs and its account lacks.
    pub missing_rights: Fetched<Vec<Right>>,
}

/// What a persona's condition `ReadyToEnforce` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It could be enforced.
    Ready,
    /// It has no Deployment.
    Idle,
    /// It could not, or it is unknown.
    Waiting,
}

/// A Secret without its private parts.
#[derive(Clone, Debug)]
pub struct SecretFacts {
    /// Its content.
    pub inspected: Inspected,
    /// Whether cert-manager writes it.
    pub by_cert_manager: bool,
}

/// The Lease, read once, or twice where the first read was inconclusive.
#[derive(Clone, Debug)]
pub struct LeaseSample {
    /// Its spec at the last read.
    pub spec: LeaseSpec,
    /// Whether it was renewed between two reads. Then its holder is alive, whatever its times say.
    pub renewed_meanwhile: bool,
    /// The API server's time of the last read.
    pub at: Timestamp,
}

/// The parts of a namespace that matter here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotation `dorgu.io/mode`, which has no effect: the label counts.
    pub misplaced_mode: Option<String>,
    /// Whether it is being deleted, so that nothing can be fixed there.
    pub terminating: bool,
}
