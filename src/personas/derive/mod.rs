//! Derives a persona from a workload that exists, so that the workload meets it: nothing is demanded that is not so already.
//! Start reading at [`derive`]; `naming` decides which workloads it is for.

mod existing;
mod limits;
mod naming;
mod ownership;
mod scaling;
mod workload;

use crate::api::application_persona::{Health, Networking, Port, Technical, WorkloadType};
use crate::api::labels::APP_NAME;
use crate::api::names::label_value;
use crate::api::{ApplicationPersona, ApplicationPersonaSpec};
use std::collections::BTreeMap;

pub use self::existing::Existing;
pub use self::naming::{Group, groups};
use self::workload::Container;
pub use self::workload::{Autoscaler, Workload};

/// Label of what this program has written.
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Label that names the team.
const TEAM: &str = "dorgu.io/team";
/// Annotation that names the workload.
pub const IMPORTED_FROM: &str = "dorgu.io/imported-from";
/// Annotation that names its image.
const IMPORTED_IMAGE: &str = "dorgu.io/imported-image";

/// Where a workload comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A manifest.
    Manifest,
    /// A cluster.
    Cluster,
}

/// What people should know about a persona that was derived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The Deployment.
    pub workload: String,
    /// A sentence without a stop.
    pub text: String,
    /// Whether a limit was invented.
    pub is_invention: bool,
}

impl Note {
    fn of(workload: &Workload, text: String) -> Note {
        Note {
            workload: workload.name.clone(),
            text,
            is_invention: false,
        }
    }

    fn invented(workload: &Workload, text: String) -> Note {
        Note {
            is_invention: true,
            ..Note::of(workload, text)
        }
    }
}

/// The persona of some workloads, with the limits that all of them meet. `invents` makes up the limits that containers lack.
pub fn derive(
    group: &Group<'_>,
    autoscalers: &[Autoscaler],
    origin: Origin,
    invents: bool,
) -> Option<(ApplicationPersona, Vec<Note>)> {
    let workloads = &group.workloads;
    let first = *workloads.first()?;
    let primary = first.primary();
    let mut notes = Vec::new();
    about_group(group, &mut notes);
    let ports: Vec<Port> = primary.map(ports).unwrap_or_default();
    let ownership = ownership::of(first);
    let from = match origin {
        Origin::Manifest => "derived from",
        Origin::Cluster => "imported from",
    };
    let place = match first.namespace.as_str() {
        "" => first.name.clone(),
        namespace => format!("{namespace}/{}", first.name),
    };
    let spec = ApplicationPersonaSpec {
        name: group.app.clone(),
        selector: group.selector.clone(),
        version: Some("1".to_owned()),
        workload_type: if ports.is_empty() {
            WorkloadType::Worker
        } else {
            WorkloadType::Api
        },
        tier: Some(Default::default()),
        technical: Some(Technical {
            description: Some(format!("{from} {place}")),
            ..Technical::default()
        }),
        resources: limits::resources(workloads, primary, invents, &mut notes),
        scaling: Some(scaling::of(workloads, autoscalers, &mut notes)),
        health: health(workloads, primary, &mut notes),
        dependencies: Vec::new(),
        networking: (!ports.is_empty()).then_some(Networking { ports, ingress: None }),
        ownership: ownership.clone(),
        policies: None,
    };
    let mut persona = ApplicationPersona::new(&first.name, spec);
    let metadata = &mut persona.metadata;
    metadata.namespace = Some(first.namespace.clone()).filter(|namespace| !namespace.is_empty());
    let labels = [
        (MANAGED_BY, Some("dorgu".to_owned())),
        (APP_NAME, Some(group.app.clone())),
        (TEAM, ownership.and_then(|ownership| ownership.team)),
    ];
    let labels = labels
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)));
    // The name of an app or a team may be no label.
    metadata.labels = Some(
        labels
            .filter(|(_, value)| !value.is_empty() && label_value(value).is_ok())
            .collect(),
    );
    if origin == Origin::Cluster {
        let image = primary.map(|container| container.image.clone()).unwrap_or_default();
        metadata.annotations = Some(BTreeMap::from([
            (IMPORTED_FROM.to_owned(), format!("Deployment/{}", first.name)),
            (IMPORTED_IMAGE.to_owned(), image),
        ]));
    }
    Some((persona, notes))
}

/// Notes about whom the persona governs.
fn about_group(group: &Group<'_>, notes: &mut Vec<Note>) {
    let Some((first, same)) = group.workloads.split_first() else {
        return;
    };
    if !same.is_empty() {
        let names: Vec<&str> = same.iter().map(|workload| workload.name.as_str()).collect();
        notes.push(Note::of(
            first,
            format!(
                "its persona governs {} as well: their labels are the same",
                names.join(", ")
            ),
        ));
    }
    if group.selector.is_some() {
        notes.push(Note::of(
            first,
            format!(
                "its persona has a selector, since other Deployments belong to {}, too",
                group.app
            ),
        ));
    }
    if !group.leads_back {
        for workload in &group.workloads {
            let label = format!("{APP_NAME}={}", group.app);
            notes.push(Note::of(
                workload,
                format!(
                    "no persona governs it without the label {label}; set it, or use --match chain as the operator does"
                ),
            ));
        }
    }
}

fn ports(container: &Container) -> Vec<Port> {
    let port = |port: &workload::Port| Port {
        port: port.number,
        protocol: Some(port.protocol.clone()),
        purpose: Some(port.name.clone()).filter(|name| !name.is_empty()),
    };
    container.ports.iter().map(port).collect()
}

/// The paths of the application's HTTP probes, as far as all app containers have such probes.
fn health(workloads: &[&Workload], primary: Option<&Container>, notes: &mut Vec<Note>) -> Option<Health> {
    let primary = primary?;
    let all = || {
        workloads
            .iter()
            .flat_map(|workload| workload.app_containers().map(move |container| (workload, container)))
    };
    let path = |probe: Option<&workload::Probe>| probe.and_then(|probe| probe.path.clone());
    let liveness = path(primary.liveness.as_ref()).filter(|path| {
        let differs = |container: &Container| self::path_of(container) != Some(path);
        let other = all().find(|(_, container)| differs(container));
        let note = |(workload, container): (&&Workload, &Container)| {
            let name = &container.name;
            notes.push(Note::of(
                workload,
                format!("no liveness path: container {name} has no liveness probe at {path}"),
            ));
        };
        other.map(note).is_none()
    });
    let readiness = path(primary.readiness.as_ref()).filter(|_| {
        let other = all().find(|(_, container)| container.readiness.is_none());
        let note = |(workload, container): (&&Workload, &Container)| {
            let name = &container.name;
            notes.push(Note::of(
                workload,
                format!("no readiness path: container {name} has no readiness probe"),
            ));
        };
        other.map(note).is_none()
    });
    let probes = [(&liveness, &primary.liveness), (&readiness, &primary.readiness)];
    let port = probes
        .into_iter()
        .filter(|(path, _)| path.is_some())
        .find_map(|(_, probe)| probe.as_ref()?.port(primary));
    (liveness.is_some() || readiness.is_some()).then_some(Health {
        liveness_path: liveness,
        readiness_path: readiness,
        port,
        startup_grace_period: None,
    })
}

fn path_of(container: &Container) -> Option<&String> {
    container.liveness.as_ref()?.path.as_ref()
}

#[cfg(test)]
mod tests;
