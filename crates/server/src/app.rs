//! What a listener serves: requests in, answers out. An axum router is one; the webhook is its own, since the one route
//! it has need not be looked for, and its bodies need no boxes.

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

/// What answers the requests of a listener.
pub trait App: Send + Sync + 'static {
    /// The body of its answers; made of a text where the listener answers in its place.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>
        + From<&'static str>
        + Send
        + Unpin
        + 'static;

    /// Answers one request. A panic is answered 500 by the listener.
    fn respond(&self, request: Request<RequestBody>) -> impl Future<Output = Response<Self::Body>> + Send;
}

impl App for Router {
    type Body = RouterBody;

    async fn respond(&self, request: Request<RequestBody>) -> Response<RouterBody> {
        let sender = request.body().sender();
        let mut request = request.map(RouterBody::new);
        // Behind a router's body nobody sees whose it is.
        request.extensions_mut().insert(sender);
        match self.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// Shared between a listener and those who watch what it serves.
impl<A: App> App for Arc<A> {
    type Body = A::Body;

    fn respond(&self, request: Request<RequestBody>) -> impl Future<Output = Response<Self::Body>> + Send {
        A::respond(self, request)
    }
}

/// Marks, among an answer's extensions, a request that no caller of ours would send. Any other answer with a status of
/// success says that its request was sensible, and connections that carried such a request are the last to make room.
#[derive(Clone, Copy, Debug)]
pub struct Senseless;

/// An answer in words.
pub fn plain<B: From<&'static str>>(status: StatusCode, text: &'static str) -> Response<B> {
    let mut response = Response::new(B::from(text));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// The only polite "not now", 503 with `Retry-After: 1`: kube-apiserver tries again within its own timeout instead of
/// failing open.
pub fn not_now<B: From<&'static str>>(text: &'static str) -> Response<B> {
    let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, text);
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}
