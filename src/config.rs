//! Defines the parsed configuration of `dorgu serve`. Every value in it is valid.

use std::path::PathBuf;
use std::time::Duration;

use clap::ArgMatches;

use crate::certificates;
use crate::k8s::{ClusterSource, LeaseName};
use crate::policy::answer::Help;
use crate::policy::exception::MaxLength;
use crate::policy::{Matching, PlatformRules, Rulebook};
use crate::server::address::BindAddress;
use crate::telemetry::LogFormat;

/// The configuration of `dorgu serve`.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where personas come from.
    pub source: Source,
    /// Rules and mode.
    pub rulebook: Rulebook,
    /// What a denial says besides its findings.
    pub help: Help,
    /// How Deployments are matched to personas.
    pub matching: Matching,
    /// Whether a Deployment without the app label is a finding where no persona governs it.
    pub requires_label: bool,
    /// The namespace whose default personas also govern others.
    pub default_personas_namespace: Option<String>,
    /// The levels that flags require of single rules.
    pub platform: PlatformRules,
    /// How long an exception may last.
    pub exception_max: MaxLength,
    /// The webhook's listener. Without it there is no webhook, and only the controllers run.
    pub serving: Option<Serving>,
    /// The command line, for the flags of parts.
    pub line: ArgMatches,
    /// Probes and metrics.
    pub admin: Admin,
    /// Log lines.
    pub logging: Logging,
    /// The Lease whose holder writes. Without it this process acts as the holder.
    pub lease: Option<LeaseName>,
    /// Flags that were accepted and have no effect here; logged once at start.
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
    /// Certificate files of the user. Without them a certificate is generated.
    pub certificates: Option<CertificateFiles>,
    /// The objects in the cluster that are kept for it. With certificate files they are only checked.
    pub in_cluster: Option<certificates::Settings>,
    /// The file for the CA of a generated certificate.
    pub write_ca: Option<PathBuf>,
    /// Which clients may connect; `None` for all.
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

/// Which clients may connect.
#[derive(Clone, Debug)]
pub struct ClientAuth {
    /// PEM file with the CAs that sign their certificates.
    pub authority: PathBuf,
    /// A client's certificate must carry one of these names; empty for any.
    pub names: Vec<String>,
}

/// Probes and metrics.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Address of `/livez`, `/readyz`, `/healthz`; `None` for no listener.
    pub probes: Option<BindAddress>,
    /// Address of `/metrics`; `None` for no listener.
    pub metrics: Option<BindAddress>,
    /// HTTPS for metrics and, with a cluster, only for authorized clients.
    pub metrics_secure: bool,
    /// The certificate for that; `None` for the webhook's.
    pub metrics_certificates: Option<CertificateFiles>,
}

/// Log lines.
#[derive(Clone, Copy, Debug)]
pub struct Logging {
    /// Text or JSON.
    pub format: LogFormat,
    /// The lowest level that is logged, unless `RUST_LOG` is set.
    pub level: tracing::Level,
}
