//! One measurement: a number of requests over a number of connections, as fast as they are answered or at a fixed rate.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::bail;
use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep_until};
use tokio_rustls::TlsConnector;

use crate::connection::{Answer, Connection, connector, request};
use crate::payloads::{SHAPES, Shape, Variant, review};
use crate::process::Usage;

/// Which reviews are sent, and how.
#[derive(Args, Clone, Debug)]
pub struct Load {
    /// Size of the reviews: create-9k, update-20k, update-54k or update-230k.
    #[arg(long, default_value = "create-9k", value_parser = shape)]
    pub shape: Shape,
    /// What they say.
    #[arg(long, value_enum, default_value_t = Mix::Compliant)]
    pub mix: Mix,
    /// How many apps the reviews are about, spread over all personas.
    #[arg(long, default_value_t = 64)]
    pub apps: usize,
    /// How many personas the server was given.
    #[arg(long, default_value_t = 10_000)]
    pub personas: usize,
    #[command(flatten)]
    pub pace: Pace,
}

/// How requests are sent, whatever they are.
#[derive(Args, Clone, Debug, Serialize)]
pub struct Pace {
    /// Connections, each with one request at a time.
    #[arg(long, default_value_t = 8)]
    pub connections: usize,
    /// How many requests are measured, at most.
    #[arg(long, default_value_t = 200_000)]
    pub requests: usize,
    /// For how many seconds, at most.
    #[arg(long, default_value_t = 5)]
    pub seconds: u64,
    /// Requests sent before anything is measured.
    #[arg(long, default_value_t = 2_000)]
    pub warm_up: usize,
    /// Requests a second; 0 sends the next as soon as the last is answered.
    #[arg(long, default_value_t = 0)]
    pub rate: u32,
    /// A new connection for every request.
    #[arg(long)]
    pub cold: bool,
}

/// Who is asked, and whose processor time is counted.
pub struct Target {
    pub address: SocketAddr,
    /// The process that answers.
    pub server: u32,
    /// A process that it asks in turn.
    pub beside: Option<u32>,
    pub speaks: Speaks,
}

/// What a request is.
#[derive(Clone, Copy)]
pub enum Speaks {
    /// An AdmissionReview, to a webhook.
    Reviews,
    /// An object to be created, to kube-apiserver.
    Objects,
}

impl Speaks {
    async fn ask(self, connection: &mut Connection, request: &[u8]) -> anyhow::Result<Answer> {
        match self {
            Speaks::Reviews => connection.ask(request).await,
            Speaks::Objects => connection.create(request).await,
        }
    }
}

/// What the reviews say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mix {
    /// All as their personas want it.
    Compliant,
    /// All with three warnings.
    Warning,
    /// All refused.
    Breach,
    /// None governed.
    Miss,
    /// Of ten: six compliant, two with warnings, one refused, one not governed.
    Mixed,
}

impl Mix {
    fn variant(self, number: usize) -> Variant {
        match self {
            Mix::Compliant => Variant::Compliant,
            Mix::Warning => Variant::Warning,
            Mix::Breach => Variant::Breach,
            Mix::Miss => Variant::Miss,
            Mix::Mixed => match number % 10 {
                0..=5 => Variant::Compliant,
                6 | 7 => Variant::Warning,
                8 => Variant::Breach,
                _ => Variant::Miss,
            },
        }
    }
}

/// A size by its name.
pub fn shape(name: &str) -> Result<Shape, String> {
    let known = || SHAPES.map(|shape| shape.name).join(", ");
    let found = SHAPES.into_iter().find(|shape| shape.name == name);
    found.ok_or_else(|| format!("'{name}' is not one of {}", known()))
}

/// What was measured.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    pub requests: usize,
    pub errors: usize,
    /// The first error, in words.
    pub error: Option<String>,
    pub allowed: usize,
    pub warned: usize,
    pub denied: usize,
    pub seconds: f64,
    pub per_second: f64,
    /// Processor time of the server for one request, user and system, in microseconds.
    pub cpu_us: f64,
    pub user_us: f64,
    pub system_us: f64,
    /// The generator's own.
    pub generator_cpu_us: f64,
    /// Latency in microseconds. At a fixed rate counted from when a request was due, if all connections were busy then.
    pub p50_us: u32,
    pub p95_us: u32,
    pub p99_us: u32,
    pub p999_us: u32,
    pub max_us: u32,
    pub rss_kib: u64,
    pub peak_kib: u64,
    /// Of the process that is asked in turn, if there is one: processor time for one request, and what it resides in.
    pub beside_cpu_us: f64,
    pub beside_rss_kib: u64,
    /// All latencies, sorted.
    #[serde(skip)]
    pub latencies: Vec<u32>,
}

impl Report {
    /// The latency that this share of the requests stayed below, in microseconds.
    pub fn at(&self, share: f64) -> u32 {
        percentile(&self.latencies, share)
    }
}

/// Of sorted values, the one that this share of them stays below; 0 of none.
pub fn percentile(sorted: &[u32], share: f64) -> u32 {
    let index = (sorted.len() as f64 * share) as usize;
    let last = sorted.len().saturating_sub(1);
    sorted.get(index.min(last)).copied().unwrap_or(0)
}

/// What the connections of one measurement share.
struct Shared {
    address: SocketAddr,
    speaks: Speaks,
    connector: TlsConnector,
    requests: Rc<[Vec<u8>]>,
    cold: bool,
    rate: u32,
    longest: Duration,
    start: Cell<Instant>,
    next: Cell<usize>,
    total: Cell<usize>,
    report: RefCell<Report>,
    latencies: RefCell<Vec<u32>>,
}

