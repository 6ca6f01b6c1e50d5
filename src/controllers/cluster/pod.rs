//! Reads one pod into the fields that are counted: its requests, whether it runs, and its workload.

use serde::Deserialize;

use crate::k8s::{Decode, Unreadable, from_json};
use crate::policy::quantity::{Quantity, Sum};

/// The fields of a pod. It is dropped once it is counted.
#[derive(Clone, Debug)]
pub(super) struct Pod {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) labels: PodLabels,
    /// The name of the workload that created it; empty for none.
    pub(super) workload: String,
    /// Whether a Job created it.
    pub(super) of_job: bool,
    /// Image of the first container.
    pub(super) image: String,
    pub(super) running: bool,
    /// Running and ready to serve.
    pub(super) ready: bool,
    /// It ended and will not restart.
    pub(super) terminal: bool,
    /// It was assigned to a node.
    pub(super) scheduled: bool,
    /// What a scheduler reserves for it.
    pub(super) cpu: Quantity,
    pub(super) memory: Quantity,
}

/// The labels that name its application.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct PodLabels {
    #[serde(rename = "app.kubernetes.io/name", default)]
    name: String,
    #[serde(default)]
    app: String,
    #[serde(rename = "k8s-app", default)]
    k8s_app: String,
    #[serde(rename = "app.kubernetes.io/component", default)]
    app_component: String,
    #[serde(default)]
    component: String,
    #[serde(rename = "app.kubernetes.io/version", default)]
    pub(super) version: String,
    #[serde(rename = "helm.sh/chart", default)]
    pub(super) chart: String,
    #[serde(rename = "pod-template-hash", default)]
    template_hash: String,
}

impl PodLabels {
    /// The application, by the recommended label or an older one; empty for none.
    pub(super) fn app(&self) -> &str {
        first([&self.name, &self.app, &self.k8s_app])
    }

    /// Its component; empty for none.
    pub(super) fn component(&self) -> &str {
        first([&self.app_component, &self.component, ""])
    }
}

fn first(values: [&str; 3]) -> &str {
    values.into_iter().find(|value| !value.is_empty()).unwrap_or_default()
}

#[derive(Deserialize)]
struct PodObject {
    metadata: PodMetadata,
    #[serde(default)]
    spec: PodSpec,
    #[serde(default)]
    status: PodStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodMetadata {
    namespace: String,
    name: String,
    labels: Option<PodLabels>,
    owner_references: Option<Vec<PodOwner>>,
}

#[derive(Deserialize)]
struct PodOwner {
    kind: String,
    name: String,
    #[serde(default)]
    controller: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodSpec {
    node_name: Option<String>,
    containers: Option<Vec<PodContainer>>,
    init_containers: Option<Vec<PodContainer>>,
    resources: Option<PodResources>,
    overhead: Option<PodAmounts>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodContainer {
    image: Option<String>,
    restart_policy: Option<String>,
    resources: Option<PodResources>,
}

#[derive(Default, Deserialize)]
struct PodResources {
    requests: Option<PodAmounts>,
}

/// Quantities as an API server writes them: always text.
#[derive(Default, Deserialize)]
struct PodAmounts {
    cpu: Option<String>,
    memory: Option<String>,
}

#[derive(Default, Deserialize)]
struct PodStatus {
    #[serde(default)]
    phase: String,
    conditions: Option<Vec<PodCondition>>,
}

#[derive(Deserialize)]
struct PodCondition {
    r#type: String,
    status: String,
}

impl Decode for Pod {
    fn decode(json: &str) -> Result<Pod, Unreadable> {
        let PodObject { metadata, spec, status } = from_json(json)?;
        let labels = metadata.labels.unwrap_or_default();
        let owners = metadata.owner_references.unwrap_or_default();
        let owner = owners.into_iter().find(|owner| owner.controller);
        let conditions = status.conditions.unwrap_or_default();
        let running = status.phase == "Running";
        Ok(Pod {
            of_job: owner.as_ref().is_some_and(|owner| owner.kind == "Job"),
            workload: owner.map(|owner| owner.workload(&labels)).unwrap_or_default(),
            namespace: metadata.namespace,
            name: metadata.name,
            running,
            ready: running
                && conditions
                    .iter()
                    .any(|condition| condition.r#type == "Ready" && condition.status == "True"),
            terminal: matches!(status.phase.as_str(), "Succeeded" | "Failed"),
            scheduled: spec.node_name.as_deref().is_some_and(|node| !node.is_empty()),
            cpu: spec.requested(|amounts| amounts.cpu.as_deref()),
            memory: spec.requested(|amounts| amounts.memory.as_deref()),
            image: spec
                .containers
                .and_then(|containers| containers.into_iter().next()?.image)
                .unwrap_or_default(),
            labels,
        })
    }
}

impl PodOwner {
    /// A ReplicaSet belongs to a Deployment, and its name is the Deployment's with the hash of the template.
    fn workload(self, labels: &PodLabels) -> String {
        if self.kind == "ReplicaSet" && !labels.template_hash.is_empty() {
            let deployment = self.name.strip_suffix(&labels.template_hash);
            if let Some(deployment) = deployment.and_then(|name| name.strip_suffix('-')) {
                return deployment.to_owned();
            }
        }
        self.name
    }
}

impl PodSpec {
    /// What a scheduler reserves of one resource: the sum of all containers that run together, or the maximum during start,
    /// whichever is larger; in their place the pod level's own request where there is one; and the overhead.
    fn requested(&self, of: fn(&PodAmounts) -> Option<&str>) -> Quantity {
        let read = |amounts: Option<&PodAmounts>| {
            let text = amounts.and_then(of)?;
            Quantity::parse(text).ok()
        };
        let asked = |resources: &Option<PodResources>| read(resources.as_ref().and_then(|all| all.requests.as_ref()));
        let mut running = Sum::default();
        let mut most = Sum::default().total();
        for init in self.init_containers.iter().flatten() {
            let Some(request) = asked(&init.resources) else {
                continue;
            };
            let mut now = running.clone();
            now.add(&request);
            if init.restart_policy.as_deref() == Some("Always") {
                // A sidecar continues to run.
                running = now.clone();
            }
            most = larger(most, now.total());
        }
        for container in self.containers.iter().flatten() {
            running.extend(asked(&container.resources).as_ref());
        }
        let together = larger(running.total(), most);
        let mut all = Sum::default();
        all.add(&asked(&self.resources).unwrap_or(together));
        all.extend(read(self.overhead.as_ref()).as_ref());
        all.total()
    }
}

/// The first when they are equal.
fn larger(one: Quantity, other: Quantity) -> Quantity {
    if other > one { other } else { one }
}

#[cfg(test)]
mod tests;
