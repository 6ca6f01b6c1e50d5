//! Defines a part of the process: what it declares before anything runs ([`About`]), and what it contributes when it runs
//! ([`Part`]).
//!
//! Parts are values, not traits. `serve` starts the tasks, runs the checks and registers the collectors of every part. An
//! installation, `dorgu doctor` and docs/metrics.md read the declarations. A part that is switched off is absent.

use std::sync::Arc;

use axum::routing::MethodRouter;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use dorgu_k8s::{Client, Leadership, WatchState};
use dorgu_server::admin::Checks;
use futures_util::future::LocalBoxFuture;
use k8s_openapi::api::admissionregistration::v1::{ValidatingWebhook, WebhookClientConfig};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use prometheus_client::collector::Collector;

use crate::metric::Described;

/// What a part declares. The same for every process, whether or not the part runs there.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Its name in logs, lower case.
    pub name: &'static str,
    /// The kinds that it watches, by their names in the API: values of the label `kind` of `dorgu_watch_*`.
    pub kinds: &'static [&'static str],
    /// Its metric families, each under its heading in docs/metrics.md.
    pub families: &'static [(&'static str, &'static [&'static Described])],
    /// The CustomResourceDefinitions that it adds.
    pub definitions: fn() -> Vec<CustomResourceDefinition>,
    /// The rights that its process needs.
    pub grants: &'static [Grant],
    /// The admission webhooks that it serves.
    pub admission: &'static [Admission],
    /// Adds its flags to `dorgu serve`: of a struct that derives `clap::Args`, `augment_args`. Where the part is absent they
    /// have no effect, which the log says of those that are given.
    pub flags: fn(Command) -> Command,
}

impl About {
    /// A part that declares nothing but its name.
    pub const fn named(name: &'static str) -> About {
        About {
            name,
            kinds: &[],
            families: &[],
            definitions: Vec::new,
            grants: &[],
            admission: &[],
            flags: |command| command,
        }
    }

    /// The flags of it that were given, as a command line has them.
    pub fn given(&self, line: &ArgMatches) -> Vec<String> {
        let own = (self.flags)(Command::new(""));
        let given = own.get_arguments().filter(|flag| {
            let source = line.try_contains_id(flag.get_id().as_str()).unwrap_or(false);
            let source = source.then(|| line.value_source(flag.get_id().as_str())).flatten();
            source.is_some_and(|source| source != ValueSource::DefaultValue)
        });
        given
            .filter_map(|flag| Some(format!("--{}", flag.get_long()?)))
            .collect()
    }
}

/// Verbs on one kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// API group; empty for the core one.
    pub group: &'static str,
    /// Plural, with its subresource after a slash.
    pub resource: &'static str,
    /// The verbs that are used.
    pub verbs: &'static [&'static str],
    /// Which objects.
    pub object: Object,
    /// Where.
    pub scope: Scope,
    /// Which processes use it.
    pub need: Need,
}

impl Grant {
    /// A right to every object of a kind, in all namespaces, for every process with a cluster.
    pub const fn everywhere(group: &'static str, resource: &'static str, verbs: &'static [&'static str]) -> Grant {
        Grant {
            group,
            resource,
            verbs,
            object: Object::Any,
            scope: Scope::Cluster,
            need: Need::Always,
        }
    }
}

/// Which objects a [`Grant`] covers. The names of an installation's own objects are known to the installation only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// All of the kind.
    Any,
    /// The one of this name.
    Named(&'static str),
    /// The ValidatingWebhookConfiguration of the installation.
    WebhookConfiguration,
    /// The Secret with the certificates that the process makes.
    WebhookSecret,
}

/// Where a [`Grant`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In all namespaces, and for kinds without one.
    Cluster,
    /// In the namespace of the process.
    Home,
}

/// Which processes use a [`Grant`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Every one with a cluster.
    Always,
    /// Those that serve the webhook; those that also keep its certificates write.
    Registration,
    /// Those that read the certificates of the webhook from a Secret; those whose Secret is their own write.
    Certificates,
    /// Those that stand for election.
    Election,
    /// Those that serve metrics.
    Metrics,
}

/// An entry of the ValidatingWebhookConfiguration, beside the one for Deployments.
#[derive(Clone, Copy, Debug)]
pub struct Admission {
    /// The entry's name, such as `validate-persona.dorgu.io`.
    pub webhook: &'static str,
    /// Where API servers send their reviews.
    pub path: &'static str,
    /// The flag of `dorgu serve` that switches it off as `--FLAG=false`; empty where it is always on.
    pub switch: &'static str,
    /// Builds the entry from the address at which API servers reach the process.
    pub entry: fn(WebhookClientConfig) -> ValidatingWebhook,
}

/// Work that starts when the process has a client and ends with the process. It shares a thread with the watches, apart
/// from the threads of the webhook, so it must not block; it ends before the Lease is given back.
pub type Task = Box<dyn FnOnce(Client, Leadership) -> LocalBoxFuture<'static, ()> + Send>;

/// A watch of a part, for `/readyz` and metrics.
#[derive(Clone, Debug)]
pub struct Watched {
    /// The name of its line in `/readyz?verbose`, such as `cluster-personas`.
    pub check: &'static str,
    /// The kind's name in the API; one of [`About::kinds`].
    pub kind: &'static str,
    /// Its state.
    pub state: Arc<WatchState>,
    /// Whether it is followed only by the holder of the Lease.
    pub leading: bool,
}

/// Serves the reviews of one [`Admission`].
#[derive(Debug)]
pub struct Handler {
    /// The path of the [`Admission`].
    pub path: &'static str,
    /// The handler. It runs outside the hot path and shares the listener's limits.
    pub answers: MethodRouter,
}

/// A part that is about to run.
pub struct Part {
    /// What it declares.
    pub about: &'static About,
    /// Tasks of every replica that has a cluster. None should end; one that ends, ends the process.
    pub everywhere: Vec<Task>,
    /// Tasks that write. Each waits for [`Leadership`] itself, and works only while the Lease is held.
    pub leading: Vec<Task>,
    /// Its watches. None of them makes a replica unready: no review waits for them.
    pub watches: Vec<Watched>,
    /// Checks that can make the replica unready.
    pub checks: Checks,
    /// Collectors that run when metrics are requested.
    pub collectors: Vec<Box<dyn Collector>>,
    /// The handlers of its [`Admission`]s.
    pub admission: Vec<Handler>,
}

impl Part {
    /// A part that contributes nothing yet.
    #[must_use]
    pub fn new(about: &'static About) -> Part {
        Part {
            about,
            everywhere: Vec::new(),
            leading: Vec::new(),
            watches: Vec::new(),
            checks: Checks::new(),
            collectors: Vec::new(),
            admission: Vec::new(),
        }
    }
}
