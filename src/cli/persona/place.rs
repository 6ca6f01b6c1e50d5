//! Finds the cluster as kubectl does: kubeconfig, context, namespace. Requests about personas go through here, so that each
//! failure becomes the line and the exit code of its cause.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::failure::Failure;
use crate::api::ApplicationPersona;
use crate::api::names::dns_label;
use crate::doctor::Commands;
use crate::k8s::{self, CallError, Client, ClusterSource, MissingRight, Name, Resource, client};

/// A longer wait for a connection is reported to the user.
const CONNECT: Duration = Duration::from_secs(10);

/// Which cluster.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// Kubeconfig file; empty: KUBECONFIG, ~/.kube/config, then in-cluster.
    #[arg(long, value_name = "FILE", env = "DORGU_KUBECONFIG")]
    kubeconfig: Option<String>,
    /// Context of the kubeconfig; empty: the current one.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
}

/// A cluster that requests can be sent to.
pub(super) struct Cluster {
    pub(super) client: Client,
    /// The namespace of the context, `default` where it has none.
    pub(super) namespace: String,
    server: String,
    commands: Commands,
}

/// The text of a flag; an empty one counts as absent.
pub(super) fn given(flag: Option<&str>) -> Option<&str> {
    flag.filter(|text| !text.is_empty())
}

/// A namespace; an empty one counts as absent.
pub(super) fn namespace(text: &str) -> Result<String, String> {
    if !text.is_empty() {
        dns_label(text)?;
    }
    Ok(text.to_owned())
}

impl Place {
    /// Reads the kubeconfig. Sends nothing.
    pub(super) async fn connect(&self) -> Result<Cluster, Failure> {
        let (kubeconfig, context) = (given(self.kubeconfig.as_deref()), given(self.context.as_deref()));
        let Some(source) = ClusterSource::find(kubeconfig.map(Path::new)) else {
            let line = "there is no cluster: pass --kubeconfig FILE, set KUBECONFIG, or run in a pod";
            return Err(Failure::Unreachable(line.to_owned()));
        };
        let unusable = |error: k8s::ClusterSourceError| Failure::Unreachable(error.to_string());
        let mut config = source.config_of(context).await.map_err(unusable)?;
        config.connect_timeout = Some(CONNECT);
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let namespace = config.default_namespace.clone();
        Ok(Cluster {
            client: client(config).map_err(unusable)?,
            namespace,
            server,
            commands: Commands {
                kubeconfig: kubeconfig.map(str::to_owned),
                context: context.map(str::to_owned),
            },
        })
    }
}

/// The kind of all these commands.
pub(super) fn personas() -> Resource {
    Resource::of::<ApplicationPersona>()
}

/// An object as people name it.
pub(super) fn shown(name: &Name) -> String {
    format!(
        "applicationpersona.dorgu.io/{} in namespace {}",
        name.name, name.namespace
    )
}

impl Cluster {
    /// The persona of that name, if it exists.
    pub(super) async fn find(&self, name: &Name) -> Result<Option<Value>, Failure> {
        k8s::find(&self.client, &personas(), name)
            .await
            .map_err(|error| self.failed(error))
    }

    /// The personas of one namespace (empty: of all) with these labels.
    pub(super) async fn list(&self, namespace: &str, labels: &str) -> Result<Vec<Value>, Failure> {
        k8s::list(&self.client, &personas(), namespace, labels)
            .await
            .map_err(|error| self.failed(error))
    }

    /// The cause of a failed request about personas.
    pub(super) fn failed(&self, error: CallError) -> Failure {
        let server = &self.server;
        match error.kind {
            k8s::Failure::Refused(404) => Failure::KindMissing(format!(
                "the cluster at {server} has no ApplicationPersonas: their CustomResourceDefinition is missing; install it: \
                 dorgu crd | {}",
                self.commands.kubectl("apply --server-side -f -")
            )),
            _ => self.failed_elsewhere(error),
        }
    }

    /// The cause of a failed request about a kind that every cluster has.
    pub(super) fn failed_elsewhere(&self, error: CallError) -> Failure {
        let server = &self.server;
        match error.kind {
            k8s::Failure::Refused(403) => match MissingRight::read(&error.text) {
                Some(right) => Failure::Forbidden(right),
                None => Failure::Other(error.text),
            },
            k8s::Failure::Refused(401) => Failure::Unauthorized(format!(
                "the cluster at {server} does not accept the credentials of the kubeconfig; log in again ({})",
                error.text
            )),
            k8s::Failure::NoAnswer => {
                Failure::Unreachable(format!("the cluster at {server} cannot be reached: {}", error.text))
            }
            _ => Failure::Other(format!("the cluster at {server} answered: {}", error.text)),
        }
    }
}
