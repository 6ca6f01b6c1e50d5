//! `dorgu serve`: turns a configuration into a running process. This is the composition root: only this folder knows every
//! module, and only this folder starts tasks that live as long as the process.

mod certificate;
mod cluster;
mod gauges;
mod leader;
pub mod parts;
mod personas;
mod readiness;
pub mod reference;
mod routed;
mod scraped;
mod served;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::Router;
use prometheus_client::collector::Collector;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::leader::LeaderTasks;
use self::parts::{Entry, Surroundings};
use self::served::{Known, Served};
use crate::config::{Config, Source};
use crate::controllers::persona::Trigger;
use crate::files::Watch;
use crate::index::{Index, Kind};
use crate::k8s::{ClusterSource, Leadership};
use crate::runtime::{Admission, Handler, Part, Task, Watched};
use crate::server::address::BindAddress;
use crate::server::admin::{self, Checks};
use crate::server::descriptors::{self, Shares};
use crate::server::drain::{self, Drain};
use crate::server::limits::Limits;
use crate::server::listen::Bound;
use crate::server::shutdown::Signals;
use crate::telemetry::{self, Exposition, Output, announce};
pub use crate::world::fill;

/// How long releasing the Lease may take.
const RELEASE: Duration = Duration::from_secs(3);

/// Runs until a signal has drained it.
///
/// # Errors
/// Why it could not start, in one line; or that a task ended which must not.
pub fn run(config: Config) -> anyhow::Result<()> {
    run_with(config, parts::ALL)
}

/// The same with other parts.
///
/// # Errors
/// As [`run`].
pub fn run_with(config: Config, parts: &'static [Entry]) -> anyhow::Result<()> {
    let output = telemetry::start(config.logging.format, config.logging.level).context("cannot start logging")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the async runtime")?;
    let ended = runtime.block_on(serve(config, parts, &output));
    // A persona folder that is still being read, such as a huge one named by mistake, must not delay the exit.
    runtime.shutdown_background();
    ended
}

