//! Defines the limits of a listener: how much time a peer may take, and how many bytes and connections. Each field explains
//! its limit.

use std::time::Duration;

/// The smallest head buffer that hyper works with.
const MIN_HEADER_BYTES: usize = 8 * 1024;

/// The limits of one listener. Durations are wall time on the monotonic clock, sizes are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From accept to the end of the TLS handshake. A full handshake is two round trips; kube-apiserver itself gives up
    /// after 10 s.
    pub handshake: Duration,
    /// From the **first byte** of a request's head to its end. It does not run while a connection is silent.
    pub header: Duration,
    /// From the end of a request's head to the end of its body. More than any webhook timeout is pointless: the API server has
    /// given up by then (`timeoutSeconds` is 3 in our registration, 10 by default, 30 at most).
    pub body: Duration,
    /// The bytes that each second of a body must bring, from the first second on. The last bytes of a body are exempt.
    pub body_rate: usize,
    /// How long a write may wait for a peer that does not read, until everything written so far is taken.
    pub write: Duration,
    /// How long a connection may be silent between requests, or before its first one. Twice the 90 s after which
    /// kube-apiserver closes an idle connection itself, so that we are never the first to close.
    pub idle: Duration,
    /// How long a connection that we closed continues to read what the peer still sends. Closing a socket with unread bytes in
    /// it resets the connection, and a reset destroys the answer that is on its way to the peer.
    pub linger: Duration,
    /// How long a drain waits for requests in flight before it cuts them off. With the default shutdown delay of 10 s this
    /// stays within `terminationGracePeriodSeconds: 30`.
    pub drain: Duration,
    /// From the beginning of a drain, how long a connection that has left HTTP may take to say goodbye before it is closed.
    pub parting: Duration,
    /// Connections open at once. At the cap a new connection is accepted and another one is evicted, in this order: one that we
    /// are closing; one that has shown nothing yet, first those of an address that holds more than half of what is left; one
    /// that carried a sensible request, and of those first one that has left HTTP. Within each: a handshake, a head or a write
    /// that has been stalled for over a second; a slow body, the slowest first; the one idle longest.
    ///
    /// The new connection waits while all of them are being answered, and while other new ones might evict one that has carried
    /// a sensible request. Three API servers with 200 calls in flight each make 600.
    pub max_connections: usize,
    /// On a connection that has shown nothing: the age of a handshake, a head or a body before it may be evicted, and the
    /// silence after which a body counts as stopped. A body on a connection that has shown something has twice as long.
    pub patience: Duration,
    /// Size of a request's head, and of the buffer a body is read through. Above it hyper answers 431. API servers send less
    /// than 1 KiB, or a few KiB with a token.
    pub max_header_bytes: usize,
    /// How much of a body that is too large is read and dropped, so that the client, still writing, can read its answer and
    /// keep its connection. Above it the answer says `Connection: close`.
    pub discard: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            handshake: Duration::from_secs(5),
            header: Duration::from_secs(10),
            body: Duration::from_secs(10),
            body_rate: 16 * 1024,
            write: Duration::from_secs(10),
            idle: Duration::from_secs(180),
            linger: Duration::from_secs(2),
            drain: Duration::from_secs(15),
            parting: Duration::from_secs(3),
            max_connections: 1024,
            patience: Duration::from_millis(250),
            max_header_bytes: 64 * 1024,
            discard: 64 * 1024 * 1024,
        }
    }
}

impl Limits {
    /// The defaults of a listener beside the webhook's: few connections and short deadlines, since probes come from nearby.
    pub(super) fn beside(max_connections: usize) -> Limits {
        Limits {
            max_connections,
            patience: Duration::from_millis(50),
            ..Limits::default()
        }
    }

    /// The head buffer to request from hyper, which rejects one below 8 KiB.
    pub(super) fn head_buffer(&self) -> usize {
        self.max_header_bytes.max(MIN_HEADER_BYTES)
    }
}

#[cfg(test)]
mod tests;
