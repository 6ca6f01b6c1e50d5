//! Declares the certificate as a part of the process, with its rights and its metrics.

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::CertificateState;
use crate::certificates::State;
use crate::metric::{ALONE, Described, Label, SECONDS};
use crate::runtime::{About, Grant, Need, Object, Part, Scope, Task};

const WEBHOOK: &str = "the webhook";
const KEPT: &str = "the webhook and certificates in the cluster";

/// It needs one field of one webhook configuration, and one Secret.
pub(in crate::serve) static ABOUT: About = About {
    families: &[("Certificates", &FAMILIES)],
    grants: &[
        // The configuration is never created: deleting it is the emergency stop.
        Grant {
            object: Object::WebhookConfiguration,
            need: Need::Registration,
            ..Grant::everywhere(
                "admissionregistration.k8s.io",
                "validatingwebhookconfigurations",
                &["list", "patch", "watch"],
            )
        },
        // Server-side apply needs `create`, but checks it under the object's name, so even that is limited to one object.
        Grant {
            object: Object::WebhookSecret,
            scope: Scope::Home,
            need: Need::Certificates,
            ..Grant::everywhere("", "secrets", &["create", "list", "patch", "watch"])
        },
    ],
    ..About::named("certificates")
};

/// The part. `state` is what is known of the certificate, `kept` the task that reconciles it in the cluster.
pub(super) fn part(state: &CertificateState, kept: Option<Task>) -> Part {
    let part = Part::new(&ABOUT);
    Part {
        checks: state.checks(part.checks),
        collectors: vec![Box::new(Served(state.clone()))],
        everywhere: kept.into_iter().collect(),
        ..part
    }
}

static EXPIRY: Described = Described {
    unit: Some(&SECONDS),
    ..Described::gauge(
        "dorgu_certificate_expiry_timestamp",
        &[],
        "When the serving certificate expires; missing while there is none",
        WEBHOOK,
    )
};
static TRUSTED: Described = Described::gauge(
    "dorgu_certificate_trusted",
    &[],
    "Whether the webhook configuration's caBundle trusts the serving certificate; missing while either is",
    KEPT,
);
static CA_EXPIRY: Described = Described {
    unit: Some(&SECONDS),
    ..Described::gauge(
        "dorgu_ca_expiry_timestamp",
        &[],
        "When the CA in the Secret expires; missing where none of ours is there",
        KEPT,
    )
};
static RELOADS: Described = Described::counter(
    "dorgu_certificate_reloads",
    &[Label {
        name: "result",
        values: || RELOADED.to_vec(),
    }],
    "Certificates replaced while serving",
    WEBHOOK,
);
static ROTATIONS: Described = Described::counter(
    "dorgu_certificate_rotations",
    &[Label {
        name: "what",
        values: || State::ROTATED.to_vec(),
    }],
    "Leaves and CAs that this process has replaced in the Secret",
    KEPT,
);
/// The result of a reload.
const RELOADED: [&str; 2] = ["success", "failure"];

static FAMILIES: [&Described; 5] = [&EXPIRY, &TRUSTED, &CA_EXPIRY, &RELOADS, &ROTATIONS];

/// Reads the facts of the certificate being served.
#[derive(Debug)]
struct Served(CertificateState);

impl Collector for Served {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let encoder = &mut encoder;
        let facts = self.0.facts();
        let cluster = self.0.cluster();
        if let Some(facts) = &facts {
            EXPIRY.gauges(encoder, [(ALONE, facts.not_after.as_second())])?;
        }
        if let Some(expiry) = cluster.and_then(State::ca_expiry) {
            CA_EXPIRY.gauges(encoder, [(ALONE, expiry.as_second())])?;
        }
        if let Some(trusted) = cluster.and_then(|cluster| cluster.is_trusted(Timestamp::now())) {
            TRUSTED.gauges(encoder, [(ALONE, i64::from(trusted))])?;
        }
        let reloads = facts.map(|facts| facts.reloads).unwrap_or_default();
        let [success, failure] = RELOADED;
        RELOADS.counters(encoder, [([success], reloads.succeeded), ([failure], reloads.failed)])?;
        if let Some(cluster) = cluster {
            ROTATIONS.counters(encoder, cluster.rotations().map(|(what, count)| ([what], count)))?;
        }
        Ok(())
    }
}
