//! Serves one connection from accept to close: its handshake, its requests, and the deadline of each phase.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::ready;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;

use super::ahead::ReadAhead;
use super::app::App;
use super::limits::Limits;
use super::service::Application;
use super::stats::CloseReason;
use super::track::Connection;
use super::wire::{TrackedWire, Wire, close_after_alert};

/// What all connections of a listener share.
pub(super) struct Host<A> {
    pub(super) application: Application<A>,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) limits: Limits,
    http: http1::Builder,
    /// Limits concurrent handshakes to half of the threads. A handshake costs as much as many answers, and a thousand strangers
    /// that connect at once would delay every request that is already there.
    handshakes: Semaphore,
}

impl<A: App> Host<A> {
    pub(super) fn new(application: Application<A>, tls: Option<TlsAcceptor>, limits: Limits) -> Host<A> {
        let mut http = http1::Builder::new();
        http
            // hyper has one timer for slow heads and idle connections alike, 30 s unless switched off, and would close idle
            // connections too early. Deadlines are ours, in `track`.
            .header_read_timeout(None)
            .max_header_size(limits.head_buffer())
            .max_buf_size(limits.head_buffer())
            // A client may close its half after its request and still read the answer. hyper then need not check for the end of
            // the connection while a request is handled, which saves a read for each.
            .half_close(true);
        Host {
            application,
            tls,
            limits,
            http,
            handshakes: Semaphore::new(
                std::thread::available_parallelism().map_or(1, |threads| threads.get().div_ceil(2)),
            ),
        }
    }

    /// Polls a handshake only with a permit. While it waits for the peer it holds none.
    async fn in_turn<F: Future>(&self, handshake: F) -> F::Output {
        let mut handshake = pin!(handshake);
        let mut turn = pin!(None);
        poll_fn(|cx| {
            if turn.is_none() {
                turn.set(Some(self.handshakes.acquire()));
            }
            // The semaphore is never closed.
            let _permit = match turn.as_mut().as_pin_mut() {
                Some(turn) => Some(ready!(turn.poll(cx))),
                None => None,
            };
            turn.set(None);
            handshake.as_mut().poll(cx)
        })
        .await
    }

    /// Serves one accepted connection to its end, and returns why it ended.
    pub(super) async fn serve(&self, tcp: TcpStream, peer: SocketAddr, connection: Arc<Connection>) -> CloseReason {
        let wire = match &self.tls {
            None => Wire::Plain(tcp),
            Some(acceptor) => {
                let agreed = tokio::select! {
                    biased;
                    agreed = self.in_turn(acceptor.accept(ReadAhead::new(tcp)).into_fallible()) => agreed,
                    reason = connection.overdue() => return reason,
                };
                match agreed {
                    Ok(tls) => Wire::Tls(Box::new(tls)),
                    Err((error, tcp)) => {
                        tracing::debug!(%peer, %error, "TLS handshake failed");
                        // After the limit the peer has had its time to read the alert.
                        let _past_the_limit = timeout(self.limits.linger, close_after_alert(tcp.into_tcp())).await;
                        return CloseReason::HandshakeFailed;
                    }
                }
            }
        };
        connection.state().handshaken(Instant::now());

        let next = Mutex::default();
        let service = service_fn(|request| self.application.answer(Arc::clone(&connection), request, &next));
        let io = TokioIo::new(TrackedWire::new(wire, Arc::clone(&connection)));
        let mut http = pin!(self.http.serve_connection(io, service).with_upgrades());
        let mut asked = None;
        let ended = loop {
            tokio::select! {
                biased;
                ended = http.as_mut() => break ended,
                reason = connection.overdue() => {
                    if asked.is_some() || !ends_in_order(reason, &connection) {
                        return asked.unwrap_or(reason);
                    }
                    // Between two requests: close the TLS session and our half in order, then wait for the peer to close its
                    // half.
                    connection.state().closing(Instant::now());
                    http.as_mut().graceful_shutdown();
                    asked = Some(reason);
                }
            }
        };
        let next = next.lock().unwrap_or_else(PoisonError::into_inner).take();
        match ended {
            Ok(()) => {
                let reason = match next {
                    Some(next) => next.run(&connection, &self.application.drain).await,
                    None => None,
                };
                reason.or(asked).unwrap_or_else(|| connection.state().end())
            }
            Err(error) => {
                tracing::debug!(%peer, %error, "connection broken");
                asked.unwrap_or(CloseReason::Broken)
            }
        }
    }
}

/// Whether the connection is closed in order: it is between requests. A stalled one is dropped, and makes room at once.
fn ends_in_order(reason: CloseReason, connection: &Connection) -> bool {
    match reason {
        CloseReason::Idle | CloseReason::Drained => true,
        CloseReason::Evicted => connection.state().is_idle(),
        _ => false,
    }
}
