//! `dorgu fix`: changes manifests so that no error is found in them.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::world::World;
use crate::check::Judge;
use crate::check::paths::Inputs;
use crate::fix::forms::{self, Form};
use crate::fix::plan::{ObjectPatch, Planned, Rejected, Settings};
use crate::fix::{FileOutcome, FileResult, Outcome, Writing, run as fix};
use crate::report::Problem;

/// Something could not be read.
const FAILED: u8 = 2;

/// Exit code 0: no error is left; 1: one is, or a file must be changed by hand; 2: something could not be read.
#[derive(Debug, Args)]
pub(super) struct Flags {
    /// Files, folders, patterns such as 'k8s/**/*.yaml', or - for standard input (with -o)
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Fix warnings, too
    #[arg(long)]
    all: bool,
    /// Write no file, but say what would be fixed
    #[arg(long)]
    dry_run: bool,
    /// Write no file, but print the fixes: diff, json-patch or kustomize
    #[arg(long, short, value_name = "FORM", value_parser = form)]
    output: Option<Form>,
    /// The folder that printed paths are relative to
    #[arg(long, value_name = "DIR", default_value = ".")]
    root: PathBuf,
    #[command(flatten)]
    world: super::world::Flags,
}

fn form(text: &str) -> Result<Form, String> {
    let known = Form::ALL.into_iter().find(|form| form.as_str() == text);
    known.ok_or_else(|| format!("it is none of {}", Form::ALL.map(Form::as_str).join(", ")))
}

pub(super) fn run(flags: Flags) -> ExitCode {
    let (dry_run, output) = (flags.dry_run, flags.output);
    let (problems, outcome) = match fixed(flags) {
        Ok(fixed) => fixed,
        Err(error) => {
            super::complain(&super::one_line(&error));
            return ExitCode::from(FAILED);
        }
    };
    for problem in &problems {
        super::complain(&problem.to_string());
    }
    let mut code = if problems.is_empty() { 0 } else { FAILED };
    for file in &outcome.files {
        code = code.max(told(file));
    }
    match super::print(&printed(&outcome, dry_run, output)) {
        Ok(()) => ExitCode::from(code),
        Err(error) => {
            super::complain(&super::one_line(&error));
            ExitCode::from(FAILED)
        }
    }
}

fn fixed(flags: Flags) -> anyhow::Result<(Vec<Problem>, Outcome)> {
    // Modes change no level, and so no fix.
    let World {
        deciding,
        index,
        namespace,
        at,
    } = flags.world.gather(None)?;
    let inputs = Inputs::of(&flags.paths, &flags.root);
    for note in &inputs.notes {
        super::complain(note);
    }
    let snapshot = index.load();
    let judge = Judge::of(&deciding, &snapshot, at);
    let settings = Settings {
        judge: &judge,
        namespace: &namespace,
        all: flags.all,
    };
    let writing = match flags.dry_run || flags.output.is_some() {
        true => Writing::Nothing,
        false => Writing::Files,
    };
    let outcome = fix(&inputs, settings, writing);
    Ok((inputs.problems, outcome))
}

fn complain_about(file: &str, line: Option<usize>, reason: &str) {
    let problem = Problem {
        file: file.to_owned(),
        line,
        reason: reason.to_owned(),
    };
    super::complain(&problem.to_string());
}

/// Says what is left of a file, and returns the exit code for it.
fn told(file: &FileOutcome) -> u8 {
    match &file.result {
        FileResult::Unreadable(reason) => {
            complain_about(&file.name, None, reason);
            FAILED
        }
        FileResult::Rejected(Rejected { line, reason }) => {
            complain_about(&file.name, *line, &format!("not fixed: {reason}"));
            1
        }
        FileResult::Fixed(planned) => {
            if let [template, ..] = planned.templates.as_slice() {
                let note = format!("rendered from {template}, which has to be changed, too");
                complain_about(&file.name, None, &note);
            }
            for left in &planned.left {
                let (line, column, rule) = (left.line, left.column, left.rule.name());
                let (message, why) = (&left.message, left.why);
                super::complain(&format!(
                    "{}:{line}:{column}: error: {message} [{rule}]; not fixed: {why}",
                    file.name
                ));
            }
            u8::from(!planned.left.is_empty())
        }
    }
}

fn printed(outcome: &Outcome, dry_run: bool, output: Option<Form>) -> String {
    let changed = || {
        outcome.files.iter().filter_map(|file| match &file.result {
            FileResult::Fixed(planned) if !planned.edits.is_empty() => Some((file, planned)),
            _ => None,
        })
    };
    let patches: Vec<(&str, &ObjectPatch)> = changed()
        .flat_map(|(file, planned)| planned.patches.iter().map(|patch| (&*file.name, patch)))
        .collect();
    match output {
        Some(Form::Diff) => changed()
            .map(|(file, planned)| forms::diff(&file.name, &file.before, &planned.text))
            .collect(),
        Some(Form::JsonPatch) => forms::json_patches(&patches),
        Some(Form::Kustomize) => forms::kustomize(&patches),
        None => changed()
            .map(|(file, Planned { fixed, .. })| {
                let would = if dry_run { "would be fixed" } else { "fixed" };
                let plural = if *fixed == 1 { "" } else { "s" };
                format!("{}: {fixed} finding{plural} {would}\n", file.name)
            })
            .collect(),
    }
}
