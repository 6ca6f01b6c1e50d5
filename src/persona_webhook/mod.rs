//! Answers reviews of ApplicationPersonas (`/validate-persona`): warnings alone, never a denial. They say which running
//! Deployments would change verdict, which values mean nothing, and which other personas have the same app.
//!
//! Everything is answered from the index. This file declares the part and reads requests; `advisor` runs them on a thread of
//! its own, `review` reads them, `advice` derives the warnings.

mod advice;
mod advisor;
mod metrics;
mod review;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::routing::post;
use clap::Args;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};
use k8s_openapi::api::admissionregistration::v1::{RuleWithOperations, ValidatingWebhook, WebhookClientConfig};

use advisor::{Advisor, Basis};
pub use metrics::Metrics;

use crate::api::names::{PERSONA_WEBHOOK, PERSONA_WEBHOOK_PATH as PATH};
use crate::index::Index;
use crate::policy::Rulebook;
use crate::runtime::flags::WITH_CLUSTER;
use crate::runtime::{About, Admission, Handler, Part};
use crate::server::app::{service_unavailable, text_response};
use crate::server::body::{self, Budget};
use crate::server::limits::Limits;
use crate::server::sender::Sender;

/// The largest review: an update has the persona twice, and no persona has half of this.
const BODY_LIMIT: usize = 1 << 20;
/// Memory of reviews that are being read. Those that wait for the thread are as few as its queue is long.
const BUDGET: usize = 8 << 20;
/// How long the body of a review may take, of the second that an API server waits.
const BODY_TIMEOUT: Duration = Duration::from_millis(250);
/// How long an API server waits for an answer.
const TIMEOUT_SECONDS: i32 = 1;
/// The flag that switches the part off.
const SWITCH: &str = "persona-webhook";

/// The flags of the part.
#[derive(Clone, Copy, Debug, Args)]
#[group(skip)]
#[command(next_help_heading = WITH_CLUSTER)]
pub struct Flags {
    /// Answer reviews of ApplicationPersonas with warnings about running Deployments; only with the webhook [default: true]
    #[arg(long = SWITCH, value_name = "BOOL", env = "DORGU_PERSONA_WEBHOOK", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    persona_webhook: Option<bool>,
}

impl Flags {
    /// Whether the part is on.
    pub fn is_on(self) -> bool {
        self.persona_webhook.unwrap_or(true)
    }
}

/// The declaration of this part. It needs no right: everything is in the index.
pub static ABOUT: About = About {
    families: &[("Reviews", &metrics::FAMILIES)],
    admission: &[Admission {
        webhook: PERSONA_WEBHOOK,
        path: PATH,
        switch: SWITCH,
        entry,
    }],
    flags: Flags::augment_args,
    ..About::named("persona webhook")
};

/// Its entry of the webhook configuration: no selector, since a persona in any namespace may govern.
fn entry(client_config: WebhookClientConfig) -> ValidatingWebhook {
    let texts = |texts: &[&str]| Some(texts.iter().map(|&text| text.to_owned()).collect());
    ValidatingWebhook {
        name: PERSONA_WEBHOOK.to_owned(),
        admission_review_versions: vec!["v1".to_owned()],
        side_effects: "None".to_owned(),
        failure_policy: Some("Ignore".to_owned()),
        match_policy: Some("Equivalent".to_owned()),
        timeout_seconds: Some(TIMEOUT_SECONDS),
        client_config,
        rules: Some(vec![RuleWithOperations {
            api_groups: texts(&["dorgu.io"]),
            api_versions: texts(&["v1"]),
            resources: texts(&["applicationpersonas"]),
            operations: texts(&["CREATE", "UPDATE"]),
            scope: Some("Namespaced".to_owned()),
        }]),
        ..ValidatingWebhook::default()
    }
}

/// The part of the process. `requires_label` is whether a Deployment without the app label is a finding.
///
/// # Errors
/// The system denies a thread.
pub fn part(index: Arc<Index>, rulebook: Rulebook, requires_label: bool, metrics: Metrics) -> io::Result<Part> {
    let basis = Basis {
        index: Arc::clone(&index),
        rulebook,
        requires_label,
    };
    let served = Arc::new(Served {
        advisor: Advisor::start(basis, metrics)?,
        index,
        budget: Budget::new(BUDGET),
        limits: Limits {
            body: BODY_TIMEOUT,
            ..Limits::default()
        },
    });
    let answers = post(move |request: Request<Body>| {
        let served = Arc::clone(&served);
        async move { served.respond(request).await }
    });
    let part = Part::new(&ABOUT);
    Ok(Part {
        admission: vec![Handler { path: PATH, answers }],
        ..part
    })
}

/// What requests share.
#[derive(Debug)]
struct Served {
    advisor: Advisor,
    index: Arc<Index>,
    budget: Budget,
    limits: Limits,
}

impl Served {
    /// Answers one request. What cannot be read gets an error status, at which an API server admits the write.
    async fn respond(&self, request: Request<Body>) -> Response<Body> {
        let (head, content) = request.into_parts();
        let sender = head.extensions.get::<Sender>().cloned().unwrap_or_default();
        let length = head.headers.get(CONTENT_LENGTH);
        let length = length.and_then(|value| value.to_str().ok()?.parse().ok());
        let read = body::read(content, length, &sender, &self.limits, &self.budget, BODY_LIMIT).await;
        let Ok(body) = read else {
            return text_response(
                StatusCode::BAD_REQUEST,
                "the review is too large or did not arrive in time\n",
            );
        };
        // Until the index was filled once, no Deployment would seem to be concerned.
        if !self.index.is_synced() {
            return service_unavailable("not ready; try again\n");
        }
        let Some(answer) = self.advisor.answer(&body).await else {
            return text_response(StatusCode::BAD_REQUEST, "the body is no AdmissionReview\n");
        };
        let mut response = Response::new(Body::from(answer));
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

#[cfg(test)]
mod tests;
