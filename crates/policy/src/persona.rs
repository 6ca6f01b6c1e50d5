//! Parses an ApplicationPersona into the form that the rules use. This happens once, when the persona enters the index. A
//! value that cannot be parsed becomes a problem that is reported; all other values are valid.

use std::collections::BTreeMap;

use super::image::Registries;
use super::level::Levels;
use super::mode::ModeWish;
use super::quantity::Quantity;
use super::selector::Selector;
use super::text::{Shown, cut};
use dorgu_api::ApplicationPersona;
use dorgu_api::application_persona::{self as api, Ownership, Tier};

/// What one ApplicationPersona demands. Absent means "not checked" (contract 1): the schema's defaults were applied
/// before, by the API server or by file mode, and are not repeated here.
#[derive(Clone, Debug, Default)]
pub struct Persona {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `spec.name`, the join key with a Deployment's label.
    pub app: String,
    /// `spec.selector`, where it narrows the persona to some workloads of its app.
    pub selector: Option<Box<Selector>>,
    /// Annotation `dorgu.io/mode`.
    pub mode: ModeWish,
    /// `spec.policies.binding`. Of a default persona: it also governs apps that have a persona of their own.
    pub is_binding: bool,
    /// `spec.tier`. No rule reads it; personas are counted by it.
    pub tier: Tier,
    /// Whether `spec.resources` is there at all, even empty (R3).
    pub has_resources: bool,
    /// `spec.resources.limits`.
    pub limits: PersonaResources,
    /// The limits as they are written, where that is not how we write them (`0.5` for `500m`): a suggestion repeats
    /// them (R1, R2).
    pub limits_as_written: Option<Box<WrittenLimits>>,
    /// `spec.resources.requests`: never compared, offered as the fix for missing requests.
    pub requests: PersonaResources,
    /// `spec.scaling.minReplicas`.
    pub min_replicas: Option<i32>,
    /// `spec.scaling.maxReplicas`.
    pub max_replicas: Option<i32>,
    /// `spec.health.livenessPath`, when not empty.
    pub liveness_path: Option<Box<str>>,
    /// `spec.health.readinessPath`, when not empty.
    pub readiness_path: Option<Box<str>>,
    /// `spec.health.port`.
    pub probe_port: Option<i32>,
    /// `spec.policies.security.runAsNonRoot` is true.
    pub run_as_non_root: bool,
    /// `spec.policies.security.runAsUser`, when it is not root.
    pub run_as_user: Option<i64>,
    /// `spec.policies.security.readOnlyRootFilesystem` is true.
    pub read_only_root_filesystem: bool,
    /// `spec.policies.security.allowPrivilegeEscalation` is false.
    pub forbids_privilege_escalation: bool,
    /// `spec.policies.images`, where it demands anything.
    pub images: Option<Box<Images>>,
    /// `spec.policies.rules`: the levels that it wishes for single rules.
    pub levels: Levels,
    /// `spec.ownership`, as a denial says it; empty where there is none.
    pub contact: Box<str>,
    /// Invalid values, which every answer names.
    pub problems: Vec<Problem>,
}

/// CPU and memory of a persona; a value is absent when it was empty or could not be read.
#[derive(Clone, Debug, Default)]
pub struct PersonaResources {
    /// CPU cores.
    pub cpu: Option<Quantity>,
    /// Bytes of memory.
    pub memory: Option<Quantity>,
}

/// What a persona demands of images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Images {
    /// Where they may come from; absent for everywhere.
    pub registries: Option<Registries>,
    /// Whether the tag `latest` is forbidden.
    pub deny_latest: bool,
    /// Whether a digest is required.
    pub require_digest: bool,
}

impl Images {
    /// `None` where nothing is demanded. `unreadable` gets the entries that are no registries.
    fn parse<'a>(images: &'a api::Images, unreadable: impl FnMut(&'a str)) -> Option<Box<Images>> {
        let list = &images.registries;
        let images = Images {
            registries: (!list.is_empty()).then(|| Registries::parse(list, unreadable)),
            deny_latest: images.deny_latest == Some(true),
            require_digest: images.require_digest == Some(true),
        };
        (images != Images::default()).then(|| Box::new(images))
    }
}

/// Limits in the persona's own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrittenLimits {
    /// `spec.resources.limits.cpu`.
    pub cpu: Box<str>,
    /// `spec.resources.limits.memory`.
    pub memory: Box<str>,
}

/// Longest requirement of a selector that is kept where it cannot be read.
const MAX_REQUIREMENT: usize = 256;

