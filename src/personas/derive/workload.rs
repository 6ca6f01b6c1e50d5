//! Reads what a persona is derived from: a Deployment, from a file or from a cluster, and the autoscaler that targets it.
//! Manifests are written by hand, so a number may stand where a quantity is meant, and defaults are absent.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::api::labels::APP_NAME;
use crate::policy::Names;
use crate::policy::quantity::Quantity;

/// A Deployment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Workload {
    /// `metadata.namespace`; empty where a manifest names none.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
    /// `spec.selector.matchLabels`.
    selected: BTreeMap<String, String>,
    /// `spec.replicas`, where it is set.
    pub(super) replicas: Option<i32>,
    /// `spec.template.spec.resources`.
    pub(super) pod: Resources,
    /// App containers, then init containers.
    pub(super) containers: Vec<Container>,
}

/// One container.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) image: String,
    pub(super) role: Role,
    pub(super) resources: Resources,
    pub(super) liveness: Option<Probe>,
    pub(super) readiness: Option<Probe>,
    pub(super) ports: Vec<Port>,
}

/// When a container runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Role {
    #[default]
    App,
    /// An init container that restarts: it runs beside the app.
    Sidecar,
    /// It has ended when the app runs.
    Init,
}

/// Requests and limits. Zero counts as absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Resources {
    pub(super) limits: Amounts,
    pub(super) requests: Amounts,
}

/// CPU and memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Amounts {
    pub(super) cpu: Option<Quantity>,
    pub(super) memory: Option<Quantity>,
}

impl Amounts {
    pub(super) fn is_empty(&self) -> bool {
        self.cpu.is_none() && self.memory.is_none()
    }
}

/// A probe.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Probe {
    /// The path of an HTTP probe; `None` for any other.
    pub(super) path: Option<String>,
    /// Its port, by number or by name.
    port: Value,
}

/// A port of a container.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Port {
    pub(super) number: i32,
    pub(super) protocol: String,
    pub(super) name: String,
}

/// A HorizontalPodAutoscaler of a Deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Autoscaler {
    /// `metadata.namespace`; empty where a manifest names none.
    pub namespace: String,
    /// The Deployment.
    pub(super) target: String,
    pub(super) min: i32,
    pub(super) max: i32,
    /// Percent of the requested CPU to scale at.
    pub(super) cpu: Option<i32>,
    /// Percent of the requested memory to scale at.
    pub(super) memory: Option<i32>,
}

impl Workload {
    /// Reads a Deployment.
    ///
    /// # Errors
    /// The field that cannot be read, and why.
    pub fn read(object: &Value) -> Result<Workload, String> {
        let name = text(&object["metadata"]["name"]);
        if name.is_empty() {
            return Err("metadata.name: Required value".to_owned());
        }
        let (spec, pod) = (&object["spec"], &object["spec"]["template"]["spec"]);
        let mut containers = Vec::new();
        for container in items(&pod["containers"]) {
            containers.push(Container::read(container, Role::App)?);
        }
        for container in items(&pod["initContainers"]) {
            let role = match container["restartPolicy"] == "Always" {
                true => Role::Sidecar,
                false => Role::Init,
            };
            containers.push(Container::read(container, role)?);
        }
        if containers.is_empty() {
            return Err("spec.template.spec.containers: Required value".to_owned());
        }
        Ok(Workload {
            namespace: text(&object["metadata"]["namespace"]),
            name,
            labels: texts(&object["metadata"]["labels"]),
            annotations: texts(&object["metadata"]["annotations"]),
            selected: texts(&spec["selector"]["matchLabels"]),
            replicas: integer(&spec["replicas"]),
            pod: Resources::read(&pod["resources"], "the pod")?,
            containers,
        })
    }

    /// The names by which it is matched to personas.
    pub fn names(&self) -> Names<'_> {
        Names {
            label: value(&self.labels, APP_NAME),
            app: value(&self.labels, "app"),
            name: &self.name,
            selected_label: value(&self.selected, APP_NAME),
            selected_app: value(&self.selected, "app"),
        }
    }

    /// Its labels as JSON, for the selectors of personas.
    pub fn labels_as_json(&self) -> String {
        serde_json::json!(self.labels).to_string()
    }

    /// The container that is the application: the one named like the Deployment, else the first.
    pub(super) fn primary(&self) -> Option<&Container> {
        let named = self.app_containers().find(|container| container.name == self.name);
        named.or_else(|| self.app_containers().next())
    }

    pub(super) fn app_containers(&self) -> impl Iterator<Item = &Container> {
        self.containers.iter().filter(|container| container.role == Role::App)
    }

    /// The containers that run at the same time.
    pub(super) fn running(&self) -> impl Iterator<Item = &Container> {
        self.containers.iter().filter(|container| container.role != Role::Init)
    }
}

