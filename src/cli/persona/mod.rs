//! `dorgu persona`: ApplicationPersonas in files and in a cluster. One file a command; `failure` defines the exit codes, and
//! `place` how the cluster is found.

mod apply;
mod connection;
mod deriving;
mod diff;
mod failure;
mod format;
mod generate;
mod import;
mod input;
mod list;
mod live;
mod place;
mod policy;
mod save;
mod simulate;
mod status;
mod written;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use self::failure::{CODES, Done, Failure};

#[derive(Debug, Args)]
pub(super) struct Flags {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Apply personas server-side: print whether each was created, configured or unchanged.
    #[command(after_help = CODES)]
    Apply(apply::Flags),
    /// Show what a file would change in the stored personas, and what each change means.
    #[command(after_help = diff::CODES)]
    Diff(diff::Flags),
    /// Make personas out of manifests, a rendered chart or a live Deployment.
    #[command(after_help = CODES)]
    Generate(generate::Flags),
    /// Make personas for Deployments that run already.
    #[command(after_help = CODES)]
    Import(import::Flags),
    /// List personas, of all namespaces unless one is named.
    #[command(visible_alias = "ls", after_help = CODES)]
    List(list::Flags),
    /// Print ValidatingAdmissionPolicies that check what a persona demands, for `kubectl apply -f`.
    #[command(
        after_help = "What the policies do not cover is listed above them and on standard error; docs/second-line.md says \
                            when to take them.\n\nExit codes: 0 success, 1 the persona cannot be read or translated, 2 wrong \
                            usage."
    )]
    Policy(Box<policy::Flags>),
    /// Say which running Deployments would change verdict if personas were applied. Changes nothing.
    #[command(
        after_help = "Exit codes: 0 none would be denied that is not today, 1 some would, 2 wrong usage, or something could \
                            not be read."
    )]
    Simulate(Box<simulate::Flags>),
    /// Show what the operator reports about a persona.
    #[command(after_help = CODES)]
    Status(status::Flags),
}

pub(super) fn run(flags: &Flags) -> ExitCode {
    let Some(command) = &flags.command else {
        return help();
    };
    let done = match command {
        Command::Policy(flags) => return super::ended(policy::run(flags)),
        Command::Simulate(flags) => return simulate::run(flags),
        Command::Apply(flags) => block_on(apply::run(flags)),
        Command::Diff(flags) => block_on(diff::run(flags)),
        Command::Generate(flags) => block_on(generate::run(flags)),
        Command::Import(flags) => block_on(import::run(flags)),
        Command::List(flags) => block_on(list::run(flags)),
        Command::Status(flags) => block_on(status::run(flags)),
    };
    match done {
        Ok(Done::Well) => ExitCode::SUCCESS,
        Ok(Done::Failed(code)) => ExitCode::from(code),
        Ok(Done::Differs) => ExitCode::from(diff::DIFFERS),
        Err(failure) => {
            super::complain(&failure.to_string());
            ExitCode::from(match command {
                Command::Diff(_) => diff::code(&failure),
                _ => failure.code(),
            })
        }
    }
}

/// Runs a command to its end on this thread.
fn block_on(work: impl Future<Output = Result<Done, Failure>>) -> Result<Done, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot start the async runtime")?;
    runtime.block_on(work)
}

/// The group alone is no mistake: it shows what there is.
fn help() -> ExitCode {
    let mut dorgu = super::command();
    dorgu.build();
    let Some(group) = dorgu.find_subcommand_mut("persona") else {
        return ExitCode::FAILURE;
    };
    super::ended(super::print(&group.render_help().to_string()))
}
