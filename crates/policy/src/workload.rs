//! Defines the serde types for the fields of a Deployment, or of its Scale subresource, that rules read. The webhook, the
//! controllers and `doctor` all use these types.
//!
//! Parsing is one pass over the JSON bytes, and texts are borrowed from them. Fields without a type here are skipped without
//! being built: managedFields, env, volumes, and all of `status` except the `selector` of a Scale. An explicit null means the
//! same as an absent field, as it does to the API server.

mod cost;

use serde::de::{self, Deserializer, IgnoredAny};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use super::finding::{ContainerKind, ContainerRef};
use super::json;
use super::quantity::Quantity;
use super::text::Text;

/// The longest name of a container, in bytes; an API server accepts 63.
const MAX_NAME: usize = 253;

/// A Deployment as the rules see it. A Scale is read by the same type: it has `spec.replicas` and `status.selector`.
#[derive(Debug, Default, Deserialize)]
pub struct Workload<'a> {
    /// Identity and labels.
    #[serde(borrow, default, deserialize_with = "json::object")]
    pub metadata: Metadata<'a>,
    /// The desired state.
    #[serde(borrow, default, deserialize_with = "json::object")]
    pub spec: Spec<'a>,
    /// Of a Scale only: how its pods are selected.
    #[serde(borrow, default, deserialize_with = "json::object")]
    pub status: ScaleStatus<'a>,
}

/// `metadata` of the object.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata<'a> {
    /// Name; empty on a create by `generateName`.
    #[serde(borrow, default)]
    pub name: Text<'a>,
    /// Namespace; always filled by an API server.
    #[serde(borrow, default)]
    pub namespace: Text<'a>,
    /// The labels that can name an app.
    #[serde(borrow, default, deserialize_with = "json::object")]
    pub labels: Labels<'a>,
    /// Present once the object is being deleted.
    #[serde(default)]
    pub deletion_timestamp: Option<IgnoredAny>,
}

/// The labels that can name an app; all others are skipped.
#[derive(Debug, Default, PartialEq, Deserialize)]
pub struct Labels<'a> {
    /// `app.kubernetes.io/name`, the join key with `spec.name` of a persona.
    #[serde(borrow, default, rename = "app.kubernetes.io/name")]
    pub name: Text<'a>,
    /// `app`, read only by the matching chain (contract 9).
    #[serde(borrow, default)]
    pub app: Text<'a>,
}

/// `spec` of a Deployment or a Scale.
#[derive(Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Spec<'a> {
    /// Desired pods. Absent means 1 in a Deployment and 0 in a Scale, whose encoder leaves out a zero.
    #[serde(default, skip_serializing_if = "unset")]
    pub replicas: Option<i32>,
    /// Which pods belong to the Deployment.
    #[serde(borrow, default, deserialize_with = "json::object", skip_serializing)]
    pub selector: Selector<'a>,
    /// What its pods look like.
    #[serde(borrow, default, deserialize_with = "json::object", skip_serializing_if = "unset")]
    pub template: Template<'a>,
}

/// `spec.selector`.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Selector<'a> {
    /// Equality requirements.
    #[serde(borrow, default, deserialize_with = "json::object")]
    pub match_labels: Labels<'a>,
}

/// `spec.template`.
#[derive(Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Template<'a> {
    /// The pod itself.
    #[serde(borrow, default, deserialize_with = "json::object", skip_serializing_if = "unset")]
    pub spec: PodSpec<'a>,
}

/// `spec.template.spec`.
#[derive(Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodSpec<'a> {
    /// App containers.
    #[serde(borrow, default, deserialize_with = "json::objects", skip_serializing_if = "unset")]
    pub containers: Vec<Container<'a>>,
    /// Run-once init containers and, with `restartPolicy: Always`, native sidecars.
    #[serde(borrow, default, deserialize_with = "json::objects", skip_serializing_if = "unset")]
    pub init_containers: Vec<Container<'a>>,
    /// Pod-level security settings, inherited by containers without their own.
    #[serde(borrow, default, deserialize_with = "json::object", skip_serializing_if = "unset")]
    pub security_context: SecurityContext<'a>,
    /// Pod-level resources (KEP-2837).
    #[serde(default, deserialize_with = "json::object", skip_serializing_if = "unset")]
    pub resources: Resources,
    /// The operating system, where set.
    #[serde(borrow, default, deserialize_with = "json::object", skip_serializing_if = "unset")]
    pub os: Os<'a>,
}

impl<'a> PodSpec<'a> {
    /// Whether the pod is for Windows, where the API server forbids the Linux-only security settings.
    pub fn is_windows(&self) -> bool {
        self.os.name.as_str() == "windows"
    }

    /// Whether the pod is for Linux, where the API server forbids the settings of Windows. A pod without an operating system
    /// runs on either.
    pub fn is_linux(&self) -> bool {
        self.os.name.as_str() == "linux"
    }

