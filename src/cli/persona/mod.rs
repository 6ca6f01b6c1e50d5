//! `dorgu persona`: commands about single ApplicationPersonas.

mod policy;
mod simulate;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::cluster::{self, Cluster};

/// Commands about single personas.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
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
}

/// Runs one of them. The exit code is that of a command with codes of its own, else success.
///
/// # Errors
/// Those of commands without codes of their own.
pub(super) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Policy(flags) => policy::run(flags).map(|()| ExitCode::SUCCESS),
        Command::Simulate(flags) => Ok(simulate::run(flags)),
    }
}

/// How a command reaches a cluster, with kubectl's flags.
#[derive(Debug, Args)]
#[group(skip)]
struct Connection {
    #[command(flatten)]
    cluster: cluster::Flags,
    /// The namespace [default: the context's, of a file: default]
    #[arg(long, short, value_name = "NAME")]
    namespace: Option<String>,
}

impl Connection {
    /// The namespace that was given.
    fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref().filter(|name| !name.is_empty())
    }

    /// Makes a client, for the namespace that the command is about. It sends no request.
    async fn cluster(&self) -> anyhow::Result<Cluster> {
        let cluster = self.cluster.connect().await?;
        let namespace = self.namespace().unwrap_or(&cluster.namespace).to_owned();
        Ok(Cluster { namespace, ..cluster })
    }
}
