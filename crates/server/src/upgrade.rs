//! Lets a connection leave HTTP: a handler answers a request with a switch to another protocol ([`switch`]), and then reads
//! and writes the bytes itself.
//!
//! The conversation runs in the connection's own task, so the connection keeps its place and ends with the listener. It is
//! closed in order when the conversation ends, and [`Limits::parting`](super::limits::Limits) after a drain began. It is
//! dropped when the peer does not read, and when a new connection needs the place. Where a client asks for another protocol and
//! gets an answer in HTTP, the connection stays in HTTP, and closing it in order is left to this module as well.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use http::header::{CONNECTION, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::task::unconstrained;
use tokio::time::{Instant, sleep};

use super::app::text_response;
use super::drain::{Drain, State};
use super::stats::CloseReason;
use super::track::Connection;

/// What is said on a connection once it has left HTTP. It ends when it is over, and is dropped when its time is.
pub type Conversation<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

type Start = Box<dyn for<'a> FnOnce(&'a mut Stream, Drain) -> Conversation<'a> + Send>;

/// Returns a handler's answer that moves the connection to `protocol`. When the server sends it (101), it runs `start` with
/// the connection and the [`Drain`]. After the drain has begun, `start` should end its protocol in order; the server closes
/// the connection after [`Limits::parting`](super::limits::Limits).
///
/// The server sends another answer instead in two cases. During a drain it answers 503. Otherwise it answers 426 if the
/// request does not ask for `protocol` in `Upgrade`, has a body, or is a CONNECT.
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

/// What a request asks for that may change the protocol.
pub(super) struct Asked {
    /// The connection, once hyper has left it.
    upgrade: OnUpgrade,
    /// The values of its `Upgrade`, each a list of protocols. Empty where no other protocol can follow.
    protocols: Vec<HeaderValue>,
}

impl Asked {
    /// `None`: the request neither has an `Upgrade` nor is a CONNECT. `has_body`: bytes of it come before another protocol's.
    pub(super) fn by<B>(request: &mut Request<B>, has_body: bool) -> Option<Asked> {
        let upgrade = request.extensions_mut().remove::<OnUpgrade>()?;
        let headers = request.headers();
        let can = !has_body && request.method() != Method::CONNECT && lists(headers, &CONNECTION, "upgrade");
        let protocols = headers.get_all(UPGRADE).iter().filter(|_| can).cloned().collect();
        Some(Asked { upgrade, protocols })
    }

    /// The connection after an answer that is none of [`switch`].
    pub(super) fn declined(self) -> Next {
        Next {
            upgrade: self.upgrade,
            start: None,
        }
    }
}

/// What follows HTTP on a connection with a request that [`Asked`] something. hyper then leaves the connection to us when it ends,
/// whatever it answered.
pub(super) struct Next {
    upgrade: OnUpgrade,
    /// The conversation; `None` where none was agreed on.
    start: Option<Start>,
}

/// What an answer of status 101 comes to: the answer that is sent, and what follows it.
pub(super) fn agree<B: From<&'static str>>(
    mut response: Response<B>,
    asked: Option<Asked>,
) -> (Response<B>, Option<Next>) {
    let switch = response.extensions_mut().remove::<Switch>();
    let start = switch.and_then(|switch| switch.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    let Some(start) = start else {
        // A 101 that no `switch` made would leave a connection that no listener knows of.
        tracing::error!("a request handler switched protocols by itself");
        let failed = text_response(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n");
        return (failed, asked.map(Asked::declined));
    };
    let protocol = response.headers().get(UPGRADE).and_then(|value| value.to_str().ok());
    match asked {
        Some(Asked { upgrade, protocols }) if protocol.is_some_and(|name| names(protocols.iter(), name)) => {
            let start = Some(start);
            (response, Some(Next { upgrade, start }))
        }
        asked => {
            // It says which protocol, and needs the same two headers for that.
            let mut required = text_response(StatusCode::UPGRADE_REQUIRED, "this path speaks another protocol\n");
            for name in [CONNECTION, UPGRADE] {
                if let Some(value) = response.headers_mut().remove(&name) {
                    required.headers_mut().insert(name, value);
                }
            }
            (required, asked.map(Asked::declined))
        }
    }
}

/// Whether the lists in a header name `element`, in letters of either case.
fn lists(headers: &HeaderMap, header: &HeaderName, element: &str) -> bool {
    names(headers.get_all(header).iter(), element)
}

fn names<'v>(mut values: impl Iterator<Item = &'v HeaderValue>, element: &str) -> bool {
    values.any(|value| {
        let mut listed = value.as_bytes().split(|byte| *byte == b',');
        listed.any(|listed| listed.trim_ascii().eq_ignore_ascii_case(element.as_bytes()))
    })
}

impl Next {
    /// Runs the conversation to its end, then closes the connection. Returns what ended it; `None` where no conversation was
    /// agreed on.
    pub(super) async fn run(self, connection: &Arc<Connection>, drain: &Drain) -> Option<CloseReason> {
        // hyper has ended, so it has left the connection.
        let Ok(upgraded) = self.upgrade.await else {
            return self.start.map(|_| CloseReason::Broken);
        };
        let mut stream = Stream {
            io: TokioIo::new(upgraded),
            connection: Arc::clone(connection),
        };
        let reason = match self.start {
            Some(start) => Some(talk(start, &mut stream, connection, drain).await),
            None => None,
        };
        // A peer that does not read would not see the end, and one that makes room must not linger.
        if matches!(reason, None | Some(CloseReason::Finished | CloseReason::Drained)) {
            tokio::select! {
                // Broken or closed: over either way.
                _ = stream.shutdown() => {}
                _ = connection.overdue() => {}
            }
        }
        reason
    }
}

/// Runs the conversation until it ends or must.
async fn talk(start: Start, stream: &mut Stream, connection: &Connection, drain: &Drain) -> CloseReason {
    connection.state().upgraded(Instant::now());
    let grace = connection.state().limits.parting;
    let parting = async {
        drain.reached(State::Closing).await;
        sleep(grace).await;
    };
    tokio::select! {
        biased;
        () = start(stream, drain.clone()) => CloseReason::Finished,
        reason = connection.overdue() => reason,
        // Unconstrained, since a conversation that is always ready spends the whole budget of the task.
        () = unconstrained(parting) => CloseReason::Drained,
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
