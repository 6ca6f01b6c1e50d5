//! `dorgu persona simulate`: which running Deployments would change verdict, if personas were applied.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use clap::Args;
use k8s_openapi::api::apps::v1::Deployment;

use super::super::cluster::{Cluster, block_on};
use super::super::{complain, one_line, print, values};
use super::connection::Connection;
use crate::api::levels::{Level, RuleName};
use crate::doctor::{Setup, Wanted};
use crate::files::DEFAULT_NAMESPACE;
use crate::impact::Impact;
use crate::k8s::{Client, Name, Resource, get};
use crate::policy::exception::MaxLength;
use crate::policy::{Matching, Mode, Persona, PlatformRules, RuleSet, Rulebook};
use crate::serve::parts;
use crate::simulate::{Objects, Reach, fill_from_cluster, fill_from_files, simulate};
use crate::world::Deciding;

/// Some Deployments would be denied that are not today.
const DENIED: u8 = 1;
/// Something could not be read.
const FAILED: u8 = 2;

#[derive(Debug, Args)]
pub(in crate::cli) struct Flags {
    /// The personas: a file, a folder, or standard input (-). Repeatable; all are applied together.
    #[arg(long = "filename", short = 'f', value_name = "PATH", required = true)]
    files: Vec<PathBuf>,
    /// Compare with the personas, Namespaces and Deployments of this folder, and connect to no cluster
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
    /// The operator whose settings count, as NAMESPACE/NAME of its Deployment; what a flag here sets is not read from it.
    #[arg(long, value_name = "NAME", default_value = "dorgu-system/dorgu-operator", value_parser = operator)]
    operator: Name,
    /// The process's mode, as for serve: advisory or enforcing [default: the operator's]
    #[arg(long, value_name = "MODE", env = "DORGU_WEBHOOK_MODE", value_parser = values::mode)]
    webhook_mode: Option<Mode>,
    /// Which rules, as for serve: complete or upstream [default: the operator's]
    #[arg(long, value_name = "SET", env = "DORGU_RULES", value_parser = values::rules)]
    rules: Option<RuleSet>,
    /// How Deployments are matched, as for serve: label or chain [default: the operator's]
    #[arg(long = "match", value_name = "HOW", env = "DORGU_MATCH", value_parser = values::matching)]
    matching: Option<Matching>,
    /// Whether Deployments without the app label are findings, as for serve [default: the operator's]
    #[arg(long, value_name = "BOOL", env = "DORGU_REQUIRE_LABEL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    require_label: Option<bool>,
    /// The namespace whose default personas also govern others, as for serve [default: the operator's]
    #[arg(long, value_name = "NAME", env = "DORGU_DEFAULT_PERSONAS_NAMESPACE")]
    default_personas_namespace: Option<String>,
    /// What happens to the findings of a rule, as for serve. Repeatable. [default: the operator's]
    #[arg(long = "rule-level", value_name = "RULE=LEVEL", env = "DORGU_RULE_LEVEL", value_delimiter = ',', value_parser = values::rule_level)]
    rule_levels: Vec<(RuleName, Level)>,
    /// A rule that no persona may lower, as for serve. Repeatable. [default: the operator's]
    #[arg(long = "rule-locked", value_name = "RULE", env = "DORGU_RULE_LOCKED", value_delimiter = ',', value_parser = values::rule_name)]
    rules_locked: Vec<RuleName>,
    /// How long a PersonaException may last, as for serve [default: the operator's]
    #[arg(long, value_name = "TIME", env = "DORGU_EXCEPTION_MAX", value_parser = values::days)]
    exception_max: Option<MaxLength>,
    /// table: for people. json and yaml: for programs.
    #[arg(long, short, value_name = "FORMAT", default_value = "table", value_parser = values::simulation)]
    output: values::SimulationFormat,
    /// The same as --output json.
    #[arg(long, conflicts_with = "output")]
    json: bool,
}

fn operator(text: &str) -> Result<Name, String> {
    let parts = text
        .split_once('/')
        .filter(|(namespace, name)| !namespace.is_empty() && !name.is_empty());
    let (namespace, name) =
        parts.ok_or_else(|| "it is not NAMESPACE/NAME, such as dorgu-system/dorgu-operator".to_owned())?;
    Ok(Name {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    })
}

pub(super) fn run(flags: &Flags) -> ExitCode {
    let outcome = flags.impact().and_then(|(impact, notes)| {
        print(&flags.text(&impact)?)?;
        Ok((impact, notes))
    });
    match outcome {
        Ok((impact, notes)) => {
            let reservations = impact.reservations();
            notes.iter().chain(&reservations).for_each(|line| complain(line));
            ExitCode::from(if impact.newly_denied > 0 { DENIED } else { 0 })
        }
        Err(error) => {
            complain(&one_line(&error));
            ExitCode::from(FAILED)
        }
    }
}

