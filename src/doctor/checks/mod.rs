//! The checks: their names, their order, and the function of each. One file a family.
//!
//! A check says one thing. Where what it needs is missing, another check says that, and this one is skipped: one cause, one
//! finding.

mod call;
mod certificate;
mod cluster;
mod definitions;
mod namespaces;
mod process;
mod registration;
mod serving;

use std::collections::BTreeMap;

use k8s_openapi::api::admissionregistration::v1::ValidatingWebhook;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt};

use super::commands::Commands;
use super::facts::{Facts, Fetched};
use super::finding::{NotOk, Outcome, skip};
use super::setup::Setup;

pub(super) use call::Call;
pub(super) use registration::shipped;

macro_rules! checks {
    ($($(#[$doc:meta])+ $variant:ident => $name:literal, $function:path;)+) => {
        /// A check. Its name never changes: people exclude by it, and docs/doctor.md has a section for each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Check {
            $($(#[$doc])+ $variant,)+
            /// An API server really asks us.
            WebhookCall,
        }

        impl Check {
            /// Every check, in the order in which they are told: what others rest on comes first.
            pub const ALL: &[Check] = &[$(Check::$variant,)+ Check::WebhookCall];

            /// The name by which it is told, excluded and explained.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Check::$variant => $name,)+
                    Check::WebhookCall => "webhook-call",
                }
            }

            /// What it says of these facts; the last one takes an experiment and is not made of facts.
            pub(super) fn look(self, view: &View<'_>) -> Option<Outcome> {
                match self {
                    $(Check::$variant => Some($function(view)),)+
                    Check::WebhookCall => None,
                }
            }
        }
    };
}

checks! {
    /// A Kubernetes that is new enough.
    ApiServer => "api-server", cluster::api_server;
    /// Clocks agree.
    Clock => "clock", cluster::clock;
    /// Our CustomResourceDefinitions are there and as this program knows them.
    Definitions => "crds", definitions::definitions;
    /// The process runs.
    Deployment => "deployment", process::deployment;
    /// Somebody writes.
    Lease => "lease", process::lease;
    /// The account may do what the process does.
    Rights => "rights", process::rights;
    /// The Service leads to the process.
    Service => "service", serving::service;
    /// A pod is ready behind it.
    Endpoints => "endpoints", serving::endpoints;
    /// No NetworkPolicy keeps API servers out.
    NetworkPolicy => "network-policy", serving::network_policy;
    /// The ValidatingWebhookConfiguration is there, with one entry of ours.
    Configuration => "webhook-configuration", registration::configuration;
    /// It calls our Service.
    ClientConfig => "client-config", registration::client_config;
    /// Our failures block nobody.
    FailurePolicy => "failure-policy", registration::failure_policy;
    /// How long an API server waits.
    Timeout => "timeout", registration::timeout;
    /// What is sent.
    Rules => "rules", registration::rules;
    /// From which namespaces.
    NamespaceSelector => "namespace-selector", registration::namespace_selector;
    /// Which objects.
    ObjectSelector => "object-selector", registration::object_selector;
    /// What is left out.
    MatchConditions => "match-conditions", registration::match_conditions;
    /// A certificate is there, whole.
    CertificateSecret => "certificate-secret", certificate::secret;
    /// It is valid now, for the right name, and for a while.
    Certificate => "certificate", certificate::certificate;
    /// API servers know whom to trust.
    CaBundle => "ca-bundle", certificate::ca_bundle;
    /// They trust that certificate.
    CaTrust => "ca-trust", certificate::ca_trust;
    /// Namespaces have opted in.
    OptIn => "opt-in", namespaces::opt_in;
    /// None that never counts has.
    OptInExcluded => "opt-in-excluded", namespaces::excluded;
    /// Modes are spelled as modes are.
    Modes => "modes", namespaces::modes;
    /// Namespaces that opted in have personas.
    Personas => "personas", namespaces::personas;
}

impl Check {
    /// The check of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Check> {
        Check::ALL.iter().copied().find(|check| check.name() == name)
    }

    /// Without it hardly another has anything to look at, so that a report is no report, whoever kept it from us.
    pub(super) fn is_indispensable(self) -> bool {
        self == Check::Deployment
    }
}

/// What a check looks at.
pub(super) struct View<'a> {
    pub(super) facts: &'a Facts,
    pub(super) setup: &'a Setup,
    pub(super) commands: &'a Commands,
}

/// Our entry in the webhook configuration.
pub(super) struct Entry<'a> {
    pub(super) webhook: &'a ValidatingWebhook,
    /// Its place in the list.
    pub(super) at: usize,
}

impl View<'_> {
    /// Skips what is about the webhook where none is served.
    pub(super) fn webhook_is_wanted(&self) -> Result<(), NotOk> {
        if self.setup.webhook {
            Ok(())
        } else {
            skip("the Deployment runs without --enable-webhook, so only status is kept")
        }
    }

    /// Skips what is missing together with the Deployment: that dorgu is not there is told once.
    pub(super) fn unless_uninstalled<T>(&self, seen: &Fetched<T>) -> Result<(), NotOk> {
        match (seen, &self.facts.deployment) {
            (Fetched::Absent, Fetched::Absent) => skip("there is no Deployment"),
            _ => Ok(()),
        }
    }

    /// Our entry in the webhook configuration, for checks that are about what stands in it.
    pub(super) fn entry(&self) -> Result<Entry<'_>, NotOk> {
        self.webhook_is_wanted()?;
        let configuration = self.facts.configuration.needed("there is no webhook configuration")?;
        let name = registration::shipped(self.setup).name;
        let mut entries = configuration.webhooks.iter().flatten().enumerate();
        match entries.find(|(_, webhook)| webhook.name == name) {
            Some((at, webhook)) => Ok(Entry { webhook, at }),
            None => skip("the webhook configuration has no entry of ours"),
        }
    }

    pub(super) fn install_again(&self) -> String {
        self.commands.install_again(self.setup, self.facts.deployment.here())
    }

    pub(super) fn logs(&self) -> String {
        self.commands.logs(self.setup)
    }
}

/// Whether a selector selects these labels. An empty one selects all; one that no API server would store selects none.
pub(super) fn selects(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    Selector::try_from(selector.clone()).is_ok_and(|selector| selector.matches(labels))
}

/// A few names in one line, the rest counted.
pub(super) fn few(names: &[&str]) -> String {
    const SHOWN: usize = 5;
    let shown = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The namespaces whose Deployments are sent, where that can be told.
pub(super) fn sent<'a>(view: &'a View<'_>) -> Option<Vec<&'a super::facts::Namespace>> {
    namespaces::sent(view).ok()
}
