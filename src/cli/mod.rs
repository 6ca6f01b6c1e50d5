//! The command line: one variant a command, one file a command.
//!
//! Exit codes: usage errors 2 everywhere; `doctor`, `check`, `fix` and `test` otherwise 0, 1 for findings, 2 for failures;
//! `persona` one for each cause of a failure (`persona::failure`); `serve`, `crd`, `manifests`, `explain` and `version` otherwise
//! 0 or 1.

mod check;
mod cluster;
mod completion;
mod crd;
mod deciding;
mod doctor;
mod explain;
mod fix;
mod go_flags;
mod manifests;
mod persona;
mod serve;
mod test;
mod values;
mod world;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::serve::parts::{self, Entry};
use crate::telemetry;

/// Checks every Deployment against its ApplicationPersona, and warns or denies.
#[derive(Debug, Parser)]
#[command(name = "dorgu", version, propagate_version = true, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 success, 1 failure, 2 wrong usage. `dorgu COMMAND --help` says those of a command."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const WRITES: &str = "Exit codes: 0 success, 1 the output could not be written, 2 wrong usage.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer admission reviews.
    #[command(
        after_help = "Exit codes: 0 after SIGTERM or Ctrl-C, 1 it could not start or continue, 2 wrong usage, \
                            130 or 143 when a second signal ends it at once."
    )]
    Serve(Box<serve::Flags>),
    /// Print the CustomResourceDefinitions, or write them into a folder.
    #[command(after_help = WRITES)]
    Crd(crd::Flags),
    /// Print the objects of an installation in a cluster, or write them into a folder for `kubectl apply -k`.
    #[command(after_help = WRITES)]
    Manifests(manifests::Flags),
    /// Check an installation in a cluster: what is wrong, why, and which command to run next. Changes nothing.
    #[command(
        after_help = "Exit codes: 0 nothing is wrong, 1 something is wrong, 2 wrong usage, or not everything could \
                            be checked."
    )]
    Doctor(Box<doctor::Flags>),
    /// Check manifests against personas, as the webhook would.
    #[command(
        after_help = "Exit codes: 0 no finding counts, 1 one does (--fail-on), 2 wrong usage, or something could not be \
                            read."
    )]
    Check(Box<check::Flags>),
    /// Run suites, which say what personas find about Deployments.
    #[command(
        after_help = "Exit codes: 0 all tests passed, 1 one failed, 2 wrong usage, or something could not be read."
    )]
    Test(Box<test::Flags>),
    /// Change manifests so that no error is found in them; all else in them stays as it is.
    #[command(
        after_help = "Exit codes: 0 no error is left, 1 one is, or a file must be changed by hand, 2 wrong usage, or \
                            something could not be read."
    )]
    Fix(Box<fix::Flags>),
    /// Explain a rule: what it checks, why, how to fix it, with examples. Without a rule, list all.
    #[command(after_help = WRITES)]
    Explain(explain::Flags),
    /// Work with ApplicationPersonas, in files and in a cluster.
    Persona(persona::Flags),
    /// Print a script that completes commands and flags in a shell.
    #[command(after_help = WRITES)]
    Completion(completion::Flags),
    /// Print a manual page, for `man -l -`.
    #[command(after_help = WRITES)]
    Man(completion::ManFlags),
    /// Print the version.
    #[command(after_help = WRITES)]
    Version,
}

/// The command line's definition, for generated documentation.
pub fn command() -> clap::Command {
    command_with(parts::ALL)
}

/// The same for a process with other parts: their flags are flags of `serve`.
pub fn command_with(parts: &[Entry]) -> clap::Command {
    // All of them: changed alone, one would become the last.
    Cli::command().mut_subcommands(|serve| {
        if serve.get_name() != "serve" {
            return serve;
        }
        // A struct of flags brings the comment above it along.
        let (about, long) = (serve.get_about().cloned(), serve.get_long_about().cloned());
        // A heading that it sets holds for its own flags alone.
        let serve = parts.iter().fold(serve, |serve, part| {
            (part.about.flags)(serve).next_help_heading(None::<&str>)
        });
        serve.about(Resettable::from(about)).long_about(Resettable::from(long))
    })
}

/// Runs one command line and returns its exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    main_with(args, parts::ALL)
}

