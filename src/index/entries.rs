//! Defines the entries of the index, one type for each kind. An entry has only the fields that an answer or a status needs.

use std::sync::Arc;

use super::fingerprint::StatusFingerprint;
use super::table::Keyed;
use crate::api::levels::PlatformRule;
use crate::policy::exception::Target;
use crate::policy::text::Text;
use crate::policy::workload::first_image;
use crate::policy::{Exception, Matching, ModeWish, Names, ObjectLabels, Persona};

/// A persona, with the data that shows whether the object behind it has changed.
#[derive(Clone, Debug)]
pub struct StoredPersona {
    /// Differs when any field that the persona is parsed from differs, and when the object was deleted and created again. 0
    /// when the source has no version.
    pub version: u64,
    /// `metadata.generation`; 0 where there is none.
    pub generation: i64,
    /// The fingerprint of its current status; `None` without a status.
    pub status: Option<StatusFingerprint>,
    /// The persona.
    pub persona: Arc<Persona>,
}

impl StoredPersona {
    /// Whether both hold the same demands of the same object. Their status may differ.
    pub(super) fn demands_same(&self, other: &StoredPersona) -> bool {
        self.version != 0 && self.version == other.version && self.generation == other.generation
    }
}

impl Keyed for StoredPersona {
    fn key(&self) -> (&str, &str) {
        (&self.persona.namespace, &self.persona.name)
    }

    fn same(&self, other: &StoredPersona) -> bool {
        self.demands_same(other) && self.status == other.status
    }
}

/// Keyed by app. Several of one app are ordered by name.
impl Keyed for Persona {
    fn key(&self) -> (&str, &str) {
        (&self.namespace, &self.app)
    }

    fn rank(&self) -> &str {
        &self.name
    }

    /// Unused: this table is built from the table by name, which reuses equal entries.
    fn same(&self, other: &Persona) -> bool {
        std::ptr::eq(self, other)
    }
}

/// A namespace; only metadata is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Its name.
    pub name: Box<str>,
    /// The mode that the label `dorgu.io/mode` requests.
    pub mode: ModeWish,
    /// Whether the label `dorgu.io/validate` has its Deployments checked.
    pub is_opted_in: bool,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// The uid of `kube-system`, which identifies the cluster. Empty for other namespaces.
    pub uid: Box<str>,
}

impl Namespace {
    /// The namespace whose uid stands for the cluster's, since a cluster has none of its own.
    pub const OF_CLUSTER: &str = "kube-system";
}

impl Keyed for Namespace {
    fn key(&self) -> (&str, &str) {
        ("", &self.name)
    }

    fn same(&self, other: &Namespace) -> bool {
        self == other
    }
}

/// What one ClusterPersona requires of single rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterRules {
    /// Its name.
    pub name: Box<str>,
    /// `spec.policies.rules`.
    pub rules: Box<[PlatformRule]>,
}

impl Keyed for ClusterRules {
    fn key(&self) -> (&str, &str) {
        ("", &self.name)
    }

    fn same(&self, other: &ClusterRules) -> bool {
        self == other
    }
}

/// An exception, with the data that shows whether its status is up to date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredException {
    /// `metadata.generation`; 0 where there is none.
    pub generation: i64,
    /// The fingerprint of its current status; `None` without a status.
    pub status: Option<u64>,
    /// The exception.
    pub exception: Arc<Exception>,
}

impl Keyed for StoredException {
    fn key(&self) -> (&str, &str) {
        (&self.exception.namespace, &self.exception.name)
    }

    fn same(&self, other: &StoredException) -> bool {
        self == other
    }
}

/// Keyed by what it is for. Several for the same are ordered by name.
impl Keyed for Exception {
    fn key(&self) -> (&str, &str) {
        let (Target::App(target) | Target::Deployment(target)) = &self.target;
        (&self.namespace, target)
    }

    fn rank(&self) -> &str {
        &self.name
    }

    /// Unused: this table is built from the table by name, which reuses equal entries.
    fn same(&self, other: &Exception) -> bool {
        std::ptr::eq(self, other)
    }
}

