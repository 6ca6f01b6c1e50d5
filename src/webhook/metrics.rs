//! Defines and counts the metrics of the webhook. The name of an object is never a label, since the number of names has no
//! bound.

use std::sync::OnceLock;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::metric::{self, Described, Label, SECONDS};
use crate::policy::{Decision, Mode, Rule, Severity};
use crate::webhook::record::Record;
use crate::webhook::review::Operation;

const OPERATION: Label = Label {
    name: "operation",
    values: || Operation::ALL.map(Operation::as_str).to_vec(),
};
const MODE: Label = Label {
    name: "mode",
    values: || Mode::ALL.map(Mode::as_str).to_vec(),
};
const RULE: Label = Label {
    name: "rule",
    values: || Rule::ALL.iter().map(|rule| rule.name()).collect(),
};
const WITH: &str = "the webhook";

static REQUESTS: Described = Described {
    name: "dorgu_admission_requests",
    of_type: MetricType::Counter,
    unit: None,
    labels: &[
        OPERATION,
        Label {
            name: "decision",
            values: || Verdict::ALL.map(Verdict::as_str).to_vec(),
        },
        MODE,
        Label {
            name: "dry_run",
            values: || vec!["false", "true"],
        },
    ],
    help: "Reviews answered, by operation, decision, effective mode and dry run",
    with: WITH,
};
static DURATION: Described = Described {
    name: "dorgu_admission_duration",
    of_type: MetricType::Histogram,
    unit: Some(&SECONDS),
    labels: &[OPERATION],
    help: "Time from the last byte of a review to its answer, without the network",
    with: WITH,
};
static FINDINGS: Described = Described {
    name: "dorgu_admission_findings",
    of_type: MetricType::Counter,
    unit: None,
    labels: &[
        RULE,
        Label {
            name: "severity",
            values: || Severity::ALL.map(Severity::as_str).to_vec(),
        },
        MODE,
    ],
    help: "Findings told, by rule, severity and effective mode",
    with: WITH,
};
static EXCEPTED: Described = Described {
    name: "dorgu_admission_excepted",
    of_type: MetricType::Counter,
    unit: None,
    labels: &[RULE, MODE],
    help: "Findings that a PersonaException covers, by rule and effective mode; each is a warning and denies nothing",
    with: WITH,
};
static UNCHECKED: Described = Described {
    name: "dorgu_admission_unchecked",
    of_type: MetricType::Counter,
    unit: None,
    labels: &[Label {
        name: "reason",
        values: || Unchecked::ALL.map(Unchecked::as_str).to_vec(),
    }],
    help: "Requests that no rule was held against, by reason; each is a Deployment that went by unseen, or was asked about \
           again",
    with: WITH,
};
static IN_FLIGHT: Described = Described {
    name: "dorgu_admission_in_flight",
    of_type: MetricType::Gauge,
    unit: None,
    labels: &[],
    help: "Reviews being read or answered now",
    with: WITH,
};
static BYTES: Described = Described {
    name: "dorgu_admission",
    of_type: MetricType::Histogram,
    unit: Some(&metric::BYTES),
    labels: &[],
    help: "Size of the reviews read",
    with: WITH,
};

/// Every family of the webhook.
pub static FAMILIES: [&Described; 7] = [
    &REQUESTS, &DURATION, &FINDINGS, &EXCEPTED, &UNCHECKED, &IN_FLIGHT, &BYTES,
];

/// A label value out of a fixed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Word(&'static str);

impl EncodeLabelValue for Word {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        EncodeLabelValue::encode(&self.0, encoder)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    operation: Word,
    decision: Word,
    mode: Word,
    dry_run: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    operation: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FindingLabels {
    rule: Word,
    severity: Word,
    mode: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ExceptedLabels {
    rule: Word,
    mode: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: Word,
}

/// The outcome of a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Allowed, without warnings.
    Allowed,
    /// Allowed, with warnings.
    Warned,
    /// Denied.
    Denied,
    /// Answered without a check; `dorgu_admission_unchecked_total` says why.
    Unchecked,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Verdict; 4] = [Verdict::Allowed, Verdict::Warned, Verdict::Denied, Verdict::Unchecked];

    /// The label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Allowed => "allowed",
            Verdict::Warned => "warned",
            Verdict::Denied => "denied",
            Verdict::Unchecked => "unchecked",
        }
    }
}

/// Why a request was answered without a check. Each of these is an object that was admitted unchecked or, for some reasons in
/// enforcing mode, denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unchecked {
    /// The object could not be read.
    Unreadable,
    /// The body is no AdmissionReview.
    Malformed,
    /// The body is over the limit, or the object has more parts than are judged.
    TooLarge,
    /// An internal error, contained.
    Panic,
    /// A Scale whose Deployment is not known.
    ScaleUnresolved,
    /// Not synced yet: answered 503 with Retry-After.
    NotSynced,
    /// Too many bytes in flight: answered 503 with Retry-After.
    Overloaded,
    /// The body did not arrive in time or broke off.
    Interrupted,
}

