//! Reads more bytes from TCP than TLS asks for, to save system calls: rustls asks for 4 KiB at a time, and a review is
//! several times as long.

use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The size of the read-ahead buffer: a whole TLS record, 16 KiB and its framing.
const AHEAD: usize = 17 * 1024;

/// A TCP stream with the bytes that were read from it and not consumed yet. Between requests it holds no memory.
pub(super) struct ReadAhead {
    tcp: TcpStream,
    ahead: BytesMut,
}

impl ReadAhead {
    pub(super) fn new(tcp: TcpStream) -> ReadAhead {
        ReadAhead {
            tcp,
            ahead: BytesMut::new(),
        }
    }

    /// The stream itself, for a caller that needs none of the buffered bytes.
    pub(super) fn tcp(&mut self) -> &mut TcpStream {
        &mut self.tcp
    }

    /// The stream itself. Buffered bytes are dropped.
    pub(super) fn into_tcp(self) -> TcpStream {
        self.tcp
    }
}

impl AsyncRead for ReadAhead {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let ReadAhead { tcp, ahead } = &mut *self;
        if ahead.is_empty() {
            // The buffer is allocated only when there are bytes to read.
            ready!(tcp.poll_read_ready(cx))?;
            ahead.reserve(AHEAD);
            let read = pin!(tcp.read_buf(ahead)).poll(cx);
            if !matches!(read, Poll::Ready(Ok(1..))) {
                *ahead = BytesMut::new();
                return read.map_ok(|_end| ());
            }
        }
        let taken = ahead.len().min(buf.remaining());
        buf.put_slice(&ahead[..taken]);
        ahead.advance(taken);
        if ahead.is_empty() {
            *ahead = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ReadAhead {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
