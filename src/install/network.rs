//! Builds the two Services, of the webhook and of the metrics.

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::Installation;
use super::metadata::{namespaced, service_selector};
use super::workload::{METRICS_PORT, METRICS_PORT_NAME, WEBHOOK_PORT_NAME};

/// The port that an API server calls (contract 2.1).
pub(super) const WEBHOOK_SERVICE_PORT: i32 = 443;

pub(super) fn webhook(installation: &Installation) -> Service {
    service(
        installation,
        &installation.webhook_service(),
        WEBHOOK_PORT_NAME,
        WEBHOOK_SERVICE_PORT,
    )
}

pub(super) fn metrics(installation: &Installation) -> Service {
    let name = format!("{}-metrics", installation.fullname);
    service(installation, &name, METRICS_PORT_NAME, METRICS_PORT)
}

/// A Service for the container port of this name. By name, so that a changed number is changed in one place.
fn service(installation: &Installation, name: &str, port_name: &str, port: i32) -> Service {
    Service {
        metadata: namespaced(installation, name),
        spec: Some(ServiceSpec {
            selector: Some(service_selector(installation)),
            ports: Some(vec![ServicePort {
                name: Some(port_name.to_owned()),
                port,
                target_port: Some(IntOrString::String(port_name.to_owned())),
                protocol: Some("TCP".to_owned()),
                app_protocol: Some("https".to_owned()),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}
