//! Triggers a controller when apps of the index have changed, and what else the controllers of statuses have in common: they
//! wait for the Lease, and a status may hold until a moment.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::index::AppKey;
use crate::k8s::{Leadership, Reconciled, time};
use crate::policy::Moment;

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

/// Waits until the Lease is held. The changes until then are dropped: its holder gets the same ones, and the next holder
/// reconciles everything.
pub(super) async fn until_held(leadership: &mut Leadership, changes: &mut Changes) {
    let mut held = std::pin::pin!(leadership.until_held());
    loop {
        tokio::select! {
            () = held.as_mut() => return,
            Some(_) = changes.recv() => {}
        }
    }
}

/// A status that holds until `next`, where it changes by itself at all.
pub(super) fn settled(now: Moment, next: Option<Moment>) -> Reconciled {
    next.map_or(Reconciled::Settled, |next| {
        let seconds = next.0.saturating_sub(now.0);
        Reconciled::SettledFor(Duration::from_secs(seconds.unsigned_abs()))
    })
}

/// The text of a moment. One that is out of reach is the last that there is.
pub(super) fn text(moment: Moment) -> String {
    time::seconds(Timestamp::from_second(moment.0).unwrap_or(Timestamp::MAX))
}
