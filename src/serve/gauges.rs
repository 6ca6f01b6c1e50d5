//! Families that are read from their owners when `/metrics` is asked, instead of being pushed by them.

use std::sync::Arc;

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use tokio::sync::watch;

use super::certificate::Told;
use super::cluster::Watches;
use super::personas::FileFacts;
use crate::api::application_persona::Tier;
use crate::api::application_persona::status::Phase;
use crate::certificates::State;
use crate::index::{Index, Kind, Snapshot};
use crate::k8s::{Leadership, WatchState};
use crate::metric::{ALONE, BYTES, Described, Label, SECONDS};
use crate::server::body::Budget;
use crate::server::limits::Limits;
use crate::server::stats::{CloseReason, Stats};

/// A kind that the index holds.
const KIND: Label = Label {
    name: "kind",
    values: || Kind::ALL.map(Kind::as_str).to_vec(),
};
/// A kind that is watched.
const WATCHED: Label = Label {
    name: "kind",
    values: || Watches::KINDS.to_vec(),
};
/// The phase of a persona without a status.
const NO_PHASE: &str = "none";

const ANY: &str = "";
const FILES: &str = "`--personas`";
const CLUSTER: &str = "a cluster";
const WEBHOOK: &str = "the webhook";
const KEPT: &str = "the webhook and certificates in the cluster";

const fn gauge(name: &'static str, labels: &'static [Label], help: &'static str, with: &'static str) -> Described {
    Described {
        name,
        of_type: MetricType::Gauge,
        unit: None,
        labels,
        help,
        with,
    }
}

const fn counter(name: &'static str, labels: &'static [Label], help: &'static str, with: &'static str) -> Described {
    Described {
        of_type: MetricType::Counter,
        ..gauge(name, labels, help, with)
    }
}

static OBJECTS: Described = gauge("dorgu_cache_objects", &[KIND], "Objects in the index, by kind", ANY);
static SYNCED: Described = gauge(
    "dorgu_cache_synced",
    &[KIND],
    "Whether the index was filled at least once, by kind",
    ANY,
);
static LAST_EVENT: Described = Described {
    unit: Some(&SECONDS),
    ..gauge(
        "dorgu_cache_last_event_timestamp",
        &[KIND],
        "When the source was last heard of, by kind; 0 for never. With a cluster something is heard about every minute",
        ANY,
    )
};
static PROBLEMS: Described = gauge(
    "dorgu_files_problems",
    &[],
    "Documents in the persona folders that cannot be used as they stand",
    FILES,
);
static PERSONAS: Described = gauge(
    "dorgu_personas",
    &[
        Label {
            name: "phase",
            values: || [NO_PHASE].into_iter().chain(Phase::ALL.map(Phase::as_str)).collect(),
        },
        Label {
            name: "tier",
            values: || Tier::ALL.map(Tier::as_str).to_vec(),
        },
    ],
    "ApplicationPersonas by what their status says (none: it says nothing yet) and by tier; every pod tells of all",
    CLUSTER,
);
static WATCH_ERRORS: Described = counter(
    "dorgu_watch_errors",
    &[WATCHED],
    "Lists and watches that failed, by kind",
    CLUSTER,
);
static WATCH_UNREADABLE: Described = counter(
    "dorgu_watch_unreadable",
    &[WATCHED],
    "Objects that came and could not be read, by kind",
    CLUSTER,
);
static LEADER: Described = gauge(
    "dorgu_leader",
    &[],
    "Whether this process holds the Lease, and so writes",
    CLUSTER,
);

/// What is known of the objects that reviews are answered from.
pub(super) static OF_INDEX: [&Described; 7] = [
    &OBJECTS,
    &SYNCED,
    &LAST_EVENT,
    &WATCH_ERRORS,
    &WATCH_UNREADABLE,
    &PROBLEMS,
    &PERSONAS,
];
/// Who writes.
pub(super) static OF_LEASE: [&Described; 1] = [&LEADER];

static EXPIRY: Described = Described {
    unit: Some(&SECONDS),
    ..gauge(
        "dorgu_certificate_expiry_timestamp",
        &[],
        "When the serving certificate expires; missing while there is none",
        WEBHOOK,
    )
};
static TRUSTED: Described = gauge(
    "dorgu_certificate_trusted",
    &[],
    "Whether the webhook configuration's caBundle trusts the serving certificate; missing while either is",
    KEPT,
);
static CA_EXPIRY: Described = Described {
    unit: Some(&SECONDS),
    ..gauge(
        "dorgu_ca_expiry_timestamp",
        &[],
        "When the CA in the Secret expires; missing where none of ours is there",
        KEPT,
    )
};
static RELOADS: Described = counter(
    "dorgu_certificate_reloads",
    &[Label {
        name: "result",
        values: || RELOADED.to_vec(),
    }],
    "Certificates replaced while serving",
    WEBHOOK,
);
static ROTATIONS: Described = counter(
    "dorgu_certificate_rotations",
    &[Label {
        name: "what",
        values: || State::ROTATED.to_vec(),
    }],
    "Leaves and CAs that this process has replaced in the Secret",
    KEPT,
);
/// How a reload ended.
const RELOADED: [&str; 2] = ["success", "failure"];

/// The certificate that is served.
pub(super) static OF_CERTIFICATE: [&Described; 5] = [&EXPIRY, &TRUSTED, &CA_EXPIRY, &RELOADS, &ROTATIONS];

