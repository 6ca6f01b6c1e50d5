//! `dorgu persona import`: personas for Deployments that run already.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::apply::Applying;
use super::deriving::{Deriving, documents};
use super::failure::{Done, Failure};
use super::live::Live;
use super::place::{Place, namespace};
use super::save::save;
use super::written::{Written, kinds};
use crate::cli::{complain, print};

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").args(["all", "name"]).required(true))]
pub(in crate::cli) struct Flags {
    /// The namespace of the Deployments.
    #[arg(long, short, value_name = "NAME", value_parser = namespace)]
    namespace: String,
    /// All Deployments of the namespace.
    #[arg(long)]
    all: bool,
    /// One Deployment.
    #[arg(long, value_name = "DEPLOYMENT")]
    name: Option<String>,
    /// Write the personas into this file, instead of printing them.
    #[arg(long, short, value_name = "FILE", conflicts_with = "apply")]
    output: Option<PathBuf>,
    /// Apply the personas, as dorgu persona apply does.
    #[arg(long)]
    apply: bool,
    /// Print the personas and change nothing, which is the default.
    #[arg(long, conflicts_with_all = ["apply", "output"])]
    dry_run: bool,
    /// With --apply: take over fields that another field manager owns.
    #[arg(long, requires = "apply")]
    force_conflicts: bool,
    #[command(flatten)]
    deriving: Deriving,
    #[command(flatten)]
    place: Place,
}

pub(super) async fn run(flags: &Flags) -> Result<Done, Failure> {
    let namespace = &flags.namespace;
    if namespace.is_empty() {
        return Err(Failure::Other(
            "--namespace is empty; name the namespace of the Deployments".to_owned(),
        ));
    }
    let cluster = flags.place.connect().await?;
    let live = Live::read(&cluster, namespace, flags.deriving.matching).await?;
    if live.workloads.is_empty() && flags.all {
        complain(&format!("there are no Deployments in namespace {namespace}"));
        return Ok(Done::Well);
    }
    let personas = match &flags.name {
        Some(name) => {
            live.expect(name)?;
            live.derive(&flags.deriving, |workload| workload.name == *name)
        }
        None => live.derive(&flags.deriving, |_| true),
    };
    if personas.is_empty() {
        complain("there is nothing to import");
        return Ok(Done::Well);
    }
    if flags.apply {
        let written = Written::all_derived(&personas, &kinds()?)?;
        let applying = Applying {
            forces: flags.force_conflicts,
            is_dry: false,
        };
        let (applied, done) = applying.all(&cluster, written).await;
        print(&applying.lines(&applied))?;
        return Ok(done);
    }
    let text = documents(&personas)?;
    match &flags.output {
        Some(file) => save(file, &text)?,
        None => print(&text)?,
    }
    Ok(Done::Well)
}
