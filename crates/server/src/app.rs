//! Defines what a listener serves: the [`App`] trait, from request to response. An axum router implements it. The webhook
//! implements it directly, because it has one route, which needs no lookup, and its bodies need no boxing.

use std::error::Error;
use std::sync::Arc;

use axum::Router;
use axum::body::Body as RouterBody;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::Body;
use tower::ServiceExt;

pub use super::service::RequestBody;

/// Answers the requests of a listener.
pub trait App: Send + Sync + 'static {
    /// The body of its responses. It is made of a static text where the listener itself answers.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>
        + From<&'static str>
        + Send
        + Unpin
        + 'static;

    /// Answers one request. The listener answers 500 for a panic.
    fn respond(&self, request: Request<RequestBody>) -> impl Future<Output = Response<Self::Body>> + Send;
}

impl App for Router {
    type Body = RouterBody;

    async fn respond(&self, request: Request<RequestBody>) -> Response<RouterBody> {
        let sender = request.body().sender();
        let mut request = request.map(RouterBody::new);
        // A router boxes the body, so the sender is passed beside it.
        request.extensions_mut().insert(sender);
        match self.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// So that a listener can share its application with the tasks that observe it.
impl<A: App> App for Arc<A> {
    type Body = A::Body;

    fn respond(&self, request: Request<RequestBody>) -> impl Future<Output = Response<Self::Body>> + Send {
        A::respond(self, request)
    }
}

/// Marks a response, by an extension, to a request that no client of ours would send. Any other successful response shows that
/// the client is a real one. Connections with such a request are evicted last.
#[derive(Clone, Copy, Debug)]
pub struct Senseless;

/// A plain-text response.
pub fn text_response<B: From<&'static str>>(status: StatusCode, text: &'static str) -> Response<B> {
    let mut response = Response::new(B::from(text));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// 503 with `Retry-After: 1`. kube-apiserver retries it within its own timeout instead of failing open.
pub fn service_unavailable<B: From<&'static str>>(text: &'static str) -> Response<B> {
    let mut response = text_response(StatusCode::SERVICE_UNAVAILABLE, text);
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}
