//! What a namespace of a cluster has: Deployments, their autoscalers, and personas.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use serde_json::Value;

use super::deriving::Deriving;
use super::failure::Failure;
use super::place::Cluster;
use crate::api::ApplicationPersona;
use crate::cli::complain;
use crate::k8s::{self, Resource};
use crate::personas::derive::{Autoscaler, Existing, IMPORTED_FROM, Origin, Workload};
use crate::policy::Matching;

/// The content of one namespace.
pub(super) struct Live {
    namespace: String,
    pub(super) workloads: Vec<Workload>,
    autoscalers: Vec<Autoscaler>,
    existing: Existing,
    /// The names of personas that were not imported.
    taken: Vec<String>,
}

impl Live {
    pub(super) async fn read(cluster: &Cluster, namespace: &str, matching: Matching) -> Result<Live, Failure> {
        let personas = cluster.list(namespace, "").await?;
        let deployments: Vec<Value> = k8s::list(&cluster.client, &Resource::of::<Deployment>(), namespace, "")
            .await
            .map_err(|error| cluster.failed_elsewhere(error))?;
        let mut workloads = Vec::new();
        for deployment in &deployments {
            match Workload::read(deployment) {
                Ok(workload) => workloads.push(workload),
                Err(reason) => complain(&format!(
                    "deployment/{} is left out: {reason}",
                    deployment["metadata"]["name"].as_str().unwrap_or_default()
                )),
            }
        }
        let autoscalers = autoscalers(cluster, namespace).await?;
        let mut kept = Vec::new();
        for mut persona in personas {
            let name = persona["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            // What was imported is imported again.
            if persona["metadata"]["annotations"][IMPORTED_FROM] == format!("Deployment/{name}") {
                continue;
            }
            if let Some(object) = persona.as_object_mut() {
                // It may be of another writer, and is not needed.
                object.remove("status");
            }
            match serde_json::from_value::<ApplicationPersona>(persona) {
                Ok(persona) => kept.push(persona),
                Err(error) => complain(&format!(
                    "applicationpersona/{name} is taken as absent: it cannot be read: {error}"
                )),
            }
        }
        Ok(Live {
            namespace: namespace.to_owned(),
            existing: Existing::new(&kept, matching),
            taken: kept.into_iter().filter_map(|persona| persona.metadata.name).collect(),
            workloads,
            autoscalers,
        })
    }

    /// Fails where no Deployment has that name.
    pub(super) fn expect(&self, name: &str) -> Result<(), Failure> {
        let mut names: Vec<&str> = self.workloads.iter().map(|workload| workload.name.as_str()).collect();
        if names.contains(&name) {
            return Ok(());
        }
        names.sort_unstable();
        let there = match names.as_slice() {
            [] => "it has none".to_owned(),
            names => format!("it has {}", names.join(", ")),
        };
        let namespace = &self.namespace;
        Err(Failure::ObjectMissing(format!(
            "deployment/{name} does not exist in namespace {namespace}; {there}"
        )))
    }

    /// A persona for each wanted Deployment that none governs.
    pub(super) fn derive(&self, deriving: &Deriving, is_wanted: impl Fn(&Workload) -> bool) -> Vec<ApplicationPersona> {
        for workload in self
            .workloads
            .iter()
            .filter(|workload| is_wanted(workload) && self.is_taken(workload))
        {
            complain(&format!(
                "deployment/{0} is left out: applicationpersona/{0} exists and governs something else",
                workload.name
            ));
        }
        let is_left = |workload: &Workload| is_wanted(workload) && !self.is_taken(workload);
        let (workloads, autoscalers) = (&self.workloads, &self.autoscalers);
        deriving.derive(workloads, autoscalers, &self.existing, Origin::Cluster, is_left)
    }
}

impl Live {
    /// Whether the name of its persona belongs to another one.
    fn is_taken(&self, workload: &Workload) -> bool {
        self.taken.contains(&workload.name) && self.existing.governor(workload).is_none()
    }
}

/// The autoscalers of a namespace. Where they may not be read there are none, and a line says so.
async fn autoscalers(cluster: &Cluster, namespace: &str) -> Result<Vec<Autoscaler>, Failure> {
    let resource = Resource::of::<HorizontalPodAutoscaler>();
    let listed = k8s::list::<Value>(&cluster.client, &resource, namespace, "").await;
    match listed.map_err(|error| cluster.failed_elsewhere(error)) {
        Ok(objects) => Ok(objects.iter().filter_map(Autoscaler::read).collect()),
        Err(Failure::Forbidden(right)) => {
            complain(&format!(
                "autoscalers are taken as absent, so replica bounds are those of now: a right is missing: {right}"
            ));
            Ok(Vec::new())
        }
        Err(failure) => Err(failure),
    }
}
