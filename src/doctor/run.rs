//! Runs `dorgu doctor` step by step: reach the API server, read the facts, run the checks and, if no check failed, send the
//! canary.

use super::checks::{Call, Check, View};
use super::commands::Commands;
use super::finding::skip;
use super::observe;
use super::report::Report;
use super::setup::{Setup, Wanted};
use crate::k8s::{CallError, Client};
use crate::runtime::About;

/// What to examine.
#[derive(Clone, Debug, Default)]
pub struct Examination {
    /// Which installation.
    pub wanted: Wanted,
    /// The parts of the installed process.
    pub parts: Vec<&'static About>,
    /// How to write commands for this cluster.
    pub commands: Commands,
    /// Checks to leave out.
    pub excluded: Vec<Check>,
    /// The API server's address, for people.
    pub server: String,
}

/// Runs all checks.
///
/// # Errors
/// The API server does not answer.
pub async fn run(client: &Client, examination: &Examination) -> Result<Report, CallError> {
    let server = observe::server(client).await?;
    let deployment = observe::deployment(client, &examination.wanted).await;
    let setup = Setup::read(&examination.wanted, &examination.parts, deployment.here());
    let facts = observe::facts(client, server, &setup, deployment).await;
    let view = View {
        facts: &facts,
        setup: &setup,
        commands: &examination.commands,
    };
    let mut report = examination.judged(&view);
    let check = Check::WebhookCall;
    if examination.excluded.contains(&check) {
        report.add(check, skip("excluded"));
        return Ok(report);
    }
    let call = match report.first_failure() {
        _ if !setup.webhook => Call::NotMade("the Deployment runs without --enable-webhook".to_owned()),
        Some(failed) => Call::NotMade(format!("{failed} failed, which comes first")),
        None => observe::call(client, &view).await?,
    };
    report.add(check, call.judged(&view));
    Ok(report)
}

impl Examination {
    /// The report without the canary.
    pub(super) fn judged(&self, view: &View<'_>) -> Report {
        let mut report = Report {
            server: self.server.clone(),
            namespace: self.wanted.namespace.clone(),
            name: self.wanted.name.clone(),
            ..Report::default()
        };
        for check in Check::ALL {
            if let Some(outcome) = check.look(view) {
                let excluded = self.excluded.contains(check);
                report.add(*check, if excluded { skip("excluded") } else { outcome });
            }
        }
        report
    }
}
