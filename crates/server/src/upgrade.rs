//! Lets a connection leave HTTP: a handler answers a request with a switch to another protocol ([`switch`]), and then reads
//! and writes the bytes itself.
//!
//! This conversation runs in the connection's own task. So the connection still counts as one of the listener's, ends with
//! it, and is closed in order whatever ends the conversation: the handler, a peer that does not read, an eviction, or
//! [`Limits::parting`](super::limits::Limits) after a drain began.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use http::header::{CONNECTION, UPGRADE};
use http::{HeaderValue, Response, StatusCode};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, sleep};

use super::app::text_response;
use super::drain::{Drain, State};
use super::stats::CloseReason;
use super::track::Connection;

/// What is said on a connection once it has left HTTP. It ends when it is over, and is dropped when its time is.
pub type Conversation<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

type Start = Box<dyn for<'a> FnOnce(&'a mut Stream, Drain) -> Conversation<'a> + Send>;

/// Answers a request for another protocol: 101, and then `start` has the connection. It is given the drain, and should
/// say goodbye once that has begun. A request that did not ask for an upgrade, or has a body, is answered 426 instead;
/// one that comes while a drain runs 503.
pub fn switch<B: From<&'static str>>(
    protocol: &'static str,
    start: impl for<'a> FnOnce(&'a mut Stream, Drain) -> Conversation<'a> + Send + 'static,
) -> Response<B> {
    let mut response = Response::new(B::from(""));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static(protocol));
    let start: Start = Box::new(start);
    response
        .extensions_mut()
        .insert(Switch(Arc::new(Mutex::new(Some(start)))));
    response
}

/// Goes with the answer of [`switch`]. Extensions have to be cloneable; the first that takes it has it.
#[derive(Clone)]
struct Switch(Arc<Mutex<Option<Start>>>);

/// A conversation that is agreed on and has not begun.
pub(super) struct Agreed {
    upgrade: OnUpgrade,
    start: Start,
}

/// What an answer of status 101 comes to: the answer that is sent, and the conversation after it. `upgrade`: the request
/// asked for one, and no body stands between it and the next bytes.
pub(super) fn agree<B: From<&'static str>>(
    mut response: Response<B>,
    upgrade: Option<OnUpgrade>,
) -> (Response<B>, Option<Agreed>) {
    let switch = response.extensions_mut().remove::<Switch>();
    let start = switch.and_then(|switch| switch.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    match (start, upgrade) {
        (Some(start), Some(upgrade)) => (response, Some(Agreed { upgrade, start })),
        (Some(_), None) => {
            let mut refused = text_response(StatusCode::UPGRADE_REQUIRED, "this path speaks another protocol\n");
            if let Some(protocol) = response.headers_mut().remove(UPGRADE) {
                refused.headers_mut().insert(UPGRADE, protocol);
            }
            (refused, None)
        }
        // A 101 that no `switch` made would leave a connection that no listener knows of.
        (None, _) => {
            tracing::error!("a request handler switched protocols by itself");
            (
                text_response(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n"),
                None,
            )
        }
    }
}

impl Agreed {
    /// Runs the conversation to its end, then closes the connection; says what ended it.
    pub(super) async fn run(self, connection: &Arc<Connection>, drain: &Drain) -> CloseReason {
        let Ok(upgraded) = self.upgrade.await else {
            return CloseReason::Broken;
        };
        connection.state().upgraded(Instant::now());
        let mut stream = Stream {
            io: TokioIo::new(upgraded),
            connection: Arc::clone(connection),
        };
        let grace = connection.state().limits.parting;
        let parting = async {
            drain.reached(State::Closing).await;
            sleep(grace).await;
        };
        let reason = tokio::select! {
            biased;
            () = (self.start)(&mut stream, drain.clone()) => CloseReason::Finished,
            reason = connection.overdue() => reason,
            () = parting => CloseReason::Drained,
        };
        // A peer that does not read would not see the end, and one that makes room must not linger.
        if matches!(reason, CloseReason::Finished | CloseReason::Drained) {
            tokio::select! {
                // Broken or closed: over either way.
                _ = stream.shutdown() => {}
                _ = connection.overdue() => {}
            }
        }
        reason
    }
}

/// The bytes of a connection that has left HTTP. Closing it closes TLS in order.
pub struct Stream {
    io: TokioIo<Upgraded>,
    connection: Arc<Connection>,
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.io).poll_write(cx, buf);
        if matches!(result, Poll::Ready(Ok(_))) {
            // Nothing says when a conversation flushes: what is taken ends the wait.
            self.connection.state().flushed(Instant::now());
        }
        result
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
