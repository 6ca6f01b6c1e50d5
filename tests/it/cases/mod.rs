//! The corpus: `tests/cases/<family>/<sentence>.yaml`, each with a question and the expected answer for each rule set and mode.
//! Every entry point runs it: `policy` calls the pure decision, `webhook` sends it over HTTP, in `cluster::corpus` a real API
//! server calls the real process.

mod check;
mod docs;
mod doctor;
mod policy;
pub mod webhook;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

use dorgu::api::levels::PlatformRule;
use dorgu::api::{API_VERSION, ApplicationPersona, PersonaException};
use dorgu::index::Snapshot;
use dorgu::policy::answer::Help;
use dorgu::policy::{
    Exception, Governed, Joint, Mode, ModeWish, Moment, Names, ObjectLabels, Persona, PlatformRules, RuleSet,
};

/// One file of the corpus.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Case {
    /// ApplicationPersonas as stored, that is with the schema's defaults already in them.
    pub personas: Vec<Value>,
    /// Namespaces, for their labels.
    #[serde(default)]
    pub namespaces: Vec<Value>,
    /// `spec.policies.rules` of a ClusterPersona.
    #[serde(default)]
    pub platform: Vec<PlatformRule>,
    /// PersonaExceptions.
    #[serde(default)]
    pub exceptions: Vec<Value>,
    /// The time, where there are exceptions.
    #[serde(default)]
    pub now: Option<String>,
    /// `--exception-help` and `--docs-url`.
    #[serde(default)]
    pub help: Words,
    /// `--match`, `label` when absent.
    #[serde(default)]
    pub matching: Option<String>,
    /// `--require-label`.
    #[serde(default)]
    pub requires_label: bool,
    /// `--default-personas-namespace`.
    #[serde(default)]
    pub default_personas_namespace: Option<String>,
    /// The Deployment to be stored.
    #[serde(default)]
    pub deployment: Option<Value>,
    /// The stored Deployment: makes the question an update.
    #[serde(default)]
    pub old_deployment: Option<Value>,
    /// The Scale to be stored; the question is an update.
    #[serde(default)]
    pub scale: Option<Value>,
    /// The stored Scale.
    #[serde(default)]
    pub old_scale: Option<Value>,
    /// The whole AdmissionReview, where it is itself the point.
    #[serde(default)]
    pub review: Option<Value>,
    /// What must be answered.
    pub expect: Expect,
    /// The bypass classes of docs/bypass.md that this case closes.
    #[serde(default)]
    pub closes: Vec<u8>,
    #[serde(skip)]
    pub file: PathBuf,
}

/// What a denial says besides its findings.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Words {
    #[serde(default)]
    pub exceptions: String,
    #[serde(default)]
    pub docs_url: String,
}

