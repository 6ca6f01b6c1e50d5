//! The flags of a command that reaches a cluster in one namespace.

use clap::Args;

use crate::cli::cluster::{self, Cluster};

/// How a command reaches a cluster, with kubectl's flags.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Connection {
    #[command(flatten)]
    pub(super) cluster: cluster::Flags,
    /// The namespace [default: the context's, of a file: default]
    #[arg(long, short, value_name = "NAME")]
    namespace: Option<String>,
}

impl Connection {
    /// The namespace that was given.
    pub(super) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref().filter(|name| !name.is_empty())
    }

    /// Makes a client, for the namespace that the command is about. It sends no request.
    pub(super) async fn cluster(&self) -> anyhow::Result<Cluster> {
        let cluster = self.cluster.connect().await?;
        let namespace = self.namespace().unwrap_or(&cluster.namespace).to_owned();
        Ok(Cluster { namespace, ..cluster })
    }
}
