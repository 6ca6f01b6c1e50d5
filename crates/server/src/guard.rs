//! Puts authorization in front of a listener's pages: a request without an accepted bearer token gets an error and sees no
//! page. This module knows HTTP; a closure decides about tokens.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

/// Why a request is denied. Each variant holds one line for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// 401: the token is missing or unknown.
    Unauthorized(String),
    /// 403: authenticated, and not allowed.
    Forbidden(String),
    /// 503: the decision cannot be made at the moment.
    Unavailable(String),
}

/// The same pages behind authorization. `vouch` gets the token of each request and decides within some seconds.
pub fn guarded<F, V>(pages: Router, vouch: F) -> Router
where
    F: Fn(String) -> V + Send + Sync + 'static,
    V: Future<Output = Result<(), Denied>> + Send,
{
    let vouch = Arc::new(vouch);
    pages.layer(from_fn(move |request: Request, next: Next| {
        let vouch = Arc::clone(&vouch);
        async move {
            let vouched = match bearer(request.headers()) {
                Some(token) => vouch(token.to_owned()).await,
                None => Err(Denied::Unauthorized(
                    "no token; send the header Authorization: Bearer TOKEN".to_owned(),
                )),
            };
            match vouched {
                Ok(()) => next.run(request).await,
                Err(denied) => refused(denied),
            }
        }
    }))
}

/// The token of `Authorization: Bearer TOKEN`, the scheme in any case (RFC 9110, 11.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn refused(denied: Denied) -> Response<Body> {
    let (status, extra, reason) = match denied {
        Denied::Unauthorized(reason) => {
            let challenge = (WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            (StatusCode::UNAUTHORIZED, Some(challenge), reason)
        }
        Denied::Forbidden(reason) => (StatusCode::FORBIDDEN, None, reason),
        Denied::Unavailable(reason) => {
            let later = (RETRY_AFTER, HeaderValue::from_static("10"));
            (StatusCode::SERVICE_UNAVAILABLE, Some(later), reason)
        }
    };
    let mut response = Response::new(Body::from(format!("{}\n", reason.replace(['\n', '\r'], " "))));
    *response.status_mut() = status;
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    response.headers_mut().extend(extra);
    response
}

#[cfg(test)]
mod tests;
