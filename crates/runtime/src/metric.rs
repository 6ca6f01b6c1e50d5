//! Describes metric families. A family is registered from its description, and docs/metrics.md is generated from the same
//! description, so the two cannot differ. This module knows no concrete family.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Metric, Registry, Unit};

/// The unit of durations.
pub static SECONDS: Unit = Unit::Seconds;
/// The unit of sizes.
pub static BYTES: Unit = Unit::Bytes;

/// The description of a metric family.
#[derive(Clone, Copy, Debug)]
pub struct Described {
    /// Its name without the suffixes for unit and type.
    pub name: &'static str,
    /// Counter, gauge, histogram or info.
    pub of_type: MetricType,
    /// The unit; `None` for counts.
    pub unit: Option<&'static Unit>,
    /// Its labels, in the order in which they are written.
    pub labels: &'static [Label],
    /// One sentence without its full stop, which the encoder adds.
    pub help: &'static str,
    /// Which processes have it: the end of "with …", empty for all.
    pub with: &'static str,
}

/// A label. Its values are few and known; the name of an object is never one.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Every possible value; empty when the build determines it.
    pub values: fn() -> Vec<&'static str>,
}

impl Described {
    /// A gauge without a unit.
    #[must_use]
    pub const fn gauge(
        name: &'static str,
        labels: &'static [Label],
        help: &'static str,
        with: &'static str,
    ) -> Described {
        Described {
            name,
            of_type: MetricType::Gauge,
            unit: None,
            labels,
            help,
            with,
        }
    }

    /// A counter without a unit.
    #[must_use]
    pub const fn counter(
        name: &'static str,
        labels: &'static [Label],
        help: &'static str,
        with: &'static str,
    ) -> Described {
        Described {
            of_type: MetricType::Counter,
            ..Described::gauge(name, labels, help, with)
        }
    }

    /// The family's name, as after `# TYPE`.
    #[must_use]
    pub fn family(&self) -> String {
        match self.unit {
            Some(unit) => format!("{}_{}", self.name, unit.as_str()),
            None => self.name.to_owned(),
        }
    }

    /// The names of its series, as in queries.
    #[must_use]
    pub fn series(&self) -> Vec<String> {
        let endings: &[&str] = match self.of_type {
            MetricType::Counter => &["_total"],
            MetricType::Histogram => &["_bucket", "_sum", "_count"],
            MetricType::Info => &["_info"],
            MetricType::Gauge | MetricType::Unknown => &[""],
        };
        endings.iter().map(|ending| self.family() + ending).collect()
    }

    /// Registers the metric of this family, once for each registry.
    pub fn register(&self, registry: &mut Registry, metric: impl Metric) {
        match self.unit {
            Some(unit) => registry.register_with_unit(self.name, self.help, unit.clone(), metric),
            None => registry.register(self.name, self.help, metric),
        }
    }

    /// Encodes gauges whose values were read just now, each with the values of its labels.
    ///
    /// # Errors
    /// The writer fails.
    pub fn gauges<W: AsRef<[&'static str]>, V: EncodeGaugeValue>(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        values: impl IntoIterator<Item = (W, V)>,
    ) -> fmt::Result {
        let mut family = encoder.encode_descriptor(self.name, self.help, self.unit, MetricType::Gauge)?;
        for (words, value) in values {
            let (labels, metric) = (self.labelled(words.as_ref()), ConstGauge::new(value));
            if labels.is_empty() {
                return metric.encode(family);
            }
            metric.encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    /// The same for counters.
    ///
    /// # Errors
    /// The writer fails.
    pub fn counters<W: AsRef<[&'static str]>, V: EncodeCounterValue>(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        values: impl IntoIterator<Item = (W, V)>,
    ) -> fmt::Result {
        let mut family = encoder.encode_descriptor(self.name, self.help, self.unit, MetricType::Counter)?;
        for (words, value) in values {
            let (labels, metric) = (self.labelled(words.as_ref()), ConstCounter::new(value));
            if labels.is_empty() {
                return metric.encode(family);
            }
            metric.encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn labelled(&self, words: &[&'static str]) -> Vec<(&'static str, &'static str)> {
        let names = self.labels.iter().map(|label| label.name);
        names.zip(words.iter().copied()).collect()
    }
}

/// The label values of the one series of a family without labels.
pub const ALONE: [&str; 0] = [];
