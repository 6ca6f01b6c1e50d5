//! The configuration of `dorgu serve`, parsed: every value in it is known to be usable as it stands.

use std::path::PathBuf;
use std::time::Duration;

use clap::ArgMatches;

use crate::certificates;
use crate::k8s::{ClusterSource, LeaseName};
use crate::policy::{Matching, Rulebook};
use crate::server::address::BindAddress;
use crate::telemetry::LogFormat;

/// Everything `dorgu serve` needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where personas come from.
    pub source: Source,
    /// Rules and mode.
    pub rulebook: Rulebook,
    /// How personas are found.
    pub matching: Matching,
    /// The webhook's listener; absent: no webhook, which leaves the controllers.
    pub serving: Option<Serving>,
    /// How often a controller looks at every persona again.
    pub requeue_interval: Duration,
    /// The command line, for the flags of parts.
    pub line: ArgMatches,
    /// Probes and metrics.
    pub admin: Admin,
    /// Log lines.
    pub logging: Logging,
    /// The Lease whose holder writes; absent: this process acts as the holder.
    pub lease: Option<LeaseName>,
    /// Flags that were accepted and mean nothing here; named once at start.
    pub ignored: Vec<String>,
}

/// Where personas come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// Folders with personas; never empty. No cluster is contacted.
    Files(Vec<PathBuf>),
    /// A cluster, watched.
    Cluster(ClusterSource),
}

/// The webhook's listener and its certificates.
#[derive(Clone, Debug)]
pub struct Serving {
    /// Where it listens.
    pub address: BindAddress,
    /// Certificate files of the user; absent: one is made.
    pub certificates: Option<CertificateFiles>,
    /// What is kept in the cluster for it; with files of the user, only what is checked there.
    pub in_cluster: Option<certificates::Settings>,
    /// Where the CA of a made certificate is written.
    pub write_ca: Option<PathBuf>,
    /// Which clients are let in; absent: all.
    pub clients: Option<ClientAuth>,
    /// How long requests are answered after SIGTERM.
    pub shutdown_delay: Duration,
}

/// A certificate chain and its key, as PEM files.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    /// Leaf first, then intermediates.
    pub chain: PathBuf,
    /// The leaf's private key.
    pub key: PathBuf,
}

/// Which clients are let in.
#[derive(Clone, Debug)]
pub struct ClientAuth {
    /// PEM file with the authorities that sign them.
    pub authority: PathBuf,
    /// Names of which a certificate must carry one; empty: any.
    pub names: Vec<String>,
}

/// Probes and metrics.
#[derive(Clone, Debug)]
pub struct Admin {
    /// `/livez`, `/readyz`, `/healthz`; absent: nowhere.
    pub probes: Option<BindAddress>,
    /// `/metrics`; absent: nowhere.
    pub metrics: Option<BindAddress>,
    /// HTTPS for metrics and, with a cluster, only for who may get them.
    pub metrics_secure: bool,
    /// The certificate for that; absent: the webhook's.
    pub metrics_certificates: Option<CertificateFiles>,
}

/// Log lines.
#[derive(Clone, Copy, Debug)]
pub struct Logging {
    /// Text or JSON.
    pub format: LogFormat,
    /// The least that is logged, unless `RUST_LOG` says otherwise.
    pub level: tracing::Level,
}
