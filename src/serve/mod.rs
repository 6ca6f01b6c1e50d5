//! `dorgu serve`: from a configuration to a running process. The only file that knows every module, and the only one that
//! starts what lives as long as the process.

mod certificate;
mod cluster;
mod decode;
mod gauges;
mod personas;
mod scraped;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::Router;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::config::{Config, Source};
use crate::files::Watch;
use crate::index::{Index, Kind};
use crate::server::address::BindAddress;
use crate::server::admin::{self, Checks};
use crate::server::body::Budget;
use crate::server::drain::Drain;
use crate::server::limits::Limits;
use crate::server::listen::Bound;
use crate::server::shutdown::Signals;
use crate::server::tls::{ClientAuth, server_config};
use crate::telemetry::{Exposition, start_logging};
use crate::webhook::{Metrics, PATH, Webhook, router};

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
    runtime.block_on(serve(config))
}

async fn serve(config: Config) -> anyhow::Result<()> {
    // First, so that a signal during the start is not lost.
    let signals = Signals::install().context("cannot listen for signals")?;
    if !config.ignored.is_empty() {
        tracing::info!(
            flags = config.ignored.join(" "),
            "Flags that have no effect here, or none yet"
        );
    }
    let exposition = Exposition::new();
    let mut tasks = Tasks::default();

    let index = Arc::new(Index::default());
    let certificate = certificate::open(&config.serving, &mut tasks)?;
    let told = certificate.told;
    let mut stop = None;
    let feed = match &config.source {
        Source::Files(folders) => {
            let (_watch, facts) = personas::follow(folders, Arc::clone(&index))?;
            Feed::Files { facts, _watch }
        }
        Source::Cluster(place) => {
            let led = cluster::Led {
                lease: config.lease.clone(),
                certificates: certificate.in_cluster,
            };
            let (watches, running) = cluster::watch(place, config.matching, &index, led).await?;
            tasks.spawn("watching the cluster", async {
                // Nobody sends; it ends with the watches.
                let _ = running.ended.await;
            });
            stop = Some(running.stop);
            Feed::Cluster(watches)
        }
    };

    let clients = match &config.serving.clients {
        Some(clients) => Some(ClientAuth::open(&clients.authority, &clients.names)?),
        None => None,
    };
    let tls = server_config(Arc::clone(&certificate.resolver), clients.as_ref())?;
    if let Some(clients) = clients {
        tasks.spawn("watching the client authorities", clients.run());
    }

    let limits = Limits::for_this_process();
    let metrics = exposition.with(Metrics::register);
    let webhook = Webhook {
        limits,
        ..Webhook::new(
            config.rulebook,
            config.matching,
            Arc::clone(&index),
            metrics,
            Budget::for_this_process(),
        )
    };
    let webhook = router(Arc::new(webhook));

    let (drain, draining) = Drain::new();
    let listener = Bound::bind(&config.serving.address).await?;
    let stats = listener.stats();
    say(&format!("webhook listening on https://{}{PATH}", listener.local_addr()));
    exposition.with(|registry| {
        let sources = gauges::Sources {
            index: Arc::clone(&index),
            feed: feed.facts(),
            certificate: told.clone(),
            stats,
        };
        registry.register_collector(Box::new(sources));
    });
    // The probes outlive the drain: they say "not ready" until the last request is answered.
    let ready = ready(&index, &feed, &told, draining.clone());
    let (_, never) = Drain::new();
    admin_listener(
        &mut tasks,
        "probes",
        config.admin.probes.as_ref(),
        None,
        &never,
        "",
        admin::probes(Checks::new(), ready),
    )
    .await?;
    let (metrics_tls, metrics) = scraped::behind(
        &config,
        certificate.resolver,
        admin::metrics(move || exposition.text()),
        &mut tasks,
    )
    .await?;
    admin_listener(
        &mut tasks,
        "metrics",
        config.admin.metrics.as_ref(),
        metrics_tls,
        &never,
        "/metrics",
        metrics,
    )
    .await?;
    tracing::info!(
        address = %listener.local_addr(),
        mode = config.rulebook.mode.as_str(),
        rules = config.rulebook.set.as_str(),
        r#match = config.matching.as_str(),
        "Serving the webhook"
    );

    let in_cluster = stop.is_some();
    let webhook = listener.serve(Some(tls), webhook, limits, draining);
    tokio::select! {
        () = webhook => {
            tracing::info!("Drained; every request was answered");
            // What writes stops, and then the Lease is given back, so that the next holder need not wait.
            drop(stop);
            if in_cluster && timeout(RELEASE, tasks.ended()).await.is_err() {
                tracing::warn!("The Lease was not given back in time; it runs out by itself");
            }
            Ok(())
        }
        signal = signals.drain_then_abort(drain, config.serving.shutdown_delay) => {
            bail!("stopped by a second signal ({signal:?}) before the drain was over")
        }
        ended = tasks.ended() => bail!("{ended} ended although it never should"),
    }
}

/// What fills the index; it stops when this is dropped.
enum Feed {
    Files {
        facts: watch::Receiver<personas::FileFacts>,
        _watch: Watch,
    },
    Cluster(cluster::Watches),
}

impl Feed {
    fn facts(&self) -> gauges::Feed {
        match self {
            Feed::Files { facts, .. } => gauges::Feed::Files(facts.clone()),
            Feed::Cluster(watches) => gauges::Feed::Cluster(watches.clone()),
        }
    }
}

/// What `/readyz` asks.
fn ready(index: &Arc<Index>, feed: &Feed, certificate: &certificate::Told, draining: Drain) -> Checks {
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
        Feed::Cluster(watches) => {
            let names = [
                ("personas", Kind::Persona),
                ("namespaces", Kind::Namespace),
                ("deployments", Kind::Deployment),
            ];
            names.into_iter().fold(checks, |checks, (name, kind)| {
                let (index, watches) = (Arc::clone(index), watches.clone());
                checks.with_note(name, move || watches.told(kind, &index))
            })
        }
    };
    certificate.checks(filled).with("not-draining", move || {
        if draining.is_draining() {
            Err("shutting down".to_owned())
        } else {
            Ok(())
        }
    })
}

/// Binds and serves one of the listeners beside the webhook; nothing when it has no address.
async fn admin_listener(
    tasks: &mut Tasks,
    name: &'static str,
    address: Option<&BindAddress>,
    tls: Option<Arc<rustls::ServerConfig>>,
    drain: &Drain,
    path: &str,
    app: Router,
) -> anyhow::Result<()> {
    let Some(address) = address else { return Ok(()) };
    let bound = Bound::bind(address).await?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    say(&format!("{name} listening on {scheme}://{}{path}", bound.local_addr()));
    tasks.spawn(name, bound.serve(tls, app, Limits::for_this_process(), drain.clone()));
    Ok(())
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