impl Flags {
    fn text(&self, impact: &Impact) -> anyhow::Result<String> {
        let format = if self.json {
            values::SimulationFormat::Json
        } else {
            self.output
        };
        Ok(match format {
            values::SimulationFormat::Table => impact.table(),
            values::SimulationFormat::Json => serde_json::to_string_pretty(&impact.to_json())? + "\n",
            values::SimulationFormat::Yaml => serde_saphyr::to_string(&impact.to_json())?,
        })
    }

    /// What changes, and what was taken as absent.
    fn impact(&self) -> anyhow::Result<(Impact, Vec<String>)> {
        match &self.against {
            Some(folder) => {
                let namespace = self.connection.namespace().unwrap_or(DEFAULT_NAMESPACE);
                let personas = self.personas(namespace)?;
                let deciding = self.deciding(None)?;
                let index = deciding.index(None);
                fill_from_files(&index, std::slice::from_ref(folder), namespace)?;
                Ok((simulate(&index, &personas, &deciding), Vec::new()))
            }
            None => block_on(self.of_cluster()),
        }
    }

    async fn of_cluster(&self) -> anyhow::Result<(Impact, Vec<String>)> {
        let Cluster {
            client,
            server,
            namespace,
        } = self.connection.cluster().await?;
        let personas = self.personas(&namespace)?;
        let (deciding, mut notes) = self.operators(&client).await?;
        let index = deciding.index(None);
        let filled = fill_from_cluster(&index, &client, &Reach::of(&personas, &deciding)).await;
        notes.extend(filled.with_context(|| format!("the API server at {server}"))?);
        Ok((simulate(&index, &personas, &deciding), notes))
    }

    fn personas(&self, namespace: &str) -> anyhow::Result<Vec<Arc<Persona>>> {
        let objects = Objects::read(&self.files, namespace)?;
        let personas: Vec<Arc<Persona>> = objects.personas.into_iter().map(|stored| stored.persona).collect();
        ensure!(
            !personas.is_empty(),
            "there is no ApplicationPersona in {}",
            self.files
                .iter()
                .map(|file| file.display().to_string())
                .collect::<Vec<_>>()
                .join(", ")
        );
        Ok(personas)
    }

    /// The operator's settings and, where they cannot be read, a line that says so.
    async fn operators(&self, client: &Client) -> anyhow::Result<(Deciding, Vec<String>)> {
        let Name { namespace, name } = &self.operator;
        let found = get::<Deployment>(client, &Resource::of::<Deployment>(), &self.operator).await;
        let why = match found {
            Ok(Some(deployment)) => return Ok((self.deciding(Some(&deployment))?, Vec::new())),
            Ok(None) => "there is no such Deployment".to_owned(),
            Err(error) => error.to_string(),
        };
        let note = format!(
            "the settings of the operator {namespace}/{name} could not be read ({why}); flags and defaults count; --operator \
             names another"
        );
        Ok((self.deciding(None)?, vec![note]))
    }

    /// What flags say, then the operator's arguments, then the defaults.
    fn deciding(&self, operator: Option<&Deployment>) -> anyhow::Result<Deciding> {
        let wanted = Wanted {
            namespace: self.operator.namespace.clone(),
            name: self.operator.name.clone(),
            ..Wanted::default()
        };
        let declared: Vec<_> = parts::declared().collect();
        let setup = Setup::read(&wanted, &declared, operator);
        let of_flags = PlatformRules::of_flags(self.rule_levels.iter().copied(), self.rules_locked.iter().copied());
        let set = self.rules.unwrap_or(setup.rulebook.set);
        let longest = setup.exception_max.as_deref().map(values::days).transpose();
        let longest = longest.map_err(|reason| anyhow::anyhow!("--exception-max of the operator: {reason}"))?;
        let platform = match (of_flags == PlatformRules::NONE, set) {
            (_, RuleSet::Upstream) => PlatformRules::NONE,
            (true, _) => setup.platform,
            (false, _) => of_flags,
        };
        let defaults = self
            .default_personas_namespace
            .clone()
            .or(setup.default_personas_namespace);
        Ok(Deciding {
            rulebook: Rulebook {
                set,
                mode: self.webhook_mode.unwrap_or(setup.rulebook.mode),
            },
            matching: self.matching.unwrap_or(setup.matching),
            requires_label: self.require_label.unwrap_or(setup.requires_label) && set == RuleSet::Complete,
            platform,
            default_personas_namespace: defaults.filter(|name| !name.is_empty()),
            exception_max: self.exception_max.or(longest).unwrap_or_default(),
        })
    }
}
