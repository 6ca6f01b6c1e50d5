//! Detects well-known add-ons (contract 4.5) by the label or the workload of their pods in their usual namespace. A part of a
//! pod's name is not enough: `kube-prometheus-stack-grafana-…` contains Prometheus.

use super::pod::Pod;
use super::version;
use crate::api::cluster_persona::status::{Addon, AddonType};

/// An add-on, and how to reuse it.
struct Known {
    name: &'static str,
    namespace: &'static str,
    addon_type: AddonType,
    /// The workloads that show it is installed. The first that is found decides.
    workloads: &'static [Workload],
}

struct Workload {
    /// The value of its pods' label `app.kubernetes.io/name`, or of an older label.
    app: &'static str,
    /// The component it must be; empty for any.
    components: &'static [&'static str],
    /// The workload's own name, where labels do not identify it.
    name: &'static str,
}

/// A workload that is named like its pods' label.
const fn plain(name: &'static str) -> Workload {
    Workload {
        app: name,
        components: &[],
        name,
    }
}

/// Always reported, in this order.
const KNOWN: [Known; 8] = [
    Known {
        name: "argocd",
        namespace: "argocd",
        addon_type: AddonType::Gitops,
        // The core installation has no server.
        workloads: &[plain("argocd-server"), plain("argocd-application-controller")],
    },
    Known {
        name: "prometheus",
        namespace: "monitoring",
        addon_type: AddonType::Monitoring,
        workloads: &[
            Workload {
                app: "prometheus",
                components: &["", "prometheus", "server"],
                name: "prometheus",
            },
            plain("prometheus-server"),
        ],
    },
    Known {
        name: "grafana",
        namespace: "monitoring",
        addon_type: AddonType::Monitoring,
        workloads: &[plain("grafana")],
    },
    Known {
        name: "cert-manager",
        namespace: "cert-manager",
        addon_type: AddonType::CertManagement,
        workloads: &[Workload {
            app: "cert-manager",
            components: &["", "controller"],
            name: "cert-manager",
        }],
    },
    Known {
        name: "ingress-nginx-controller",
        namespace: "ingress-nginx",
        addon_type: AddonType::Ingress,
        workloads: &[Workload {
            app: "ingress-nginx",
            components: &["controller"],
            name: "ingress-nginx-controller",
        }],
    },
    Known {
        name: "external-secrets",
        namespace: "external-secrets",
        addon_type: AddonType::Secrets,
        workloads: &[plain("external-secrets")],
    },
    Known {
        name: "istiod",
        namespace: "istio-system",
        addon_type: AddonType::ServiceMesh,
        workloads: &[plain("istiod")],
    },
    Known {
        name: "openobserve",
        namespace: "openobserve",
        addon_type: AddonType::Monitoring,
        workloads: &[plain("openobserve"), plain("openobserve-standalone")],
    },
];

impl Workload {
    fn made(&self, pod: &Pod) -> bool {
        let labelled = pod.labels.app() == self.app
            && (self.components.is_empty() || self.components.contains(&pod.labels.component()));
        labelled || pod.workload == self.name
    }
}

/// The pod that decides the state of an add-on, of those seen so far.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Witness {
    /// Index of the workload; the lowest decides.
    workload: usize,
    /// Sorts ready pods before others.
    unready: bool,
    /// Makes the choice deterministic among equal pods.
    pod: String,
    version: String,
}

/// The findings for each add-on, collected pod by pod.
#[derive(Clone, Debug, Default)]
pub(super) struct Finds([Option<Witness>; KNOWN.len()]);

impl Finds {
    /// Counts one more pod. A pod that ended is ignored, and a Job that sets an add-on up is not the add-on.
    pub(super) fn count(&mut self, pod: &Pod) {
        if pod.terminal || pod.of_job {
            return;
        }
        for (known, found) in KNOWN.iter().zip(&mut self.0) {
            if known.namespace != pod.namespace {
                continue;
            }
            let Some(workload) = known.workloads.iter().position(|workload| workload.made(pod)) else {
                continue;
            };
            let witness = Witness {
                workload,
                unready: !pod.ready,
                pod: pod.name.clone(),
                version: version::of(&pod.labels.version, &pod.labels.chart, &pod.image),
            };
            if found.as_ref().is_none_or(|found| witness < *found) {
                *found = Some(witness);
            }
        }
    }

    /// The add-ons as in the status.
    pub(super) fn addons(&self) -> Vec<Addon> {
        let addon = |(known, found): (&Known, &Option<Witness>)| Addon {
            name: known.name.to_owned(),
            addon_type: Some(known.addon_type),
            installed: found.is_some(),
            version: found.as_ref().map(|found| found.version.clone()),
            namespace: Some(known.namespace.to_owned()),
            healthy: found.as_ref().map(|found| !found.unready),
        };
        KNOWN.iter().zip(&self.0).map(addon).collect()
    }
}

#[cfg(test)]
mod tests;