async fn serve(config: Config, parts: &[Entry], output: &Output) -> anyhow::Result<()> {
    // First, so that a signal during the start is not lost.
    let mut signals = Signals::install().context("cannot listen for signals")?;
    let shares = share_out_descriptors();
    let exposition = Exposition::new(output);
    let mut tasks = Tasks::default();
    let index = Index::new(config.matching, config.platform.clone());
    let index = index.with_platform_defaults(config.default_personas_namespace.as_deref());
    let index = Arc::new(index.allowing(config.exception_max));
    let mut certificate = match &config.serving {
        Some(serving) => Some(certificate::open(serving, &mut tasks)?),
        None => None,
    };
    let mut surroundings = Surroundings::new(&config, &index, &exposition, certificate.as_mut());
    let (mut present, mut ignored) = (Vec::new(), config.ignored.clone());
    for entry in parts {
        let built = (entry.build)(&mut surroundings);
        match built.with_context(|| format!("cannot start the part {}", entry.about.name))? {
            Some(part) => present.push(part),
            None => ignored.extend(entry.about.given(&config.line)),
        }
    }
    if !ignored.is_empty() {
        tracing::info!(flags = ignored.join(" "), "Flags that have no effect here, or none yet");
    }
    let triggers = surroundings.triggers;
    let mut parts = Joined::of(present);
    if let Some(kept) = certificate.as_ref().and_then(|certificate| certificate.state.cluster()) {
        kept.serve_parts(std::mem::take(&mut parts.webhooks));
    }
    let feed = match &config.source {
        Source::Files(folders) => {
            let (folders, filled) = (folders.clone(), Arc::clone(&index));
            let read = tokio::task::spawn_blocking(move || personas::follow(&folders, filled));
            let (_watch, facts) = tokio::select! {
                read = read => read.context("reading the persona folders broke off")??,
                signal = signals.next() => {
                    tracing::info!(?signal, "Stopped while the persona folders were being read; nothing was served yet");
                    return Ok(());
                }
            };
            Feed::Files { facts, _watch }
        }
        Source::Cluster(place) => follow_cluster(&config, place, &index, &mut parts, triggers, &mut tasks).await?,
    };
    exposition.with(|registry| {
        let sources = gauges::Sources {
            index: Arc::clone(&index),
            feed: feed.facts(),
        };
        registry.register_collector(Box::new(sources));
        for collector in parts.collectors {
            registry.register_collector(collector);
        }
    });

    let (drain, draining) = Drain::new();
    let resolver = certificate
        .as_ref()
        .map(|certificate| Arc::clone(&certificate.resolver));
    let webhook = match (&config.serving, certificate) {
        (Some(serving), Some(certificate)) => Some(
            Served::bind(
                &config,
                serving,
                certificate,
                Known {
                    index: &index,
                    deployments_come: feed.deployments_come(),
                },
                parts.admission,
                &exposition,
                &mut tasks,
            )
            .await?,
        ),
        _ => None,
    };
    // The probes outlive the drain: they report "not ready" until the last request is answered.
    let ready = readiness::checks(&index, &feed, parts.checks, draining.clone());
    let (_, never) = Drain::new();
    let probes = Beside {
        name: "probes",
        path: "",
        tls: None,
        limits: shares.probes,
        app: admin::probes(Checks::new(), ready),
    };
    probes.listen(&mut tasks, config.admin.probes.as_ref(), &never).await?;
    let (metrics_tls, metrics) =
        scraped::behind(&config, resolver, admin::metrics(move || exposition.text()), &mut tasks).await?;
    let metrics = Beside {
        name: "metrics",
        path: "/metrics",
        tls: metrics_tls,
        limits: shares.metrics,
        app: metrics,
    };
    metrics
        .listen(&mut tasks, config.admin.metrics.as_ref(), &never)
        .await?;

    let served = async {
        match webhook {
            Some(webhook) => webhook.run(draining).await,
            // Without a webhook there are no requests to drain.
            None => draining.reached(drain::State::Closing).await,
        }
    };
    let delay = config
        .serving
        .as_ref()
        .map_or(Duration::ZERO, |serving| serving.shutdown_delay);
    tokio::select! {
        () = served => {
            feed.stop(&mut tasks).await;
            Ok(())
        }
        signal = signals.drain_then_abort(drain, delay) => {
            bail!("stopped by a second signal ({signal:?}) before the drain was over")
        }
        ended = tasks.ended() => bail!("{ended} ended although it never should"),
    }
}

/// The contributions of all parts.
#[derive(Default)]
struct Joined {
    tasks: Vec<(&'static str, Task)>,
    watches: Vec<Watched>,
    checks: Vec<Checks>,
    collectors: Vec<Box<dyn Collector>>,
    admission: Vec<Handler>,
    /// The names of the entries that those handlers serve.
    webhooks: Vec<String>,
}

impl Joined {
    fn of(parts: Vec<Part>) -> Joined {
        let mut joined = Joined::default();
        for part in parts {
            let tasks = part.everywhere.into_iter().chain(part.leading);
            joined.tasks.extend(tasks.map(|task| (part.about.name, task)));
            joined.watches.extend(part.watches);
            joined.checks.push(part.checks);
            joined.collectors.extend(part.collectors);
            let served = |declared: &&Admission| part.admission.iter().any(|handler| handler.path == declared.path);
            let declared = part.about.admission.iter().filter(served);
            joined
                .webhooks
                .extend(declared.map(|declared| declared.webhook.to_owned()));
            joined.admission.extend(part.admission);
        }
        joined
    }
}

/// Starts the watches and the controllers.
async fn follow_cluster(
    config: &Config,
    place: &ClusterSource,
    index: &Arc<Index>,
    parts: &mut Joined,
    triggers: Vec<Trigger>,
    tasks: &mut Tasks,
) -> anyhow::Result<Feed> {
    let led = LeaderTasks {
        lease: config.lease.clone(),
        tasks: std::mem::take(&mut parts.tasks),
    };
    let of_parts = std::mem::take(&mut parts.watches);
    let (watches, running) = cluster::watch(place, index, led, of_parts, triggers).await?;
    tasks.spawn_named(async {
        let ended = running.ended.await;
        ended.unwrap_or_else(|_| "watching the cluster".to_owned())
    });
    Ok(Feed::Cluster {
        watches,
        leadership: running.leadership,
        stop: running.stop,
    })
}

/// The source of the index; it stops when this is dropped.
enum Feed {
    Files {
        facts: watch::Receiver<personas::FileFacts>,
        _watch: Watch,
    },
    Cluster {
        watches: cluster::Watches,
        leadership: Leadership,
        stop: oneshot::Sender<()>,
    },
}

impl Feed {
    fn facts(&self) -> gauges::Feed {
        match self {
            Feed::Files { facts, .. } => gauges::Feed::Files(facts.clone()),
            Feed::Cluster {
                watches, leadership, ..
            } => gauges::Feed::Cluster(watches.clone(), leadership.clone()),
        }
    }

