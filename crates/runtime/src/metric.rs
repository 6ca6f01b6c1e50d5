//! What a metric family is called and what it says, written down once: by this it is registered, and of this the reference
//! is made (docs/metrics.md). Knows no family.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Metric, Registry, Unit};

/// Most things are measured in these.
pub static SECONDS: Unit = Unit::Seconds;
/// And sizes in these.
pub static BYTES: Unit = Unit::Bytes;

/// A metric family as whoever writes a query meets it.
#[derive(Clone, Copy, Debug)]
pub struct Described {
    /// Its name without what unit and type add.
    pub name: &'static str,
    /// Counter, gauge, histogram or info.
    pub of_type: MetricType,
    /// In what it is measured; none for what is counted.
    pub unit: Option<&'static Unit>,
    /// Its labels, in the order in which they are written.
    pub labels: &'static [Label],
    /// One sentence without its full stop, which the encoder adds.
    pub help: &'static str,
    /// Which processes have it: the end of "with …", empty for all.
    pub with: &'static str,
}

/// A label, whose values are few and known: no object's name is ever one.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Every value that it can have; none for one that the build decides.
    pub values: fn() -> Vec<&'static str>,
}

impl Described {
    /// A gauge of something that is counted.
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

    /// A counter of something that has no unit.
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

    /// The family's name, as it stands behind `# TYPE`.
    #[must_use]
    pub fn family(&self) -> String {
        match self.unit {
            Some(unit) => format!("{}_{}", self.name, unit.as_str()),
            None => self.name.to_owned(),
        }
    }

    /// The names of its series, as queries name them.
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

    /// Registers what counts it; once a registry.
    pub fn register(&self, registry: &mut Registry, metric: impl Metric) {
        match self.unit {
            Some(unit) => registry.register_with_unit(self.name, self.help, unit.clone(), metric),
            None => registry.register(self.name, self.help, metric),
        }
    }

    /// Encodes gauges that were read just now, each behind the values of its labels.
    ///
    /// # Errors
    /// Nobody takes the text.
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
    /// Nobody takes the text.
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

/// The words of the one series of a family without labels.
pub const ALONE: [&str; 0] = [];
