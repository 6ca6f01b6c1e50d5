//! Checks the path from an API server to a pod: Service, endpoints, NetworkPolicy.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ContainerPort, PodTemplateSpec, ServicePort};
use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyPort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{View, few, selects};
use crate::doctor::commands::word;
use crate::doctor::finding::{Finding, NotOk, Outcome, skip};

const BY_URL: &str = "the webhook configuration calls a URL, not a Service";

pub(super) fn service(view: &View<'_>) -> Outcome {
    is_called(view)?;
    let (namespace, name) = (&view.setup.namespace, &view.setup.service);
    view.unless_uninstalled(&view.facts.service)?;
    let service = view.facts.service.or_found(|| {
        Finding::fail(
            format!("Service {namespace}/{name} does not exist"),
            "an API server has nowhere to call",
            view.install_again(),
        )
    })?;
    let spec = service.spec.clone().unwrap_or_default();
    let template = template(view)?;
    let labels = template.metadata.clone().unwrap_or_default().labels.unwrap_or_default();
    let selector = spec.selector.unwrap_or_default();
    let stray: Vec<&str> = selector
        .iter()
        .filter(|(key, value)| labels.get(*key) != Some(value))
        .map(|(key, _)| key.as_str())
        .collect();
    if selector.is_empty() || !stray.is_empty() {
        return Err(Finding::fail(
            format!(
                "Service {namespace}/{name} does not select the pods of the Deployment ({})",
                few(&stray)
            ),
            "its selector, or the pods' labels, were changed",
            view.install_again(),
        )
        .into());
    }
    let number = called_port(view);
    let ports = spec.ports.unwrap_or_default();
    let Some(port) = ports.iter().find(|port| port.port == number) else {
        return Err(Finding::fail(
            format!("Service {namespace}/{name} has no port {number}"),
            "the webhook configuration calls that port",
            view.install_again(),
        )
        .into());
    };
    match target(port, &container_ports(template)) {
        Some(target) => Ok(format!("{name}:{number} leads to port {target} of the pods")),
        None => Err(Finding::fail(
            format!(
                "Service {namespace}/{name} leads to port {}, which no container of the Deployment has",
                shown(port)
            ),
            "targetPort, or the name of the container's port, was changed",
            view.install_again(),
        )
        .into()),
    }
}

pub(super) fn endpoints(view: &View<'_>) -> Outcome {
    is_called(view)?;
    let (namespace, name) = (&view.setup.namespace, &view.setup.service);
    view.facts.service.needed("there is no Service")?;
    if matches!(service(view), Err(NotOk::Found(_))) {
        return skip("the Service does not lead to the pods");
    }
    let slices = view.facts.slices.needed("there is no Service")?;
    let all = || slices.iter().flat_map(|slice| &slice.endpoints);
    // Absent means ready, by the API's documentation.
    let ready = all().filter(|endpoint| endpoint.conditions.as_ref().is_none_or(|one| one.ready != Some(false)));
    let (ready, total) = (ready.count(), all().count());
    if ready > 0 {
        return Ok(format!("{ready} of {total} endpoints of {name} are ready"));
    }
    let status = view
        .facts
        .deployment
        .here()
        .and_then(|deployment| deployment.status.as_ref());
    if status.is_none_or(|status| status.available_replicas.unwrap_or(0) == 0) {
        return skip("no pod of the Deployment is available");
    }
    Err(Finding::fail(
        format!("Service {namespace}/{name} has {total} endpoints, of which none is ready"),
        "pods are available and the Service does not lead to them: its selector differs, or the control plane is behind",
        view.commands
            .kubectl_in(namespace, format_args!("describe service {}", word(name))),
    )
    .into())
}