impl Words {
    pub fn to_help(&self) -> Help {
        Help {
            exceptions: self.exceptions.clone(),
            docs_url: self.docs_url.clone(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    pub complete: Option<Modes>,
    pub upstream: Option<Modes>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Modes {
    pub advisory: Option<Answer>,
    pub enforcing: Option<Answer>,
    /// The same in both modes.
    pub both: Option<Answer>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    pub allowed: bool,
    pub message: String,
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// The personas that govern an object with this label, among all its labels.
pub fn governed<'s>(
    (snapshot, set): (&'s Snapshot, RuleSet),
    namespace: &str,
    label: &'s str,
    labels: ObjectLabels<'_>,
    place: &'s mut Option<Joint>,
) -> Governed<'s> {
    let names = Names {
        label,
        ..Names::default()
    };
    match set {
        RuleSet::Complete => snapshot.governed(namespace, names, labels, place),
        RuleSet::Upstream => snapshot.governed_by_name(namespace, names),
    }
}

impl Case {
    /// Runs every case, rule set and mode through one entry point. `ask` returns its answer, or `None` where the case cannot be
    /// expressed there. At least `floor` must have been asked, so that no entry point covers fewer cases unnoticed.
    pub fn check(floor: usize, mut ask: impl FnMut(&Case, RuleSet, Mode) -> Option<Answer>) {
        let (mut asked, mut wrong) = (0, Vec::new());
        for case in Case::all() {
            for (set, mode) in Case::COLUMNS {
                let Some((expected, got)) = case.answer(set, mode).zip(ask(&case, set, mode)) else {
                    continue;
                };
                asked += 1;
                if got != *expected {
                    let name = case.name();
                    wrong.push(format!(
                        "{name} ({set:?}, {mode}):\n  expected {expected:#?}\n  got {got:#?}"
                    ));
                }
            }
        }
        let differ = wrong.len();
        assert!(
            wrong.is_empty(),
            "{differ} of {asked} answers differ\n{}",
            wrong.join("\n")
        );
        assert!(
            asked >= floor,
            "only {asked} of the corpus were asked here, and {floor} were before"
        );
    }

    /// Every rule set in every mode.
    pub const COLUMNS: [(RuleSet, Mode); 4] = [
        (RuleSet::Complete, Mode::Advisory),
        (RuleSet::Complete, Mode::Enforcing),
        (RuleSet::Upstream, Mode::Advisory),
        (RuleSet::Upstream, Mode::Enforcing),
    ];

    /// What is expected there, if the case speaks of it.
    pub fn answer(&self, set: RuleSet, mode: Mode) -> Option<&Answer> {
        let modes = match set {
            RuleSet::Complete => self.expect.complete.as_ref()?,
            RuleSet::Upstream => self.expect.upstream.as_ref()?,
        };
        let answer = match mode {
            Mode::Advisory => &modes.advisory,
            Mode::Enforcing => &modes.enforcing,
        };
        answer.as_ref().or(modes.both.as_ref())
    }

    /// The corpus, sorted by path.
    pub fn all() -> Vec<Case> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
        let mut files = Vec::new();
        for family in std::fs::read_dir(&root).expect("tests/cases is there") {
            let family = family.expect("readable").path();
            if family.is_dir() {
                let entries = std::fs::read_dir(&family).expect("readable");
                files.extend(entries.map(|entry| entry.expect("readable").path()));
            }
        }
        files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
        files.sort();
        files.into_iter().map(|file| Case::read(&file)).collect()
    }

    fn read(file: &Path) -> Case {
        let text = std::fs::read_to_string(file).expect("readable");
        let mut case: Case =
            serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        case.file = file.to_owned();
        case
    }

    /// `family/sentence`.
    pub fn name(&self) -> String {
        let parts: Vec<_> = self
            .file
            .iter()
            .rev()
            .take(2)
            .map(|part| part.to_string_lossy().into_owned())
            .collect();
        format!("{}/{}", parts[1], parts[0].trim_end_matches(".yaml"))
    }

    /// What the index would hold.
    pub fn snapshot(&self) -> Snapshot {
        let personas = self.personas.iter().map(|value| {
            let object: ApplicationPersona =
                serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{}: {error}", self.name()));
            let mut persona = Persona::parse(&object);
            if persona.namespace.is_empty() {
                "default".clone_into(&mut persona.namespace);
            }
            persona.into()
        });
        let namespaces = self.namespaces.iter().map(|value| {
            let name = value["metadata"]["name"]
                .as_str()
                .expect("a namespace has a name")
                .to_owned();
            (
                name,
                ModeWish::read_beside(
                    value["metadata"]["labels"][ModeWish::KEY].as_str(),
                    value["metadata"]["annotations"][ModeWish::KEY].as_str(),
                ),
            )
        });
        let exceptions = self.exceptions.iter().map(|value| {
            let mut value = value.clone();
            value["apiVersion"] = json!(API_VERSION);
            value["kind"] = json!("PersonaException");
            let object: PersonaException =
                serde_json::from_value(value).unwrap_or_else(|error| panic!("{}: {error}", self.name()));
            Exception::parse(&object).unwrap_or_else(|error| panic!("{}: {error}", self.name()))
        });
        let snapshot = Snapshot::build(personas, namespaces).granting(exceptions);
        snapshot.requiring(PlatformRules::of_cluster([&*self.platform]))
    }

    /// The time at which it is judged.
    pub fn moment(&self) -> Moment {
        let now = self.now.as_deref().unwrap_or("1970-01-01T00:00:00Z");
        let now: jiff::Timestamp = now.parse().unwrap_or_else(|error| panic!("{}: {error}", self.name()));
        Moment(now.as_second())
    }

    /// The AdmissionReview an API server would send.
    pub fn review(&self) -> Value {
        if let Some(review) = &self.review {
            return review.clone();
        }
        let (kind, new, old, subresource) = match (&self.deployment, &self.scale) {
            (Some(new), None) => ("Deployment", new, &self.old_deployment, None),
            (None, Some(new)) => ("Scale", new, &self.old_scale, Some("scale")),
            _ => panic!("{}: exactly one of deployment, scale, review", self.name()),
        };
        let group = if kind == "Scale" { "autoscaling" } else { "apps" };
        let namespace = new["metadata"]["namespace"].as_str().unwrap_or("default");
        let stored = |object: &Value| {
            let mut object = object.clone();
            object["apiVersion"] = json!(format!("{group}/v1"));
            object["kind"] = json!(kind);
            object["metadata"]["namespace"] = json!(namespace);
            object
        };
        let mut request = json!({
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": group, "version": "v1", "kind": kind},
            "resource": {"group": "apps", "version": "v1", "resource": "deployments"},
            "name": new["metadata"]["name"],
            "namespace": namespace,
            "operation": if old.is_some() || kind == "Scale" { "UPDATE" } else { "CREATE" },
            "userInfo": {"username": "jane", "groups": ["system:authenticated"]},
            "object": stored(new),
            "oldObject": old.as_ref().map(stored),
            "dryRun": false,
            "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
        });
        if let Some(subresource) = subresource {
            request["subResource"] = json!(subresource);
        }
        json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request})
    }
}
