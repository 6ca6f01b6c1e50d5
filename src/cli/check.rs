//! `dorgu check`: judges the workloads of manifests as the webhook would, without a cluster.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use super::{cluster, deciding, values};
use crate::check::old::{OldObjects, OldPlace};
use crate::check::paths::Inputs;
use crate::check::{Judge, Reading, run as check};
use crate::files::DEFAULT_NAMESPACE;
use crate::index::Index;
use crate::policy::{Mode, Moment};
use crate::report::{FailOn, Format, Output, Outputs, Report, View, write};
use crate::world;

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
    /// The mode of the process that the findings are told for: advisory or enforcing
    #[arg(long, value_name = "MODE", env = "DORGU_WEBHOOK_MODE", default_value = "advisory", value_parser = values::mode)]
    mode: Mode,
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
    #[command(flatten)]
    deciding: deciding::Flags,
}

pub(super) fn run(flags: Flags) -> ExitCode {
    let view = View {
        fail_on: flags.fail_on,
        quiet: flags.quiet,
    };
    let outputs = match Outputs::try_from(flags.output.clone()) {
        Ok(outputs) => outputs,
        Err(mistake) => return super::usage(&mistake),
    };
    match report(flags) {
        Ok(report) => {
            let is_written = write_all(&report, &outputs, view);
            ExitCode::from(if is_written {
                report.exit_code(view.fail_on)
            } else {
                FAILED
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
    let (settings, ignored) = flags.deciding.settings(flags.mode).map_err(anyhow::Error::msg)?;
    for flag in ignored {
        super::complain(&format!("{flag} has no effect"));
    }
    let at = Moment(flags.at.unwrap_or_else(Timestamp::now).as_second());
    let index = settings.index(Some(at));
    let namespace = match flags.personas.as_slice() {
        [] => from_cluster(&flags.cluster, &index, flags.namespace.as_deref())?,
        paths => {
            from_files(paths, &index)?;
            flags.namespace.unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned())
        }
    };
    let place = flags.old.as_deref().map(OldPlace::of);
    let old = place.map(|place| OldObjects::read(&place, &flags.paths, &namespace));
    let old = old.transpose().map_err(anyhow::Error::msg)?;
    for note in old.iter().flat_map(|old| &old.notes) {
        super::complain(note);
    }
    let inputs = Inputs::of(&flags.paths, &flags.root);
    for note in &inputs.notes {
        super::complain(note);
    }
    let snapshot = index.load();
    let judge = Judge {
        index: &snapshot,
        rulebook: settings.rulebook,
        requires_label: settings.requires_label,
        at,
    };
    let reading = Reading {
        namespace,
        old: old.as_ref(),
    };
    let report = check(&inputs, &judge, &reading);
    Ok(Report {
        docs_url: flags.docs_url,
        fails_ungoverned: flags.fail_on_ungoverned,
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

/// Reads those of the cluster, and returns the namespace of objects that name none.
fn from_cluster(flags: &cluster::Flags, index: &Index, namespace: Option<&str>) -> anyhow::Result<String> {
    cluster::block_on(async {
        let cluster = flags.connect().await?;
        let namespace = namespace.unwrap_or(&cluster.namespace).to_owned();
        let listed = world::list(&cluster.client, index, &namespace).await;
        let server = &cluster.server;
        let notes = listed.map_err(|error| {
            anyhow::anyhow!("the personas of {server} cannot be read: {error}; --personas PATH takes those of files")
        })?;
        for note in notes {
            super::complain(&note);
        }
        Ok(namespace)
    })
}