/// Measures one webhook.
pub async fn run(address: SocketAddr, pid: u32, load: &Load) -> anyhow::Result<Report> {
    let apps = load.apps.clamp(1, load.personas);
    let app = |position: usize| position * (load.personas / apps);
    let body = |position: usize| review(load.shape, load.mix.variant(position), app(position % apps));
    // Ten variants times the apps, where they are mixed.
    let count = if load.mix == Mix::Mixed {
        apps.next_multiple_of(10)
    } else {
        apps
    };
    let target = Target {
        address,
        server: pid,
        beside: None,
        speaks: Speaks::Reviews,
    };
    let requests = (0..count).map(|position| request(&body(position))).collect();
    measure(&target, requests, &load.pace).await
}

/// Sends these requests in turn, and measures.
pub async fn measure(target: &Target, requests: Rc<[Vec<u8>]>, pace: &Pace) -> anyhow::Result<Report> {
    let shared = Rc::new(Shared {
        address: target.address,
        speaks: target.speaks,
        connector: connector()?,
        requests,
        cold: pace.cold,
        rate: pace.rate,
        longest: Duration::from_secs(pace.seconds),
        start: Cell::new(Instant::now()),
        next: Cell::new(0),
        total: Cell::new(0),
        report: RefCell::default(),
        latencies: RefCell::new(Vec::with_capacity(pace.requests)),
    });
    let mut connections: Vec<Option<Connection>> = Vec::new();
    if !pace.cold {
        for _ in 0..pace.connections {
            connections.push(Some(Connection::open(target.address, &shared.connector).await?));
        }
    }
    connections.resize_with(pace.connections, || None);

    let connections = all(&shared, connections, pace.warm_up).await;
    if let Some(error) = shared.report.borrow().error.clone() {
        bail!("while warming up: {error}");
    }
    shared.latencies.borrow_mut().clear();
    shared.report.replace(Report::default());

    let usages = || -> anyhow::Result<[Usage; 3]> {
        let beside = target.beside.map(Usage::of).transpose()?.unwrap_or_default();
        Ok([Usage::of(target.server)?, Usage::of(std::process::id())?, beside])
    };
    let [before, own_before, beside_before] = usages()?;
    shared.start.set(Instant::now());
    drop(all(&shared, connections, pace.requests).await);
    let seconds = shared.start.get().elapsed().as_secs_f64();
    let [after, own_after, beside_after] = usages()?;

    let mut latencies = shared.latencies.take();
    latencies.sort_unstable();
    let requests = latencies.len();
    let each = |spent: f64| spent * 1e6 / requests.max(1) as f64;
    Ok(Report {
        requests,
        seconds,
        per_second: requests as f64 / seconds,
        cpu_us: each(after.cpu() - before.cpu()),
        user_us: each(after.user - before.user),
        system_us: each(after.system - before.system),
        generator_cpu_us: each(own_after.cpu() - own_before.cpu()),
        p50_us: percentile(&latencies, 0.5),
        p95_us: percentile(&latencies, 0.95),
        p99_us: percentile(&latencies, 0.99),
        p999_us: percentile(&latencies, 0.999),
        max_us: percentile(&latencies, 1.0),
        rss_kib: after.rss_kib,
        peak_kib: after.peak_kib,
        beside_cpu_us: each(beside_after.cpu() - beside_before.cpu()),
        beside_rss_kib: beside_after.rss_kib,
        latencies,
        ..shared.report.take()
    })
}

/// Sends `total` requests over all connections and gives these back.
async fn all(shared: &Rc<Shared>, connections: Vec<Option<Connection>>, total: usize) -> Vec<Option<Connection>> {
    shared.start.set(Instant::now());
    shared.next.set(0);
    shared.total.set(total);
    let local = LocalSet::new();
    let tasks: Vec<_> = connections
        .into_iter()
        .map(|connection| local.spawn_local(one(Rc::clone(shared), connection)))
        .collect();
    local
        .run_until(async {
            let mut back = Vec::new();
            for task in tasks {
                back.push(task.await.unwrap_or(None));
            }
            back
        })
        .await
}

/// One connection's share of the requests.
async fn one(shared: Rc<Shared>, mut connection: Option<Connection>) -> Option<Connection> {
    loop {
        let number = shared.next.get();
        if number >= shared.total.get() || shared.start.get().elapsed() > shared.longest {
            return connection;
        }
        shared.next.set(number + 1);
        let mut from = Instant::now();
        if shared.rate > 0 {
            let due = shared.start.get() + Duration::from_secs_f64(number as f64 / f64::from(shared.rate));
            if due > from {
                // How late a timer wakes us is our trouble, not the server's.
                sleep_until(due).await;
                from = Instant::now();
            } else {
                from = due;
            }
        }
        let bytes = &shared.requests[number % shared.requests.len()];
        let answered = async {
            if connection.is_none() || shared.cold {
                connection = None;
                connection = Some(Connection::open(shared.address, &shared.connector).await?);
            }
            match &mut connection {
                Some(connection) => shared.speaks.ask(connection, bytes).await,
                None => bail!("no connection"),
            }
        }
        .await;
        let took = u32::try_from(from.elapsed().as_micros()).unwrap_or(u32::MAX);
        shared.latencies.borrow_mut().push(took);
        let mut report = shared.report.borrow_mut();
        match answered {
            Ok(Answer::Allowed) => report.allowed += 1,
            Ok(Answer::Warned) => report.warned += 1,
            Ok(Answer::Denied) => report.denied += 1,
            Err(error) => {
                report.errors += 1;
                report.error.get_or_insert_with(|| format!("{error:#}"));
                drop(report);
                connection = None;
            }
        }
    }
}
