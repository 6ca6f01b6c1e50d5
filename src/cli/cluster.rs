//! Flags that say which cluster is meant, as kubectl has them, and the connection to it.

use std::path::Path;
use std::time::Duration;

use clap::Args;

use crate::k8s::{Client, ClusterSource, client};

/// A longer wait for a connection is reported to the user.
const CONNECT: Duration = Duration::from_secs(10);

/// The flags.
#[derive(Clone, Debug, Args)]
#[group(skip)]
pub(super) struct Flags {
    /// Kubeconfig file; empty: KUBECONFIG, ~/.kube/config, then in-cluster.
    #[arg(long, value_name = "FILE", env = "DORGU_KUBECONFIG")]
    pub(super) kubeconfig: Option<String>,
    /// Context of the kubeconfig; empty: the current one.
    #[arg(long, value_name = "NAME")]
    pub(super) context: Option<String>,
}

/// A cluster that can be asked.
pub(super) struct Cluster {
    pub(super) client: Client,
    /// The address of its API server.
    pub(super) server: String,
    /// The namespace of the context.
    pub(super) namespace: String,
}

impl Flags {
    /// A client of the cluster. Nothing is sent yet.
    ///
    /// # Errors
    /// None is configured, or the configuration cannot be used.
    pub(super) async fn connect(&self) -> anyhow::Result<Cluster> {
        let given = |flag: &Option<String>| flag.clone().filter(|value| !value.is_empty());
        let named = given(&self.kubeconfig);
        let Some(place) = ClusterSource::find(named.as_deref().map(Path::new)) else {
            anyhow::bail!("no cluster is configured: pass --kubeconfig FILE, set KUBECONFIG, or run in a pod");
        };
        let mut config = place.config_of(given(&self.context).as_deref()).await?;
        config.connect_timeout = Some(CONNECT);
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let namespace = config.default_namespace.clone();
        let client = client(config)?;
        Ok(Cluster {
            client,
            server,
            namespace,
        })
    }
}

/// Runs to the end on this thread.
///
/// # Errors
/// Those of the work, or no runtime can be started.
pub(super) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime
        .map_err(|error| anyhow::Error::new(error).context("cannot start the async runtime"))?
        .block_on(work)
}
