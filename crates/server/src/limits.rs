//! How long and how much a peer may take. Plain numbers: who enforces them is said at each field.

use std::time::Duration;

use procfs::process::{LimitValue, Process};

/// File descriptors that are not connections: listeners, logs, file watches, Kubernetes watches, and room to spare.
const RESERVED_DESCRIPTORS: usize = 128;

/// The smallest head buffer that hyper works with.
const LEAST_HEADER_BYTES: usize = 8 * 1024;

/// The limits of one listener. Durations are wall time on the monotonic clock, sizes are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From accept to the end of the TLS handshake. A full handshake is two round trips; kube-apiserver itself gives up
    /// after 10 s.
    pub handshake: Duration,
    /// From the **first byte** of a request's head to its end. It does not run while a connection is silent.
    pub header: Duration,
    /// From the end of a request's head to the end of its body. Longer than any webhook timeout is of no use: the API
    /// server has given up by then (`timeoutSeconds` is 3 in our registration, 10 by default, 30 at most).
    pub body: Duration,
    /// How long a write may wait for a peer that does not read, until everything written so far is taken.
    pub write: Duration,
    /// How long a connection may be silent between requests, or before its first one. Twice the 90 s after which
    /// kube-apiserver closes an idle connection itself, so that we are never the first to close.
    pub idle: Duration,
    /// How long a connection that we closed goes on reading what the peer still sends. Closing a socket with unread
    /// bytes in it resets the connection, and a reset destroys the answer that is on its way to the peer.
    pub linger: Duration,
    /// How long a drain waits for requests in flight before it cuts them off. With the default shutdown delay of 10 s it
    /// stays inside `terminationGracePeriodSeconds: 30`.
    pub drain: Duration,
    /// Connections open at once. At the cap a new connection is accepted and another one goes: first one that has
    /// been in its handshake or its head for over a second, then one that never carried a request, then the one idle
    /// longest; the new one waits while all of them carry a request, and while others that are new might take the place of
    /// one that has carried some. Three API servers with 200 calls in flight each make 600.
    pub max_connections: usize,
    /// Size of a request's head, and of the buffer a body is read through. Beyond it hyper answers 431. API servers send
    /// under 1 KiB, or a few KiB with a token.
    pub max_header_bytes: usize,
    /// How much of a body that is too large is read and dropped, so that the client, still writing, can read its answer
    /// and keep its connection. Beyond it the answer says `Connection: close`.
    pub discard: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            handshake: Duration::from_secs(5),
            header: Duration::from_secs(10),
            body: Duration::from_secs(10),
            write: Duration::from_secs(10),
            idle: Duration::from_secs(180),
            linger: Duration::from_secs(2),
            drain: Duration::from_secs(15),
            max_connections: 1024,
            max_header_bytes: 64 * 1024,
            discard: 64 * 1024 * 1024,
        }
    }
}

impl Limits {
    /// The defaults, with fewer connections where the process may open only few files (`ulimit -n`).
    #[must_use]
    pub fn for_this_process() -> Limits {
        let limits = Limits::default();
        match open_files() {
            Some(files) => limits.within(files),
            None => limits,
        }
    }

    /// The same limits for a process that may open `files` descriptors.
    fn within(self, files: u64) -> Limits {
        let files = usize::try_from(files).unwrap_or(usize::MAX);
        let room = files.saturating_sub(RESERVED_DESCRIPTORS).max(files / 2).max(1);
        Limits {
            max_connections: self.max_connections.min(room),
            ..self
        }
    }

    /// The head buffer to ask of hyper, which refuses one below 8 KiB.
    pub(super) fn head_buffer(&self) -> usize {
        self.max_header_bytes.max(LEAST_HEADER_BYTES)
    }
}

/// The soft limit on open files, where it can be read and is not infinite.
fn open_files() -> Option<u64> {
    match Process::myself()
        .and_then(|me| me.limits())
        .ok()?
        .max_open_files
        .soft_limit
    {
        LimitValue::Value(files) => Some(files),
        LimitValue::Unlimited => None,
    }
}

#[cfg(test)]
mod tests;
