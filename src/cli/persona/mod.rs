//! `dorgu persona`: commands about single ApplicationPersonas.

mod policy;

use clap::Subcommand;

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
}

pub(super) fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Policy(flags) => policy::run(&flags),
    }
}
