//! What was seen of a cluster: objects as they are stored, or why they were not seen.

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
use crate::policy::Persona;

/// What came of looking at something.
#[derive(Clone, Debug)]
pub enum Fetched<T> {
    /// It is this.
    Here(T),
    /// It does not exist.
    Absent,
    /// Nobody knows.
    Unavailable(Unavailable),
}

/// Why something was not seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable {
    /// In one line.
    pub reason: String,
    /// Whoever asked has no right to look, which is nobody's failure.
    pub forbidden: bool,
}

impl<T> Fetched<T> {
    /// It, if it is there.
    pub fn here(&self) -> Option<&T> {
        match self {
            Fetched::Here(seen) => Some(seen),
            Fetched::Absent | Fetched::Unavailable(_) => None,
        }
    }
}

/// Everything that checks are made of, but the answer to the canary, which is sent after them.
#[derive(Clone, Debug)]
pub struct Facts {
    /// `gitVersion` of the API server.
    pub version: String,
    /// The time by the API server's clock: certificates are valid, or not, by that.
    pub now: Timestamp,
    /// How far our own clock is ahead of it; absent when it does not tell the time.
    pub ahead: Option<SignedDuration>,
    /// Each CustomResourceDefinition of ours by its name.
    pub definitions: Vec<(String, Fetched<Value>)>,
    /// The process.
    pub deployment: Fetched<Deployment>,
    /// In front of the webhook.
    pub service: Fetched<Service>,
    /// Behind that Service.
    pub slices: Fetched<Vec<EndpointSlice>>,
    /// All in the namespace of the installation.
    pub policies: Fetched<Vec<NetworkPolicy>>,
    /// What an API server sends.
    pub configuration: Fetched<ValidatingWebhookConfiguration>,
    /// The certificate.
    pub secret: Fetched<SecretFacts>,
    /// Who writes.
    pub lease: Fetched<LeaseSample>,
    /// All of them.
    pub namespaces: Fetched<Vec<Namespace>>,
    /// All of them.
    pub personas: Fetched<Vec<Persona>>,
    /// The rights among those that the process needs that its account lacks.
    pub missing_rights: Fetched<Vec<Right>>,
}

/// A Secret, without what is private in it.
#[derive(Clone, Debug)]
pub struct SecretFacts {
    /// What it holds.
    pub inspected: Inspected,
    /// cert-manager writes it.
    pub by_cert_manager: bool,
}

/// The Lease, looked at once, or twice where the first look left doubts.
#[derive(Clone, Debug)]
pub struct LeaseSample {
    /// As it was at the last look.
    pub spec: LeaseSpec,
    /// It was renewed between two looks, so its holder lives, whatever the times in it say.
    pub renewed_meanwhile: bool,
    /// When it was looked at last, by the API server's clock.
    pub at: Timestamp,
}

/// A namespace, as far as it matters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// It is being deleted, so nothing can be mended there.
    pub terminating: bool,
}
