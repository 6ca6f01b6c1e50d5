//! `dorgu check`: judges the workloads of manifests as the webhook would, without a cluster.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::values;
use super::world::World;
use crate::check::old::{OldObjects, OldPlace};
use crate::check::paths::Inputs;
use crate::check::render::Options;
use crate::check::{Judge, Outcome, Reading, run as check};
use crate::policy::Mode;
use crate::report::{FailOn, Format, Output, Outputs, Report, View, write};

/// Nothing, or not everything, could be checked.
const FAILED: u8 = 2;

/// Exit code 0: no finding counts; 1: one does; 2: something could not be read.
#[derive(Debug, Args)]
pub(super) struct Flags {
    /// Files, folders, patterns such as 'k8s/**/*.yaml', or - for standard input
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
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
    /// With --render: a value for helm, such as image.tag=2. Repeatable.
    #[arg(long, value_name = "SETTING", requires = "render")]
    set: Vec<String>,
    /// With --render: name of the release for helm [default: release-name]
    #[arg(long, value_name = "NAME", requires = "render")]
    release_name: Option<String>,
    #[command(flatten)]
    world: super::world::Flags,
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
    match report(flags, &outputs) {
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
        super::complain(&problem.to_string());
    }
    // On a terminal and in a table it stands below the findings.
    if outputs.to_stdout() != Some(Format::Table) {
        super::complain(&report.summary(view.fail_on).line());
    }
    written.failures.is_empty()
}

fn report(flags: Flags, outputs: &Outputs) -> anyhow::Result<Report> {
    let World {
        deciding,
        index,
        namespace,
        at,
    } = flags.world.gather(flags.mode)?;
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
    let judge = Judge::of(&deciding, &snapshot, at);
    let reading = Reading {
        namespace,
        old: old.as_ref(),
        with_edits: [Format::Sarif, Format::Json, Format::Yaml]
            .into_iter()
            .any(|format| outputs.contains(format)),
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
        fails_ungoverned: flags.fail_on_ungoverned,
        ..report
    })
}
