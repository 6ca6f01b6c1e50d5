//! Flags that say what the workloads of manifests are judged by, and the index that is filled by them: from files or from a
//! cluster.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;

use super::deciding::Given;
use super::{cluster, deciding};
use crate::doctor::Arguments;
use crate::files::DEFAULT_NAMESPACE;
use crate::index::Index;
use crate::k8s::{self, Name, Resource};
use crate::policy::{Mode, Moment};
use crate::world::{self, Deciding};

/// The flags.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Flags {
    /// File or folder with personas, Namespaces, exceptions and ClusterPersonas; contacts no cluster. Without it they are those
    /// of the cluster. Repeatable.
    #[arg(long, value_name = "PATH", env = "DORGU_PERSONAS", value_delimiter = ',')]
    personas: Vec<PathBuf>,
    #[command(flatten)]
    cluster: cluster::Flags,
    /// The Deployment of dorgu in the cluster. Its arguments decide where none of the flags that decide is given here.
    #[arg(long, value_name = "NAMESPACE/NAME", default_value = "dorgu-system/dorgu-operator", value_parser = operator)]
    operator: Name,
    /// The namespace of objects that name none [default: that of the context; with --personas default]
    #[arg(long, short, value_name = "NAME")]
    namespace: Option<String>,
    /// When the manifests are judged, for exceptions that begin and end, such as 2027-01-31T00:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    #[command(flatten)]
    deciding: deciding::Given,
}

fn operator(text: &str) -> Result<Name, String> {
    let (namespace, name) = text.split_once('/').unwrap_or(("", text));
    match namespace.is_empty() || name.is_empty() || name.contains('/') {
        true => Err("write NAMESPACE/NAME, such as dorgu-system/dorgu-operator".to_owned()),
        false => Ok(Name {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }),
    }
}

/// What the workloads are judged by.
pub(super) struct World {
    pub(super) deciding: Deciding,
    pub(super) index: Index,
    /// The namespace of objects that name none.
    pub(super) namespace: String,
    /// When they are judged.
    pub(super) at: Moment,
}

impl Flags {
    /// Gathers what they name. `mode` is that of the process, where it is given.
    ///
    /// # Errors
    /// Personas cannot be read, or flags exclude each other.
    pub(super) fn gather(&self, mode: Option<Mode>) -> anyhow::Result<World> {
        let at = Moment(self.at.unwrap_or_else(Timestamp::now).as_second());
        if self.personas.is_empty() {
            return from_cluster(self, mode, at);
        }
        let deciding = settings(self.deciding.flags.clone(), mode.unwrap_or_default())?;
        let index = deciding.index(Some(at));
        from_files(&self.personas, &index)?;
        Ok(World {
            deciding,
            index,
            namespace: self.namespace.clone().unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned()),
            at,
        })
    }
}

/// Reads the personas of files. One that cannot be read may be the one that governs.
fn from_files(paths: &[PathBuf], index: &Index) -> anyhow::Result<()> {
    let loaded = world::read(paths, index)?;
    for warning in &loaded.warnings {
        super::complain(&warning.to_string());
    }
    for problem in &loaded.problems {
        super::complain(&problem.to_string());
    }
    match loaded.problems.len() {
        0 => Ok(()),
        count => anyhow::bail!("{count} problems in the personas, named above; correct them first"),
    }
}

fn settings(flags: deciding::Flags, mode: Mode) -> anyhow::Result<Deciding> {
    let (deciding, ignored) = flags.settings(mode).map_err(anyhow::Error::msg)?;
    for flag in ignored {
        super::complain(&format!("{flag} has no effect"));
    }
    Ok(deciding)
}

/// Reads those of the cluster.
fn from_cluster(flags: &Flags, mode: Option<Mode>, at: Moment) -> anyhow::Result<World> {
    cluster::block_on(async {
        let cluster = flags.cluster.connect().await?;
        let deciding = of_operator(flags, mode, &cluster).await?;
        let index = deciding.index(Some(at));
        let namespace = flags.namespace.clone().unwrap_or_else(|| cluster.namespace.clone());
        let listed = world::list(&cluster.client, &index, &namespace).await;
        let server = &cluster.server;
        let notes = listed.map_err(|error| {
            anyhow::anyhow!("the personas of {server} cannot be read: {error}; --personas PATH takes those of files")
        })?;
        for note in notes {
            super::complain(&note);
        }
        Ok(World {
            deciding,
            index,
            namespace,
            at,
        })
    })
}

/// The settings that decide: those of the command line, else those of the operator.
async fn of_operator(flags: &Flags, mode: Option<Mode>, cluster: &cluster::Cluster) -> anyhow::Result<Deciding> {
    let Given { flags: given, is_any } = &flags.deciding;
    let unknown = |reason: &str| {
        let Name { namespace, name } = &flags.operator;
        super::complain(&format!(
            "the settings of dorgu in the cluster are unknown, so that those of flags decide: {reason} (Deployment {name} in \
             namespace {namespace}; --operator names another)"
        ));
    };
    let mut found = (given.clone(), Mode::default());
    if !is_any {
        match k8s::get::<Deployment>(&cluster.client, &Resource::of::<Deployment>(), &flags.operator).await {
            Ok(Some(deployment)) => match deciding::Flags::of_process(&Arguments::of_deployment(&deployment)) {
                Ok(read) => found = read,
                Err(reason) => unknown(&reason),
            },
            Ok(None) => unknown("it is not there"),
            Err(error) if error.is_forbidden() => unknown("you may not get it"),
            // What follows fails in the same way, and says so.
            Err(_) => {}
        }
    }
    settings(found.0, mode.unwrap_or(found.1))
}
