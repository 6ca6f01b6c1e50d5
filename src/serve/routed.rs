//! Routes the requests of the webhook's listener. Where parts have handlers, a request for any path other than the webhook's
//! goes to the router of these handlers.

use axum::Router;
use axum::body::to_bytes;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;

use crate::runtime::Handler;
use crate::server::app::{App, RequestBody, text_response};
use crate::webhook::{PATH, Webhook};

/// Largest answer of a part: what an API server reads of one.
const MAX_ANSWER: usize = 3 << 20;

/// The webhook and, for all other paths, a router. The router costs a review of a Deployment one comparison of its path.
#[derive(Debug)]
pub(super) struct Routed {
    webhook: Webhook,
    beside: Option<Router>,
}

impl Routed {
    pub(super) fn new(webhook: Webhook, handlers: Vec<Handler>) -> Routed {
        let beside = (!handlers.is_empty()).then(|| {
            let handlers = handlers.into_iter();
            handlers.fold(Router::new(), |router, handler| {
                router.route(handler.path, handler.answers)
            })
        });
        Routed { webhook, beside }
    }
}

impl App for Routed {
    type Body = Full<Bytes>;

    async fn respond(&self, request: Request<RequestBody>) -> Response<Full<Bytes>> {
        match &self.beside {
            Some(router) if request.uri().path() != PATH => whole(App::respond(router, request).await).await,
            // As an app, which knows the connection of a request.
            _ => App::respond(&self.webhook, request).await,
        }
    }
}

/// Collects an answer. Answers to API servers are small and sent whole.
async fn whole(response: Response<axum::body::Body>) -> Response<Full<Bytes>> {
    let (head, body) = response.into_parts();
    match to_bytes(body, MAX_ANSWER).await {
        Ok(bytes) => Response::from_parts(head, Full::from(bytes)),
        Err(error) => {
            tracing::error!(%error, "An answer beside the webhook's broke off");
            text_response(StatusCode::INTERNAL_SERVER_ERROR, "the answer broke off\n")
        }
    }
}