/// Longest value of a contact that is kept: there are many personas, and a denial is read by people.
const MAX_CONTACT: usize = 256;

/// Whom to talk to about an application, and what to read: `team checkout, on call #checkout`. Empty where the persona does not
/// say.
fn contact(ownership: &Ownership) -> Box<str> {
    let parts = [
        ("team", &ownership.team),
        ("owner", &ownership.owner),
        ("on call", &ownership.oncall),
        ("runbook", &ownership.runbook),
    ];
    let said = parts.into_iter().filter_map(|(what, value)| {
        let value = value.as_deref().map(str::trim).filter(|value| !value.is_empty())?;
        Some(format!("{what} {}", cut(Shown(value), MAX_CONTACT)))
    });
    said.collect::<Vec<_>>().join(", ").into()
}

/// An invalid value of a persona.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field, such as `spec.resources.limits.cpu`.
    pub field: &'static str,
    /// The value.
    pub value: String,
    /// What is wrong with it.
    pub flaw: Flaw,
}

/// What is wrong with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It is no quantity: its check is skipped.
    Unreadable,
    /// It is no whole number of bytes, such as `512m`, which is half a byte where 512 MiB were meant. Its check is made.
    FractionOfAByte,
    /// It does not name a registry, so it allows no image.
    NotARegistry,
    /// It is no requirement of a label selector, so it narrows nothing.
    NotARequirement,
    /// A default persona is not narrowed.
    NarrowedDefault,
}

impl Flaw {
    /// What follows the value.
    pub fn as_str(self) -> &'static str {
        match self {
            Flaw::Unreadable => "is not a quantity; check skipped",
            Flaw::FractionOfAByte => "is no whole number of bytes; m is a thousandth, M and Mi are millions",
            Flaw::NotARegistry => "is not a registry such as ghcr.io or ghcr.io/acme; it allows nothing",
            Flaw::NotARequirement => "is no requirement of a label selector; it narrows nothing",
            Flaw::NarrowedDefault => "does not narrow a default persona; remove it",
        }
    }

    /// Whether it is one of `spec.selector`, which upstream's rules do not read.
    pub fn is_of_a_selector(self) -> bool {
        matches!(self, Flaw::NotARequirement | Flaw::NarrowedDefault)
    }

    /// What to write instead.
    pub(super) fn example(self) -> &'static str {
        match self {
            Flaw::Unreadable | Flaw::FractionOfAByte => "a quantity such as 500m or 1Gi",
            Flaw::NotARegistry => "registries such as ghcr.io or ghcr.io/acme",
            Flaw::NotARequirement => "requirements such as matchLabels: {tier: api}",
            Flaw::NarrowedDefault => "nothing",
        }
    }
}

/// The `spec.name` of a default persona, which governs the apps that have no persona of their own. No label has this value.
pub const DEFAULT_APP: &str = "*";

impl Persona {
    /// Whether it governs the apps that have no persona of their own.
    pub fn is_default(&self) -> bool {
        self.app == DEFAULT_APP
    }

    /// The same persona as objects of other namespaces are judged by it: answers name its namespace, too.
    #[must_use]
    pub fn for_other_namespaces(&self) -> Persona {
        Persona {
            name: format!("{}/{}", self.namespace, self.name),
            ..self.clone()
        }
    }

    /// Whether an answer carries a note about this persona itself.
    pub(super) fn has_notes(&self) -> bool {
        !self.problems.is_empty() || matches!(self.mode, ModeWish::Unknown(_) | ModeWish::Misplaced(_))
    }

    /// The requests to offer a container that has none, CPU first: the persona's, or its limits where it names no requests.
    pub(super) fn offered_requests(&self) -> [Option<&Quantity>; 2] {
        [
            self.requests.cpu.as_ref().or(self.limits.cpu.as_ref()),
            self.requests.memory.as_ref().or(self.limits.memory.as_ref()),
        ]
    }

