//! Finds the cluster as kubectl does: kubeconfig, context, namespace. Requests about personas go through here, so that each
//! failure becomes the line and the exit code of its cause.

use clap::Args;
use serde_json::Value;

use super::failure::Failure;
use crate::api::ApplicationPersona;
use crate::api::names::dns_label;
use crate::cli::{cluster, one_line};
use crate::doctor::Commands;
use crate::k8s::{self, CallError, Client, MissingRight, Name, Resource};

/// Which cluster.
#[derive(Debug, Args)]
pub(super) struct Place {
    #[command(flatten)]
    flags: cluster::Flags,
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
        let connected = self.flags.connect().await;
        let connected = connected.map_err(|error| Failure::Unreachable(one_line(&error)))?;
        let flag = |flag: &Option<String>| given(flag.as_deref()).map(str::to_owned);
        Ok(Cluster {
            client: connected.client,
            namespace: connected.namespace,
            server: connected.server,
            commands: Commands {
                kubeconfig: flag(&self.flags.kubeconfig),
                context: flag(&self.flags.context),
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
