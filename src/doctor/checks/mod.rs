//! Lists the checks in a table: names, order, and the function of each. There is one file for each family.
//!
//! A check reports one thing. Where its input is missing, another check reports that, and the first is skipped: one cause,
//! one finding.

mod call;
mod certificate;
mod cluster;
mod configuration;
mod definitions;
mod namespaces;
mod process;
mod promotion;
mod registration;
mod serving;

use std::collections::BTreeMap;

use k8s_openapi::api::admissionregistration::v1::ValidatingWebhook;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt};

use super::commands::Commands;
use super::facts::{Facts, Fetched};
use super::finding::{NotOk, Outcome, skip, unless};
use super::setup::Setup;

pub(super) use call::Call;
pub(super) use configuration::shipped;

macro_rules! checks {
    ($($(#[$doc:meta])+ $variant:ident => $name:literal, $function:path;)+) => {
        /// A check. Its name never changes: users exclude it by name, and docs/doctor.md has a section for each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Check {
            $($(#[$doc])+ $variant,)+
            /// An API server really calls the webhook.
            WebhookCall,
        }

        impl Check {
            /// Every check in the order of the report. A check comes after those it depends on.
            pub const ALL: &[Check] = &[$(Check::$variant,)+ Check::WebhookCall];

            /// The name in the report, in `--exclude` and in the documentation.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Check::$variant => $name,)+
                    Check::WebhookCall => "webhook-call",
                }
            }

            /// Runs the check on the facts. The last check needs a dry run and returns nothing here.
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
    /// Kubernetes is recent enough.
    ApiServer => "api-server", cluster::api_server;
    /// Clocks agree.
    Clock => "clock", cluster::clock;
    /// Our CustomResourceDefinitions exist and match this program's.
    Definitions => "crds", definitions::definitions;
    /// The process runs.
    Deployment => "deployment", process::deployment;
    /// A replica holds the Lease.
    Lease => "lease", process::lease;
    /// The account has the rights that the process needs.
    Rights => "rights", process::rights;
    /// The Service selects the process.
    Service => "service", serving::service;
    /// A ready pod is behind it.
    Endpoints => "endpoints", serving::endpoints;
    /// No NetworkPolicy blocks API servers.
    NetworkPolicy => "network-policy", serving::network_policy;
    /// The ValidatingWebhookConfiguration exists, with our entries and no other.
    Configuration => "webhook-configuration", configuration::configuration;
    /// It calls our Service.
    ClientConfig => "client-config", registration::client_config;
    /// A failure of ours blocks no request.
    FailurePolicy => "failure-policy", registration::failure_policy;
    /// How long an API server waits.
    Timeout => "timeout", registration::timeout;
    /// Which requests are sent.
    Rules => "rules", registration::rules;
    /// From which namespaces.
    NamespaceSelector => "namespace-selector", registration::namespace_selector;
    /// For which objects.
    ObjectSelector => "object-selector", registration::object_selector;
    /// Which requests are left out.
    MatchConditions => "match-conditions", registration::match_conditions;
    /// A complete certificate exists.
    CertificateSecret => "certificate-secret", certificate::secret;
    /// It is valid now, for the right name, and for some time.
    Certificate => "certificate", certificate::certificate;
    /// API servers have a CA to trust.
    CaBundle => "ca-bundle", certificate::ca_bundle;
    /// They trust that certificate.
    CaTrust => "ca-trust", certificate::ca_trust;
    /// Namespaces have opted in.
    OptIn => "opt-in", namespaces::opt_in;
    /// No excluded namespace carries the opt-in label.
    OptInExcluded => "opt-in-excluded", namespaces::excluded;
    /// Modes are spelled correctly.
    Modes => "modes", namespaces::modes;
    /// Namespaces that opted in have personas.
    Personas => "personas", namespaces::personas;
    /// Which namespaces could enforce today.
    Enforceable => "enforceable", promotion::enforceable;
}

impl Check {
    /// The check with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Check> {
        Check::ALL.iter().copied().find(|check| check.name() == name)
    }

    /// Whether the report is incomplete without it, because hardly another check has input then.
    pub(super) fn is_indispensable(self) -> bool {
        self == Check::Deployment
    }
}

/// The input of a check.
pub(super) struct View<'a> {
    pub(super) facts: &'a Facts,
    pub(super) setup: &'a Setup,
    pub(super) commands: &'a Commands,
}

/// An entry of ours in the webhook configuration.
pub(super) struct Entry<'a> {
    pub(super) webhook: &'a ValidatingWebhook,
    /// Its index in the list.
    pub(super) at: usize,
    /// As it is shipped.
    pub(super) shipped: ValidatingWebhook,
}

