//! Families that are read from their owners when `/metrics` is asked, instead of being pushed by them.

use std::sync::Arc;

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use tokio::sync::watch;

use super::certificate::Told;
use super::cluster::Watches;
use super::personas::FileFacts;
use crate::certificates::State;
use crate::index::{Index, Kind};
use crate::k8s::{Leadership, WatchState};
use crate::server::stats::{CloseReason, Stats};

/// What fills the index.
#[derive(Debug)]
pub(super) enum Feed {
    Files(watch::Receiver<FileFacts>),
    Cluster(Watches, Leadership),
}

/// Who is asked.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) index: Arc<Index>,
    pub(super) feed: Feed,
}

impl Sources {
    /// The kinds that are followed, and when each was last heard of.
    fn last_events(&self) -> Vec<(Kind, i64)> {
        match &self.feed {
            Feed::Files(facts) => {
                let last = facts.borrow().last_change.as_second();
                vec![(Kind::Persona, last), (Kind::Namespace, last)]
            }
            Feed::Cluster(watches, _) => watches
                .iter()
                .map(|(kind, state)| (kind, state.last_event().map_or(0, |last| last.as_second())))
                .collect(),
        }
    }
}

/// Who is asked about the webhook, where there is one.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) certificate: Told,
    pub(super) stats: Arc<Stats>,
}

impl Collector for Sources {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let index = self.index.load();
        let kinds = self.last_events();
        let per_kind = |value: &dyn Fn(Kind) -> i64| -> Vec<(&str, i64)> {
            kinds.iter().map(|(kind, _)| (kind.as_str(), value(*kind))).collect()
        };
        let gauges = &mut |name, help, unit, label, values: &[(&str, i64)]| {
            gauges(&mut encoder, name, help, unit, label, values)
        };
        let objects = per_kind(&|kind| count(index.count(kind)));
        gauges(
            "dorgu_cache_objects",
            "Objects in the index, by kind",
            None,
            "kind",
            &objects,
        )?;
        let synced = per_kind(&|kind| i64::from(self.index.has(kind)));
        let help = "Whether the index was filled at least once, by kind";
        gauges("dorgu_cache_synced", help, None, "kind", &synced)?;
        let help = "When the source was last heard of, by kind; 0 for never";
        let name = "dorgu_cache_last_event_timestamp";
        let last: Vec<_> = kinds.iter().map(|(kind, last)| (kind.as_str(), *last)).collect();
        gauges(name, help, Some(&Unit::Seconds), "kind", &last)?;
        match &self.feed {
            Feed::Files(facts) => {
                let help = "Documents in the persona folders that cannot be used as they stand";
                let problems = facts.borrow().problems;
                gauges("dorgu_files_problems", help, None, "", &[("", count(problems))])
            }
            Feed::Cluster(watches, leadership) => {
                let help = "Whether this process holds the Lease, and so writes";
                let leader = [("", i64::from(leadership.held()))];
                gauges("dorgu_leader", help, None, "", &leader)?;
                let per_kind = |value: fn(&WatchState) -> u64| -> Vec<(&str, u64)> {
                    let states = watches.iter();
                    states.map(|(kind, state)| (kind.as_str(), value(state))).collect()
                };
                let help = "Lists and watches that failed, by kind";
                let errors = per_kind(WatchState::errors);
                counters(&mut encoder, "dorgu_watch_errors", help, "kind", &errors)?;
                let help = "Objects that came and could not be read, by kind";
                let unreadable = per_kind(WatchState::unreadable);
                counters(&mut encoder, "dorgu_watch_unreadable", help, "kind", &unreadable)
            }
        }
    }
}

impl Collector for Served {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let facts = self.certificate.facts();
        let cluster = self.certificate.cluster();
        let expiries = [
            (
                "dorgu_certificate_expiry_timestamp",
                "When the serving certificate expires",
                facts.as_ref().map(|facts| facts.not_after),
            ),
            (
                "dorgu_ca_expiry_timestamp",
                "When the CA in the Secret expires",
                cluster.and_then(State::ca_expiry),
            ),
        ];
        for (name, help, expiry) in expiries {
            if let Some(expiry) = expiry {
                let unit = Some(&Unit::Seconds);
                gauges(&mut encoder, name, help, unit, "", &[("", expiry.as_second())])?;
            }
        }
        if let Some(trusted) = cluster.and_then(|cluster| cluster.is_trusted(Timestamp::now())) {
            let help = "Whether the webhook configuration's caBundle trusts the serving certificate";
            let trusted = [("", i64::from(trusted))];
            gauges(&mut encoder, "dorgu_certificate_trusted", help, None, "", &trusted)?;
        }
        let open = i64::try_from(self.stats.open()).unwrap_or(i64::MAX);
        let help = "Open connections of the webhook";
        gauges(&mut encoder, "dorgu_connections", help, None, "", &[("", open)])?;

        let counters =
            &mut |name, help, label, values: &[(&str, u64)]| counters(&mut encoder, name, help, label, values);
        let reloads = facts.map(|facts| facts.reloads).unwrap_or_default();
        let values = [("success", reloads.succeeded), ("failure", reloads.failed)];
        let help = "Certificates replaced while serving";
        counters("dorgu_certificate_reloads", help, "result", &values)?;
        if let Some(cluster) = cluster {
            let help = "Leaves and CAs that this process has replaced in the Secret";
            counters("dorgu_certificate_rotations", help, "what", &cluster.rotations())?;
        }
        let closed = CloseReason::ALL.map(|reason| (reason.name(), self.stats.closed(reason)));
        let help = "Connections of the webhook that ended, by reason";
        counters("dorgu_connections_closed", help, "reason", &closed)?;
        let errors = [("", self.stats.accept_errors())];
        counters(
            "dorgu_accept_errors",
            "Connections that could not be accepted",
            "",
            &errors,
        )?;
        let panics = [("", self.stats.panics())];
        let help = "Panics outside a decision, answered with 500";
        counters("dorgu_handler_panics", help, "", &panics)
    }
}

fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn gauges(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    label: &str,
    values: &[(&str, i64)],
) -> Result<(), std::fmt::Error> {
    let mut family = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
    for (word, value) in values {
        let labels = [(label, *word)];
        let labels = if label.is_empty() { &labels[..0] } else { &labels[..] };
        ConstGauge::new(*value).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn counters(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    label: &str,
    values: &[(&str, u64)],
) -> Result<(), std::fmt::Error> {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (word, value) in values {
        let labels = [(label, *word)];
        let labels = if label.is_empty() { &labels[..0] } else { &labels[..] };
        ConstCounter::new(*value).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}