impl Unchecked {
    /// All of them.
    pub const ALL: [Unchecked; 8] = [
        Unchecked::Unreadable,
        Unchecked::Malformed,
        Unchecked::TooLarge,
        Unchecked::Panic,
        Unchecked::ScaleUnresolved,
        Unchecked::NotSynced,
        Unchecked::Overloaded,
        Unchecked::Interrupted,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Unchecked::Unreadable => "unreadable",
            Unchecked::Malformed => "malformed",
            Unchecked::TooLarge => "too_large",
            Unchecked::Panic => "panic",
            Unchecked::ScaleUnresolved => "scale_unresolved",
            Unchecked::NotSynced => "not_synced",
            Unchecked::Overloaded => "overloaded",
            Unchecked::Interrupted => "interrupted",
        }
    }
}

/// The webhook's metric families.
#[derive(Clone, Debug)]
pub struct Metrics {
    requests: Family<RequestLabels, Counter>,
    duration: Family<OperationLabels, Histogram>,
    findings: Family<FindingLabels, Counter>,
    excepted: Family<ExceptedLabels, Counter>,
    unchecked: Family<ReasonLabels, Counter>,
    in_flight: Gauge,
    bytes: Histogram,
    /// The same series as in `requests` and `duration`, found without a lock and a hash from their second use on.
    at_hand: AtHand,
}

#[derive(Clone, Debug, Default)]
struct AtHand {
    /// By operation, verdict, mode and dry run.
    requests: [[[[OnceLock<Counter>; 2]; Mode::ALL.len()]; Verdict::ALL.len()]; Operation::ALL.len()],
    duration: [OnceLock<Histogram>; Operation::ALL.len()],
}

impl Metrics {
    /// Registers the families.
    pub fn register(registry: &mut Registry) -> Metrics {
        let metrics = Metrics {
            requests: Family::default(),
            // From 10 µs, a usual answer, to 5 s, beyond any timeout of ours.
            duration: Family::new_with_constructor(|| Histogram::new(exponential_buckets(10e-6, 2.0, 20))),
            findings: Family::default(),
            excepted: Family::default(),
            unchecked: Family::default(),
            in_flight: Gauge::default(),
            bytes: Histogram::new(exponential_buckets(1024.0, 2.0, 16)),
            at_hand: AtHand::default(),
        };
        REQUESTS.register(registry, metrics.requests.clone());
        DURATION.register(registry, metrics.duration.clone());
        FINDINGS.register(registry, metrics.findings.clone());
        EXCEPTED.register(registry, metrics.excepted.clone());
        UNCHECKED.register(registry, metrics.unchecked.clone());
        IN_FLIGHT.register(registry, metrics.in_flight.clone());
        BYTES.register(registry, metrics.bytes.clone());
        // Starts at zero: for Prometheus, a counter that first appears as one has never grown, and the first is the important
        // one.
        for reason in Unchecked::ALL {
            drop(metrics.unchecked.get_or_create(&ReasonLabels {
                reason: Word(reason.as_str()),
            }));
        }
        metrics
    }

    /// Counts one more review in flight until the guard is dropped.
    pub(super) fn enter(&self) -> InFlight<'_> {
        self.in_flight.inc();
        InFlight(&self.in_flight)
    }

    pub(super) fn unchecked(&self, reason: Unchecked) {
        self.unchecked
            .get_or_create(&ReasonLabels {
                reason: Word(reason.as_str()),
            })
            .inc();
    }

    pub(super) fn answered(&self, record: &Record, took: Duration, bytes: usize) {
        let operation = Word(record.operation.as_str());
        let request = || {
            let labels = RequestLabels {
                operation,
                decision: Word(record.verdict.as_str()),
                mode: Word(record.mode.as_str()),
                dry_run: Word(if record.dry_run { "true" } else { "false" }),
            };
            self.requests.get_or_create(&labels).clone()
        };
        let duration = || {
            let labels = OperationLabels { operation };
            self.duration.get_or_create(&labels).clone()
        };
        let at_hand = &self.at_hand;
        let requests = &at_hand.requests[record.operation as usize][record.verdict as usize][record.mode as usize];
        requests[usize::from(record.dry_run)].get_or_init(request).inc();
        let duration = at_hand.duration[record.operation as usize].get_or_init(duration);
        duration.observe(took.as_secs_f64());
        #[expect(clippy::cast_precision_loss, reason = "a body is far below 2^52 bytes")]
        self.bytes.observe(bytes as f64);
    }

    pub(super) fn found(&self, decision: &Decision<'_>) {
        for (rule, severity, count) in decision.rules() {
            let labels = FindingLabels {
                rule: Word(rule.name()),
                severity: Word(severity.as_str()),
                mode: Word(decision.mode.as_str()),
            };
            self.findings.get_or_create(&labels).inc_by(count);
        }
        for (_, rule, count) in decision.excepted() {
            let labels = ExceptedLabels {
                rule: Word(rule.name()),
                mode: Word(decision.mode.as_str()),
            };
            self.excepted.get_or_create(&labels).inc_by(count);
        }
    }
}

/// Counts a review as in flight until dropped.
#[derive(Debug)]
pub(super) struct InFlight<'m>(&'m Gauge);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}