impl View<'_> {
    /// Skips checks of the webhook where none is served.
    pub(super) fn webhook_is_wanted(&self) -> Result<(), NotOk> {
        if self.setup.webhook {
            Ok(())
        } else {
            skip("the Deployment runs without --enable-webhook, so only status is kept")
        }
    }

    /// Skips what is missing together with the Deployment, so that a missing installation is reported once.
    pub(super) fn unless_uninstalled<T>(&self, seen: &Fetched<T>) -> Result<(), NotOk> {
        match (seen, &self.facts.deployment) {
            (Fetched::Absent, Fetched::Absent) => skip("there is no Deployment"),
            _ => Ok(()),
        }
    }

    /// Our entries in the webhook configuration, for checks of their content; the one for workloads, which must be there, first.
    pub(super) fn entries(&self) -> Result<Vec<Entry<'_>>, NotOk> {
        self.webhook_is_wanted()?;
        let configuration = self.facts.configuration.needed("there is no webhook configuration")?;
        let of_workloads = shipped(self.setup).name;
        let present = configuration::shipped_entries(self.setup)
            .into_iter()
            .filter_map(|shipped| {
                let mut entries = configuration.webhooks.iter().flatten().enumerate();
                let (at, webhook) = entries.find(|(_, webhook)| webhook.name == shipped.name)?;
                Some(Entry { webhook, at, shipped })
            });
        let present: Vec<Entry<'_>> = present.collect();
        match present.first() {
            Some(first) if first.webhook.name == of_workloads => Ok(present),
            _ => skip("the webhook configuration has no entry of ours"),
        }
    }

    /// The one for workloads.
    pub(super) fn entry(&self) -> Result<Entry<'_>, NotOk> {
        match self.entries()?.into_iter().next() {
            Some(first) => Ok(first),
            None => skip("the webhook configuration has no entry of ours"),
        }
    }

    /// Checks each of our entries. A finding names its entry, unless that is the first one. What passes is said of the first.
    pub(super) fn of_each(&self, check: impl Fn(&Entry<'_>) -> Outcome) -> Outcome {
        let (mut findings, mut others) = (Vec::new(), Vec::new());
        for (position, entry) in self.entries()?.iter().enumerate() {
            match check(entry) {
                Err(NotOk::Found(found)) if position == 0 => findings.extend(found),
                Err(NotOk::Found(found)) => {
                    let named = found.into_iter().map(|finding| finding.about(&entry.webhook.name));
                    findings.extend(named);
                }
                other => others.push(other),
            }
        }
        match others.into_iter().next() {
            Some(other) if findings.is_empty() => other,
            _ => unless(findings, ""),
        }
    }

    pub(super) fn install_again(&self) -> String {
        self.commands.install_again(self.setup, self.facts.deployment.here())
    }

    pub(super) fn logs(&self) -> String {
        self.commands.logs(self.setup)
    }
}

/// Whether a selector matches these labels. An empty one matches all; one that no API server would store matches none.
pub(super) fn selects(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    Selector::try_from(selector.clone()).is_ok_and(|selector| selector.matches(labels))
}

/// A few names in one line; the rest is counted.
pub(super) fn few(names: &[&str]) -> String {
    const SHOWN: usize = 5;
    let shown = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The namespaces whose Deployments are sent, where that is known.
pub(super) fn sent<'a>(view: &'a View<'_>) -> Option<Vec<&'a super::facts::Namespace>> {
    namespaces::sent(view).ok()
}
