//! What runs beside the watches, on their thread: certificates, status, and the election of who may write either.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::api::names::PROGRAM;
use crate::certificates::Certificates;
use crate::controllers::cluster::{ClusterController, Followed, Options};
use crate::controllers::metrics::Metrics;
use crate::controllers::persona;
use crate::index::Index;
use crate::k8s::{Client, Election, Leadership, LeaseName, election, identity};

/// All of it, before it runs.
pub(super) struct Led {
    /// The Lease to stand for; absent: we act as its holder.
    pub(super) lease: Option<LeaseName>,
    /// Absent: no certificate is kept in the cluster.
    pub(super) certificates: Option<Certificates>,
    pub(super) personas: persona::Controller,
    pub(super) clusters: Clusters,
}

/// What the controller of ClusterPersonas is made of.
pub(super) struct Clusters {
    pub(super) index: Arc<Index>,
    pub(super) metrics: Metrics,
    pub(super) followed: Followed,
    pub(super) options: Options,
}

impl Led {
    /// The candidate, if there is an election, and what it will tell.
    pub(super) fn stand(&self, client: &Client) -> (Option<Election>, Leadership) {
        match &self.lease {
            Some(lease) => {
                let (election, leadership) = election(client.clone(), lease.clone(), identity(PROGRAM));
                (Some(election), leadership)
            }
            None => (None, Leadership::always()),
        }
    }

    /// Runs until `stop` ends; then what needs the Lease ends before the Lease is given back.
    pub(super) async fn run(
        self,
        client: Client,
        election: Option<Election>,
        leadership: Leadership,
        watches: impl Future<Output = ()>,
        stop: oneshot::Receiver<()>,
    ) {
        let (stopped, release) = oneshot::channel::<()>();
        let Clusters {
            index,
            metrics,
            followed,
            options,
        } = self.clusters;
        let clusters = ClusterController::new(client.clone(), leadership.clone(), index, metrics, followed, options);
        let status = async {
            tokio::join!(self.personas.run(client.clone(), leadership.clone()), clusters.run());
        };
        let certificates = async {
            match self.certificates {
                Some(certificates) => certificates.run(client.clone(), leadership.clone()).await,
                None => std::future::pending().await,
            }
        };
        let work = async {
            tokio::select! {
                () = watches => {}
                () = certificates => {}
                () = status => {}
                _ = stop => {}
            }
            drop(stopped);
        };
        let standing = async {
            if let Some(election) = election {
                // Nobody sends; it ends with the work.
                election.run(async { drop(release.await) }).await;
            }
        };
        tokio::join!(work, standing);
    }
}