/// A Deployment: the fields that name its app (a Scale carries none of them), and those that a controller judges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deployment {
    /// `metadata.namespace`.
    pub namespace: Box<str>,
    /// `metadata.name`.
    pub name: Box<str>,
    /// Its labels.
    pub labels: AppLabels,
    /// `metadata.labels` as JSON, which the selectors of personas are matched against; empty where there are none.
    pub all_labels: Box<str>,
    /// `spec.selector.matchLabels`; may be empty where `--match` does not read it.
    pub selected: AppLabels,
    /// The running state; `None` where no field names an app, since then no one reads it.
    pub running: Option<Box<Running>>,
}

/// The fields of a Deployment from which a status is derived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// The fields of `spec` that rules read, as [`crate::policy::workload::Spec::to_json`] writes them; or why they cannot be
    /// read.
    pub spec: Result<Box<str>, Box<str>>,
    /// Image of the first container where `spec` cannot be read, which has it otherwise; empty when it has none.
    pub unread_image: Box<str>,
    /// `status.replicas`.
    pub replicas: i32,
    /// `status.readyReplicas`.
    pub ready: i32,
    /// Condition Available has status True.
    pub available: bool,
    /// Condition Progressing has status True.
    pub progressing: bool,
}

impl Default for Running {
    /// A new Deployment without containers.
    fn default() -> Running {
        Running {
            spec: Ok("{}".into()),
            unread_image: Box::default(),
            replicas: 0,
            ready: 0,
            available: false,
            progressing: false,
        }
    }
}

impl Running {
    /// Image of the first container; empty when it has none.
    pub fn image(&self) -> Text<'_> {
        match &self.spec {
            Ok(spec) => first_image(spec),
            Err(_) => (&*self.unread_image).into(),
        }
    }
}

impl Deployment {
    /// The names by which it is matched to an app.
    pub fn names(&self) -> Names<'_> {
        Names {
            label: &self.labels.name,
            app: &self.labels.app,
            name: &self.name,
            selected_label: &self.selected.name,
            selected_app: &self.selected.app,
        }
    }

    /// Its labels, for the selectors of personas.
    pub fn object_labels(&self) -> ObjectLabels<'_> {
        ObjectLabels::Json(&self.all_labels)
    }

    /// The apps it may belong to, each once.
    pub(super) fn apps(&self, matching: Matching) -> Vec<&str> {
        let mut apps: Vec<&str> = Vec::new();
        for (_, app) in self.names().in_order(matching) {
            if !apps.contains(&app) {
                apps.push(app);
            }
        }
        apps
    }

    /// Removes the fields that are never read: with `--match label` the other names, and for a Deployment that names no app
    /// everything but its existence.
    pub(super) fn slim(mut self, matching: Matching) -> Deployment {
        if matching == Matching::Label {
            self.labels.app = Box::default();
            self.selected = AppLabels::default();
        }
        if self.names().in_order(matching).next().is_none() {
            self.running = None;
            self.all_labels = Box::default();
        }
        self
    }
}

/// Every Deployment that may belong to one app of a namespace; never empty.
#[derive(Debug)]
pub(super) struct AppDeployments {
    pub(super) app: Box<str>,
    /// By name.
    pub(super) deployments: Box<[Arc<Deployment>]>,
}

impl Keyed for AppDeployments {
    fn key(&self) -> (&str, &str) {
        let first = self.deployments.first();
        (first.map_or("", |first| &first.namespace), &self.app)
    }

    fn same(&self, other: &AppDeployments) -> bool {
        self.deployments.len() == other.deployments.len()
            && self
                .deployments
                .iter()
                .zip(&other.deployments)
                .all(|(here, there)| Arc::ptr_eq(here, there))
    }
}

/// The labels that can name an app; empty where absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppLabels {
    /// `app.kubernetes.io/name`.
    pub name: Box<str>,
    /// `app`.
    pub app: Box<str>,
}

impl Keyed for Deployment {
    fn key(&self) -> (&str, &str) {
        (&self.namespace, &self.name)
    }

    fn same(&self, other: &Deployment) -> bool {
        self == other
    }
}