/// The same for a process with other parts.
pub fn main_with(args: impl IntoIterator<Item = OsString>, parts: &'static [Entry]) -> ExitCode {
    // Before any use: a client or a server without a provider would choose one itself, or panic.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        return usage("a second crypto provider was installed, which is a defect of dorgu's");
    }
    let (args, zap) = match go_flags::accept(args) {
        Ok(accepted) => accepted,
        Err(mistake) => return usage(&mistake),
    };
    let parsed = as_called(command_with(parts), args.first())
        .try_get_matches_from(&args)
        .and_then(|mut line| {
            let serve = line.subcommand_matches("serve").cloned().unwrap_or_default();
            Ok((Cli::from_arg_matches_mut(&mut line)?, serve))
        });
    let (cli, line) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            // Help and version are errors to clap, which knows their stream and exit code.
            // Where it cannot be written, the exit code remains.
            let _ = error.print();
            if let Some(variable) = blamed(&error, &args, parts) {
                complain(&format!("that value is from the environment variable {variable}"));
            }
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let outcome = match cli.command {
        Command::Serve(flags) => match serve::config(*flags, zap, line) {
            Ok(config) => crate::serve::run_with(config, parts),
            Err(mistake) => return usage(&mistake),
        },
        Command::Crd(flags) => crd::run(&flags),
        Command::Manifests(flags) => manifests::run(&flags),
        Command::Doctor(flags) => return doctor::run(&flags),
        Command::Check(flags) => return check::run(*flags),
        Command::Test(flags) => return test::run(*flags),
        Command::Fix(flags) => return fix::run(*flags),
        Command::Explain(flags) => explain::run(&flags),
        Command::Persona(flags) => return persona::run(&flags),
        Command::Completion(flags) => completion::run(&flags),
        Command::Man(flags) => completion::man(&flags),
        Command::Version => print(&format!("dorgu {}\n", env!("CARGO_PKG_VERSION"))),
    };
    ended(outcome)
}

/// The exit code of a command that has only two. The error is printed.
fn ended(outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&one_line(&error));
            ExitCode::FAILURE
        }
    }
}

/// The command with the name that it was called by: kubectl calls `kubectl-dorgu`, as it calls any plugin.
fn as_called(command: clap::Command, program: Option<&OsString>) -> clap::Command {
    match program.and_then(|program| Path::new(program).file_stem()) {
        Some(name) if name == "kubectl-dorgu" => command.bin_name("kubectl dorgu"),
        _ => command,
    }
}

/// The environment variable that a rejected value came from. clap names the flag, although the user did not type it.
fn blamed(error: &clap::Error, given: &[OsString], parts: &[Entry]) -> Option<String> {
    let ContextValue::String(usage) = error.get(ContextKind::InvalidArg)? else {
        return None;
    };
    let long = usage.split_whitespace().next()?.trim_start_matches("--");
    let typed = |arg: &OsString| {
        arg.to_str()
            .and_then(|arg| arg.strip_prefix("--"))
            .is_some_and(|arg| arg.split_once('=').map_or(arg, |(name, _)| name) == long)
    };
    if given.iter().any(typed) {
        return None;
    }
    let command = command_with(parts);
    let typed = command.find_subcommand(given.get(1)?)?;
    let of_group = given.get(2).and_then(|name| typed.find_subcommand(name));
    let mut flags = of_group.unwrap_or(typed).get_arguments();
    let variable = flags.find(|flag| flag.get_long() == Some(long))?.get_env()?;
    std::env::var_os(variable)?;
    Some(variable.to_string_lossy().into_owned())
}

/// The error and its causes, outermost first. A cause that the error above already quotes is left out.
fn one_line(error: &anyhow::Error) -> String {
    let mut said: Vec<String> = Vec::new();
    for cause in error.chain().map(ToString::to_string) {
        if !said.last().is_some_and(|before| before.contains(&cause)) {
            said.push(cause);
        }
    }
    said.join(": ")
}

fn usage(mistake: &str) -> ExitCode {
    complain(mistake);
    ExitCode::from(2)
}

/// Prints why a command could not start or continue. Where that cannot be written, the exit code remains.
fn complain(line: &str) {
    telemetry::complain(&format!("dorgu: {line}"));
}

/// Prints data. A reader that has closed the pipe (`| head`) is no failure.
///
/// # Errors
/// The data could not be written completely, such as to a full disk.
fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(error).context("cannot write to standard output"))
        }
        _ => Ok(()),
    }
}
