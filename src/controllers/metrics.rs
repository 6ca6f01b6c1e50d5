//! What the controllers count (ecosystem 2.4). No object name is ever a label: their number has no bound.

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::k8s::Outcome;

/// Whose reconcile it was. The names are the Go operator's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Controller {
    /// ApplicationPersonas and their Deployments.
    Persona,
    /// ClusterPersonas.
    Cluster,
}

impl EncodeLabelValue for Controller {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        let word = match self {
            Controller::Persona => "applicationpersona",
            Controller::Cluster => "clusterpersona",
        };
        EncodeLabelValue::encode(&word, encoder)
    }
}

/// How a reconcile ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reconciled {
    /// Everything was seen, and the status says it.
    Success,
    /// Something could not be seen or written; it is tried again after a pause.
    Error,
}

impl EncodeLabelValue for Reconciled {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        let word = match self {
            Reconciled::Success => "success",
            Reconciled::Error => "error",
        };
        EncodeLabelValue::encode(&word, encoder)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReconcileLabels {
    controller: Controller,
    result: Reconciled,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ControllerLabels {
    controller: Controller,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WriteLabels {
    result: &'static str,
}

/// The controllers' metric families; a clone counts into the same ones.
#[derive(Clone, Debug)]
pub struct Metrics {
    reconciles: Family<ReconcileLabels, Counter>,
    duration: Family<ControllerLabels, Histogram>,
    writes: Family<WriteLabels, Counter>,
}

impl Metrics {
    /// Registers the families; once a registry.
    pub fn register(registry: &mut Registry) -> Metrics {
        let metrics = Metrics {
            reconciles: Family::default(),
            // From 1 ms, a persona whose status stays, to 65 s, all pods of a large cluster.
            duration: Family::new_with_constructor(|| Histogram::new(exponential_buckets(1e-3, 2.0, 17))),
            writes: Family::default(),
        };
        registry.register(
            "dorgu_reconcile",
            "Reconciles, by controller and result",
            metrics.reconciles.clone(),
        );
        registry.register(
            "dorgu_reconcile_duration_seconds",
            "Time that a reconcile took, waiting for the API server included",
            metrics.duration.clone(),
        );
        registry.register(
            "dorgu_status_writes",
            "Statuses compared with what is stored: written, unchanged (nothing was sent), gone (the object was deleted \
             meanwhile), failed",
            metrics.writes.clone(),
        );
        metrics
    }

    /// One reconcile is over.
    pub fn reconciled(&self, controller: Controller, result: Reconciled, took: Duration) {
        let labels = ReconcileLabels { controller, result };
        self.reconciles.get_or_create(&labels).inc();
        let labels = ControllerLabels { controller };
        self.duration.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// What became of one status.
    pub fn status<E>(&self, outcome: &Result<Outcome, E>) {
        let result = match outcome {
            Ok(Outcome::Written) => "written",
            Ok(Outcome::Unchanged) => "unchanged",
            Ok(Outcome::Gone) => "gone",
            Err(_) => "failed",
        };
        self.writes.get_or_create(&WriteLabels { result }).inc();
    }
}

#[cfg(test)]
mod tests;
