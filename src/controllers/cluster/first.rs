//! Creates the first ClusterPersona of a cluster, where that is enabled (contract 9).

use serde_json::{Value, json};

use super::cluster_personas;
use crate::api::names::STATUS_MANAGER;
use crate::index::{Index, Namespace};
use crate::k8s::{CallError, Client, create};

/// Its name, and the cluster's name until a user changes it.
const NAME: &str = "dorgu-cluster";

/// Creates it. If it exists by now, that is success.
///
/// # Errors
/// See [`CallError`].
pub(super) async fn make(client: &Client, index: &Index) -> Result<(), CallError> {
    let snapshot = index.load();
    let uid = snapshot.namespace(Namespace::OF_CLUSTER).map(|system| &*system.uid);
    let object = object(uid.filter(|uid| !uid.is_empty()));
    match create(client, &cluster_personas(), "", STATUS_MANAGER, &object).await {
        Ok(()) => {
            tracing::info!(name = NAME, "Created a ClusterPersona, since there was none");
            Ok(())
        }
        Err(error) if error.is_conflict() => Ok(()),
        Err(error) => Err(error),
    }
}

fn object(cluster: Option<&str>) -> Value {
    let mut annotations = json!({"dorgu.io/bootstrap": "true"});
    if let Some(uid) = cluster {
        annotations["dorgu.io/cluster-uid"] = uid.into();
    }
    let kind = cluster_personas();
    json!({
        "apiVersion": kind.api_version(),
        "kind": kind.kind,
        "metadata": {"name": NAME, "annotations": annotations},
        "spec": {"name": NAME, "environment": "development"},
    })
}
