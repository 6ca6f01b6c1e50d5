//! Counts the answers about personas.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::metric::{Described, Label};

static REVIEWS: Described = Described::counter(
    "dorgu_persona_reviews",
    &[Label {
        name: "result",
        values: || Advised::ALL.map(Advised::as_str).to_vec(),
    }],
    "Reviews of ApplicationPersonas, none of which is denied: warned, silent (nothing to warn about), unchecked (answered \
     without comparing)",
    "a cluster and the webhook",
);

/// Every family of the part.
pub(super) static FAMILIES: [&Described; 1] = [&REVIEWS];

/// How a review was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Advised {
    Warned,
    Silent,
    Unchecked,
}

impl Advised {
    const ALL: [Advised; 3] = [Advised::Warned, Advised::Silent, Advised::Unchecked];

    fn as_str(self) -> &'static str {
        match self {
            Advised::Warned => "warned",
            Advised::Silent => "silent",
            Advised::Unchecked => "unchecked",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    result: &'static str,
}

/// The family. Clones count into the same one.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Family<Labels, Counter>);

impl Metrics {
    /// Registers the family, once for each registry.
    pub fn register(registry: &mut Registry) -> Metrics {
        let metrics = Metrics::default();
        REVIEWS.register(registry, metrics.0.clone());
        // Starts at zero: for Prometheus, a counter that first appears as one has never grown.
        for result in Advised::ALL {
            drop(metrics.of(result));
        }
        metrics
    }

    pub(super) fn answered(&self, result: Advised) {
        self.of(result).inc();
    }

    fn of(&self, result: Advised) -> impl std::ops::Deref<Target = Counter> + '_ {
        self.0.get_or_create(&Labels {
            result: result.as_str(),
        })
    }
}