pub(super) fn network_policy(view: &View<'_>) -> Outcome {
    is_called(view)?;
    let policies = view.facts.policies.needed("there are none")?;
    let template = template(view)?;
    let labels = template.metadata.clone().unwrap_or_default().labels.unwrap_or_default();
    let ports = container_ports(template);
    let service = view.facts.service.here().and_then(|service| service.spec.as_ref());
    let port = service.and_then(|spec| {
        let called = spec
            .ports
            .iter()
            .flatten()
            .find(|port| port.port == called_port(view))?;
        target(called, &ports)
    });
    let Some(port) = port else {
        return skip("it is unknown which port of the pods is called");
    };
    let ours: Vec<&NetworkPolicy> = policies.iter().filter(|policy| limits(policy, &labels)).collect();
    if ours.is_empty() {
        return Ok("none is about the pods".to_owned());
    }
    let name = |policy: &&NetworkPolicy| policy.metadata.name.clone().unwrap_or_default();
    let names: Vec<String> = ours.iter().map(name).collect();
    let names = few(&names.iter().map(String::as_str).collect::<Vec<_>>());
    if ours.iter().any(|policy| lets_in(policy, port, &ports)) {
        return Ok(format!("{names} let API servers in to port {port}"));
    }
    Err(Finding::warn(
        format!("{names} admit no traffic from outside the pod network to port {port}"),
        "API servers are no pods, so where the network plugin enforces it they cannot call",
        view.commands
            .kubectl_in(&view.setup.namespace, "describe networkpolicies"),
    )
    .into())
}

/// Skips where the entry calls no Service.
fn is_called(view: &View<'_>) -> Result<(), NotOk> {
    view.webhook_is_wanted()?;
    match view.entry() {
        Ok(entry) if entry.webhook.client_config.service.is_none() => skip(BY_URL),
        _ => Ok(()),
    }
}

fn template<'a>(view: &'a View<'_>) -> Result<&'a PodTemplateSpec, NotOk> {
    let deployment = view.facts.deployment.needed("there is no Deployment")?;
    match &deployment.spec {
        Some(spec) => Ok(&spec.template),
        None => skip("the Deployment has no template"),
    }
}

/// The port that API servers call.
fn called_port(view: &View<'_>) -> i32 {
    let service = view
        .entry()
        .ok()
        .and_then(|entry| entry.webhook.client_config.service.clone());
    service.and_then(|service| service.port).unwrap_or(443)
}

fn container_ports(template: &PodTemplateSpec) -> Vec<ContainerPort> {
    let containers = template.spec.iter().flat_map(|pod| &pod.containers);
    containers
        .flat_map(|container| container.ports.iter().flatten())
        .cloned()
        .collect()
}

/// The container port that a Service's port leads to.
fn target(port: &ServicePort, ports: &[ContainerPort]) -> Option<i32> {
    match &port.target_port {
        Some(IntOrString::String(name)) => {
            let named = ports.iter().find(|one| one.name.as_ref() == Some(name))?;
            Some(named.container_port)
        }
        // A container may listen on a port that it does not declare.
        Some(IntOrString::Int(number)) => Some(*number),
        None => Some(port.port),
    }
}

fn shown(port: &ServicePort) -> String {
    match &port.target_port {
        Some(IntOrString::String(name)) => format!("'{name}'"),
        Some(IntOrString::Int(number)) => number.to_string(),
        None => port.port.to_string(),
    }
}

/// Whether a policy restricts the ingress of these pods.
fn limits(policy: &NetworkPolicy, labels: &BTreeMap<String, String>) -> bool {
    let Some(spec) = &policy.spec else { return false };
    let types = spec.policy_types.as_ref();
    // Absent means ingress, and egress where there are egress rules.
    let ingress = types.is_none_or(|types| types.iter().any(|one| one == "Ingress"));
    ingress
        && spec
            .pod_selector
            .as_ref()
            .is_none_or(|selector| selects(selector, labels))
}

/// Whether a policy admits an API server: from anywhere, or from an address range, which may be its.
fn lets_in(policy: &NetworkPolicy, port: i32, ports: &[ContainerPort]) -> bool {
    let rules = policy.spec.iter().flat_map(|spec| spec.ingress.iter().flatten());
    rules.into_iter().any(|rule| {
        let from = rule.from.as_deref().unwrap_or_default();
        let on = rule.ports.as_deref().unwrap_or_default();
        (from.is_empty() || from.iter().any(|peer| peer.ip_block.is_some()))
            && (on.is_empty() || on.iter().any(|one| covers(one, port, ports)))
    })
}

fn covers(allowed: &NetworkPolicyPort, port: i32, ports: &[ContainerPort]) -> bool {
    if allowed.protocol.as_deref().unwrap_or("TCP") != "TCP" {
        return false;
    }
    match &allowed.port {
        None => true,
        Some(IntOrString::Int(first)) => (*first..=allowed.end_port.unwrap_or(*first)).contains(&port),
        Some(IntOrString::String(name)) => ports
            .iter()
            .any(|one| one.name.as_ref() == Some(name) && one.container_port == port),
    }
}
