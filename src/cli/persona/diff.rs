//! `dorgu persona diff`: what a file changes in stored personas, and what that means. Exit codes are kubectl's: 1 for a
//! difference.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::failure::{Done, Failure};
use super::format::{self, Format, Output};
use super::input::Input;
use super::place::{Place, given, namespace, shown};
use crate::k8s::Name;
use crate::personas::{Change, changes};

/// Exit codes of this command, of which kubectl has defined the first two.
pub(super) const CODES: &str = "Exit codes: 0 nothing changes, 1 something changes, 2 failure or wrong usage, 3 the \
                                cluster lacks the CustomResourceDefinition, 5 a right is missing, 6 the cluster cannot \
                                be reached.";
/// There is a difference.
pub(super) const DIFFERS: u8 = 1;

/// A failure without a code of its own must not look like a difference.
pub(super) fn code(failure: &Failure) -> u8 {
    match failure.code() {
        DIFFERS => 2,
        code => code,
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Flags {
    /// A manifest, a folder of manifests, or - for standard input. Repeatable.
    #[arg(long = "filename", short = 'f', value_name = "PATH", required = true)]
    files: Vec<PathBuf>,
    /// Read the folders within folders, too.
    #[arg(long, short = 'R')]
    recursive: bool,
    /// Namespace of personas that name none [default: that of the context, else default]
    #[arg(long, short, value_name = "NAME", value_parser = namespace)]
    namespace: Option<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

/// A persona and what the file changes in it.
struct Changed {
    name: Name,
    is_new: bool,
    changes: Vec<Change>,
}

pub(super) async fn run(flags: &Flags) -> Result<Done, Failure> {
    let input = Input::read(&flags.files, flags.recursive)?;
    if !input.has_personas() {
        input.personas(None, "")?;
        let line = "there is no ApplicationPersona in the input; dorgu persona generate makes one of a Deployment";
        return Err(Failure::Other(line.to_owned()));
    }
    let cluster = flags.place.connect().await?;
    let mut changed = Vec::new();
    for persona in input.personas(given(flags.namespace.as_deref()), &cluster.namespace)? {
        let stored = cluster.find(&persona.name).await?;
        let changes = changes(stored.as_ref().unwrap_or(&Value::Null), &persona.stored);
        if stored.is_none() || !changes.is_empty() {
            changed.push(Changed {
                name: persona.name,
                is_new: stored.is_none(),
                changes,
            });
        }
    }
    let text = match flags.output.format() {
        Format::Table | Format::Wide => changed.iter().map(Changed::text).collect(),
        Format::Json => format::as_json(&list(&changed)?)?,
        Format::Yaml => format::as_yaml(&list(&changed)?)?,
        Format::Name => {
            let name = |one: &Changed| format!("applicationpersona.dorgu.io/{}\n", one.name.name);
            changed.iter().map(name).collect()
        }
    };
    crate::cli::print(&text)?;
    Ok(if changed.is_empty() { Done::Well } else { Done::Differs })
}

impl Changed {
    fn text(&self) -> String {
        let does = if self.is_new {
            "would be created"
        } else {
            "would change"
        };
        let changes: String = self.changes.iter().map(Change::text).collect();
        let indented: String = changes.lines().map(|line| format!("  {line}\n")).collect();
        format!("{} {does}\n{indented}", shown(&self.name))
    }
}

fn list(changed: &[Changed]) -> anyhow::Result<Value> {
    let item = |one: &Changed| {
        Ok(json!({
            "namespace": one.name.namespace,
            "name": one.name.name,
            "created": one.is_new,
            "changes": serde_json::to_value(&one.changes)?,
        }))
    };
    let items: anyhow::Result<Vec<Value>> = changed.iter().map(item).collect();
    Ok(json!({"items": items?}))
}
