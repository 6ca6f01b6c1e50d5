//! `dorgu persona policy`: prints the ValidatingAdmissionPolicies of a persona, from a cluster or a file.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use k8s_openapi::api::core::v1::Namespace;

use super::super::cluster::Cluster;
use super::super::{complain, print, values};
use super::connection::Connection;
use crate::admission_policy::{Setting, Translation, json, yaml};
use crate::api::levels::{Level, RuleName};
use crate::api::{ApplicationPersona, ClusterPersona};
use crate::files::{DEFAULT_NAMESPACE, MAX_FILE_SIZE, read_text};
use crate::k8s::{CallError, Name, Resource, get, list};
use crate::policy::{Mode, ModeWish, Persona, PlatformRules};

/// Standard input, in place of a file.
const STDIN: &str = "-";

#[derive(Debug, Args)]
pub(in crate::cli) struct Flags {
    /// The ApplicationPersona in the cluster
    #[arg(value_name = "NAME", required_unless_present = "file", conflicts_with = "file")]
    name: Option<String>,
    /// Read the personas of this file, or of standard input (-), and connect to no cluster. Namespaces and ClusterPersonas in it
    /// count, too.
    #[arg(long = "filename", short = 'f', value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
    /// The process's mode: advisory or enforcing. The strictest of it, the namespace's and the persona's counts.
    #[arg(long, alias = "webhook-mode", value_name = "MODE", env = "DORGU_WEBHOOK_MODE", default_value = "advisory", value_parser = values::mode)]
    mode: Mode,
    /// What happens to the findings of a rule, as for serve. Repeatable.
    #[arg(long = "rule-level", value_name = "RULE=LEVEL", env = "DORGU_RULE_LEVEL", value_delimiter = ',', value_parser = values::rule_level)]
    rule_levels: Vec<(RuleName, Level)>,
    /// A rule that no persona may lower, as for serve. Repeatable.
    #[arg(long = "rule-locked", value_name = "RULE", env = "DORGU_RULE_LOCKED", value_delimiter = ',', value_parser = values::rule_name)]
    rules_locked: Vec<RuleName>,
    /// yaml: with comments. json: one List.
    #[arg(long, short, value_name = "FORMAT", default_value = "yaml", value_parser = values::manifest)]
    output: values::ManifestFormat,
}

/// What was read: personas, each with the mode that its namespace asks for, and what ClusterPersonas require.
struct Input {
    personas: Vec<(Arc<Persona>, ModeWish)>,
    required: PlatformRules,
    /// What could not be read and was taken as absent.
    missing: Vec<String>,
}

pub(super) fn run(flags: &Flags) -> anyhow::Result<()> {
    let input = match (&flags.file, &flags.name) {
        (Some(file), _) => of_file(file, &flags.connection)?,
        (None, name) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.context("cannot start the async runtime")?;
            // clap requires one of the two.
            runtime.block_on(of_cluster(name.as_deref().unwrap_or_default(), &flags.connection))?
        }
    };
    let of_flags = PlatformRules::of_flags(flags.rule_levels.iter().copied(), flags.rules_locked.iter().copied());
    let platform = of_flags.or(&input.required);
    let mut translations = Vec::new();
    for (persona, wish) in &input.personas {
        let setting = Setting {
            mode: wish.or_stricter(flags.mode),
            platform: &platform,
        };
        translations.push(Translation::of(persona, setting)?);
    }
    let text = match flags.output {
        values::ManifestFormat::Yaml => yaml(&translations),
        values::ManifestFormat::Json => json(&translations),
    };
    print(&text?)?;
    input.missing.iter().for_each(|line| complain(line));
    for translation in &translations {
        for left_out in &translation.not_covered {
            complain(&format!(
                "ApplicationPersona '{}/{}': not covered: {}: {}",
                translation.namespace, translation.name, left_out.what, left_out.why
            ));
        }
    }
    Ok(())
}

