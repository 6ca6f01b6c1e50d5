//! `dorgu serve`: from a configuration to a running process. The only file that knows every module, and the only one that
//! starts what lives as long as the process.

mod cluster;
mod decode;
mod gauges;
mod personas;
mod scraped;

use std::future::Future;
use std::sync::Arc;

use anyhow::{Context, bail};
use axum::Router;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::{Config, Serving, Source};
use crate::files::Watch;
use crate::index::{Index, Kind};
use crate::server::address::BindAddress;
use crate::server::admin::{self, Checks};
use crate::server::body::Budget;
use crate::server::drain::Drain;
use crate::server::limits::Limits;
use crate::server::listen::Bound;
use crate::server::shutdown::Signals;
use crate::server::tls::{CertificateFacts, CertificateFiles, ClientAuth, Resolver, SelfSigned, server_config};
use crate::telemetry::{Exposition, start_logging};
use crate::webhook::{Metrics, PATH, Webhook, router};

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
    let feed = match &config.source {
        Source::Files(folders) => {
            let (_watch, facts) = personas::follow(folders, Arc::clone(&index))?;
            Feed::Files { facts, _watch }
        }
        Source::Cluster(place) => {
            let (watches, ended) = cluster::watch(place, config.matching, &index).await?;
            tasks.spawn("watching the cluster", async {
                // Nobody sends; it ends with the watches.
                let _ = ended.await;
            });
            Feed::Cluster(watches)
        }
    };

    let certificate = certificates(&config.serving, &mut tasks)?;
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
            certificate: certificate.facts.clone(),
            stats,
        };
        registry.register_collector(Box::new(sources));
    });
    // The probes outlive the drain: they say "not ready" until the last request is answered.
    let ready = ready(&index, &feed, certificate.facts.clone(), draining.clone());
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

    let webhook = listener.serve(Some(tls), webhook, limits, draining);
    tokio::select! {
        () = webhook => {
            tracing::info!("Drained; every request was answered");
            Ok(())
        }
        signal = signals.drain_then_abort(drain, config.serving.shutdown_delay) => {
            bail!("stopped by a second signal ({signal:?}) before the drain was over")
        }
        ended = tasks.ended() => bail!("{ended} ended although it never should"),
    }
}

/// The certificate in use, whoever makes it.
struct Certificate {
    resolver: Arc<Resolver>,
    facts: watch::Receiver<CertificateFacts>,
}

fn certificates(serving: &Serving, tasks: &mut Tasks) -> anyhow::Result<Certificate> {
    if let Some(files) = &serving.certificates {
        let files = CertificateFiles::open(&files.chain, &files.key)?;
        let certificate = Certificate {
            resolver: files.resolver(),
            facts: files.facts(),
        };
        tasks.spawn("watching the certificate files", files.run());
        return Ok(certificate);
    }
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    names.extend(
        serving
            .address
            .certificate_name()
            .filter(|name| !["localhost", "127.0.0.1", "::1"].contains(&name.as_str())),
    );
    let own = SelfSigned::generate(&names)?;
    if let Some(file) = &serving.write_ca {
        own.write_ca(file)
            .with_context(|| format!("cannot write the CA to {}", file.display()))?;
    }
    let certificate = Certificate {
        resolver: own.resolver(),
        facts: own.facts(),
    };
    tasks.spawn("renewing the certificate", own.run());
    Ok(certificate)
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
fn ready(index: &Arc<Index>, feed: &Feed, certificate: watch::Receiver<CertificateFacts>, draining: Drain) -> Checks {
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
    filled
        .with("certificate", move || {
            certificate.borrow().problem(Timestamp::now()).map_or(Ok(()), Err)
        })
        .with("not-draining", move || {
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
