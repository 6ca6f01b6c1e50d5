//! `dorgu test`: runs suites that say what personas find about Deployments. It connects to nothing.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use super::{deciding, values};
use crate::files::DEFAULT_NAMESPACE;
use crate::policy::{Mode, Moment};
use crate::suite::load::{self, Defaults};
use crate::suite::{Format, Results};

/// Not everything could be read.
const FAILED: u8 = 2;

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Flags {
    /// Suites: files, folders, patterns such as 'k8s/**/*-test.yaml', or - for standard input
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// File or folder with personas, Namespaces, exceptions and ClusterPersonas that every suite has, beside its own. Repeatable.
    #[arg(long, value_name = "PATH", env = "DORGU_PERSONAS", value_delimiter = ',')]
    personas: Vec<PathBuf>,
    /// The namespace of objects that name none, in suites that set none
    #[arg(long, short, value_name = "NAME", default_value = DEFAULT_NAMESPACE, value_parser = values::namespace)]
    namespace: String,
    /// The mode of the process, in suites that set none: advisory or enforcing
    #[arg(long, value_name = "MODE", env = "DORGU_WEBHOOK_MODE", default_value = "advisory", value_parser = values::mode)]
    mode: Mode,
    /// When Deployments are judged, for exceptions that begin and end, in suites that set no time [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// Also list the rules that personas demand and no test has seen violated, or passing
    #[arg(long)]
    coverage: bool,
    /// table: for people. json: for programs. junit: for CI.
    #[arg(long, short, value_name = "FORMAT", default_value = "table", value_parser = values::test_format)]
    output: Format,
    #[command(flatten)]
    deciding: deciding::Flags,
}

pub(super) fn run(flags: Flags) -> ExitCode {
    let (output, coverage) = (flags.output, flags.coverage);
    let results = match results(flags) {
        Ok(results) => results,
        Err(error) => {
            super::complain(&error);
            return ExitCode::from(FAILED);
        }
    };
    for note in &results.notes {
        super::complain(note);
    }
    for problem in &results.problems {
        super::complain(&problem.to_string());
    }
    let text = output.render(&results, coverage).map_err(anyhow::Error::new);
    if let Err(error) = text.and_then(|text| super::print(&text)) {
        super::complain(&super::one_line(&error));
        return ExitCode::from(FAILED);
    }
    ExitCode::from(match (results.problems.is_empty(), results.failed()) {
        (false, _) => FAILED,
        (true, 0) => 0,
        (true, _) => 1,
    })
}

fn results(flags: Flags) -> Result<Results, String> {
    let (deciding, ignored) = flags.deciding.settings(flags.mode)?;
    for flag in ignored {
        super::complain(&format!("{flag} has no effect"));
    }
    let defaults = Defaults {
        personas: flags.personas,
        deciding,
        namespace: flags.namespace,
        at: Moment(flags.at.unwrap_or_else(Timestamp::now).as_second()),
    };
    Ok(load::run(&flags.paths, &defaults))
}
