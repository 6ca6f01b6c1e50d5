//! `dorgu persona generate`: personas out of manifests, a rendered chart or a live Deployment, into a file or on standard output.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::deriving::{Deriving, documents};
use super::failure::{Done, Failure};
use super::input::Input;
use super::live::Live;
use super::place::{Place, given, namespace};
use super::save::save;
use crate::api::ApplicationPersona;
use crate::cli::{complain, print};
use crate::personas::derive::{Existing, Origin};

/// The file in the folder of `--output`.
const FILE: &str = "persona.yaml";
/// The namespace of workloads that name none, as of `kubectl apply` without a context.
const NAMESPACE: &str = "default";

#[derive(Debug, Args)]
pub(in crate::cli) struct Flags {
    /// A manifest, a folder of manifests, or - for standard input, such as the output of helm template [default: .]
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// A live Deployment instead: deployment/NAME.
    #[arg(long, value_name = "DEPLOYMENT", conflicts_with = "path", value_parser = deployment)]
    from: Option<String>,
    /// Read the folders within folders, too.
    #[arg(long, short = 'R')]
    recursive: bool,
    /// Namespace of workloads that name none [default: default; with --from that of the context]
    #[arg(long, short, value_name = "NAME", value_parser = namespace)]
    namespace: Option<String>,
    /// Write persona.yaml into this folder, which is created.
    #[arg(long, short, value_name = "DIR", default_value = ".")]
    output: PathBuf,
    /// Print instead of writing.
    #[arg(long)]
    dry_run: bool,
    /// Overwrite a persona.yaml with other content.
    #[arg(long)]
    force: bool,
    /// Name of the application and of its persona [default: the name by which the Deployment finds it]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    deriving: Deriving,
    #[command(flatten)]
    place: Place,
}

/// `deployment/NAME` in kubectl's spellings.
fn deployment(text: &str) -> Result<String, String> {
    let (kind, name) = text.split_once('/').unwrap_or_default();
    let is_deployment = matches!(
        kind,
        "deployment" | "deployments" | "deploy" | "deployment.apps" | "deployments.apps"
    );
    match is_deployment && !name.is_empty() {
        true => Ok(name.to_owned()),
        false => Err("it is not deployment/NAME".to_owned()),
    }
}

pub(super) async fn run(flags: &Flags) -> Result<Done, Failure> {
    let mut personas = match &flags.from {
        Some(name) => flags.read_cluster(name).await?,
        None => flags.read_files()?,
    };
    flags.rename(&mut personas)?;
    if personas.is_empty() {
        complain("there is nothing to generate");
        return Ok(Done::Well);
    }
    let text = documents(&personas)?;
    if flags.dry_run {
        print(&text)?;
        return Ok(Done::Well);
    }
    let file = flags.output.join(FILE);
    fs::create_dir_all(&flags.output).with_context(|| format!("cannot create {}", flags.output.display()))?;
    flags.unless_overwritten(&file, &text)?;
    save(&file, &text)?;
    let count = personas.len();
    let what = if count == 1 { "persona" } else { "personas" };
    complain(&format!("{}: {count} {what}", file.display()));
    Ok(Done::Well)
}

impl Flags {
    fn read_files(&self) -> Result<Vec<ApplicationPersona>, Failure> {
        let path = self.path.clone().unwrap_or_else(|| PathBuf::from("."));
        let input = Input::read(&[path], self.recursive)?;
        input.check()?;
        let namespace = given(self.namespace.as_deref());
        let written = input.personas(None, namespace.unwrap_or(NAMESPACE))?;
        let written: Result<Vec<ApplicationPersona>, _> = written
            .into_iter()
            .map(|persona| serde_json::from_value(persona.stored))
            .collect();
        let written = written.context("a persona of the input cannot be read")?;
        let existing = Existing::new(&written, self.deriving.matching);
        let found = input.workloads(namespace.unwrap_or(NAMESPACE))?;
        let (workloads, autoscalers) = (&found.workloads, &found.autoscalers);
        Ok(self
            .deriving
            .derive(workloads, autoscalers, &existing, Origin::Manifest, |_| true))
    }

    async fn read_cluster(&self, name: &str) -> Result<Vec<ApplicationPersona>, Failure> {
        let cluster = self.place.connect().await?;
        let namespace = given(self.namespace.as_deref())
            .unwrap_or(&cluster.namespace)
            .to_owned();
        let live = Live::read(&cluster, &namespace, self.deriving.matching).await?;
        live.expect(name)?;
        Ok(live.derive(&self.deriving, |workload| workload.name == name))
    }

    fn rename(&self, personas: &mut [ApplicationPersona]) -> Result<(), Failure> {
        let Some(name) = given(self.name.as_deref()) else {
            return Ok(());
        };
        match personas {
            [] => {}
            [persona] => {
                if persona.spec.name != name {
                    complain(&format!(
                        "the Deployment finds a persona of {}, not of {name}: set its label app.kubernetes.io/name={name}",
                        persona.spec.name
                    ));
                }
                persona.spec.name = name.to_owned();
                persona.metadata.name = Some(name.to_owned());
            }
            several => {
                return Err(Failure::Other(format!(
                    "--name is for one Deployment, and there are {}; leave it out",
                    several.len()
                )));
            }
        }
        Ok(())
    }

    /// People edit the file, so what they wrote is kept.
    fn unless_overwritten(&self, file: &Path, text: &str) -> Result<(), Failure> {
        match fs::read(file) {
            Ok(before) if before != text.as_bytes() && !self.force => Err(Failure::Other(format!(
                "{} exists and has other content; --force overwrites it, --dry-run prints the new one",
                file.display()
            ))),
            _ => Ok(()),
        }
    }
}
