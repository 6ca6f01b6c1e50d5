//! `dorgu persona apply`: server-side apply under a field manager of its own. Never forces without the flag.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::deriving::Deriving;
use super::failure::{Done, Failure};
use super::format::{self, Format, Output};
use super::input::Input;
use super::place::{Cluster, Place, given, namespace, personas, shown};
use super::written::{Written, kinds};
use crate::cli::{complain, print};
use crate::k8s::{ApplyError, ServerApply};
use crate::personas::derive::{Existing, Origin};

/// The field manager of this command.
const MANAGER: &str = "dorgu-cli";

#[derive(Debug, Args)]
pub(in crate::cli) struct Flags {
    /// A manifest, a folder of manifests, or - for standard input. Where there is no persona in it, one is made for each
    /// Deployment, as by dorgu persona generate [default: .]
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// The same as PATH. Repeatable.
    #[arg(long = "filename", short = 'f', value_name = "PATH", conflicts_with = "path")]
    files: Vec<PathBuf>,
    /// Read the folders within folders, too.
    #[arg(long, short = 'R')]
    recursive: bool,
    /// Namespace of objects that name none [default: that of the context, else default]
    #[arg(long, short, value_name = "NAME", value_parser = namespace)]
    namespace: Option<String>,
    /// none: store. server: send everything and store nothing.
    #[arg(long, value_name = "HOW", default_value = "none")]
    dry_run: DryRun,
    /// Take over fields that another field manager owns.
    #[arg(long)]
    force_conflicts: bool,
    #[command(flatten)]
    deriving: Deriving,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DryRun {
    None,
    Server,
}

pub(super) async fn run(flags: &Flags) -> Result<Done, Failure> {
    let paths = match (&flags.path, flags.files.as_slice()) {
        (Some(path), _) => vec![path.clone()],
        (None, []) => vec![PathBuf::from(".")],
        (None, files) => files.to_vec(),
    };
    let input = Input::read(&paths, flags.recursive)?;
    input.check()?;
    let cluster = flags.place.connect().await?;
    let namespace = given(flags.namespace.as_deref());
    let written = match input.has_personas() {
        true => input.personas(namespace, &cluster.namespace)?,
        false => flags.derived(&input, namespace.unwrap_or(&cluster.namespace))?,
    };
    let applying = Applying {
        forces: flags.force_conflicts,
        is_dry: flags.dry_run == DryRun::Server,
    };
    let (applied, done) = applying.all(&cluster, written).await;
    if applied.is_empty() {
        return Ok(done);
    }
    print(&match flags.output.format() {
        Format::Table | Format::Wide => applying.lines(&applied),
        Format::Name => applied.iter().map(|one| format::name(&one.object) + "\n").collect(),
        Format::Json => format::as_json(&objects(applied))?,
        Format::Yaml => format::as_yaml(&objects(applied))?,
    })?;
    Ok(done)
}

impl Flags {
    /// Personas for the workloads of the input.
    fn derived(&self, input: &Input, namespace: &str) -> Result<Vec<Written>, Failure> {
        let found = input.workloads(namespace)?;
        let none = Existing::new([], self.deriving.matching);
        let (workloads, autoscalers) = (&found.workloads, &found.autoscalers);
        let derived = self
            .deriving
            .derive(workloads, autoscalers, &none, Origin::Manifest, |_| true);
        Written::all_derived(&derived, &kinds()?)
    }
}

/// The objects that were applied, as one.
fn objects(applied: Vec<Applied>) -> Value {
    let mut objects: Vec<Value> = applied.into_iter().map(|one| one.object).collect();
    match objects.pop() {
        Some(only) if objects.is_empty() => format::trimmed(only),
        last => format::list(objects.into_iter().chain(last).collect()),
    }
}

/// What an apply did to an object.
#[derive(Clone, Copy)]
enum Did {
    Created,
    Configured,
    Unchanged,
}

impl Did {
    /// kubectl's word.
    fn word(self) -> &'static str {
        match self {
            Did::Created => "created",
            Did::Configured => "configured",
            Did::Unchanged => "unchanged",
        }
    }
}

/// An object that was applied.
pub(super) struct Applied {
    object: Value,
    did: Did,
}

/// How personas are applied.
#[derive(Clone, Copy)]
pub(super) struct Applying {
    pub(super) forces: bool,
    pub(super) is_dry: bool,
}

impl Applying {
    /// Applies personas in their order. A failure is printed, and costs the others only where they would fail, too.
    pub(super) async fn all(self, cluster: &Cluster, personas: Vec<Written>) -> (Vec<Applied>, Done) {
        let (mut applied, mut code) = (Vec::new(), None);
        for persona in personas {
            match self.one(cluster, &persona).await {
                Ok(one) => applied.push(one),
                Err(failure) => {
                    complain(&failure.to_string());
                    code.get_or_insert(failure.code());
                    if failure.is_of_the_cluster() {
                        break;
                    }
                }
            }
        }
        (applied, code.map_or(Done::Well, Done::Failed))
    }

    async fn one(self, cluster: &Cluster, persona: &Written) -> Result<Applied, Failure> {
        let before = cluster.find(&persona.name).await?;
        let apply = ServerApply {
            manager: MANAGER,
            force: self.forces,
            dry_run: self.is_dry,
        };
        let sent = apply
            .send(&cluster.client, &personas(), &persona.name, &persona.sent)
            .await;
        let object = sent.map_err(|error| match error {
            ApplyError::Conflicts(conflicts) => Failure::Conflicts {
                object: shown(&persona.name),
                conflicts,
            },
            // The kind is there, so the namespace is not.
            ApplyError::Call(error) if error.is_not_found() => {
                let (object, namespace) = (shown(&persona.name), &persona.name.namespace);
                Failure::ObjectMissing(format!("{object} is not applied: there is no namespace {namespace}"))
            }
            ApplyError::Call(error) => match cluster.failed(error) {
                Failure::Other(text) => Failure::Other(format!("{} is not applied: {text}", shown(&persona.name))),
                failure => failure,
            },
        })?;
        let did = match before {
            None => Did::Created,
            Some(before) if content(&before) == content(&object) => Did::Unchanged,
            Some(_) => Did::Configured,
        };
        Ok(Applied { object, did })
    }

    /// A line for each object.
    pub(super) fn lines(self, applied: &[Applied]) -> String {
        let dry = if self.is_dry { " (server dry run)" } else { "" };
        let line = |one: &Applied| format!("{} {}{dry}\n", format::name(&one.object), one.did.word());
        applied.iter().map(line).collect()
    }
}

/// What an apply can change: the spec, labels and annotations. The operator may write a status meanwhile.
fn content(object: &Value) -> [&Value; 4] {
    let metadata = &object["metadata"];
    [
        &object["spec"],
        &metadata["labels"],
        &metadata["annotations"],
        &metadata["finalizers"],
    ]
}
