//! Evaluates the answer to the canary, which shows whether an API server really calls the webhook.

use crate::doctor::canary::Canary;
use crate::doctor::commands::word;
use crate::doctor::finding::{Finding, NotOk, Outcome, skip};
use crate::k8s::Verdict;

use super::View;
use super::registration::shipped;

/// The outcome of the canary.
#[derive(Clone, Debug)]
pub(in crate::doctor) enum Call {
    /// It was not sent, for this reason.
    NotMade(String),
    /// It was answered.
    Answered {
        canary: Canary,
        verdict: Verdict,
        /// How many requests the API server admitted during a second try because its call of the webhook failed. `None` when
        /// that is unknown.
        failed_open: Option<f64>,
    },
}

impl Call {
    /// Whether the answer contains our texts.
    pub(in crate::doctor) fn is_ours(canary: &Canary, verdict: &Verdict, webhook: &str) -> bool {
        let denied = format!("admission webhook {webhook:?} denied the request");
        verdict.message.contains(&denied) || verdict.warnings.iter().any(|said| canary.warnings.contains(said))
    }

    pub(in crate::doctor) fn judged(&self, view: &View<'_>) -> Outcome {
        let (canary, verdict, failed_open) = match self {
            Call::NotMade(reason) => return skip(reason),
            Call::Answered {
                canary,
                verdict,
                failed_open,
            } => (canary, verdict, failed_open),
        };
        let webhook = shipped(view.setup).name;
        let (namespace, persona) = (&canary.namespace, &canary.persona);
        if Call::is_ours(canary, verdict, &webhook) {
            return Ok(format!(
                "a trial Deployment in {namespace}, stored nowhere, was held against ApplicationPersona {persona}"
            ));
        }
        let message = verdict.message.replace(['\n', '\r'], " ");
        if message.contains(&format!("failed calling webhook {webhook:?}")) {
            return Err(self::unreachable(
                view,
                format!("the API server cannot call it: {message}"),
            ));
        }
        match verdict.code {
            201 => {}
            // Denied by us, or by an admission step before us.
            403 => {
                return skip(format!(
                    "a trial Deployment in {namespace} is not for us to send: {message}"
                ));
            }
            code => {
                return skip(format!(
                    "a trial Deployment in {namespace} is refused by others ({code}): {message}"
                ));
            }
        }
        let went_by = format!(
            "a trial Deployment in {namespace} that breaks ApplicationPersona {persona} went by without a word"
        );
        Err(match failed_open {
            Some(failed) if *failed > 0.0 => {
                unreachable(view, format!("{went_by}: the API server called and got no answer"))
            }
            _ => Finding::fail(
                went_by,
                if failed_open.is_some() {
                    "no call of the API server failed: the persona or the configuration is too new, or it was not \
                     asked at all"
                } else {
                    "the API server did not ask, or got no answer (its metric apiserver_admission_webhook_fail_open_count \
                     says which)"
                },
                view.logs(),
            )
            .into(),
        })
    }
}

fn unreachable(view: &View<'_>, seen: String) -> NotOk {
    let (namespace, service) = (&view.setup.namespace, &view.setup.service);
    Finding::fail(
        seen,
        "no way from the API server to the pods: a firewall (private clusters open no port but 443 and 10250 to nodes), a \
         network plugin whose pods the control plane cannot reach, or pods that do not answer",
        view.commands.kubectl_in(
            namespace,
            format_args!(
                "get endpointslices --selector kubernetes.io/service-name={}   # open the way to that address and port",
                word(service)
            ),
        ),
    )
    .into()
}
