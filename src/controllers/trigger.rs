//! Triggers a controller when apps of the index have changed.

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::index::AppKey;

/// Triggers a controller with changes of the index. Without a controller it does nothing.
#[derive(Clone, Debug, Default)]
pub struct Trigger(Option<UnboundedSender<Vec<AppKey>>>);

/// The changes that a [`Trigger`] sends.
pub(super) type Changes = UnboundedReceiver<Vec<AppKey>>;

impl Trigger {
    /// A trigger and what it sends.
    pub(super) fn new() -> (Trigger, Changes) {
        let (sender, changes) = unbounded_channel();
        (Trigger(Some(sender)), changes)
    }

    /// These apps have changed. Empty means that something was listed and nothing changed.
    pub fn send(&self, apps: Vec<AppKey>) {
        if let Some(sender) = &self.0 {
            // A controller that has ended ends the process, which logs it.
            drop(sender.send(apps));
        }
    }
}
