//! The webhook as an HTTP route: bodies in, bodies out, and the few statuses that are not 200.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::metrics::Unchecked;
use super::{BODY_LIMIT, PATH, Webhook};
use crate::policy::text::{Shown, cut};
use crate::server::body::{self, BodyError};

/// The one route. Any method is answered and the query is ignored, as upstream does; other paths are 404.
pub fn router(webhook: Arc<Webhook>) -> Router {
    Router::new().route(PATH, any(validate)).with_state(webhook)
}

async fn validate(State(webhook): State<Arc<Webhook>>, request: Request) -> Response {
    let _in_flight = webhook.metrics.enter();
    let (head, body) = request.into_parts();
    let length = head
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let read = body::read(body, length, &webhook.limits, &webhook.budget, BODY_LIMIT).await;
    let started = Instant::now();
    // Until the index was filled once, "no persona" would be a guess (design 5).
    if !webhook.index.is_synced() {
        return not_now(&webhook, Unchecked::NotSynced);
    }
    let (bytes, ((answer, record), close)) = match &read {
        Ok(body) if body.is_empty() => {
            let reason = "the request body is empty; send an AdmissionReview as JSON";
            (0, (webhook.broken(400, reason.to_owned()), false))
        }
        Ok(body) => match wrong_content_type(&head.headers) {
            Some(reason) => (body.len(), (webhook.broken(400, reason), false)),
            None => (body.len(), (webhook.answer(body), false)),
        },
        // What was not read stands in the way of the next request on this connection.
        Err(BodyError::TooLarge { length, prefix }) => (prefix.len(), (webhook.too_large(*length, prefix), true)),
        Err(BodyError::Busy) => return not_now(&webhook, Unchecked::Overloaded),
        Err(BodyError::TimedOut) => return interrupted(&webhook, StatusCode::REQUEST_TIMEOUT),
        Err(BodyError::Broken) => return interrupted(&webhook, StatusCode::BAD_REQUEST),
    };
    webhook.metrics.answered(&record, started.elapsed(), bytes);
    reply(answer, close)
}

/// Upstream wants exactly this, so that a form of a browser never counts as a review.
fn wrong_content_type(headers: &HeaderMap) -> Option<String> {
    match headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes) {
        Some(b"application/json") => None,
        None => Some("Content-Type is missing; send application/json".to_owned()),
        Some(other) => {
            let shown = cut(Shown(&String::from_utf8_lossy(other)), 100);
            Some(format!("Content-Type is '{shown}'; send application/json"))
        }
    }
}

/// The one polite refusal: an API server retries it within its own timeout, instead of admitting unseen.
fn not_now(webhook: &Webhook, reason: Unchecked) -> Response {
    webhook.metrics.unchecked(reason);
    (
        StatusCode::SERVICE_UNAVAILABLE,
        [(RETRY_AFTER, "1")],
        "not ready; try again\n",
    )
        .into_response()
}

fn interrupted(webhook: &Webhook, status: StatusCode) -> Response {
    webhook.metrics.unchecked(Unchecked::Interrupted);
    (status, [(CONNECTION, "close")], "the request body did not arrive\n").into_response()
}

fn reply(answer: Vec<u8>, close: bool) -> Response {
    let mut response = ([(CONTENT_TYPE, "application/json")], answer).into_response();
    if close {
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
