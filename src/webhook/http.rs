//! Serves the webhook over HTTP: reads the body of a request, writes that of the answer, and chooses the few statuses other
//! than 200.

use std::time::Instant;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::Full;

use super::metrics::Unchecked;
use super::{BODY_LIMIT, PATH, Webhook};
use crate::policy::text::{Shown, cut};
use crate::server::app::{App, RequestBody, Senseless, service_unavailable, text_response};
use crate::server::body::{self, BodyError};
use crate::server::sender::Sender;

impl App for Webhook {
    type Body = Full<Bytes>;

    async fn respond(&self, request: Request<RequestBody>) -> Response<Full<Bytes>> {
        let sender = request.body().sender();
        self.respond_to(&sender, request).await
    }
}

impl Webhook {
    /// Answers one request that came from no connection of a listener.
    pub async fn respond<B: Body<Data = Bytes>>(&self, request: Request<B>) -> Response<Full<Bytes>> {
        self.respond_to(&Sender::unknown(), request).await
    }

    /// Answers one request. There is one route. It accepts any method and ignores the query, as upstream does; other paths get
    /// 404.
    async fn respond_to<B: Body<Data = Bytes>>(&self, sender: &Sender, request: Request<B>) -> Response<Full<Bytes>> {
        if request.uri().path() != PATH {
            return text_response(
                StatusCode::NOT_FOUND,
                "nothing here; reviews go to /validate-deployment\n",
            );
        }
        validate(self, sender, request).await
    }
}

async fn validate<B: Body<Data = Bytes>>(
    webhook: &Webhook,
    sender: &Sender,
    request: Request<B>,
) -> Response<Full<Bytes>> {
    let _in_flight = webhook.metrics.enter();
    let (head, body) = request.into_parts();
    let length = head
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let read = body::read(body, length, sender, &webhook.limits, &webhook.budget, BODY_LIMIT).await;
    let started = Instant::now();
    // Until the index was filled once, "no persona" would be a guess.
    if !webhook.index.is_synced() {
        return uncheckable_now(webhook, Unchecked::NotSynced);
    }
    let (bytes, ((answer, record), close)) = match &read {
        Ok(body) if body.is_empty() => {
            let reason = "the request body is empty; send an AdmissionReview as JSON";
            (0, (webhook.broken(400, reason.to_owned()), false))
        }
        Ok(body) => match wrong_content_type(&head.headers) {
            Some(reason) => (body.len(), (webhook.broken(400, reason), false)),
            None => (body.len(), (webhook.answer_when_known(body).await, false)),
        },
        // The unread rest of the body is in front of the next request on this connection.
        Err(BodyError::TooLarge { length, prefix }) => (prefix.len(), (webhook.too_large(*length, prefix), true)),
        Err(BodyError::Busy) => return uncheckable_now(webhook, Unchecked::Overloaded),
        Err(BodyError::TooSlow) => return too_slow(webhook),
        Err(BodyError::TimedOut) => return interrupted(webhook, StatusCode::REQUEST_TIMEOUT),
        Err(BodyError::Broken) => return interrupted(webhook, StatusCode::BAD_REQUEST),
    };
    webhook.metrics.answered(&record, started.elapsed(), bytes);
    let mut response = reply(answer, close);
    if close || record.is_senseless() {
        response.extensions_mut().insert(Senseless);
    }
    response
}

/// Upstream requires exactly this type, so that a browser's form never counts as a review.
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

/// Instead of admitting unchecked: an API server retries.
fn uncheckable_now(webhook: &Webhook, reason: Unchecked) -> Response<Full<Bytes>> {
    webhook.metrics.unchecked(reason);
    service_unavailable("not ready; try again\n")
}

/// An API server retries this on a new connection, within its own timeout.
fn too_slow(webhook: &Webhook) -> Response<Full<Bytes>> {
    webhook.metrics.unchecked(Unchecked::Interrupted);
    service_unavailable("the request body arrived too slowly; try again\n")
}

fn interrupted(webhook: &Webhook, status: StatusCode) -> Response<Full<Bytes>> {
    webhook.metrics.unchecked(Unchecked::Interrupted);
    closing(text_response(status, "the request body did not arrive\n"))
}

fn reply(answer: Vec<u8>, close: bool) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(answer));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if close { closing(response) } else { response }
}

fn closing(mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
