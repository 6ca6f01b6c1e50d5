//! Defines the flags of `dorgu serve`, upstream's with their names and defaults (contract 7.1) and ours, and makes a
//! [`Config`] of them (`config`).

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ArgMatches, Args};

use super::go_flags::Zap;
use super::{deciding, values};
use crate::api::names::{LEASE, SCALE_WEBHOOK, WEBHOOK};
use crate::certificates::Settings;
use crate::config::{Admin, ClientAuth, Config, Logging, Serving, Source};
use crate::k8s::{ClusterSource, LeaseName, Name};
use crate::policy::Mode;
use crate::policy::answer::Help;
use crate::runtime::flags::{WITH_CLUSTER, duration};
use crate::server::address::BindAddress;
use crate::telemetry::LogFormat;

/// Each flag is also read from the environment: `--webhook-mode` from `DORGU_WEBHOOK_MODE`. The flag wins.
#[derive(Debug, Args)]
pub(super) struct Flags {
    /// Answer from the YAML files in this folder, watched for changes; contacts no cluster. Repeatable.
    #[arg(long, value_name = "DIR", env = "DORGU_PERSONAS", value_delimiter = ',')]
    personas: Vec<PathBuf>,
    /// Where the webhook listens: ADDRESS:PORT, or :PORT for all addresses [default: :9443; with --personas 127.0.0.1:9443]
    #[arg(long, value_name = "ADDRESS", env = "DORGU_WEBHOOK_BIND_ADDRESS", value_parser = values::address)]
    webhook_bind_address: Option<BindAddress>,
    /// advisory: warn. enforcing: deny.
    #[arg(long, value_name = "MODE", env = "DORGU_WEBHOOK_MODE", default_value = "advisory", value_parser = values::mode)]
    webhook_mode: Mode,
    #[command(flatten)]
    deciding: deciding::Flags,
    /// A line in each denial that says how to ask for an exception
    #[arg(long, value_name = "TEXT", env = "DORGU_EXCEPTION_HELP", default_value = "")]
    exception_help: String,
    /// The page with a section for each rule, which each denial links; empty: no link
    #[arg(long, value_name = "URL", env = "DORGU_DOCS_URL", default_value = "", value_parser = values::page)]
    docs_url: String,
    /// Folder with the webhook's certificate; empty: make one
    #[arg(long, value_name = "DIR", env = "DORGU_WEBHOOK_CERT_PATH", default_value = "")]
    webhook_cert_path: String,
    /// File name of the certificate chain in it.
    #[arg(
        long,
        value_name = "FILE",
        env = "DORGU_WEBHOOK_CERT_NAME",
        default_value = "tls.crt"
    )]
    webhook_cert_name: String,
    /// File name of the private key in it.
    #[arg(long, value_name = "FILE", env = "DORGU_WEBHOOK_CERT_KEY", default_value = "tls.key")]
    webhook_cert_key: String,
    /// Write the CA that a client should trust into this file (for a certificate made here).
    #[arg(long, value_name = "FILE", env = "DORGU_WRITE_CA")]
    write_ca: Option<PathBuf>,
    /// Accept only clients whose certificate one of these authorities signed.
    #[arg(long, value_name = "FILE", env = "DORGU_CLIENT_CA_FILE")]
    client_ca_file: Option<PathBuf>,
    /// Accept only certificates with one of these names (common name or subject alternative name). Repeatable.
    #[arg(long, value_name = "NAME", env = "DORGU_CLIENT_ALLOWED_NAMES", value_delimiter = ',')]
    client_allowed_names: Vec<String>,
    /// After SIGTERM, continue to answer for this long before answering 503.
    #[arg(long, value_name = "DURATION", env = "DORGU_SHUTDOWN_DELAY", default_value = "10s", value_parser = duration)]
    shutdown_delay: Duration,
    /// Where /livez, /readyz and /healthz are, 0 for nowhere [default: :8081; with --personas 127.0.0.1:8081]
    #[arg(long, value_name = "ADDRESS", env = "DORGU_HEALTH_PROBE_BIND_ADDRESS")]
    health_probe_bind_address: Option<String>,
    /// Where /metrics is, 0 for nowhere [default: 0; with --personas 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS", env = "DORGU_METRICS_BIND_ADDRESS")]
    metrics_bind_address: Option<String>,
    /// Serve /metrics over HTTPS and, with a cluster, only to authorized clients [default: true; with --personas false]
    #[arg(long, value_name = "BOOL", env = "DORGU_METRICS_SECURE", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    metrics_secure: Option<bool>,
    /// Folder with a certificate for /metrics; empty: the webhook's
    #[arg(long, value_name = "DIR", env = "DORGU_METRICS_CERT_PATH", default_value = "")]
    metrics_cert_path: String,
    /// File name of the certificate chain in it.
    #[arg(
        long,
        value_name = "FILE",
        env = "DORGU_METRICS_CERT_NAME",
        default_value = "tls.crt"
    )]
    metrics_cert_name: String,
    /// File name of the private key in it.
    #[arg(long, value_name = "FILE", env = "DORGU_METRICS_CERT_KEY", default_value = "tls.key")]
    metrics_cert_key: String,
    /// auto: text on a terminal, JSON elsewhere.
    #[arg(long, value_name = "FORMAT", env = "DORGU_LOG_FORMAT", default_value = "auto", value_parser = values::log_format)]
    log_format: LogFormat,
    #[command(flatten)]
    cluster: ClusterFlags,
}

