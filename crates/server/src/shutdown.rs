//! Starts the drain on a signal. After SIGTERM requests are answered for a configured delay, in which endpoints are
//! withdrawn; SIGINT, from a terminal, has no such delay. A second signal of either kind ends the process at once.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal as Listener, SignalKind, signal};

use super::drain::DrainHandle;

/// A signal that asks the process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: what the kubelet sends.
    Terminate,
    /// SIGINT: what Ctrl-C sends.
    Interrupt,
}

impl Signal {
    /// The delay before requests are rejected with 503, derived from the configured one.
    #[must_use]
    pub fn delay(self, shutdown_delay: Duration) -> Duration {
        match self {
            Signal::Terminate => shutdown_delay,
            Signal::Interrupt => Duration::ZERO,
        }
    }

    /// The exit code of a process that this signal ends: 128 and its number.
    #[must_use]
    pub fn exit_code(self) -> i32 {
        match self {
            Signal::Terminate => 128 + 15,
            Signal::Interrupt => 128 + 2,
        }
    }
}

/// The signals, caught from the moment this exists. Install it before anything that can fail.
#[derive(Debug)]
pub struct Signals {
    terminate: Listener,
    interrupt: Listener,
}

impl Signals {
    /// Catches SIGTERM and SIGINT from now on.
    ///
    /// # Errors The system does not let us register a handler.
    pub fn install() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The next signal.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            Some(()) = self.terminate.recv() => Signal::Terminate,
            Some(()) = self.interrupt.recv() => Signal::Interrupt,
            // Both streams live as long as the process.
            else => std::future::pending().await,
        }
    }

    /// Waits for the first signal, begins the drain, and resolves at the **second**, with which the caller exits at
    /// once. A process that drains in time never sees this resolve.
    pub async fn drain_then_abort(mut self, drain: DrainHandle, shutdown_delay: Duration) -> Signal {
        let first = self.next().await;
        let delay = first.delay(shutdown_delay);
        tracing::info!(signal = ?first, ?delay, "Draining; a second signal exits at once");
        let mut draining = std::pin::pin!(drain.begin(delay));
        let mut begun = false;
        loop {
            tokio::select! {
                biased;
                second = self.next() => return second,
                () = draining.as_mut(), if !begun => begun = true,
            }
        }
    }
}
