//! The byte stream under HTTP: TCP, with or without TLS. The stream reports to its [`Connection`] which bytes arrive and
//! whether the peer has stopped reading. It closes so that an answer on its way to the peer is not lost.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::server::TlsStream;

use super::ahead::ReadAhead;
use super::track::Connection;

/// TCP with or without TLS.
pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<ReadAhead>>),
}

impl Wire {
    fn tcp(&mut self) -> &mut TcpStream {
        match self {
            Wire::Plain(tcp) => tcp,
            Wire::Tls(tls) => tls.get_mut().0.tcp(),
        }
    }
}

/// A [`Wire`] that updates its connection's state.
pub(super) struct TrackedWire {
    wire: Wire,
    connection: Arc<Connection>,
    /// Our half is closed: the peer knows that nothing more will come.
    shut: bool,
}

impl TrackedWire {
    pub(super) fn new(wire: Wire, connection: Arc<Connection>) -> TrackedWire {
        TrackedWire {
            wire,
            connection,
            shut: false,
        }
    }

    /// Passes on the result of a write or a flush, and records whether it had to wait.
    fn wrote<T>(&self, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_pending() {
            self.connection.state().blocked(Instant::now());
        }
        result
    }
}

impl AsyncRead for TrackedWire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = match &mut self.wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Wire::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        };
        let received = buf.filled().len() - before;
        if received > 0 {
            self.connection.state().received(received, Instant::now());
        }
        result
    }
}

impl AsyncWrite for TrackedWire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = match &mut self.wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Wire::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        };
        self.wrote(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = match &mut self.wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, bufs),
            Wire::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, bufs),
        };
        self.wrote(result)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.wire {
            Wire::Plain(tcp) => tcp.is_write_vectored(),
            Wire::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = match &mut self.wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Wire::Tls(tls) => Pin::new(tls).poll_flush(cx),
        };
        if matches!(result, Poll::Ready(Ok(()))) {
            self.connection.state().flushed(Instant::now());
        }
        self.wrote(result)
    }

    /// Closes our half, then reads and drops what the peer still sends until it closes its own: a socket that is closed
    /// with unread bytes in it sends a reset, and a reset destroys whatever the peer has not read yet (RFC 9112, 9.6).
    /// The linger limit bounds it, as the connection's deadline.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection.state().closing(Instant::now());
        if !self.shut {
            ready!(match &mut self.wire {
                Wire::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
                Wire::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
            })?;
            self.shut = true;
        }
        poll_discard(self.wire.tcp(), cx).map(Ok)
    }
}

/// Reads and drops until the peer closes or the connection breaks.
fn poll_discard(tcp: &mut TcpStream, cx: &mut Context<'_>) -> Poll<()> {
    let mut scratch = [std::mem::MaybeUninit::uninit(); 4096];
    loop {
        let mut buf = ReadBuf::uninit(&mut scratch);
        match ready!(Pin::new(&mut *tcp).poll_read(cx, &mut buf)) {
            Ok(()) if !buf.filled().is_empty() => {}
            // Closed or broken: no answer can be lost any more.
            Ok(()) | Err(_) => return Poll::Ready(()),
        }
    }
}

/// Closes a connection whose handshake failed, so that the peer can read the alert that says why.
pub(super) async fn close_after_alert(mut tcp: TcpStream) {
    let closed = std::future::poll_fn(|cx| Pin::new(&mut tcp).poll_shutdown(cx)).await;
    if closed.is_ok() {
        std::future::poll_fn(|cx| poll_discard(&mut tcp, cx)).await;
    }
}