static CONNECTIONS: Described = gauge("dorgu_connections", &[], "Open connections of the webhook", WEBHOOK);
static CLOSED: Described = counter(
    "dorgu_connections_closed",
    &[Label {
        name: "reason",
        values: || CloseReason::ALL.map(CloseReason::name).to_vec(),
    }],
    "Connections of the webhook that ended, by reason",
    WEBHOOK,
);
static ACCEPT_ERRORS: Described = counter(
    "dorgu_accept_errors",
    &[],
    "Connections that could not be accepted",
    WEBHOOK,
);
static PANICS: Described = counter(
    "dorgu_handler_panics",
    &[],
    "Panics outside a decision, answered with 500",
    WEBHOOK,
);

static PLACES: Described = gauge(
    "dorgu_connection_places",
    &[],
    "Connections that the webhook can have open at once",
    WEBHOOK,
);
static WAITED: Described = counter(
    "dorgu_connections_waited",
    &[],
    "Connections of the webhook that found every place taken, so that another one had to go or to be waited for",
    WEBHOOK,
);
static BODIES: Described = Described {
    unit: Some(&BYTES),
    ..gauge("dorgu_bodies", &[], "Request bodies in memory", WEBHOOK)
};
static BODIES_LIMIT: Described = Described {
    unit: Some(&BYTES),
    ..gauge(
        "dorgu_bodies_limit",
        &[],
        "Request bodies that may be in memory at once; those of more than 256 KiB leave a quarter of it to smaller ones",
        WEBHOOK,
    )
};

/// The webhook's listener.
pub(super) static OF_LISTENER: [&Described; 8] = [
    &CONNECTIONS,
    &PLACES,
    &CLOSED,
    &WAITED,
    &ACCEPT_ERRORS,
    &PANICS,
    &BODIES,
    &BODIES_LIMIT,
];

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
    pub(super) limits: Limits,
    pub(super) budget: Budget,
}

impl Collector for Sources {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let encoder = &mut encoder;
        let (index, kinds) = (self.index.load(), self.last_events());
        let objects = kinds.iter().map(|(kind, _)| ([kind.as_str()], index.count(*kind)));
        OBJECTS.gauges(encoder, objects)?;
        let synced = kinds
            .iter()
            .map(|(kind, _)| ([kind.as_str()], i64::from(self.index.has(*kind))));
        SYNCED.gauges(encoder, synced)?;
        let last = kinds.iter().map(|(kind, last)| ([kind.as_str()], *last));
        LAST_EVENT.gauges(encoder, last)?;
        match &self.feed {
            Feed::Files(facts) => PROBLEMS.gauges(encoder, [(ALONE, facts.borrow().problems)]),
            Feed::Cluster(watches, leadership) => {
                PERSONAS.gauges(encoder, personas(&index))?;
                LEADER.gauges(encoder, [(ALONE, i64::from(leadership.held()))])?;
                let each =
                    |value: fn(&WatchState) -> u64| watches.all().map(move |(kind, state)| ([kind], value(state)));
                WATCH_ERRORS.counters(encoder, each(WatchState::errors))?;
                WATCH_UNREADABLE.counters(encoder, each(WatchState::unreadable))
            }
        }
    }
}

/// Each phase with each tier, also where there is none: a series that comes and goes is hard to draw.
fn personas(index: &Snapshot) -> impl Iterator<Item = ([&'static str; 2], usize)> {
    let tally = index.tally();
    let counts: Vec<_> = tally.iter().collect();
    counts
        .into_iter()
        .map(|(phase, tier, count)| ([phase.map_or(NO_PHASE, Phase::as_str), tier.as_str()], count))
}

impl Collector for Served {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let encoder = &mut encoder;
        let facts = self.certificate.facts();
        let cluster = self.certificate.cluster();
        if let Some(facts) = &facts {
            EXPIRY.gauges(encoder, [(ALONE, facts.not_after.as_second())])?;
        }
        if let Some(expiry) = cluster.and_then(State::ca_expiry) {
            CA_EXPIRY.gauges(encoder, [(ALONE, expiry.as_second())])?;
        }
        if let Some(trusted) = cluster.and_then(|cluster| cluster.is_trusted(Timestamp::now())) {
            TRUSTED.gauges(encoder, [(ALONE, i64::from(trusted))])?;
        }
        let reloads = facts.map(|facts| facts.reloads).unwrap_or_default();
        let [success, failure] = RELOADED;
        RELOADS.counters(encoder, [([success], reloads.succeeded), ([failure], reloads.failed)])?;
        if let Some(cluster) = cluster {
            ROTATIONS.counters(encoder, cluster.rotations().map(|(what, count)| ([what], count)))?;
        }
        CONNECTIONS.gauges(encoder, [(ALONE, self.stats.open())])?;
        let closed = CloseReason::ALL.map(|reason| ([reason.name()], self.stats.closed(reason)));
        CLOSED.counters(encoder, closed)?;
        ACCEPT_ERRORS.counters(encoder, [(ALONE, self.stats.accept_errors())])?;
        PANICS.counters(encoder, [(ALONE, self.stats.panics())])?;
        PLACES.gauges(encoder, [(ALONE, self.limits.max_connections)])?;
        WAITED.counters(encoder, [(ALONE, self.stats.waited())])?;
        BODIES.gauges(encoder, [(ALONE, self.budget.held())])?;
        BODIES_LIMIT.gauges(encoder, [(ALONE, self.budget.total())])
    }
}