    /// `containers`.
    pub(super) fn app_containers(
        &'a self,
    ) -> impl Iterator<Item = (ContainerRef<'a>, &'a Container<'a>)> + Clone + use<'a> {
        self.containers.iter().enumerate().map(|(index, container)| {
            let (kind, name) = (ContainerKind::App, container.name.as_str());
            (ContainerRef { kind, index, name }, container)
        })
    }

    /// App containers, then init containers.
    pub(super) fn all_containers(
        &'a self,
    ) -> impl Iterator<Item = (ContainerRef<'a>, &'a Container<'a>)> + Clone + use<'a> {
        let init = self.init_containers.iter().enumerate().map(|(index, container)| {
            let kind = match container.restart_policy.as_str() {
                "Always" => ContainerKind::Sidecar,
                _ => ContainerKind::Init,
            };
            let name = container.name.as_str();
            (ContainerRef { kind, index, name }, container)
        });
        self.app_containers().chain(init)
    }

    /// Whether a container has a name that no API server stores. Names are compared for each finding, so their length must not
    /// multiply with the number of findings.
    pub fn has_overlong_name(&self) -> bool {
        let containers = self.containers.iter().chain(&self.init_containers);
        containers.into_iter().any(|container| container.name.len() > MAX_NAME)
    }

    /// The container at that position.
    pub(super) fn container(&self, at: ContainerRef<'_>) -> Option<&Container<'a>> {
        let list = match at.kind {
            ContainerKind::App => &self.containers,
            ContainerKind::Sidecar | ContainerKind::Init => &self.init_containers,
        };
        list.get(at.index)
    }
}

/// `spec.template.spec.os`.
#[derive(Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Os<'a> {
    /// `linux` or `windows`.
    #[serde(borrow, default, skip_serializing_if = "unset")]
    pub name: Text<'a>,
}

/// One container.
#[derive(Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Container<'a> {
    /// Name, unique in the pod.
    #[serde(borrow, default, skip_serializing_if = "unset")]
    pub name: Text<'a>,
    /// The reference to its image.
    #[serde(borrow, default, skip_serializing_if = "unset")]
    pub image: Text<'a>,
    /// Requests and limits.
    #[serde(default, deserialize_with = "json::object", skip_serializing_if = "unset")]
    pub resources: Resources,
    /// Security settings of its own.
    #[serde(borrow, default, deserialize_with = "json::object", skip_serializing_if = "unset")]
    pub security_context: SecurityContext<'a>,
    /// How its liveness is probed.
    #[serde(borrow, default, deserialize_with = "json::optional", skip_serializing_if = "unset")]
    pub liveness_probe: Option<Probe<'a>>,
    /// How its readiness is probed.
    #[serde(borrow, default, deserialize_with = "json::optional", skip_serializing_if = "unset")]
    pub readiness_probe: Option<Probe<'a>>,
    /// `Always` makes an init container a native sidecar.
    #[serde(borrow, default, skip_serializing_if = "unset")]
    pub restart_policy: Text<'a>,
}

/// A probe of any kind.
#[derive(Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Probe<'a> {
    /// Set where the probe is an HTTP one.
    #[serde(borrow, default, deserialize_with = "json::optional", skip_serializing_if = "unset")]
    pub http_get: Option<HttpGet<'a>>,
}

/// `httpGet` of a probe.
#[derive(Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct HttpGet<'a> {
    /// The requested path.
    #[serde(borrow, default, skip_serializing_if = "unset")]
    pub path: Text<'a>,
}

/// Requests and limits of a container or a pod.
#[derive(Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Resources {
    /// The limits.
    #[serde(default, deserialize_with = "json::object", skip_serializing_if = "unset")]
    pub limits: ResourceList,
    /// The requests, by which it is scheduled.
    #[serde(default, deserialize_with = "json::object", skip_serializing_if = "unset")]
    pub requests: ResourceList,
}

/// The two resources of a persona. A zero quantity counts as missing and is never stored here.
#[derive(Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct ResourceList {
    /// CPU cores.
    #[serde(
        default,
        deserialize_with = "non_zero_quantity",
        serialize_with = "as_text",
        skip_serializing_if = "unset"
    )]
    pub cpu: Option<Quantity>,
    /// Bytes of memory.
    #[serde(
        default,
        deserialize_with = "non_zero_quantity",
        serialize_with = "as_text",
        skip_serializing_if = "unset"
    )]
    pub memory: Option<Quantity>,
}

impl ResourceList {
    /// True when neither resource is set.
    pub fn is_empty(&self) -> bool {
        self.cpu.is_none() && self.memory.is_none()
    }
}

