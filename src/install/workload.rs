//! Builds the Deployment, and the PodDisruptionBudget that keeps a drained node from removing all pods.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::{
    Affinity, Capabilities, Container, ContainerPort, EnvVar, EnvVarSource, HTTPGetAction, ObjectFieldSelector,
    PodAffinityTerm, PodAntiAffinity, PodSecurityContext, PodSpec, PodTemplateSpec, Probe, ResourceRequirements,
    SeccompProfile, SecurityContext, WeightedPodAffinityTerm,
};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::Installation;
use super::metadata::{labels, namespaced, selector};
use crate::policy::Matching;

pub(super) const WEBHOOK_PORT_NAME: &str = "webhook";
pub(super) const METRICS_PORT_NAME: &str = "metrics";
pub(super) const METRICS_PORT: i32 = 8443;
const WEBHOOK_PORT: i32 = 9443;
const PROBES_PORT_NAME: &str = "healthz";
const PROBES_PORT: i32 = 8081;
/// The user called nonroot in most images without a distribution, and in the Go operator's.
const NONROOT: i64 = 65_532;

pub(super) fn deployment(installation: &Installation) -> Deployment {
    Deployment {
        metadata: namespaced(installation, &installation.fullname),
        spec: Some(DeploymentSpec {
            replicas: Some(installation.replicas.into()),
            selector: selector(installation),
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                // During an update there are never fewer ready pods than replicas.
                rolling_update: Some(RollingUpdateDeployment {
                    max_unavailable: Some(IntOrString::Int(0)),
                    max_surge: Some(IntOrString::Int(1)),
                }),
            }),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(labels(installation)),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod(installation)),
            },
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

/// No `priorityClassName`: some clusters admit `system-cluster-critical` only where a quota in the namespace allows it, and a
/// pod that is rejected protects less than one that may be evicted. README says how to set it.
fn pod(installation: &Installation) -> PodSpec {
    PodSpec {
        service_account_name: Some(installation.fullname.clone()),
        automount_service_account_token: Some(true),
        // A Service whose name begins with "dorgu-" would inject variables that begin with "DORGU_", which are flags.
        enable_service_links: Some(false),
        // Drain: 10 s of answering everything, then what is in flight.
        termination_grace_period_seconds: Some(30),
        node_selector: Some([("kubernetes.io/os".to_owned(), "linux".to_owned())].into()),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(NONROOT),
            run_as_group: Some(NONROOT),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                ..SeccompProfile::default()
            }),
            ..PodSecurityContext::default()
        }),
        affinity: Some(apart(installation)),
        containers: vec![container(installation)],
        ..PodSpec::default()
    }
}

fn container(installation: &Installation) -> Container {
    Container {
        name: "manager".to_owned(),
        image: Some(installation.image.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        // No command: the path of the program depends on the image.
        args: Some(args(installation)),
        env: Some(vec![from_field("DORGU_NAMESPACE", "metadata.namespace")]),
        ports: Some(ports(installation)),
        // A start on a busy node may take half a minute. From then on the other two probes apply.
        startup_probe: Some(probe("/livez", 1, 30)),
        liveness_probe: Some(probe("/livez", 20, 3)),
        readiness_probe: Some(probe("/readyz", 5, 2)),
        resources: Some(resources()),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            capabilities: Some(Capabilities {
                drop: Some(vec!["ALL".to_owned()]),
                ..Capabilities::default()
            }),
            ..SecurityContext::default()
        }),
        ..Container::default()
    }
}

fn ports(installation: &Installation) -> Vec<ContainerPort> {
    let mut ports = vec![(WEBHOOK_PORT_NAME, WEBHOOK_PORT), (PROBES_PORT_NAME, PROBES_PORT)];
    if installation.metrics {
        ports.push((METRICS_PORT_NAME, METRICS_PORT));
    }
    let ports = ports.into_iter().map(|(name, port)| ContainerPort {
        name: Some(name.to_owned()),
        container_port: port,
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    });
    ports.collect()
}

/// The flags that differ from the defaults of `serve`, and those that have a value in the chart, which are always given.
fn args(installation: &Installation) -> Vec<String> {
    let mut args = vec![
        "serve".to_owned(),
        "--leader-elect".to_owned(),
        format!("--health-probe-bind-address=:{PROBES_PORT}"),
        "--enable-webhook".to_owned(),
        format!("--webhook-mode={}", installation.mode),
        format!("--webhook-config={}", installation.webhook_configuration()),
        format!("--webhook-service={}", installation.webhook_service()),
        format!("--webhook-secret={}", installation.webhook_secret()),
    ];
    if installation.metrics {
        args.push(format!("--metrics-bind-address=:{METRICS_PORT}"));
    }
    if installation.matching == Matching::Chain {
        args.push("--match=chain".to_owned());
    }
    if installation.requires_label {
        args.push("--require-label".to_owned());
    }
    args
}

fn from_field(name: &str, path: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                api_version: Some("v1".to_owned()),
                field_path: path.to_owned(),
            }),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
    }
}

fn probe(path: &str, every_seconds: i32, failures: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(PROBES_PORT_NAME.to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(every_seconds),
        timeout_seconds: Some(5.min(every_seconds)),
        failure_threshold: Some(failures),
        ..Probe::default()
    }
}

/// The Go operator's (contract 7.4). Namespaces with quotas were sized for them, so the CPU limit stays as well.
fn resources() -> ResourceRequirements {
    let amounts = |cpu: &str, memory: &str| -> BTreeMap<String, Quantity> {
        [("cpu", cpu), ("memory", memory)]
            .map(|(resource, amount)| (resource.to_owned(), Quantity(amount.to_owned())))
            .into()
    };
    ResourceRequirements {
        limits: Some(amounts("500m", "128Mi")),
        requests: Some(amounts("10m", "64Mi")),
        ..ResourceRequirements::default()
    }
}

/// On different hosts and in different zones where possible. Preferred only, since one pod is better than none.
///
/// Why not `topologySpreadConstraints`: the scheduler leaves a node out of their score when it lacks any of the keys, so
/// without zones (most self-managed clusters) hosts would not count either.
fn apart(installation: &Installation) -> Affinity {
    let terms = [("kubernetes.io/hostname", 100), ("topology.kubernetes.io/zone", 50)].map(|(key, weight)| {
        WeightedPodAffinityTerm {
            weight,
            pod_affinity_term: PodAffinityTerm {
                topology_key: key.to_owned(),
                label_selector: Some(selector(installation)),
                // During an update the old pods do not count.
                match_label_keys: Some(vec!["pod-template-hash".to_owned()]),
                ..PodAffinityTerm::default()
            },
        }
    });
    Affinity {
        pod_anti_affinity: Some(PodAntiAffinity {
            preferred_during_scheduling_ignored_during_execution: Some(terms.into()),
            ..PodAntiAffinity::default()
        }),
        ..Affinity::default()
    }
}

pub(super) fn pod_disruption_budget(installation: &Installation) -> Option<PodDisruptionBudget> {
    (installation.replicas > 1).then(|| PodDisruptionBudget {
        metadata: namespaced(installation, &installation.fullname),
        spec: Some(PodDisruptionBudgetSpec {
            min_available: Some(IntOrString::Int(1)),
            selector: Some(selector(installation)),
            // A pod that is not ready protects nothing, so it must not keep a node from being drained.
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    })
}
