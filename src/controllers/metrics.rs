//! Defines and counts the metrics of the controllers. The name of an object is never a label, since the number of names has
//! no bound.

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::k8s::Outcome;
use crate::metric::{Described, Label, SECONDS};

const CONTROLLER: Label = Label {
    name: "controller",
    values: || Controller::ALL.map(Controller::as_str).to_vec(),
};
const WITH: &str = "a cluster";

static RECONCILES: Described = Described {
    name: "dorgu_reconcile",
    of_type: MetricType::Counter,
    unit: None,
    labels: &[
        CONTROLLER,
        Label {
            name: "result",
            values: || ReconcileResult::ALL.map(ReconcileResult::as_str).to_vec(),
        },
    ],
    help: "Looks at an object whose status is kept, by controller and result",
    with: WITH,
};
static DURATION: Described = Described {
    name: "dorgu_reconcile_duration",
    of_type: MetricType::Histogram,
    unit: Some(&SECONDS),
    labels: &[CONTROLLER],
    help: "Time that such a look took, waiting for the API server included",
    with: WITH,
};
static DEPTH: Described = Described {
    name: "dorgu_reconcile_queue_depth",
    of_type: MetricType::Gauge,
    unit: None,
    labels: &[CONTROLLER],
    help: "Objects that wait for a look since something changed or the last look failed; of ClusterPersonas at most 1, for \
           all of them",
    with: WITH,
};
static WRITES: Described = Described {
    name: "dorgu_status_writes",
    of_type: MetricType::Counter,
    unit: None,
    labels: &[Label {
        name: "result",
        values: || WRITTEN.to_vec(),
    }],
    help: "Statuses compared with what is stored: written, unchanged (nothing was sent), gone (the object was deleted \
           meanwhile), failed",
    with: WITH,
};

/// Every family of the controllers.
pub static FAMILIES: [&Described; 4] = [&RECONCILES, &DURATION, &DEPTH, &WRITES];

/// The outcomes of a status write.
const WRITTEN: [&str; 4] = ["written", "unchanged", "gone", "failed"];

/// The controller of a reconcile. The names of the first two are the Go operator's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Controller {
    /// ApplicationPersonas and their Deployments.
    Persona,
    /// ClusterPersonas.
    Cluster,
    /// PersonaExceptions.
    Exception,
}

impl Controller {
    /// All of them.
    pub const ALL: [Controller; 3] = [Controller::Persona, Controller::Cluster, Controller::Exception];

    fn as_str(self) -> &'static str {
        match self {
            Controller::Persona => "applicationpersona",
            Controller::Cluster => "clusterpersona",
            Controller::Exception => "personaexception",
        }
    }
}

impl EncodeLabelValue for Controller {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        EncodeLabelValue::encode(&self.as_str(), encoder)
    }
}

/// The result of a reconcile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReconcileResult {
    /// Everything was read, and the status is up to date.
    Success,
    /// Something could not be read or written. It is retried after a pause.
    Error,
}

impl ReconcileResult {
    /// Both of them.
    pub const ALL: [ReconcileResult; 2] = [ReconcileResult::Success, ReconcileResult::Error];

    fn as_str(self) -> &'static str {
        match self {
            ReconcileResult::Success => "success",
            ReconcileResult::Error => "error",
        }
    }
}

impl EncodeLabelValue for ReconcileResult {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        EncodeLabelValue::encode(&self.as_str(), encoder)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReconcileLabels {
    controller: Controller,
    result: ReconcileResult,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ControllerLabels {
    controller: Controller,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WriteLabels {
    result: &'static str,
}

/// The controllers' metric families. Clones count into the same ones.
#[derive(Clone, Debug)]
pub struct Metrics {
    reconciles: Family<ReconcileLabels, Counter>,
    duration: Family<ControllerLabels, Histogram>,
    depth: Family<ControllerLabels, Gauge>,
    writes: Family<WriteLabels, Counter>,
}

impl Metrics {
    /// Registers the families, once for each registry.
    pub fn register(registry: &mut Registry) -> Metrics {
        let metrics = Metrics {
            reconciles: Family::default(),
            // From 1 ms, a persona with an unchanged status, to 65 s, all pods of a large cluster.
            duration: Family::new_with_constructor(|| Histogram::new(exponential_buckets(1e-3, 2.0, 17))),
            depth: Family::default(),
            writes: Family::default(),
        };
        RECONCILES.register(registry, metrics.reconciles.clone());
        DURATION.register(registry, metrics.duration.clone());
        DEPTH.register(registry, metrics.depth.clone());
        WRITES.register(registry, metrics.writes.clone());
        // Starts at zero: for Prometheus, a counter that first appears as one has never grown.
        for controller in Controller::ALL {
            for result in ReconcileResult::ALL {
                drop(
                    metrics
                        .reconciles
                        .get_or_create(&ReconcileLabels { controller, result }),
                );
            }
            drop(metrics.depth.get_or_create(&ControllerLabels { controller }));
        }
        for result in WRITTEN {
            drop(metrics.writes.get_or_create(&WriteLabels { result }));
        }
        metrics
    }

    /// Counts a finished reconcile.
    pub fn reconciled(&self, controller: Controller, result: ReconcileResult, took: Duration) {
        let labels = ReconcileLabels { controller, result };
        self.reconciles.get_or_create(&labels).inc();
        let labels = ControllerLabels { controller };
        self.duration.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// Reports how many objects wait, while this process holds the Lease.
    pub(super) fn depth(&self, controller: Controller) -> Depth {
        Depth(self.depth.get_or_create(&ControllerLabels { controller }).clone())
    }

    /// Counts the outcome of a status write.
    pub fn status<E>(&self, outcome: &Result<Outcome, E>) {
        let [written, unchanged, gone, failed] = WRITTEN;
        let result = match outcome {
            Ok(Outcome::Written) => written,
            Ok(Outcome::Unchanged) => unchanged,
            Ok(Outcome::Gone) => gone,
            Err(_) => failed,
        };
        self.writes.get_or_create(&WriteLabels { result }).inc();
    }
}

/// How many objects wait to be reconciled. Dropped when the Lease is lost; then it reports zero.
#[derive(Debug, Default)]
pub(super) struct Depth(Gauge);

impl Depth {
    pub(super) fn set(&self, waiting: usize) {
        self.0.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }
}

impl Drop for Depth {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests;