/// `securityContext` of a pod or a container; pods lack the later fields.
#[derive(Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecurityContext<'a> {
    /// The kubelet does not start it as user 0.
    #[serde(default, skip_serializing_if = "unset")]
    pub run_as_non_root: Option<bool>,
    /// The user it runs as.
    #[serde(default, skip_serializing_if = "unset")]
    pub run_as_user: Option<i64>,
    /// Windows settings.
    #[serde(borrow, default, deserialize_with = "json::object", skip_serializing_if = "unset")]
    pub windows_options: WindowsOptions<'a>,
    /// Whether a process can gain more privileges than its parent; unset means true.
    #[serde(default, skip_serializing_if = "unset")]
    pub allow_privilege_escalation: Option<bool>,
    /// Full access to the host.
    #[serde(default, skip_serializing_if = "unset")]
    pub privileged: Option<bool>,
    /// Whether the root filesystem is mounted read-only; unset means false.
    #[serde(default, skip_serializing_if = "unset")]
    pub read_only_root_filesystem: Option<bool>,
    /// Linux capabilities.
    #[serde(borrow, default, deserialize_with = "json::object", skip_serializing_if = "unset")]
    pub capabilities: Capabilities<'a>,
    /// `Unmasked` opens the whole of `/proc`.
    #[serde(borrow, default, skip_serializing_if = "unset")]
    pub proc_mount: Text<'a>,
}

/// `securityContext.windowsOptions`.
#[derive(Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WindowsOptions<'a> {
    /// Runs on the host itself.
    #[serde(default, skip_serializing_if = "unset")]
    pub host_process: Option<bool>,
    /// The Windows account.
    #[serde(borrow, default, skip_serializing_if = "unset")]
    pub run_as_user_name: Text<'a>,
}

/// `securityContext.capabilities`.
#[derive(Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Capabilities<'a> {
    /// Capabilities added to the runtime's default set.
    #[serde(borrow, default, deserialize_with = "json::values", skip_serializing_if = "unset")]
    pub add: Vec<Text<'a>>,
}

/// `status` of a Scale.
#[derive(Debug, Default, Deserialize)]
pub struct ScaleStatus<'a> {
    /// The pod selector in its string form, such as `app.kubernetes.io/name=orders,tier=web`.
    #[serde(borrow, default)]
    pub selector: Text<'a>,
}

impl ScaleStatus<'_> {
    /// The value the selector demands of one label, where it demands exactly one: `key=value` or `key in (value)`.
    pub fn required_label(&self, key: &str) -> Option<&str> {
        self.required_labels()
            .find_map(|(required, value)| (required == key).then_some(value))
    }

    /// The labels for which it demands exactly one value.
    pub(super) fn required_labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let required = self.selector.as_str().split(',').filter_map(|requirement| {
            // A match expression with one value; of several, the comma has parted it.
            if let Some((key, value)) = requirement.split_once(" in (") {
                return Some((key, value.strip_suffix(')')?));
            }
            let (key, value) = requirement.split_once('=')?;
            Some((key, value.strip_prefix('=').unwrap_or(value)))
        });
        required.filter(|(key, value)| !key.ends_with('!') && !value.is_empty())
    }
}

impl Spec<'_> {
    /// The fields that rules read, as JSON that reads as the same spec again. The index stores this. The selector, which no
    /// rule reads, is not in it.
    pub fn to_json(&self) -> String {
        // Writing these types cannot fail: no map in them has a key that is not a string.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The image of the first container of a spec that [`Spec::to_json`] wrote; empty where there is none. Nothing else is built.
pub fn first_image(spec: &str) -> Text<'_> {
    #[derive(Default, Deserialize)]
    struct OnlySpec<'a> {
        #[serde(borrow, default)]
        template: OnlyTemplate<'a>,
    }
    #[derive(Default, Deserialize)]
    struct OnlyTemplate<'a> {
        #[serde(borrow, default)]
        spec: OnlyPod<'a>,
    }
    #[derive(Default, Deserialize)]
    struct OnlyPod<'a> {
        #[serde(borrow, default)]
        containers: Vec<OnlyContainer<'a>>,
    }
    #[derive(Default, Deserialize)]
    struct OnlyContainer<'a> {
        #[serde(borrow, default)]
        image: Text<'a>,
    }
    let spec: OnlySpec<'_> = serde_json::from_str(spec).unwrap_or_default();
    let first = spec.template.spec.containers.into_iter().next();
    first.map(|container| container.image).unwrap_or_default()
}

/// Whether to omit the field from that text, since it reads as the default again.
fn unset<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn as_text<S: Serializer>(quantity: &Option<Quantity>, serializer: S) -> Result<S::Ok, S::Error> {
    match quantity {
        Some(quantity) => serializer.collect_str(quantity),
        None => serializer.serialize_none(),
    }
}

/// Reads a quantity from its raw JSON, which may be a string or a bare number, as Go's decoder does: without quotes and blanks,
/// and without decoding escapes.
fn non_zero_quantity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Quantity>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?.get();
    if raw == "null" {
        return Ok(None);
    }
    let text = raw
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(raw)
        .trim();
    let quantity = Quantity::parse(text).map_err(de::Error::custom)?;
    Ok(Some(quantity).filter(|quantity| !quantity.is_zero()))
}
