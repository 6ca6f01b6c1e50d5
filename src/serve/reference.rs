//! Lists every metric family, in the order of docs/metrics.md, which is generated from this list.

use super::gauges;
use super::parts::Entry;
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

/// All families of a process with these parts. A test compares them with what processes serve.
#[must_use]
pub fn sections(parts: &[Entry]) -> Vec<Section> {
    let section = |title, families: &[&[&'static Described]]| Section {
        title,
        families: families.concat(),
    };
    let mut sections = vec![
        section("Reviews", &[&webhook::FAMILIES]),
        section("Personas and watches", &[&gauges::OF_INDEX]),
        section("Status", &[&gauges::OF_LEASE, &metrics::FAMILIES]),
    ];
    for (title, families) in parts.iter().flat_map(|part| part.about.families) {
        match sections.iter_mut().find(|section| section.title == *title) {
            Some(section) => section.families.extend_from_slice(families),
            None => sections.push(section(title, &[families])),
        }
    }
    sections.push(section("Connections", &[&gauges::OF_LISTENER]));
    sections.push(section("The process", &[&telemetry::FAMILIES]));
    sections
}