    /// Reads a persona. Nothing fails: what cannot be read becomes a [`Problem`] and its check is skipped.
    pub fn parse(object: &ApplicationPersona) -> Persona {
        let spec = &object.spec;
        let mut problems = Vec::new();
        let mut quantity = |text: Option<&String>, field: &'static str| {
            let text = text.filter(|text| !text.is_empty())?;
            let quantity = Quantity::parse(text).ok();
            let flaw = match &quantity {
                None => Some(Flaw::Unreadable),
                // `1.2Mi` is no whole number either, and megabytes are not what is meant by it.
                Some(quantity) if field.ends_with(".memory") && text.ends_with('m') && !quantity.is_whole() => {
                    Some(Flaw::FractionOfAByte)
                }
                Some(_) => None,
            };
            let value = || text.clone();
            problems.extend(flaw.map(|flaw| Problem {
                field,
                value: value(),
                flaw,
            }));
            quantity
        };
        let resources = spec.resources.as_ref();
        let limits = resources.and_then(|resources| resources.limits.as_ref());
        let requests = resources.and_then(|resources| resources.requests.as_ref());
        let written = WrittenLimits {
            cpu: limits.and_then(|list| list.cpu.as_deref()).unwrap_or_default().into(),
            memory: limits
                .and_then(|list| list.memory.as_deref())
                .unwrap_or_default()
                .into(),
        };
        let limits = PersonaResources {
            cpu: quantity(limits.and_then(|list| list.cpu.as_ref()), "spec.resources.limits.cpu"),
            memory: quantity(
                limits.and_then(|list| list.memory.as_ref()),
                "spec.resources.limits.memory",
            ),
        };
        // Requests are checked for presence only, so one that cannot be read skips no check: it is just not offered.
        let offer = |text: Option<&String>| text.and_then(|text| Quantity::parse(text).ok());
        let requests = PersonaResources {
            cpu: offer(requests.and_then(|list| list.cpu.as_ref())),
            memory: offer(requests.and_then(|list| list.memory.as_ref())),
        };
        let as_we_write = |quantity: &Option<Quantity>, written: &str| {
            quantity.as_ref().is_none_or(|quantity| quantity.to_string() == written)
        };
        let plain = as_we_write(&limits.cpu, &written.cpu) && as_we_write(&limits.memory, &written.memory);
        let scaling = spec.scaling.as_ref();
        let health = spec.health.as_ref();
        let policies = spec.policies.as_ref();
        let security = policies.and_then(|policies| policies.security.as_ref());
        let images = policies.and_then(|policies| policies.images.as_ref());
        let images = images.and_then(|images| {
            Images::parse(images, |entry| {
                problems.push(Problem {
                    field: "spec.policies.images.registries",
                    value: entry.to_owned(),
                    flaw: Flaw::NotARegistry,
                });
            })
        });
        let mut flawed = |field, text: &str, flaw| {
            let value = cut(Shown(text), MAX_REQUIREMENT);
            problems.push(Problem { field, value, flaw });
        };
        let selector = spec.selector.as_ref().and_then(|selector| {
            if spec.name == DEFAULT_APP {
                flawed("spec.selector", "", Flaw::NarrowedDefault);
                return None;
            }
            Selector::parse(selector, |field, text| flawed(field, &text, Flaw::NotARequirement))
        });
        let annotations = object.metadata.annotations.as_ref();
        let mode = |map: Option<&BTreeMap<String, String>>| map?.get(ModeWish::KEY).cloned();
        Persona {
            namespace: object.metadata.namespace.clone().unwrap_or_default(),
            name: object.metadata.name.clone().unwrap_or_default(),
            app: spec.name.clone(),
            selector,
            mode: ModeWish::read_beside(mode(annotations), mode(object.metadata.labels.as_ref())),
            is_binding: policies.and_then(|policies| policies.binding) == Some(true),
            tier: spec.tier.unwrap_or_default(),
            has_resources: resources.is_some(),
            limits,
            limits_as_written: (!plain).then(|| Box::new(written)),
            requests,
            min_replicas: scaling.and_then(|scaling| scaling.min_replicas),
            max_replicas: scaling.and_then(|scaling| scaling.max_replicas),
            liveness_path: health
                .and_then(|health| health.liveness_path.as_deref())
                .filter(|path| !path.is_empty())
                .map(Into::into),
            readiness_path: health
                .and_then(|health| health.readiness_path.as_deref())
                .filter(|path| !path.is_empty())
                .map(Into::into),
            probe_port: health.and_then(|health| health.port),
            run_as_non_root: security.and_then(|security| security.run_as_non_root) == Some(true),
            run_as_user: security
                .and_then(|security| security.run_as_user)
                // Nor one that no API server takes.
                .filter(|user| (1..=i64::from(i32::MAX)).contains(user)),
            read_only_root_filesystem: security.and_then(|s| s.read_only_root_filesystem) == Some(true),
            forbids_privilege_escalation: security.and_then(|s| s.allow_privilege_escalation) == Some(false),
            contact: spec.ownership.as_ref().map(contact).unwrap_or_default(),
            images,
            levels: Levels::from(policies.map_or(&[][..], |policies| &policies.rules)),
            problems,
        }
    }
}
