//! Holds the state of one watch. The watch writes it; probes and metrics read it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use jiff::Timestamp;

use super::resource::Resource;
use super::trouble::Trouble;

/// The state of one watch: written by the watch, read by probes and metrics.
#[derive(Debug)]
pub struct WatchState {
    /// The kind, in the plural.
    pub plural: String,
    /// Seconds since 1970; 0 for never.
    last_event: AtomicI64,
    errors: AtomicU64,
    unreadable: AtomicU64,
    trouble: Trouble,
    /// Whether it is connected, for readers that may not wait for a lock.
    live: Arc<AtomicBool>,
}

impl WatchState {
    /// The state of a watch that was not started yet.
    pub fn new(resource: &Resource) -> WatchState {
        WatchState {
            plural: resource.plural.to_string(),
            last_event: AtomicI64::new(0),
            errors: AtomicU64::new(0),
            unreadable: AtomicU64::new(0),
            trouble: Trouble::default(),
            live: Arc::default(),
        }
    }

    /// When the API server last sent anything about this kind: a list, an event, or the bookmark that comes about every minute
    /// when nothing happens. `None` before the first.
    pub fn last_event(&self) -> Option<Timestamp> {
        match self.last_event.load(Ordering::Relaxed) {
            0 => None,
            seconds => Timestamp::from_second(seconds).ok(),
        }
    }

    /// How often a list or a watch failed.
    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// How many objects could not be decoded; each was skipped.
    pub fn unreadable(&self) -> u64 {
        self.unreadable.load(Ordering::Relaxed)
    }

    /// Why it cannot be followed at the moment.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.reason()
    }

    /// Whether the last list or watch succeeded. Never waits.
    pub fn live(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.live)
    }

    pub(super) fn heard(&self) {
        self.last_event.store(Timestamp::now().as_second(), Ordering::Relaxed);
        self.connected();
    }

    pub(super) fn connected(&self) {
        self.live.store(true, Ordering::Relaxed);
        if self.trouble.over() {
            tracing::info!(resource = self.plural, "Watching again");
        }
    }

    pub(super) fn failed(&self, reason: &str) {
        self.live.store(false, Ordering::Relaxed);
        self.errors.fetch_add(1, Ordering::Relaxed);
        if self.trouble.failed(reason) {
            tracing::warn!(
                resource = self.plural,
                reason,
                "Cannot watch; what is known already goes on being used, and it is tried again"
            );
        } else {
            tracing::debug!(resource = self.plural, reason, "Still cannot watch");
        }
    }

    pub(super) fn skipped(&self) {
        self.unreadable.fetch_add(1, Ordering::Relaxed);
    }
}
