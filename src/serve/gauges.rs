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
use crate::k8s::WatchState;
use crate::server::stats::{CloseReason, Stats};

/// What fills the index.
#[derive(Debug)]
pub(super) enum Feed {
    Files(watch::Receiver<FileFacts>),
    Cluster(Watches),
}

/// Who is asked.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) index: Arc<Index>,
    pub(super) feed: Feed,
    pub(super) certificate: Told,
    pub(super) stats: Arc<Stats>,
}

impl Sources {
    /// The kinds that are followed, and when each was last heard of.
    fn last_events(&self) -> Vec<(Kind, i64)> {
        match &self.feed {
            Feed::Files(facts) => {
                let last = facts.borrow().last_change.as_second();
                vec![(Kind::Persona, last), (Kind::Namespace, last)]
            }
            Feed::Cluster(watches) => watches
                .iter()
                .map(|(kind, state)| (kind, state.last_event().map_or(0, |last| last.as_second())))
                .collect(),
        }
    }
}

impl Collector for Sources {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let index = self.index.load();
        let facts = self.certificate.facts();
        let reloads = facts.as_ref().map(|facts| facts.reloads.clone()).unwrap_or_default();
        let cluster = self.certificate.cluster();
        let kinds = self.last_events();

        let mut gauges = |name: &str, help: &str, unit: Option<&Unit>, label: &str, values: &[(&str, i64)]| {
            let mut family = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
            for (word, value) in values {
                let labels = [(label, *word)];
                let labels = if label.is_empty() { &labels[..0] } else { &labels[..] };
                ConstGauge::new(*value).encode(family.encode_family(&labels)?)?;
            }
            Ok::<(), std::fmt::Error>(())
        };
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let per_kind = |value: &dyn Fn(Kind) -> i64| -> Vec<(&str, i64)> {
            kinds.iter().map(|(kind, _)| (kind.as_str(), value(*kind))).collect()
        };
        gauges(
            "dorgu_cache_objects",
            "Objects in the index, by kind",
            None,
            "kind",
            &per_kind(&|kind| count(index.count(kind))),
        )?;
        let synced = per_kind(&|kind| i64::from(self.index.has(kind)));
        let help = "Whether the index was filled at least once, by kind";
        gauges("dorgu_cache_synced", help, None, "kind", &synced)?;
        let help = "When the source was last heard of, by kind; 0 for never";
        let name = "dorgu_cache_last_event_timestamp";
        let last: Vec<_> = kinds.iter().map(|(kind, last)| (kind.as_str(), *last)).collect();
        gauges(name, help, Some(&Unit::Seconds), "kind", &last)?;
        if let Feed::Files(facts) = &self.feed {
            let help = "Documents in the persona folders that cannot be used as they stand";
            let problems = facts.borrow().problems;
            gauges("dorgu_files_problems", help, None, "", &[("", count(problems))])?;
        }
        let expiries = [
            (
                "dorgu_certificate_expiry_timestamp",
                "When the serving certificate expires",
                facts.map(|facts| facts.not_after),
            ),
            (
                "dorgu_ca_expiry_timestamp",
                "When the CA in the Secret expires",
                cluster.and_then(State::ca_expiry),
            ),
        ];
        for (name, help, expiry) in expiries {
            if let Some(expiry) = expiry {
                gauges(name, help, Some(&Unit::Seconds), "", &[("", expiry.as_second())])?;
            }
        }
        if let Some(trusted) = cluster.and_then(|cluster| cluster.is_trusted(Timestamp::now())) {
            let help = "Whether the webhook configuration's caBundle trusts the serving certificate";
            gauges("dorgu_certificate_trusted", help, None, "", &[("", i64::from(trusted))])?;
        }
        let open = i64::try_from(self.stats.open()).unwrap_or(i64::MAX);
        gauges(
            "dorgu_connections",
            "Open connections of the webhook",
            None,
            "",
            &[("", open)],
        )?;

        let mut counters = |name: &str, help: &str, label: &str, values: &[(&str, u64)]| {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (word, value) in values {
                let labels = [(label, *word)];
                let labels = if label.is_empty() { &labels[..0] } else { &labels[..] };
                ConstCounter::new(*value).encode(family.encode_family(&labels)?)?;
            }
            Ok::<(), std::fmt::Error>(())
        };
        if let Feed::Cluster(watches) = &self.feed {
            let per_kind = |value: fn(&WatchState) -> u64| -> Vec<(&str, u64)> {
                let states = watches.iter();
                states.map(|(kind, state)| (kind.as_str(), value(state))).collect()
            };
            let help = "Lists and watches that failed, by kind";
            counters("dorgu_watch_errors", help, "kind", &per_kind(WatchState::errors))?;
            let help = "Objects that came and could not be read, by kind";
            let unreadable = per_kind(WatchState::unreadable);
            counters("dorgu_watch_unreadable", help, "kind", &unreadable)?;
        }
        let values = [("success", reloads.succeeded), ("failure", reloads.failed)];
        counters(
            "dorgu_certificate_reloads",
            "Certificates replaced while serving",
            "result",
            &values,
        )?;
        if let Some(cluster) = cluster {
            let help = "Leaves and CAs that this process has replaced in the Secret";
            counters("dorgu_certificate_rotations", help, "what", &cluster.rotations())?;
        }
        let closed = CloseReason::ALL.map(|reason| (reason.name(), self.stats.closed(reason)));
        counters(
            "dorgu_connections_closed",
            "Connections of the webhook that ended, by reason",
            "reason",
            &closed,
        )?;
        let errors = [("", self.stats.accept_errors())];
        counters(
            "dorgu_accept_errors",
            "Connections that could not be accepted",
            "",
            &errors,
        )?;
        let panics = [("", self.stats.panics())];
        counters(
            "dorgu_handler_panics",
            "Panics outside a decision, answered with 500",
            "",
            &panics,
        )
    }
}