impl Container {
    fn read(container: &Value, role: Role) -> Result<Container, String> {
        let name = text(&container["name"]);
        let port = |port: &Value| {
            Some(Port {
                number: integer(&port["containerPort"])?,
                protocol: match text(&port["protocol"]) {
                    absent if absent.is_empty() => "TCP".to_owned(),
                    protocol => protocol,
                },
                name: text(&port["name"]),
            })
        };
        Ok(Container {
            image: text(&container["image"]),
            role,
            resources: Resources::read(&container["resources"], &format!("container {name}"))?,
            liveness: Probe::read(&container["livenessProbe"]),
            readiness: Probe::read(&container["readinessProbe"]),
            ports: items(&container["ports"]).iter().filter_map(port).collect(),
            name,
        })
    }
}

impl Resources {
    fn read(resources: &Value, of: &str) -> Result<Resources, String> {
        let amount = |list: &str, key: &str| -> Result<Option<Quantity>, String> {
            let text = match &resources[list][key] {
                Value::Null => return Ok(None),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let quantity = Quantity::parse(&text);
            let quantity = quantity.map_err(|_| format!("{of}: resources.{list}.{key}: {text:?} is not a quantity"))?;
            Ok(Some(quantity).filter(|quantity| !quantity.is_zero()))
        };
        let amounts = |list: &str| -> Result<Amounts, String> {
            Ok(Amounts {
                cpu: amount(list, "cpu")?,
                memory: amount(list, "memory")?,
            })
        };
        Ok(Resources {
            limits: amounts("limits")?,
            requests: amounts("requests")?,
        })
    }
}

impl Probe {
    fn read(probe: &Value) -> Option<Probe> {
        probe.as_object()?;
        let get = &probe["httpGet"];
        let path = get.is_object().then(|| match text(&get["path"]) {
            // What an API server fills in.
            absent if absent.is_empty() => "/".to_owned(),
            path => path,
        });
        Some(Probe {
            path,
            port: get["port"].clone(),
        })
    }

    /// The number of its port.
    pub(super) fn port(&self, container: &Container) -> Option<i32> {
        let named = |name: &str| container.ports.iter().find(|port| port.name == name);
        match &self.port {
            Value::String(name) => named(name).map(|port| port.number).or_else(|| name.parse().ok()),
            number => integer(number),
        }
    }
}

impl Autoscaler {
    /// Reads a HorizontalPodAutoscaler of any version; `None` where it targets no Deployment.
    pub fn read(object: &Value) -> Option<Autoscaler> {
        let spec = &object["spec"];
        let target = &spec["scaleTargetRef"];
        if target["kind"] != "Deployment" {
            return None;
        }
        let metric = |name: &str| {
            let metrics = items(&spec["metrics"]).iter().map(|metric| &metric["resource"]);
            let mut of_it = metrics.filter(|resource| resource["name"] == name);
            of_it.find_map(|resource| percent(&resource["target"]["averageUtilization"]))
        };
        let min = integer(&spec["minReplicas"]).unwrap_or(1);
        Some(Autoscaler {
            namespace: text(&object["metadata"]["namespace"]),
            target: text(&target["name"]),
            min,
            max: integer(&spec["maxReplicas"]).unwrap_or(min).max(min),
            cpu: metric("cpu").or_else(|| percent(&spec["targetCPUUtilizationPercentage"])),
            memory: metric("memory"),
        })
    }

    pub(super) fn targets(&self, workload: &Workload) -> bool {
        self.target == workload.name && self.namespace == workload.namespace
    }
}

fn value<'m>(map: &'m BTreeMap<String, String>, key: &str) -> &'m str {
    map.get(key).map_or("", String::as_str)
}

/// A text; a number or a boolean that a manifest has instead, as it is written.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        _ => String::new(),
    }
}

fn texts(value: &Value) -> BTreeMap<String, String> {
    let entries = value.as_object().into_iter().flatten();
    entries.map(|(key, value)| (key.clone(), text(value))).collect()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A percentage that a persona may hold; an autoscaler may have a larger one.
fn percent(value: &Value) -> Option<i32> {
    integer(value).filter(|percent| (1..=100).contains(percent))
}

fn integer(value: &Value) -> Option<i32> {
    value.as_i64().and_then(|number| i32::try_from(number).ok())
}
