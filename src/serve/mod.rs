//! `dorgu serve`: from a configuration to a running process. The only file that knows every module, and the only one that
//! starts what lives as long as the process.

mod certificate;
mod cluster;
mod decode;
mod gauges;
mod led;
mod personas;
pub mod reference;
mod scraped;
mod served;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::Router;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::certificate::Told;
use self::led::{Clusters, Led};
pub use self::personas::fill;
use self::served::Served;
use crate::api::names::PROGRAM;
use crate::certificates::Certificates;
use crate::config::{Config, Source};
use crate::controllers::{self, persona};
use crate::files::Watch;
use crate::index::{Index, Kind};
use crate::k8s::{ClusterSource, Leadership, pod_name};
use crate::server::address::BindAddress;
use crate::server::admin::{self, Checks};
use crate::server::descriptors::{self, Shares};
use crate::server::drain::{self, Drain};
use crate::server::limits::Limits;
use crate::server::listen::Bound;
use crate::server::shutdown::Signals;
use crate::telemetry::{Exposition, start_logging};
use crate::webhook::Match;

/// How long giving back the Lease may take.
const RELEASE: Duration = Duration::from_secs(3);

/// Runs until a signal has drained it.
///
/// # Errors
/// Whatever keeps it from starting, in one line; and a task that ended although it never should.
pub fn run(config: Config) -> anyhow::Result<()> {
    start_logging(config.logging.format, config.logging.level);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the async runtime")?;
    let ended = runtime.block_on(serve(config));
    // A persona folder that is still being read, because somebody named the wrong one, must not hold up the end.
    runtime.shutdown_background();
    ended
}

async fn serve(config: Config) -> anyhow::Result<()> {
    // First, so that a signal during the start is not lost.
    let mut signals = Signals::install().context("cannot listen for signals")?;
    if !config.ignored.is_empty() {
        tracing::info!(
            flags = config.ignored.join(" "),
            "Flags that have no effect here, or none yet"
        );
    }
    let shares = share_out_descriptors();
    let exposition = Exposition::new();
    let mut tasks = Tasks::default();
    let index = Arc::new(Index::default());
    let mut certificate = match &config.serving {
        Some(serving) => Some(certificate::open(serving, &mut tasks)?),
        None => None,
    };
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
        Source::Cluster(place) => {
            let certificates = certificate
                .as_mut()
                .and_then(|certificate| certificate.in_cluster.take());
            follow_cluster(&config, place, &index, certificates, &exposition, &mut tasks).await?
        }
    };
    exposition.with(|registry| {
        let sources = gauges::Sources {
            index: Arc::clone(&index),
            feed: feed.facts(),
        };
        registry.register_collector(Box::new(sources));
    });

    let (drain, draining) = Drain::new();
    let told = certificate.as_ref().map(|certificate| certificate.told.clone());
    let resolver = certificate
        .as_ref()
        .map(|certificate| Arc::clone(&certificate.resolver));
    let webhook = match (&config.serving, certificate) {
        (Some(serving), Some(certificate)) => Some(
            Served::bind(
                &config,
                serving,
                certificate,
                &index,
                &exposition,
                &mut tasks,
                shares.webhook,
            )
            .await?,
        ),
        _ => None,
    };
    // The probes outlive the drain: they say "not ready" until the last request is answered.
    let ready = ready(&index, &feed, told.as_ref(), draining.clone());
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
            // Nobody asks us anything: there is nothing to drain.
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

/// Starts what follows the cluster and what is written there.
async fn follow_cluster(
    config: &Config,
    place: &ClusterSource,
    index: &Arc<Index>,
    certificates: Option<Certificates>,
    exposition: &Exposition,
    tasks: &mut Tasks,
) -> anyhow::Result<Feed> {
    let counted = exposition.with(controllers::metrics::Metrics::register);
    let settings = persona::Settings {
        set: config.rulebook.set,
        chained: config.matching == Match::Chain,
        interval: config.requeue_interval,
        instance: pod_name(PROGRAM),
    };
    let (trigger, personas) = persona::controller(Arc::clone(index), settings, counted.clone());
    let clusters = Clusters {
        index: Arc::clone(index),
        metrics: counted,
        followed: controllers::cluster::Followed::default(),
        options: controllers::cluster::Options {
            auto_create: config.auto_create_cluster_persona,
            ..controllers::cluster::Options::default()
        },
    };
    let led = Led {
        lease: config.lease.clone(),
        certificates,
        personas,
        clusters,
    };
    let (watches, running) = cluster::watch(place, config.matching, index, led, trigger).await?;
    tasks.spawn("watching the cluster", async {
        // Nobody sends; it ends with the watches.
        let _ = running.ended.await;
    });
    Ok(Feed::Cluster {
        watches,
        leadership: running.leadership,
        stop: running.stop,
    })
}

