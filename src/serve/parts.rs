//! Lists the parts of the process. A part is a component beside the webhook, with a declaration ([`About`]: its kinds,
//! rights, metrics, flags) and with what it contributes when it runs ([`Part`]: tasks, watches, checks, collectors).
//!
//! [`ALL`] has five entries: the certificates, the status of ApplicationPersonas, of PersonaExceptions and of ClusterPersonas,
//! and the webhook for ApplicationPersonas. An entry is a few lines: the declaration, and a function that builds the part or leaves it out by configuration. `serve`
//! runs the parts and lists their metrics; the commands of `cli` read the declarations.

use std::sync::Arc;

use clap::{ArgMatches, FromArgMatches};

use super::certificate::{self, Certificate};
use crate::api::names::PROGRAM;
use crate::config::{Config, Source};
use crate::controllers::metrics::Metrics;
use crate::controllers::persona::Trigger;
use crate::controllers::{cluster, exception, persona, reconciler};
use crate::index::Index;
use crate::k8s::pod_name;
use crate::persona_webhook;
use crate::policy::RuleSet;
use crate::runtime::{About, Part};
use crate::telemetry::Exposition;

/// A part, before the configuration decides whether this process has it.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// What it declares.
    pub about: &'static About,
    /// Builds it; `None` where the configuration leaves it out.
    pub build: fn(&mut Surroundings<'_>) -> Result<Option<Part>, PartError>,
}

/// All parts, in the order of roles and metrics.
pub const ALL: &[Entry] = &[
    Entry {
        about: &certificate::ABOUT,
        build: certificates,
    },
    Entry {
        about: &persona::ABOUT,
        build: personas,
    },
    Entry {
        about: &exception::ABOUT,
        build: exceptions,
    },
    Entry {
        about: &cluster::ABOUT,
        build: clusters,
    },
    Entry {
        about: &persona_webhook::ABOUT,
        build: persona_reviews,
    },
];

/// What all parts declare.
pub fn declared() -> impl Iterator<Item = &'static About> {
    ALL.iter().map(|entry| entry.about)
}

/// Why a part cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// Its flags were parsed and cannot be read: its struct of flags needs one that [`About::flags`] does not require.
    #[error("its flags cannot be read ({})", one_line(.0))]
    Flags(#[source] clap::Error),
    /// The system denies its thread.
    #[error("its thread cannot be started")]
    Thread(#[source] std::io::Error),
}

/// What a part is built from.
pub struct Surroundings<'a> {
    /// The configuration of the process.
    pub config: &'a Config,
    /// The index.
    pub index: &'a Arc<Index>,
    /// For metrics that are counted as things happen.
    pub exposition: &'a Exposition,
    /// The triggers of parts that need the apps that changed in the index.
    pub triggers: Vec<Trigger>,
    certificate: Option<&'a mut Certificate>,
    /// The controllers' metrics, which they share.
    counted: Option<Metrics>,
}

impl<'a> Surroundings<'a> {
    pub(super) fn new(
        config: &'a Config,
        index: &'a Arc<Index>,
        exposition: &'a Exposition,
        certificate: Option<&'a mut Certificate>,
    ) -> Surroundings<'a> {
        Surroundings {
            config,
            index,
            exposition,
            triggers: Vec::new(),
            certificate,
            counted: None,
        }
    }

    fn counted(&mut self) -> Metrics {
        let exposition = self.exposition;
        let counted = self.counted.get_or_insert_with(|| exposition.with(Metrics::register));
        counted.clone()
    }

    /// The flags of a part, which its [`About::flags`] has added.
    ///
    /// # Errors
    /// One that the struct needs was not given.
    pub fn flags<F: FromArgMatches>(&self) -> Result<F, PartError> {
        flags(&self.config.line)
    }

    fn has_cluster(&self) -> bool {
        matches!(self.config.source, Source::Cluster(_))
    }
}

fn flags<F: FromArgMatches>(line: &ArgMatches) -> Result<F, PartError> {
    F::from_arg_matches(line).map_err(PartError::Flags)
}

/// clap writes for a terminal: the first line has the reason.
fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    first.trim_start_matches("error: ").trim_end_matches(':').to_owned()
}

fn certificates(surroundings: &mut Surroundings<'_>) -> Result<Option<Part>, PartError> {
    Ok(surroundings.certificate.as_mut().map(|certificate| certificate.part()))
}

fn personas(surroundings: &mut Surroundings<'_>) -> Result<Option<Part>, PartError> {
    if !surroundings.has_cluster() {
        return Ok(None);
    }
    let flags = surroundings.flags::<persona::PersonaFlags>()?;
    let rulebook = surroundings.config.rulebook;
    let settings = persona::Settings {
        set: rulebook.set,
        mode: rulebook.mode,
        ready_after: flags.ready_after(),
    };
    let reconciling = reconciling(flags);
    let (trigger, part) = persona::part(
        Arc::clone(surroundings.index),
        settings,
        reconciling,
        surroundings.counted(),
    );
    surroundings.triggers.push(trigger);
    Ok(Some(part))
}

fn exceptions(surroundings: &mut Surroundings<'_>) -> Result<Option<Part>, PartError> {
    // Upstream's rules know no exceptions.
    if !surroundings.has_cluster() || surroundings.config.rulebook.set == RuleSet::Upstream {
        return Ok(None);
    }
    let settings = reconciling(surroundings.flags::<persona::PersonaFlags>()?);
    let (trigger, part) = exception::part(Arc::clone(surroundings.index), settings, surroundings.counted());
    surroundings.triggers.push(trigger);
    Ok(Some(part))
}

/// What every controller of statuses needs.
fn reconciling(flags: persona::PersonaFlags) -> reconciler::Settings {
    reconciler::Settings {
        interval: flags.interval(),
        instance: pod_name(PROGRAM),
    }
}

fn clusters(surroundings: &mut Surroundings<'_>) -> Result<Option<Part>, PartError> {
    if !surroundings.has_cluster() {
        return Ok(None);
    }
    let flags = surroundings.flags::<cluster::ClusterFlags>()?;
    Ok(Some(cluster::part(
        Arc::clone(surroundings.index),
        surroundings.counted(),
        flags.options(),
    )))
}

/// Only in front of a cluster's API server: files hold no Deployments that could change verdict.
fn persona_reviews(surroundings: &mut Surroundings<'_>) -> Result<Option<Part>, PartError> {
    let config = surroundings.config;
    let is_on = surroundings.flags::<persona_webhook::Flags>()?.is_on();
    if !(is_on && surroundings.has_cluster() && config.serving.is_some()) {
        return Ok(None);
    }
    let metrics = surroundings.exposition.with(persona_webhook::Metrics::register);
    let index = Arc::clone(surroundings.index);
    let part = persona_webhook::part(index, config.rulebook, config.requires_label, metrics);
    part.map(Some).map_err(PartError::Thread)
}

#[cfg(test)]
mod tests {
    use clap::{Args, Command};

    use super::*;

    #[derive(Debug, Args)]
    struct Needs {
        #[arg(long, required = false)]
        place: String,
    }

    #[test]
    fn flags_that_cannot_be_read_are_an_error() {
        let read = |line: &[&str]| {
            let command = Needs::augment_args(Command::new("serve"));
            flags::<Needs>(&command.try_get_matches_from(line).expect("parsed"))
        };
        assert_eq!(read(&["serve", "--place=here"]).expect("given").place, "here");
        let error = read(&["serve"]).expect_err("not given").to_string();
        assert!(error.contains("place") && error.lines().count() == 1, "{error}");
    }
}