fn of_file(file: &Path, connection: &Connection) -> anyhow::Result<Input> {
    let is_stdin = file == Path::new(STDIN);
    let (shown, source): (&Path, Box<dyn Read>) = match is_stdin {
        true => (Path::new("standard input"), Box::new(std::io::stdin())),
        false => {
            let open = File::open(file).with_context(|| format!("{}: cannot be read", file.display()))?;
            (file, Box::new(open))
        }
    };
    let mut bytes = Vec::new();
    let read = source.take(MAX_FILE_SIZE + 1).read_to_end(&mut bytes);
    read.with_context(|| format!("{}: cannot be read", shown.display()))?;
    anyhow::ensure!(
        bytes.len() as u64 <= MAX_FILE_SIZE,
        "{}: larger than {MAX_FILE_SIZE} bytes; split it",
        shown.display()
    );
    let text = String::from_utf8(bytes).with_context(|| format!("{}: is no UTF-8 text", shown.display()))?;
    let namespace = connection.namespace().unwrap_or(DEFAULT_NAMESPACE);
    let loaded = read_text(shown, &text, namespace)?;
    loaded
        .warnings
        .iter()
        .for_each(|warning| complain(&warning.to_string()));
    if let Some((last, before)) = loaded.problems.split_last() {
        before.iter().for_each(|problem| complain(&problem.to_string()));
        anyhow::bail!("{last}");
    }
    anyhow::ensure!(
        !loaded.personas.is_empty(),
        "{}: there is no ApplicationPersona in it",
        shown.display()
    );
    let mode = |namespace: &str| {
        let found = loaded.namespaces.iter().find(|(name, _)| name == namespace);
        found.map(|(_, wish)| wish.clone()).unwrap_or_default()
    };
    let personas = loaded.personas.iter().map(|served| {
        let wish = mode(&served.persona.namespace);
        (Arc::clone(&served.persona), wish)
    });
    Ok(Input {
        personas: personas.collect(),
        required: PlatformRules::of_cluster(loaded.cluster_rules.iter().map(|(_, rules)| rules.as_slice())),
        missing: Vec::new(),
    })
}

async fn of_cluster(name: &str, connection: &Connection) -> anyhow::Result<Input> {
    let Cluster {
        client,
        server,
        namespace,
    } = connection.cluster().await?;
    let asked = |error: CallError, right: &str| match error.is_forbidden() {
        true => anyhow::anyhow!("no right to {right}: {error}"),
        false => anyhow::anyhow!("the API server at {server}: {error}"),
    };
    let id = Name {
        namespace: namespace.clone(),
        name: name.to_owned(),
    };
    let persona = get::<ApplicationPersona>(&client, &Resource::of::<ApplicationPersona>(), &id).await;
    let right = format!("get applicationpersonas in namespace {namespace}");
    let Some(persona) = persona.map_err(|error| asked(error, &right))? else {
        anyhow::bail!(
            "there is no ApplicationPersona '{name}' in namespace '{namespace}'; `kubectl get applicationpersonas \
             --namespace {namespace}` lists them"
        );
    };
    let mut missing = Vec::new();
    // Namespaces and ClusterPersonas are cluster-scoped, and a team may lack the right.
    let mut absent = |error: CallError, right: &str, without: &str| match error.is_forbidden() {
        true => {
            missing.push(format!("no right to {right}; {without}"));
            Ok(())
        }
        false => Err(asked(error, right)),
    };
    let id = Name::cluster_wide(namespace.clone());
    let wish = match get::<Namespace>(&client, &Resource::of::<Namespace>(), &id).await {
        Ok(found) => {
            let metadata = found.unwrap_or_default().metadata;
            let (labels, annotations) = (
                metadata.labels.unwrap_or_default(),
                metadata.annotations.unwrap_or_default(),
            );
            ModeWish::read_beside(labels.get(ModeWish::KEY), annotations.get(ModeWish::KEY))
        }
        Err(error) => {
            let without = "the namespace's mode is taken as unset";
            absent(error, &format!("get namespaces {namespace}"), without)?;
            ModeWish::Unset
        }
    };
    let listed = list::<ClusterPersona>(&client, &Resource::of::<ClusterPersona>(), "", "").await;
    let required = match listed {
        Ok(personas) => {
            let policies = personas.iter().filter_map(|persona| persona.spec.policies.as_ref());
            PlatformRules::of_cluster(policies.map(|policies| policies.rules.as_slice()))
        }
        // The kind is not installed.
        Err(error) if error.is_not_found() => PlatformRules::NONE,
        Err(error) => {
            absent(
                error,
                "list clusterpersonas",
                "what the platform requires of rules is taken as nothing",
            )?;
            PlatformRules::NONE
        }
    };
    Ok(Input {
        personas: vec![(Arc::new(Persona::parse(&persona)), wish)],
        required,
        missing,
    })
}
