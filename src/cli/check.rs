//! `dorgu check`: judges the workloads of manifests as the webhook would, without a cluster.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;

use super::deciding::Given;
use super::{cluster, deciding, values};
use crate::check::old::{OldObjects, OldPlace};
use crate::check::paths::Inputs;
use crate::check::render::Options;
use crate::check::{Judge, Outcome, Reading, run as check};
use crate::doctor::Arguments;
use crate::files::DEFAULT_NAMESPACE;
use crate::index::Index;
use crate::k8s::{self, Name, Resource};
use crate::policy::{Mode, Moment};
use crate::report::{FailOn, Format, Output, Outputs, Report, View, write};
use crate::world::{self, Deciding};

/// Nothing, or not everything, could be checked.
const FAILED: u8 = 2;

/// Exit code 0: no finding counts; 1: one does; 2: something could not be read.
#[derive(Debug, Args)]
pub(super) struct Flags {
    /// Files, folders, patterns such as 'k8s/**/*.yaml', or - for standard input
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
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
    /// The manifests as they were: PATH, or git:REF for a revision of their repository. What was there already does not count.
    #[arg(long, value_name = "PLACE")]
    old: Option<OsString>,
    /// Which findings fail: error, warning or never
    #[arg(long, value_name = "SEVERITY", default_value = "error", value_parser = values::fail_on)]
    fail_on: FailOn,
    /// A workload that no persona governs fails, too
    #[arg(long)]
    fail_on_ungoverned: bool,
    /// The mode of the process, advisory or enforcing, which no exit code depends on [default: that of the operator; with
    /// --personas advisory]
    #[arg(long, value_name = "MODE", env = "DORGU_WEBHOOK_MODE", value_parser = values::mode)]
    mode: Option<Mode>,
    /// When the manifests are judged, for exceptions that begin and end, such as 2027-01-31T00:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// A format: table, wide, json, yaml, sarif, junit, github, gitlab or markdown, or FORMAT=FILE. Repeatable, each to another
    /// place. [default: table]
    #[arg(long, short, value_name = "FORMAT")]
    output: Vec<Output>,
    /// Show only findings that fail
    #[arg(long, short)]
    quiet: bool,
    /// The folder that the report's paths are relative to
    #[arg(long, value_name = "DIR", default_value = ".")]
    root: PathBuf,
    /// The page with a section for each rule, which each finding links; empty: no link
    #[arg(long, value_name = "URL", env = "DORGU_DOCS_URL", default_value = "", value_parser = values::page)]
    docs_url: String,
    /// Render each PATH that is a Helm chart or a kustomization by `helm template` or `kustomize build` (else `kubectl
    /// kustomize`). They find no configuration, plugin or cluster, and fetch nothing.
    #[arg(long)]
    render: bool,
    /// With --render: file of values for helm. Repeatable.
    #[arg(long, value_name = "FILE", requires = "render")]
    values: Vec<PathBuf>,
    /// With --render: value for helm, KEY=VALUE. Repeatable.
    #[arg(long, value_name = "KEY=VALUE", requires = "render")]
    set: Vec<String>,
    /// With --render: name of the release for helm [default: release-name]
    #[arg(long, value_name = "NAME", requires = "render")]
    release_name: Option<String>,
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
struct World {
    deciding: Deciding,
    index: Index,
    /// The namespace of objects that name none.
    namespace: String,
}

pub(super) fn run(flags: Flags) -> ExitCode {
    let view = View {
        fail_on: flags.fail_on,
        quiet: flags.quiet,
    };
    let on_ungoverned = flags.fail_on_ungoverned;
    let outputs = match Outputs::try_from(flags.output.clone()) {
        Ok(outputs) => outputs,
        Err(mistake) => return super::usage(&mistake),
    };
    match report(flags) {
        Ok(report) => {
            let is_written = write_all(&report, &outputs, view);
            let ungoverned = on_ungoverned && report.counts.ungoverned > 0;
            ExitCode::from(match (is_written, report.exit_code(view.fail_on)) {
                (false, _) => FAILED,
                (true, 0) if ungoverned => 1,
                (true, code) => code,
            })
        }
        Err(error) => {
            super::complain(&super::one_line(&error));
            ExitCode::from(FAILED)
        }
    }
}

/// Writes the report in each format, and what is no data to standard error. Returns whether all could be written.
fn write_all(report: &Report, outputs: &Outputs, view: View) -> bool {
    let page = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|page| !page.is_empty());
    let page = page.as_deref().map(Path::new);
    let written = write(report, outputs, view, page, &mut std::io::stdout());
    for line in written.notes.iter().chain(&written.failures) {
        super::complain(line);
    }
    for problem in &report.problems {
        let line = problem.line.map(|line| format!("{line}:")).unwrap_or_default();
        super::complain(&format!("{}:{line} {}", problem.file, problem.reason));
    }
    // On a terminal and in a table it stands below the findings.
    if outputs.to_stdout() != Some(Format::Table) {
        super::complain(&report.summary(view.fail_on).line());
    }
    written.failures.is_empty()
}

fn report(flags: Flags) -> anyhow::Result<Report> {
    let at = Moment(flags.at.unwrap_or_else(Timestamp::now).as_second());
    let World {
        deciding,
        index,
        namespace,
    } = match flags.personas.as_slice() {
        [] => from_cluster(&flags, at)?,
        paths => {
            let deciding = settings(flags.deciding.flags.clone(), flags.mode.unwrap_or_default())?;
            let index = deciding.index(Some(at));
            from_files(paths, &index)?;
            let namespace = flags.namespace.clone().unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned());
            World {
                deciding,
                index,
                namespace,
            }
        }
    };
    let options = flags.render.then(|| Options {
        namespace: namespace.clone(),
        release_name: flags.release_name,
        values: flags.values,
        sets: flags.set,
    });
    let options = options.as_ref();
    let place = flags.old.as_deref().map(OldPlace::of);
    let old = place.map(|place| OldObjects::read(&place, &flags.paths, &namespace, options));
    let old = old.transpose().map_err(anyhow::Error::msg)?;
    for note in old.iter().flat_map(|old| &old.notes) {
        super::complain(note);
    }
    let inputs = Inputs::rendering(&flags.paths, &flags.root, options);
    for note in &inputs.notes {
        super::complain(note);
    }
    let snapshot = index.load();
    let judge = Judge {
        index: &snapshot,
        rulebook: deciding.rulebook,
        requires_label: deciding.requires_label,
        at,
    };
    let reading = Reading {
        namespace,
        old: old.as_ref(),
    };
    let Outcome { report, namespaces } = check(&inputs, &judge, &reading);
    let left_out: Vec<String> = namespaces
        .into_iter()
        .filter(|name| snapshot.is_left_out(name))
        .collect();
    if !left_out.is_empty() {
        super::complain(&format!(
            "the webhook is not called for {}, which has no label dorgu.io/validate: \"true\"; judged all the same",
            left_out.join(", ")
        ));
    }
    Ok(Report {
        docs_url: flags.docs_url,
        ..report
    })
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
fn from_cluster(flags: &Flags, at: Moment) -> anyhow::Result<World> {
    cluster::block_on(async {
        let cluster = flags.cluster.connect().await?;
        let deciding = of_operator(flags, &cluster).await?;
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
        })
    })
}

/// The settings that decide: those of the command line, else those of the operator.
async fn of_operator(flags: &Flags, cluster: &cluster::Cluster) -> anyhow::Result<Deciding> {
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
    settings(found.0, flags.mode.unwrap_or(found.1))
}
