//! Defines metric families whose values are read from their owners when `/metrics` is requested.

use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use tokio::sync::watch;

use super::cluster::Watches;
use super::parts;
use super::personas::FileFacts;
use crate::api::application_persona::Tier;
use crate::api::application_persona::status::Phase;
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
    values: || Watches::kinds(parts::ALL).collect(),
};
/// The phase of a persona without a status.
const NO_PHASE: &str = "none";

const ANY: &str = "";
const FILES: &str = "`--personas`";
const CLUSTER: &str = "a cluster";
const WEBHOOK: &str = "the webhook";

static OBJECTS: Described = Described::gauge("dorgu_cache_objects", &[KIND], "Objects in the index, by kind", ANY);
static SYNCED: Described = Described::gauge(
    "dorgu_cache_synced",
    &[KIND],
    "Whether the index was filled at least once, by kind",
    ANY,
);
static LAST_EVENT: Described = Described {
    unit: Some(&SECONDS),
    ..Described::gauge(
        "dorgu_cache_last_event_timestamp",
        &[KIND],
        "When the source was last heard of, by kind; 0 for never. With a cluster something is heard about every minute",
        ANY,
    )
};
static PROBLEMS: Described = Described::gauge(
    "dorgu_files_problems",
    &[],
    "Documents in the persona folders that cannot be used as they stand",
    FILES,
);
static UNSETTLED: Described = Described::gauge(
    "dorgu_files_unsettled",
    &[],
    "Persona files that have kept changing for 30 seconds or more; their last good version is served",
    FILES,
);
static PERSONAS: Described = Described::gauge(
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
static WATCH_ERRORS: Described = Described::counter(
    "dorgu_watch_errors",
    &[WATCHED],
    "Lists and watches that failed, by kind",
    CLUSTER,
);
static WATCH_UNREADABLE: Described = Described::counter(
    "dorgu_watch_unreadable",
    &[WATCHED],
    "Objects that came and could not be read, by kind",
    CLUSTER,
);
static LEADER: Described = Described::gauge(
    "dorgu_leader",
    &[],
    "Whether this process holds the Lease, and so writes",
    CLUSTER,
);

/// The objects that reviews are answered from.
pub(super) static OF_INDEX: [&Described; 8] = [
    &OBJECTS,
    &SYNCED,
    &LAST_EVENT,
    &WATCH_ERRORS,
    &WATCH_UNREADABLE,
    &PROBLEMS,
    &UNSETTLED,
    &PERSONAS,
];
/// Which replica writes.
pub(super) static OF_LEASE: [&Described; 1] = [&LEADER];

static CONNECTIONS: Described = Described::gauge("dorgu_connections", &[], "Open connections of the webhook", WEBHOOK);
static CLOSED: Described = Described::counter(
    "dorgu_connections_closed",
    &[Label {
        name: "reason",
        values: || CloseReason::ALL.map(CloseReason::name).to_vec(),
    }],
    "Connections of the webhook that ended, by reason",
    WEBHOOK,
);
static ACCEPT_ERRORS: Described = Described::counter(
    "dorgu_accept_errors",
    &[],
    "Connections that could not be accepted",
    WEBHOOK,
);
static PANICS: Described = Described::counter(
    "dorgu_handler_panics",
    &[],
    "Panics outside a decision, answered with 500",
    WEBHOOK,
);

static PLACES: Described = Described::gauge(
    "dorgu_connection_places",
    &[],
    "Connections that the webhook can have open at once",
    WEBHOOK,
);
static WAITED: Described = Described::counter(
    "dorgu_connections_waited",
    &[],
    "Connections of the webhook that found every place taken, so that another one had to go or to be waited for",
    WEBHOOK,
);
static BODIES: Described = Described {
    unit: Some(&BYTES),
    ..Described::gauge("dorgu_bodies", &[], "Request bodies in memory", WEBHOOK)
};
static BODIES_LIMIT: Described = Described {
    unit: Some(&BYTES),
    ..Described::gauge(
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

/// The source of the index.
#[derive(Debug)]
pub(super) enum Feed {
    Files(watch::Receiver<FileFacts>),
    Cluster(Watches, Leadership),
}

/// Where the values are read.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) index: Arc<Index>,
    pub(super) feed: Feed,
}

impl Sources {
    /// The watched kinds, and the time of each one's last event.
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

/// Reads the webhook's listener.
#[derive(Debug)]
pub(super) struct Listener {
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
            Feed::Files(facts) => {
                let facts = *facts.borrow();
                PROBLEMS.gauges(encoder, [(ALONE, facts.problems)])?;
                UNSETTLED.gauges(encoder, [(ALONE, facts.unsettled)])
            }
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

/// Each phase with each tier, also where the count is zero: a series that comes and goes is hard to draw.
fn personas(index: &Snapshot) -> impl Iterator<Item = ([&'static str; 2], usize)> {
    let tally = index.tally();
    let counts: Vec<_> = tally.iter().collect();
    counts
        .into_iter()
        .map(|(phase, tier, count)| ([phase.map_or(NO_PHASE, Phase::as_str), tier.as_str()], count))
}

impl Collector for Listener {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let encoder = &mut encoder;
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
