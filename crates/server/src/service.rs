//! Wraps the application around one request: applies a drain, contains panics, and reports to the [`Connection`] when the
//! request was read and when the answer was sent.

use std::any::Any;
use std::convert::Infallible;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::app::{App, Senseless, service_unavailable, text_response};
use super::drain::{Drain, State};
use super::sender::Sender;
use super::stats::Stats;
use super::track::Connection;
use super::upgrade::{Asked, Next, agree};

/// What all requests of a listener share.
pub(super) struct Application<A> {
    pub(super) app: A,
    pub(super) drain: Drain,
    pub(super) stats: Arc<Stats>,
}

impl<A: App> Application<A> {
    /// Answers one request. Never fails: hyper would answer an error by closing the connection.
    pub(super) async fn answer(
        &self,
        connection: Arc<Connection>,
        mut request: Request<Incoming>,
        next: &Mutex<Option<Next>>,
    ) -> Result<Response<AnswerBody<A::Body>>, Infallible> {
        let has_body = !request.body().is_end_stream();
        let announced = request.body().size_hint().exact();
        connection.state().head_read(has_body, announced, Instant::now());

        let asked = Asked::by(&mut request, has_body);
        let mut response = if self.drain.state() == State::Refusing {
            Stats::count(&self.stats.refused);
            service_unavailable("shutting down\n")
        } else {
            let request = request.map(|incoming| RequestBody {
                incoming,
                connection: Arc::clone(&connection),
            });
            match contained(self.app.respond(request)).await {
                Ok(response) => response,
                Err(panic) => {
                    Stats::count(&self.stats.panics);
                    tracing::error!(panic = panic_message(panic.as_ref()), "a request handler panicked");
                    text_response(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n")
                }
            }
        };
        let follows;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            follows = asked.map(Asked::declined);
        } else if self.drain.is_draining() {
            Stats::count(&self.stats.refused);
            response = service_unavailable("shutting down\n");
            follows = asked.map(Asked::declined);
        } else {
            (response, follows) = agree(response, asked);
        }
        if follows.is_some() {
            *next.lock().unwrap_or_else(PoisonError::into_inner) = follows;
        }
        let switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        let sensible = response.status().is_success() && response.extensions().get::<Senseless>().is_none();
        let unread = connection.state().handled(sensible);
        // The connection ends with this answer when a drain has begun, and when the unread rest of the request is in front of
        // the next head.
        if (self.drain.is_draining() || unread) && !switched {
            // Beside the `upgrade` of a 426.
            response
                .headers_mut()
                .append(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response.map(|body| AnswerBody { body, connection }))
    }
}

/// Runs a future and returns its panic as an error.
async fn contained<F: Future>(future: F) -> Result<F::Output, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        // Unwind safety: the future is never polled again after a panic, and what it shared outlives it only behind locks and
        // atomics.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}

/// The text of a panic, where it is a text.
pub(super) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no message)")
}

/// A request's body. It reports when it was read to its end, or dropped.
pub struct RequestBody {
    incoming: Incoming,
    connection: Arc<Connection>,
}

impl RequestBody {
    /// The connection that it came from.
    #[must_use]
    pub fn sender(&self) -> Sender {
        Sender::of(Arc::clone(&self.connection))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.incoming).poll_frame(cx);
        match &polled {
            Poll::Ready(None) => self.connection.state().body_read(Instant::now()),
            Poll::Ready(Some(Ok(_))) if self.incoming.is_end_stream() => {
                self.connection.state().body_read(Instant::now())
            }
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        self.connection.state().body_left(Instant::now());
    }
}

/// An answer's body. hyper drops it once the last of it is in its write buffer.
pub(super) struct AnswerBody<B> {
    body: B,
    connection: Arc<Connection>,
}

impl<B: Body<Data = Bytes> + Unpin> Body for AnswerBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for AnswerBody<B> {
    fn drop(&mut self) {
        self.connection.state().answered(Instant::now());
    }
}
