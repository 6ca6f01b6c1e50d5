//! Every metric family that there is, in the order of docs/metrics.md, which is made of this.

use super::gauges;
use crate::controllers::metrics;
use crate::metric::Described;
use crate::telemetry;
use crate::webhook;

/// Families of one subject.
#[derive(Debug)]
pub struct Section {
    /// The subject.
    pub title: &'static str,
    /// Its families.
    pub families: Vec<&'static Described>,
}

/// All of them. A test holds them against what processes serve.
#[must_use]
pub fn sections() -> Vec<Section> {
    let section = |title, families: &[&[&'static Described]]| Section {
        title,
        families: families.concat(),
    };
    vec![
        section("Reviews", &[&webhook::FAMILIES]),
        section("Personas and watches", &[&gauges::OF_INDEX]),
        section("Status", &[&gauges::OF_LEASE, &metrics::FAMILIES]),
        section("Certificates", &[&gauges::OF_CERTIFICATE]),
        section("Connections", &[&gauges::OF_LISTENER]),
        section("The process", &[&telemetry::FAMILIES]),
    ]
}