/// Flags that have an effect only with a cluster. They are accepted beside `--personas`, so that a manifest's arguments can be
/// tried on a laptop. Those without effect are logged.
#[derive(Debug, Args)]
#[command(next_help_heading = WITH_CLUSTER)]
struct ClusterFlags {
    /// Kubeconfig file; empty: KUBECONFIG, ~/.kube/config, then in-cluster.
    #[arg(long, value_name = "FILE", env = "DORGU_KUBECONFIG")]
    kubeconfig: Option<String>,
    /// Serve the webhook; without it only status is written. --personas implies it. [default: false]
    #[arg(long, value_name = "BOOL", env = "DORGU_ENABLE_WEBHOOK", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    enable_webhook: Option<bool>,
    /// Write only as the holder of the Lease; false: always. [default: false]
    #[arg(long, value_name = "BOOL", env = "DORGU_LEADER_ELECT", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    leader_elect: Option<bool>,
    /// Watch Argo CD Applications, where their CRD exists. Has no effect yet.
    #[arg(long, value_name = "BOOL", env = "DORGU_ENABLE_ARGOCD", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    enable_argocd: Option<bool>,
    /// Prometheus to learn baselines from. Has no effect yet.
    #[arg(long, value_name = "URL", env = "DORGU_PROMETHEUS_URL")]
    prometheus_url: Option<String>,
    /// Serve the WebSocket stream. Has no effect yet.
    #[arg(long, value_name = "BOOL", env = "DORGU_ENABLE_WEBSOCKET", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    enable_websocket: Option<bool>,
    /// Where the WebSocket stream listens. Has no effect yet.
    #[arg(long, value_name = "ADDRESS", env = "DORGU_WEBSOCKET_ADDR")]
    websocket_addr: Option<String>,
    /// Offer HTTP/2 besides HTTP/1.1. Has no effect yet.
    #[arg(long, value_name = "BOOL", env = "DORGU_ENABLE_HTTP2", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    enable_http2: Option<bool>,
    /// The ValidatingWebhookConfiguration whose caBundle is written; requires the next two. With --webhook-cert-path it is only
    /// checked.
    #[arg(long, value_name = "NAME", env = "DORGU_WEBHOOK_CONFIG")]
    webhook_config: Option<String>,
    /// The Service that certificates are made for.
    #[arg(long, value_name = "NAME", env = "DORGU_WEBHOOK_SERVICE")]
    webhook_service: Option<String>,
    /// The Secret with our certificates.
    #[arg(long, value_name = "NAME", env = "DORGU_WEBHOOK_SECRET")]
    webhook_secret: Option<String>,
    /// Where that Secret, that Service and the Lease are [default: the pod's, else the kubeconfig context's, else dorgu-system]
    #[arg(long, value_name = "NAME", env = "DORGU_NAMESPACE")]
    namespace: Option<String>,
}