    /// Whether an unknown Deployment may still become known: never from files.
    fn deployments_come(&self) -> Arc<AtomicBool> {
        match self {
            Feed::Files { .. } => Arc::default(),
            Feed::Cluster { watches, .. } => watches.live(Kind::Deployment),
        }
    }

    /// Stops the controllers and then releases the Lease, so that the next holder need not wait.
    async fn stop(self, tasks: &mut Tasks) {
        if let Feed::Cluster { stop, .. } = self {
            drop(stop);
            if timeout(RELEASE, tasks.ended()).await.is_err() {
                tracing::warn!("The Lease was not given back in time; it runs out by itself");
            }
        }
    }
}

/// Raises the limit of open files, and divides it among the listeners.
fn share_out_descriptors() -> Shares {
    let files = descriptors::raise().unwrap_or_else(|error| {
        tracing::warn!(%error, "The limit on open files could not be raised");
        descriptors::limit()
    });
    let shares = Shares::of(files);
    if shares.webhook.max_connections < Limits::default().max_connections {
        tracing::warn!(
            files,
            webhook = shares.webhook.max_connections,
            probes = shares.probes.max_connections,
            metrics = shares.metrics.max_connections,
            "Few files may be open at once (ulimit -Hn), so fewer connections are served than could be"
        );
    }
    shares
}

/// A listener beside the webhook.
struct Beside {
    name: &'static str,
    path: &'static str,
    tls: Option<Arc<rustls::ServerConfig>>,
    limits: Limits,
    app: Router,
}

impl Beside {
    /// Binds and serves it; does nothing without an address.
    async fn listen(self, tasks: &mut Tasks, address: Option<&BindAddress>, drain: &Drain) -> anyhow::Result<()> {
        let Some(address) = address else { return Ok(()) };
        let bound = Bound::bind(address).await?;
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        announce(&format!(
            "{} listening on {scheme}://{}{}",
            self.name,
            bound.local_addr(),
            self.path
        ));
        tasks.spawn(self.name, bound.serve(self.tls, self.app, self.limits, drain.clone()));
        Ok(())
    }
}

/// Tasks that live as long as the process. One that ends early ends the process, with its name.
#[derive(Default)]
struct Tasks(JoinSet<String>);

impl Tasks {
    fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.spawn_named(async move {
            task.await;
            name.to_owned()
        });
    }

    /// The same for a task that returns the name of what ended.
    fn spawn_named(&mut self, task: impl Future<Output = String> + Send + 'static) {
        self.0.spawn(task);
    }

    async fn ended(&mut self) -> String {
        match self.0.join_next().await {
            Some(Ok(name)) => name,
            Some(Err(error)) => format!("a task ({error})"),
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests;
