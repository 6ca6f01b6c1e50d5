//! The format of a suite: a YAML document of kind `PersonaTest`. Its JSON Schema is made of these types.

use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::api::API_VERSION;
use crate::api::levels::{Level, RuleName};
use crate::files::SUITE_KIND;
use crate::manifest::Node;
use crate::policy::Rule;
use crate::report::Problem;

/// Tests of personas: which findings they have about Deployments.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Suite {
    /// The version of this format.
    #[schemars(schema_with = "api_version")]
    pub api_version: String,
    /// The kind of this file. No cluster has it.
    #[schemars(schema_with = "kind")]
    pub kind: String,
    /// Names the suite.
    pub metadata: Metadata,
    /// The namespace of objects that name none. Without it, that of the flag --namespace.
    pub namespace: Option<String>,
    /// When the Deployments are judged, for exceptions that begin and end, such as 2027-01-31T00:00:00Z. Without it, now.
    #[serde(default)]
    #[schemars(schema_with = "time")]
    pub at: Option<String>,
    /// Settings of the installation. What is left out is as the flags of `dorgu test` say.
    #[serde(default)]
    pub settings: Settings,
    /// Personas, and PersonaExceptions, ClusterPersonas and Namespaces: paths of files or folders, relative to this file, or the
    /// objects themselves.
    #[serde(default)]
    pub personas: Vec<Given>,
    /// Namespaces with their labels.
    #[serde(default)]
    pub namespaces: Vec<NamespaceGiven>,
    /// The Deployments that tests name: paths, relative to this file, or the objects themselves.
    #[serde(default)]
    pub deployments: Vec<Given>,
    /// What Deployments of the same namespace and name replace. Without one, a Deployment is created.
    #[serde(default)]
    pub old_deployments: Vec<Given>,
    /// The tests, each of one Deployment.
    pub tests: Vec<Test>,
}

/// Names the suite.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// The name that reports have.
    pub name: String,
}

/// Settings of the installation: flags of `dorgu serve` have the same names and meanings.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// The mode of the process (--webhook-mode). A namespace and a persona may only be stricter.
    pub mode: Option<ModeWord>,
    /// The rules (--rules).
    pub rules: Option<RulesWord>,
    /// Which names match a Deployment to its personas (--match).
    #[serde(rename = "match")]
    pub matching: Option<MatchWord>,
    /// Whether a Deployment without the label app.kubernetes.io/name is a finding (--require-label).
    pub require_label: Option<bool>,
    /// The namespace whose default personas also govern other namespaces (--default-personas-namespace).
    pub default_personas_namespace: Option<String>,
    /// Levels that the platform requires (--rule-level), by rule. All those of flags are replaced.
    pub rule_levels: Option<BTreeMap<String, Level>>,
    /// Rules that no persona may lower and no exception cover (--rule-locked). All those of flags are replaced.
    pub rules_locked: Option<Vec<RuleName>>,
    /// How long an exception may last (--exception-max), such as 90d.
    pub exception_max: Option<String>,
}

/// A mode.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ModeWord {
    /// Nothing is denied.
    Advisory,
    /// Errors deny.
    Enforcing,
}

/// A set of rules.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RulesWord {
    /// What a persona means.
    Complete,
    /// What the Go operator checks.
    Upstream,
}

/// How a Deployment is matched.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MatchWord {
    /// By app.kubernetes.io/name.
    Label,
    /// Also by label app, name and selector.
    Chain,
}

/// A Namespace, as far as it matters.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamespaceGiven {
    /// Its name.
    pub name: String,
    /// Its labels: `dorgu.io/mode` is its mode, and without `dorgu.io/validate: "true"` no API server sends its Deployments.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// A path, relative to the folder of the suite, or the object itself.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub enum Given {
    /// The path of a file or a folder.
    Path(String),
    /// The object itself. It is read where it stands, so that messages name its line.
    Object(Map<String, Value>),
}