impl ClusterFlags {
    /// Which of them were given and have no effect.
    fn without_effect(&self, source: &Source) -> Vec<String> {
        let files = matches!(source, Source::Files(_));
        let given = [
            ("kubeconfig", files && self.kubeconfig.is_some()),
            ("enable-webhook", files && self.enable_webhook.is_some()),
            ("leader-elect", files && self.leader_elect.is_some()),
            ("enable-argocd", self.enable_argocd.is_some()),
            ("prometheus-url", self.prometheus_url.is_some()),
            ("enable-websocket", self.enable_websocket.is_some()),
            ("websocket-addr", self.websocket_addr.is_some()),
            ("enable-http2", self.enable_http2.is_some()),
            ("webhook-config", files && self.webhook_config.is_some()),
            ("webhook-service", files && self.webhook_service.is_some()),
            ("webhook-secret", files && self.webhook_secret.is_some()),
            ("namespace", files && self.namespace.is_some()),
        ];
        given
            .iter()
            .filter(|(_, given)| *given)
            .map(|(name, _)| format!("--{name}"))
            .collect()
    }
}

impl ClusterFlags {
    /// The objects to keep in the cluster or, with certificate files, to check there.
    fn certificates(&self, namespace: &str, brought: bool) -> Result<Option<Settings>, String> {
        let given = |flag: &Option<String>| flag.clone().filter(|value| !value.is_empty());
        let (configuration, service) = (given(&self.webhook_config), given(&self.webhook_service));
        let secret = given(&self.webhook_secret);
        let webhooks = [WEBHOOK, SCALE_WEBHOOK].map(str::to_owned).into();
        if brought {
            return Ok(configuration.map(|configuration| Settings {
                configuration,
                webhooks,
                secret: None,
                service: service.unwrap_or_default(),
                namespace: namespace.to_owned(),
            }));
        }
        match (configuration, service, secret) {
            (None, None, None) => Ok(None),
            (Some(configuration), Some(service), Some(secret)) => Ok(Some(Settings {
                configuration,
                webhooks,
                service,
                namespace: namespace.to_owned(),
                secret: Some(Name {
                    namespace: namespace.to_owned(),
                    name: secret,
                }),
            })),
            (configuration, service, secret) => {
                let missing = [
                    ("--webhook-config", configuration.is_none()),
                    ("--webhook-service", service.is_none()),
                    ("--webhook-secret", secret.is_none()),
                ];
                let missing: Vec<_> = missing
                    .iter()
                    .filter(|(_, missing)| *missing)
                    .map(|(flag, _)| *flag)
                    .collect();
                Err(format!(
                    "--webhook-config, --webhook-service and --webhook-secret go together; without {} no certificate can be \
                     kept in the cluster: pass all three, or none for one made in memory",
                    missing.join(" and ")
                ))
            }
        }
    }
}

/// The namespace of this process when nothing names one.
const NAMESPACE: &str = "dorgu-system";

/// Upstream's default folder. A certificate that its users put there is still used.
const UPSTREAM_CERTIFICATES: &str = "/tmp/k8s-webhook-server/serving-certs";

/// Where personas come from.
fn source(folders: Vec<PathBuf>, cluster: &ClusterFlags) -> Result<Source, String> {
    if !folders.is_empty() {
        return Ok(Source::Files(folders));
    }
    let named = cluster.kubeconfig.as_deref().filter(|file| !file.is_empty());
    let Some(place) = ClusterSource::find(named.map(Path::new)) else {
        return Err(
            "nothing to answer from: pass --personas DIR, a folder with ApplicationPersona YAML; or, for a cluster, \
             --kubeconfig FILE, or run in a pod"
                .to_owned(),
        );
    };
    Ok(Source::Cluster(place))
}

