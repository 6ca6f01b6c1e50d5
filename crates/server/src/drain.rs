//! Defines the phases of a shutdown that loses no request. This file holds the current phase and the order of phases;
//! listeners read it.
//!
//! Serving -> Closing: readiness has failed, so endpoints are being withdrawn, but callers still hold connections to us and
//! new ones still come. Every request is answered, with `Connection: close`, so that each caller gives up its connection at
//! a moment when nothing can be lost on it.
//!
//! Closing -> Refusing: later requests get 503 with `Retry-After: 1`. kube-apiserver retries those within its own timeout,
//! by then at another replica. Requests in flight finish, then idle connections are closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::sync::watch;

/// The phase of a drain. It never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum State {
    /// No drain has begun.
    Serving = 0,
    /// Readiness fails; everything is still answered, with `Connection: close`.
    Closing = 1,
    /// New requests get 503 with `Retry-After: 1`.
    Refusing = 2,
}

/// Starts the drain. Clones start the same one.
#[derive(Clone, Debug)]
pub struct DrainHandle {
    states: Arc<watch::Sender<State>>,
    latest: Arc<AtomicU8>,
}

/// Observes the drain, for listeners and readiness. Clones observe the same one.
#[derive(Clone, Debug)]
pub struct Drain {
    states: watch::Receiver<State>,
    /// The same state as an atomic: one load for each request, where a `watch` would take a lock.
    latest: Arc<AtomicU8>,
}

impl Drain {
    /// A drain that has not begun. When the handle is dropped it never will.
    #[must_use]
    pub fn new() -> (DrainHandle, Drain) {
        let (sender, states) = watch::channel(State::Serving);
        let latest = Arc::new(AtomicU8::new(State::Serving as u8));
        (
            DrainHandle {
                states: Arc::new(sender),
                latest: Arc::clone(&latest),
            },
            Drain { states, latest },
        )
    }

    /// The current phase.
    #[must_use]
    pub fn state(&self) -> State {
        match self.latest.load(Ordering::Acquire) {
            0 => State::Serving,
            1 => State::Closing,
            _ => State::Refusing,
        }
    }

    /// Whether a drain has begun. Readiness fails from then on.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.state() != State::Serving
    }

    /// Waits until the drain has reached `state`. Never resolves when it does not.
    pub async fn reached(&self, state: State) {
        let mut states = self.states.clone();
        if states.wait_for(|now| *now >= state).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl DrainHandle {
    /// Runs both phases: closing now, refusing after `shutdown_delay`. Returns when the second has begun; the listeners'
    /// `serve` return when they are empty. A second call with a shorter delay shortens the first.
    pub async fn begin(&self, shutdown_delay: Duration) {
        self.advance(State::Closing);
        if !shutdown_delay.is_zero() {
            tokio::time::sleep(shutdown_delay).await;
        }
        self.advance(State::Refusing);
    }

    /// Whether a drain has begun.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        *self.states.borrow() != State::Serving
    }

    fn advance(&self, next: State) {
        self.states.send_if_modified(|state| {
            let forward = next > *state;
            if forward {
                *state = next;
                self.latest.store(next as u8, Ordering::Release);
            }
            forward
        });
    }
}

#[cfg(test)]
mod tests;
