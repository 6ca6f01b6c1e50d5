//! Families that are read from their owners when `/metrics` is asked, instead of being pushed by them.

use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use tokio::sync::watch;

use super::personas::FileFacts;
use crate::index::Index;
use crate::server::stats::{CloseReason, Stats};
use crate::server::tls::CertificateFacts;

/// Who is asked.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) index: Arc<Index>,
    pub(super) files: watch::Receiver<FileFacts>,
    pub(super) certificate: watch::Receiver<CertificateFacts>,
    pub(super) stats: Arc<Stats>,
}

impl Collector for Sources {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let index = self.index.load();
        let files = *self.files.borrow();
        let (expiry, reloads) = {
            let facts = self.certificate.borrow();
            (facts.not_after.as_second(), facts.reloads.clone())
        };
        let kinds = [
            ("ApplicationPersona", index.persona_count()),
            ("Namespace", index.namespace_count()),
        ];

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
        let per_kind = |value: &dyn Fn(usize) -> i64| kinds.map(|(kind, objects)| (kind, value(objects)));
        gauges(
            "dorgu_cache_objects",
            "Objects in the index, by kind",
            None,
            "kind",
            &per_kind(&count),
        )?;
        let synced = i64::from(self.index.is_synced());
        let help = "Whether the index was filled at least once, by kind";
        gauges("dorgu_cache_synced", help, None, "kind", &per_kind(&|_| synced))?;
        let (help, last) = ("When the index last changed, by kind", files.last_change.as_second());
        let name = "dorgu_cache_last_event_timestamp";
        gauges(name, help, Some(&Unit::Seconds), "kind", &per_kind(&|_| last))?;
        let help = "Documents in the persona folders that cannot be used as they stand";
        gauges("dorgu_files_problems", help, None, "", &[("", count(files.problems))])?;
        let (name, help) = (
            "dorgu_certificate_expiry_timestamp",
            "When the serving certificate expires",
        );
        gauges(name, help, Some(&Unit::Seconds), "", &[("", expiry)])?;
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
        let values = [("success", reloads.succeeded), ("failure", reloads.failed)];
        counters(
            "dorgu_certificate_reloads",
            "Certificates replaced while serving",
            "result",
            &values,
        )?;
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
