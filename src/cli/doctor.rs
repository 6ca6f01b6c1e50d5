//! `dorgu doctor`: reports what is wrong with an installation in a cluster, why, and which command to run next.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::values;
use crate::doctor::{Check, Commands, Examination, Report, Wanted, run as examine};
use crate::install::Installation;
use crate::k8s::{ClusterSource, client};
use crate::policy::Matching;
use crate::serve::parts;

/// A longer wait for a connection is reported to the user.
const CONNECT: Duration = Duration::from_secs(10);
/// Nothing, or not everything, could be checked.
const FAILED: u8 = 2;

/// Exit code 0: nothing is wrong; 1: something is; 2: it could not be found out.
#[derive(Debug, Args)]
pub(super) struct Flags {
    /// Kubeconfig file; empty: KUBECONFIG, ~/.kube/config, then in-cluster.
    #[arg(long, value_name = "FILE", env = "DORGU_KUBECONFIG")]
    kubeconfig: Option<String>,
    /// Context of the kubeconfig; empty: the current one.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Where dorgu is installed [default: dorgu-system]
    #[arg(long, short, value_name = "NAME", env = "DORGU_NAMESPACE")]
    namespace: Option<String>,
    /// Its Deployment [default: dorgu-operator]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The ValidatingWebhookConfiguration [default: what the Deployment says]
    #[arg(long, value_name = "NAME", env = "DORGU_WEBHOOK_CONFIG")]
    webhook_config: Option<String>,
    /// The Service in front of the webhook [default: what the Deployment says]
    #[arg(long, value_name = "NAME", env = "DORGU_WEBHOOK_SERVICE")]
    webhook_service: Option<String>,
    /// The Secret with the certificate [default: what the Deployment says]
    #[arg(long, value_name = "NAME", env = "DORGU_WEBHOOK_SECRET")]
    webhook_secret: Option<String>,
    /// How personas are meant to be found: label or chain [default: what the Deployment says]
    #[arg(long = "match", value_name = "HOW", env = "DORGU_MATCH", value_parser = values::matching)]
    matching: Option<Matching>,
    /// Whether Deployments without the label app.kubernetes.io/name are findings [default: what the Deployment says]
    #[arg(long, value_name = "BOOL", env = "DORGU_REQUIRE_LABEL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    require_label: Option<bool>,
    /// Leave this check out, by its name in the report. Repeatable.
    #[arg(long, value_name = "CHECK", value_delimiter = ',', value_parser = check)]
    exclude: Vec<Check>,
    /// text: for people. json: for programs.
    #[arg(long, short, value_name = "FORMAT", default_value = "text", value_parser = values::report)]
    output: values::ReportFormat,
}

fn check(name: &str) -> Result<Check, String> {
    Check::named(name).ok_or_else(|| {
        let names: Vec<&str> = Check::ALL.iter().map(|check| check.name()).collect();
        format!("valid values are {}", names.join(", "))
    })
}

impl Flags {
    fn examination(&self, server: String) -> Examination {
        let usual = Installation::of(parts::declared());
        let given = |flag: &Option<String>| flag.clone().filter(|value| !value.is_empty());
        Examination {
            wanted: Wanted {
                namespace: given(&self.namespace).unwrap_or(usual.namespace),
                name: given(&self.name).unwrap_or(usual.fullname),
                configuration: given(&self.webhook_config),
                service: given(&self.webhook_service),
                secret: given(&self.webhook_secret),
                matching: self.matching,
                requires_label: self.require_label,
            },
            parts: usual.parts,
            commands: Commands {
                kubeconfig: given(&self.kubeconfig),
                context: given(&self.context),
            },
            excluded: self.exclude.clone(),
            server,
        }
    }

    /// The report, or why there is none.
    async fn report(&self) -> anyhow::Result<Report> {
        let given = |flag: &Option<String>| flag.clone().filter(|value| !value.is_empty());
        let named = given(&self.kubeconfig);
        let Some(place) = ClusterSource::find(named.as_deref().map(Path::new)) else {
            anyhow::bail!("no cluster to look at: pass --kubeconfig FILE, set KUBECONFIG, or run in a pod");
        };
        let mut config = place.config_of(given(&self.context).as_deref()).await?;
        config.connect_timeout = Some(CONNECT);
        let server = config.cluster_url.to_string();
        let server = server.trim_end_matches('/').to_owned();
        let client = client(config)?;
        let examined = examine(&client, &self.examination(server.clone())).await;
        examined.map_err(|error| anyhow::anyhow!("the API server at {server} cannot be asked: {error}"))
    }
}

pub(super) fn run(flags: &Flags) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let report = match runtime {
        Ok(runtime) => runtime.block_on(flags.report()),
        Err(error) => Err(anyhow::Error::new(error).context("cannot start the async runtime")),
    };
    let told = report.and_then(|report| {
        super::print(&match flags.output {
            values::ReportFormat::Text => report.text(),
            values::ReportFormat::Json => report.json(),
        })?;
        Ok(report)
    });
    match told {
        Ok(report) => {
            if report.incomplete {
                super::complain("not everything could be looked at; the lines that say skip tell why");
            }
            ExitCode::from(match (report.incomplete, report.is_clean()) {
                (true, _) => FAILED,
                (false, true) => 0,
                (false, false) => 1,
            })
        }
        Err(error) => {
            super::complain(&super::one_line(&error));
            ExitCode::from(FAILED)
        }
    }
}
