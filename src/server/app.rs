//! What a listener serves: requests in, answers out. An axum router is one; the webhook is its own, since the one route
//! it has need not be looked for, and its bodies need no boxes.

use std::error::Error;

use axum::Router;
use axum::body::Body as RouterBody;
use bytes::Bytes;
use http::{Request, Response};
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
        match self.clone().oneshot(request.map(RouterBody::new)).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}