/// What fills the index; it stops when this is dropped.
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

    /// What writes stops, and then the Lease is given back, so that the next holder need not wait.
    async fn stop(self, tasks: &mut Tasks) {
        if let Feed::Cluster { stop, .. } = self {
            drop(stop);
            if timeout(RELEASE, tasks.ended()).await.is_err() {
                tracing::warn!("The Lease was not given back in time; it runs out by itself");
            }
        }
    }
}

/// What `/readyz` asks.
fn ready(index: &Arc<Index>, feed: &Feed, certificate: Option<&Told>, draining: Drain) -> Checks {
    let checks = Checks::new();
    let filled = match feed {
        Feed::Files { .. } => {
            let index = Arc::clone(index);
            checks.with("personas", move || {
                if index.is_synced() {
                    Ok(())
                } else {
                    Err("the persona folders were not read yet".to_owned())
                }
            })
        }
        Feed::Cluster {
            watches, leadership, ..
        } => {
            let names = [
                ("personas", Kind::Persona),
                ("namespaces", Kind::Namespace),
                ("deployments", Kind::Deployment),
            ];
            let synced = names.into_iter().fold(checks, |checks, (name, kind)| {
                let (index, watches) = (Arc::clone(index), watches.clone());
                checks.with_note(name, move || watches.told(kind, &index))
            });
            // None of these is ever a failure: who does not lead answers as well.
            let [holder, nodes, clusters] = [leadership, leadership, leadership].map(Leadership::clone);
            let [of_nodes, of_clusters] = [watches, watches].map(cluster::Watches::clone);
            synced
                .with_note("lease", move || Ok(holder.note()))
                .with_note("nodes", move || Ok(of_nodes.told_of_nodes(&nodes)))
                .with_note("cluster-personas", move || {
                    Ok(of_clusters.told_of_cluster_personas(&clusters))
                })
        }
    };
    let certified = match certificate {
        Some(certificate) => certificate.checks(filled),
        None => filled,
    };
    certified.with("not-draining", move || {
        if draining.is_draining() {
            Err("shutting down".to_owned())
        } else {
            Ok(())
        }
    })
}

/// As many files as the process may have, shared out among its listeners.
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

/// One of the listeners beside the webhook.
struct Beside {
    name: &'static str,
    path: &'static str,
    tls: Option<Arc<rustls::ServerConfig>>,
    limits: Limits,
    app: Router,
}

impl Beside {
    /// Binds and serves it; nothing when it has no address.
    async fn listen(self, tasks: &mut Tasks, address: Option<&BindAddress>, drain: &Drain) -> anyhow::Result<()> {
        let Some(address) = address else { return Ok(()) };
        let bound = Bound::bind(address).await?;
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        say(&format!(
            "{} listening on {scheme}://{}{}",
            self.name,
            bound.local_addr(),
            self.path
        ));
        tasks.spawn(self.name, bound.serve(self.tls, self.app, self.limits, drain.clone()));
        Ok(())
    }
}

/// Tasks that live as long as the process: one that ends early ends the process, which says which.
#[derive(Default)]
struct Tasks(JoinSet<&'static str>);

impl Tasks {
    fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(async move {
            task.await;
            name
        });
    }

    async fn ended(&mut self) -> String {
        match self.0.join_next().await {
            Some(Ok(name)) => name.to_owned(),
            Some(Err(error)) => format!("a task ({error})"),
            None => std::future::pending().await,
        }
    }
}

/// For the person, or the script, that started us: where we listen.
fn say(line: &str) {
    use std::io::Write;
    // Nobody reading is no failure.
    let _ = writeln!(std::io::stdout(), "{line}");
}
