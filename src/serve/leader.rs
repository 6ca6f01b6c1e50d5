//! Runs the election of the replica that writes, and the tasks of all parts, on the thread of the watches. All of these
//! tasks end before the Lease is released.

use std::future::Future;

use futures_util::future::{LocalBoxFuture, select_all};
use tokio::sync::oneshot;

use crate::api::names::PROGRAM;
use crate::k8s::{Client, Election, Leadership, LeaseName, election, identity};
use crate::runtime::Task;

/// The tasks beside the watches, before they run.
pub(super) struct LeaderTasks {
    /// The Lease to compete for. `None`: this process acts as its holder.
    pub(super) lease: Option<LeaseName>,
    /// The tasks of all parts.
    pub(super) tasks: Vec<Task>,
}

impl LeaderTasks {
    /// The candidate, if there is an election, and its leadership.
    pub(super) fn stand(&self, client: &Client) -> (Option<Election>, Leadership) {
        match &self.lease {
            Some(lease) => {
                let (election, leadership) = election(client.clone(), lease.clone(), identity(PROGRAM));
                (Some(election), leadership)
            }
            None => (None, Leadership::always()),
        }
    }

    /// Runs until `stop` resolves or one of the tasks ends, which none should. Then everything that needs the Lease ends,
    /// before the Lease is released.
    pub(super) async fn run(
        self,
        client: Client,
        election: Option<Election>,
        leadership: Leadership,
        watches: impl Future<Output = ()>,
        stop: oneshot::Receiver<()>,
    ) {
        let (stopped, release) = oneshot::channel::<()>();
        let mut tasks: Vec<LocalBoxFuture<'static, ()>> = Vec::new();
        for task in self.tasks {
            tasks.push(task(client.clone(), leadership.clone()));
        }
        // A process without parts still follows its index.
        tasks.push(Box::pin(std::future::pending()));
        let work = async {
            tokio::select! {
                () = watches => {}
                _ = select_all(tasks) => {}
                _ = stop => {}
            }
            drop(stopped);
        };
        let standing = async {
            if let Some(election) = election {
                // Nothing is sent; the sender is dropped with the work.
                election.run(async { drop(release.await) }).await;
            }
        };
        tokio::join!(work, standing);
    }
}
