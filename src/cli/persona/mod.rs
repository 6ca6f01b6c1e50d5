//! `dorgu persona`: commands about single ApplicationPersonas.

mod policy;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::k8s::{Client, ClusterSource, client};

/// A longer wait for a connection is reported to the user.
const CONNECT: Duration = Duration::from_secs(10);

/// Commands about single personas.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print ValidatingAdmissionPolicies that check what a persona demands, for `kubectl apply -f`.
    #[command(
        after_help = "What the policies do not cover is listed above them and on standard error; docs/second-line.md says \
                            when to take them.\n\nExit codes: 0 success, 1 the persona cannot be read or translated, 2 wrong \
                            usage."
    )]
    Policy(Box<policy::Flags>),
}

pub(super) fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Policy(flags) => policy::run(flags),
    }
}

/// How a command reaches a cluster, with kubectl's flags.
#[derive(Debug, Args)]
struct Connection {
    /// Kubeconfig file; empty: KUBECONFIG, ~/.kube/config, then in-cluster.
    #[arg(long, value_name = "FILE", env = "DORGU_KUBECONFIG")]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig; empty: the current one.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// The namespace [default: the context's, of a file: default]
    #[arg(long, short, value_name = "NAME")]
    namespace: Option<String>,
}

/// A cluster, and the namespace that a command is about.
struct Cluster {
    client: Client,
    /// The address of the API server.
    server: String,
    namespace: String,
}

impl Connection {
    /// A flag that is not empty.
    fn given(flag: Option<&String>) -> Option<&str> {
        flag.map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Makes a client. It sends no request.
    async fn cluster(&self) -> anyhow::Result<Cluster> {
        let named = self.kubeconfig.as_deref().filter(|file| *file != Path::new(""));
        let Some(place) = ClusterSource::find(named) else {
            anyhow::bail!("no cluster is configured: pass --kubeconfig FILE, set KUBECONFIG, or run in a pod");
        };
        let mut config = place.config_of(Self::given(self.context.as_ref())).await?;
        config.connect_timeout = Some(CONNECT);
        let namespace = Self::given(self.namespace.as_ref()).unwrap_or(&config.default_namespace);
        Ok(Cluster {
            namespace: namespace.to_owned(),
            server: config.cluster_url.to_string().trim_end_matches('/').to_owned(),
            client: client(config)?,
        })
    }
}
