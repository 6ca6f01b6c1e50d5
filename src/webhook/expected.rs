//! Delays the answer about a Scale whose Deployment is not known yet, because the watch has not delivered it. This happens
//! right after a Deployment was created. The Scale waits in memory for at most 300 ms and blocks no worker. Then it is
//! decided by what is known.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Answered, Webhook};
use crate::index::Arrival;

/// How long it waits. A watch delivers a change within milliseconds, and an API server waits three seconds for us.
const TIMEOUT: Duration = Duration::from_millis(300);

impl Webhook {
    /// Answers one review, once its Deployment is known or was waited for.
    pub(super) async fn answer_when_known(&self, body: &[u8]) -> Answered {
        match self.contained(body, |namespace, name| self.expected(namespace, name)) {
            Ok(answered) => answered,
            Err(arrival) => {
                arrival.within(TIMEOUT).await;
                self.answer(body)
            }
        }
    }

    /// A place to wait, where a Deployment can still become known and not too many requests wait.
    fn expected(&self, namespace: &str, name: &str) -> Option<Arrival<'_>> {
        let may_come = self.deployments_come.load(Ordering::Relaxed);
        may_come.then(|| self.index.arrival(namespace, name)).flatten()
    }
}

#[cfg(test)]
mod tests;