/// What is expected of one Deployment.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Test {
    /// The name of the test. Without it, that of the Deployment.
    pub name: Option<String>,
    /// The Deployment, as NAME or NAMESPACE/NAME: one of `deployments`, or of `new`. It can be left out where `new` holds only
    /// one.
    pub deployment: Option<String>,
    /// The Deployment of this test, instead of one of the suite: a path, or the object itself.
    pub new: Option<Given>,
    /// What it replaces, instead of one of `oldDeployments`: a path, or the object itself.
    pub old: Option<Given>,
    /// Whether an API server would store it. An error denies where the process, the namespace or the persona is enforcing.
    pub allowed: Option<bool>,
    /// Whether any persona governs it. A test that says nothing here and finds nothing fails where none does.
    pub governed: Option<bool>,
    /// The findings: none, or a list. Without it, findings are not compared.
    pub findings: Option<Findings>,
    /// What happens to errors and warnings that are not in `findings`. Infos (level audit) are compared only where they are
    /// named.
    #[serde(default)]
    pub other_findings: Others,
}

/// The findings of a Deployment.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub enum Findings {
    /// No error and no warning.
    None(NoneWord),
    /// These.
    List(Vec<Expected>),
}

/// The word for no findings.
#[derive(Clone, Copy, Debug, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum NoneWord {
    /// No finding.
    None,
}

/// What happens to findings that are not expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Others {
    /// They fail the test.
    #[default]
    Fail,
    /// They do not.
    Ignore,
}

/// A finding that is expected. It stands for all findings that agree with what it says; there must be one.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Expected {
    /// The rule.
    #[schemars(schema_with = "rule")]
    pub rule: String,
    /// The container. Without it, any, and findings about none.
    pub container: Option<String>,
    /// The severity. Without it, any.
    pub severity: Option<SeverityWord>,
    /// Whether it counts: new does, before (the old Deployment had it) and excepted (an exception covers it) do not. Without it,
    /// any.
    pub standing: Option<StandingWord>,
    /// The persona whose demand it is. Without it, any.
    pub persona: Option<String>,
}

/// A severity.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SeverityWord {
    /// Level audit.
    Info,
    /// Level warn, or an error that an exception covers.
    Warning,
    /// Level deny.
    Error,
}

/// Whether a finding counts.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StandingWord {
    /// It counts.
    New,
    /// The old Deployment had it, and it did not get worse.
    Before,
    /// An exception covers it.
    Excepted,
}

fn api_version(_: &mut schemars::SchemaGenerator) -> Schema {
    json_schema!({"const": API_VERSION})
}

fn kind(_: &mut schemars::SchemaGenerator) -> Schema {
    json_schema!({"const": SUITE_KIND})
}

fn rule(_: &mut schemars::SchemaGenerator) -> Schema {
    json_schema!({"enum": Rule::ALL.map(Rule::name)})
}

fn time(_: &mut schemars::SchemaGenerator) -> Schema {
    json_schema!({"type": ["string", "null"], "format": "date-time"})
}

/// The JSON Schema of suites.
pub fn schema() -> Schema {
    schemars::schema_for!(Suite)
}

/// Reads a suite.
///
/// # Errors
/// What is wrong and where.
pub(super) fn parse(file: &str, node: &Node) -> Result<Suite, Problem> {
    // A document of a typed kind: it was found by these two.
    serde_path_to_error::deserialize(node.to_value()).map_err(|error| {
        let pointer = pointer(error.path());
        let line = node.nearest(&pointer).line();
        let field = match pointer.as_str() {
            "" => String::new(),
            _ => format!("{}: ", error.path()),
        };
        problem(file, line, format!("{field}{}", error.inner()))
    })
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let step = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { .. } | Segment::Unknown => String::new(),
    };
    path.iter().map(step).collect()
}

pub(super) fn problem(file: &str, line: usize, reason: String) -> Problem {
    Problem {
        file: file.to_owned(),
        line: Some(line),
        reason,
    }
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Given;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path or an object")
            }

            fn visit_str<E: Error>(self, path: &str) -> Result<Given, E> {
                match path {
                    "" => Err(E::custom("an empty path; write one relative to the suite's folder")),
                    path => Ok(Given::Path(path.to_owned())),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Given, A::Error> {
                Map::deserialize(MapAccessDeserializer::new(map)).map(Given::Object)
            }
        }
        deserializer.deserialize_any(Read)
    }
}

impl<'de> Deserialize<'de> for Findings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Findings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("none or a list of findings")
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<Findings, E> {
                match word {
                    "none" => Ok(Findings::None(NoneWord::None)),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(word), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Findings, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Findings::List)
            }
        }
        deserializer.deserialize_any(Read)
    }
}