/// Turns flags into a configuration.
///
/// # Errors
/// One line that says which flag is wrong and which values are valid.
pub(super) fn config(flags: Flags, zap: Zap, line: ArgMatches) -> Result<Config, String> {
    let source = source(flags.personas, &flags.cluster)?;
    let in_cluster = matches!(source, Source::Cluster(_));
    if flags.client_ca_file.is_none() && !flags.client_allowed_names.is_empty() {
        return Err("--client-allowed-names needs --client-ca-file: a name proves nothing by itself".to_owned());
    }
    let (deciding, without_effect) = flags.deciding.settings(flags.webhook_mode)?;
    let certificates = match flags.webhook_cert_path.as_str() {
        "" if PathBuf::from(UPSTREAM_CERTIFICATES)
            .join(&flags.webhook_cert_name)
            .exists() =>
        {
            Some(PathBuf::from(UPSTREAM_CERTIFICATES))
        }
        "" => None,
        path => Some(PathBuf::from(path)),
    };
    if flags.write_ca.is_some() && certificates.is_some() {
        return Err(
            "--write-ca writes the CA of a certificate made here; with --webhook-cert-path there is none".to_owned(),
        );
    }
    let namespace = match &source {
        Source::Files(_) => String::new(),
        Source::Cluster(place) => {
            let given = flags.cluster.namespace.clone().filter(|given| !given.is_empty());
            given
                .or_else(|| place.namespace())
                .unwrap_or_else(|| NAMESPACE.to_owned())
        }
    };
    let kept = match &source {
        Source::Files(_) => None,
        Source::Cluster(_) => flags.cluster.certificates(&namespace, certificates.is_some())?,
    };
    if flags.write_ca.is_some() && kept.is_some() {
        return Err(
            "--write-ca writes the CA of a certificate made in memory; with --webhook-secret it is ca.crt in that Secret"
                .to_owned(),
        );
    }
    let with_webhook = !in_cluster || flags.cluster.enable_webhook == Some(true);
    let mut ignored = zap.ignored;
    ignored.extend(flags.cluster.without_effect(&source));
    ignored.extend(without_effect);
    let default = |text: &str| text.parse::<BindAddress>().map_err(|error| error.to_string());
    let address = |flag: &str, given: Option<String>, otherwise: &str| match given.as_deref() {
        Some("0" | "") => Ok(None),
        None if otherwise == "0" => Ok(None),
        given => {
            let text = given.unwrap_or(otherwise);
            text.parse().map(Some).map_err(|error| format!("{flag}: {error}"))
        }
    };
    let metrics = address(
        "--metrics-bind-address",
        flags.metrics_bind_address,
        if in_cluster { "0" } else { "127.0.0.1:8080" },
    )?;
    let metrics_secure = flags.metrics_secure.unwrap_or(in_cluster);
    let metrics_certificates = match flags.metrics_cert_path.as_str() {
        "" => None,
        path if metrics.is_some() && metrics_secure => Some(PathBuf::from(path)),
        _ => {
            ignored.push("--metrics-cert-path".to_owned());
            None
        }
    };
    let elects = in_cluster && flags.cluster.leader_elect == Some(true);
    Ok(Config {
        source,
        lease: elects.then(|| LeaseName {
            namespace,
            name: LEASE.to_owned(),
        }),
        rulebook: deciding.rulebook,
        help: Help {
            exceptions: flags.exception_help,
            docs_url: flags.docs_url,
        },
        matching: deciding.matching,
        requires_label: deciding.requires_label,
        default_personas_namespace: deciding.default_personas_namespace,
        platform: deciding.platform,
        exception_max: deciding.exception_max,
        serving: with_webhook.then_some(Serving {
            address: match flags.webhook_bind_address {
                Some(address) => address,
                None => default(if in_cluster { ":9443" } else { "127.0.0.1:9443" })?,
            },
            certificates: certificates.map(|folder| crate::config::CertificateFiles {
                chain: folder.join(&flags.webhook_cert_name),
                key: folder.join(&flags.webhook_cert_key),
            }),
            in_cluster: kept,
            write_ca: flags.write_ca,
            clients: flags.client_ca_file.map(|authority| ClientAuth {
                authority,
                names: flags.client_allowed_names,
            }),
            shutdown_delay: flags.shutdown_delay,
        }),
        line,
        admin: Admin {
            probes: address(
                "--health-probe-bind-address",
                flags.health_probe_bind_address,
                if in_cluster { ":8081" } else { "127.0.0.1:8081" },
            )?,
            metrics,
            metrics_secure,
            metrics_certificates: metrics_certificates.map(|folder| crate::config::CertificateFiles {
                chain: folder.join(&flags.metrics_cert_name),
                key: folder.join(&flags.metrics_cert_key),
            }),
        },
        logging: Logging {
            format: zap.format.unwrap_or(flags.log_format),
            level: zap.level.unwrap_or(tracing::Level::INFO),
        },
        ignored,
    })
}
