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
    /// The tasks of all parts, each with the name of its part.
    pub(super) tasks: Vec<(&'static str, Task)>,
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
    /// before the Lease is released. Returns what ended; `None` after `stop`.
    pub(super) async fn run(
        self,
        client: Client,
        election: Option<Election>,
        leadership: Leadership,
        watches: impl Future<Output = ()>,
        stop: oneshot::Receiver<()>,
    ) -> Option<String> {
        let (stopped, release) = oneshot::channel::<()>();
        let mut tasks: Vec<LocalBoxFuture<'static, &'static str>> = Vec::new();
        for (part, task) in self.tasks {
            let task = task(client.clone(), leadership.clone());
            tasks.push(Box::pin(async move {
                task.await;
                part
            }));
        }
        // A process without parts still follows its index.
        tasks.push(Box::pin(std::future::pending()));
        let work = async {
            let ended = tokio::select! {
                () = watches => Some("watching the cluster".to_owned()),
                (part, ..) = select_all(tasks) => Some(format!("a task of the part {part}")),
                _ = stop => None,
            };
            drop(stopped);
            ended
        };
        let standing = async {
            if let Some(election) = election {
                // Nothing is sent; the sender is dropped with the work.
                election.run(async { drop(release.await) }).await;
            }
        };
        tokio::join!(work, standing).0
    }
}
