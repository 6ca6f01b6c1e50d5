//! The test bed: a real Kubernetes control plane on a plain machine, and the `dorgu` process beside it.
//!
//! ```text
//! let Some(bed) = Bed::shared(Needs::ApiServer) else { return };
//! let namespace = bed.namespace("advisory", &[("dorgu.io/validate", "true")]);
//! let dorgu = Dorgu::with_personas(&folder, &["--webhook-mode", "advisory"]);
//! bed.register(&Registration::of(&dorgu, &namespace));
//! let output = bed.apply(&deployment);
//! ```
//!
//! This crate manages processes and their folders. It knows no rule and no persona. `tests/bed/README.md` says where the
//! programs come from, and what to do when there are none.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "linked into tests alone, where a panic is the way to report"
)]

mod assets;
mod audit;
mod build;
mod control_plane;
mod dorgu;
mod helm;
pub mod https;
mod image;
mod kubectl;
mod line;
mod pod;
mod registration;
mod rollouts;
mod scratch;
mod service;
mod skip;
mod supervised;
#[cfg(test)]
mod tests;
mod validators;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::json;

use assets::{Assets, Search, Sources, tell};
use control_plane::ControlPlane;
use registration::{ANY_EDITION, is_of_marker};
use rollouts::Rollouts;
pub use skip::skip_without_rights;

pub use audit::{Audit, Grant, Request, differences};
pub use dorgu::{Dorgu, built, program};
pub use helm::Helm;
pub use image::{Image, Names, Stage};
pub use kubectl::{Output, write_kubeconfig};
pub use line::Line;
pub use pod::{Addresses, Pod, may_play_node};
pub use registration::Registration;
pub use service::Service;
pub use skip::skip;
pub use supervised::{Supervised, wait_until};
pub use validators::Validators;

/// What a test needs in addition to kubectl.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Needs {
    /// etcd and kube-apiserver: objects are admitted and stored, and nothing acts on them.
    #[default]
    ApiServer,
    /// Also controller-manager, scheduler and fake nodes: a Deployment becomes Available, and dependents of a deleted owner are
    /// removed.
    Rollouts,
}

/// For programs in Go that start many times a run: they collect garbage less often. Measured with an API server until it is
/// ready: 2.6 s of processor time instead of 3.0, for 110 MiB more; with kubectl a fifth less.
const LAZY_COLLECTOR: (&str, &str) = ("GOGC", "400");

/// How long the API server may take to notice a change; it is quick unless the machine is busy.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The options of a separate bed.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which programs it runs.
    pub needs: Needs,
    /// Fake nodes, for `Needs::Rollouts`.
    pub nodes: usize,
    /// More flags for kube-apiserver, such as `--admission-control-config-file=...`.
    pub api_server_flags: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            needs: Needs::default(),
            nodes: 3,
            api_server_flags: Vec::new(),
        }
    }
}

/// A running control plane. Everything it started ends with it, and with the test process at the latest.
pub struct Bed {
    // Dropped in this order: first those who talk to the API server.
    proxy: Mutex<Option<Proxy>>,
    rollouts: OnceLock<Result<Rollouts>>,
    plane: ControlPlane,
    nodes: usize,
}

/// `kubectl proxy`, which adds TLS and the admin token to plain HTTP.
struct Proxy {
    url: String,
    process: Supervised,
}

impl Bed {
    /// The one control plane of this test process, started by the first caller.
    ///
    /// `None` when this machine cannot have one, after a line that says why; see [`skip`]. Tests share it at the same time, so
    /// each works in a [`Self::namespace`] of its own.
    pub fn shared(needs: Needs) -> Option<&'static Self> {
        static SHARED: OnceLock<Result<Bed>> = OnceLock::new();
        let assets = assets_for(needs)?;
        let bed = SHARED.get_or_init(|| Self::on(assets, &Options::default())).as_ref();
        let bed = bed.unwrap_or_else(|error| panic!("{error:#}"));
        if needs == Needs::Rollouts {
            bed.start_rollouts();
        }
        Some(bed)
    }

    /// A control plane for one test: one that stops it, changes its flags, or reads its counters undisturbed.
    pub fn start(options: &Options) -> Option<Self> {
        let assets = assets_for(options.needs)?;
        let bed = Self::on(assets, options).unwrap_or_else(|error| panic!("{error:#}"));
        if options.needs == Needs::Rollouts {
            bed.start_rollouts();
        }
        Some(bed)
    }

    fn on(assets: &Assets, options: &Options) -> Result<Self> {
        let plane = ControlPlane::start(assets.clone(), &options.api_server_flags)?;
        Ok(Self {
            proxy: Mutex::default(),
            rollouts: OnceLock::new(),
            plane,
            nodes: options.nodes,
        })
    }

    fn start_rollouts(&self) {
        let rollouts = self.rollouts.get_or_init(|| Rollouts::start(&self.plane, self.nodes));
        if let Err(error) = rollouts {
            panic!("{error:#}");
        }
    }

    /// Stops the API server as a node's shutdown would, by SIGTERM, and waits until its port is free.
    pub fn stop_api_server(&mut self) {
        self.plane.stop_api_server().unwrap();
    }

    /// Starts it again at the same address with the same objects, and waits until it is ready.
    pub fn start_api_server(&mut self) {
        self.plane.start_api_server().unwrap();
    }

    /// Stops the API server, unless that was done, and starts it again.
    pub fn restart(&mut self) {
        self.stop_api_server();
        self.start_api_server();
    }

    /// Kills etcd, starts it again on the same data and waits until the API server has found it.
    pub fn restart_etcd(&mut self) {
        self.plane.restart_etcd().unwrap();
    }

    /// kubectl as cluster admin, in no namespace in particular.
    pub fn kubectl(&self, args: &[&str]) -> Output {
        self.plane.kubectl().run(args, None).unwrap()
    }

    /// kubectl as cluster admin, reading `stdin`, for `-f -`.
    pub fn kubectl_in(&self, args: &[&str], stdin: &str) -> Output {
        self.plane.kubectl().run(args, Some(stdin)).unwrap()
    }

    /// Lines of a document, run by a shell as cluster admin, with kubectl in the path.
    pub fn shell(&self, lines: &str) -> Output {
        self.shell_in(self.folder(), lines)
    }

    /// The same with `dorgu` in the path, and without programs that would have to be built first.
    pub fn shell_with_dorgu(&self, lines: &str) -> Output {
        let dorgu = built();
        self.plane.kubectl().shell(self.folder(), lines, &[dorgu]).unwrap()
    }

    /// In this folder; with `dorgu`, too, and helm, if [`Helm::find`] has found one.
    pub fn shell_in(&self, folder: &Path, lines: &str) -> Output {
        let dorgu = built();
        let helm = helm::program();
        let programs: Vec<&Path> = [dorgu].into_iter().chain(helm.as_deref()).collect();
        self.plane.kubectl().shell(folder, lines, &programs).unwrap()
    }

    /// `kubectl apply` of YAML or JSON documents. The test judges the answer, which may be a denial.
    pub fn apply(&self, documents: &str) -> Output {
        self.kubectl_in(&["apply", "-f", "-"], documents)
    }

    /// A fresh namespace with these labels; its name starts with `prefix`.
    pub fn namespace(&self, prefix: &str, labels: &[(&str, &str)]) -> String {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let name = format!("{prefix}-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let labels: BTreeMap<_, _> = labels.iter().copied().collect();
        let metadata = json!({ "name": name, "labels": labels });
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata });
        self.kubectl_in(&["create", "-f", "-"], &namespace.to_string())
            .expect_success();
        name
    }

    /// Registers a webhook, or replaces the namespace's, and returns when the API server calls it.
    pub fn register(&self, registration: &Registration) {
        static EDITION: AtomicU64 = AtomicU64::new(1);
        let edition = EDITION.fetch_add(1, Ordering::Relaxed).to_string();
        self.apply(&registration.with_marker(&edition).to_string())
            .expect_success();
        self.await_marker(registration, &edition, true);
    }

    /// Removes the registration and returns when the API server no longer calls it.
    pub fn unregister(&self, registration: &Registration) {
        let deleted = self.kubectl(&["delete", "validatingwebhookconfiguration", &registration.name()]);
        deleted.expect_success();
        self.await_marker(registration, ANY_EDITION, false);
    }

    fn await_marker(&self, registration: &Registration, edition: &str, refused: bool) {
        let object = registration.marked_object(edition).to_string();
        let what = format!(
            "the webhook of {} is {}in force",
            registration.namespace,
            if refused { "" } else { "not " }
        );
        let looked = wait_until(TIMEOUT, &what, || {
            let answer = self.kubectl_in(&["create", "--dry-run=server", "-f", "-"], &object);
            ensure!(is_of_marker(&answer) == refused, "{answer}");
            Ok(())
        });
        looked.unwrap();
    }

    /// `https://127.0.0.1:PORT`, trusted by [`Self::ca_file`], opened by [`Self::admin_token`].
    pub fn api_url(&self) -> String {
        self.plane.api_url()
    }

    /// The bearer token of a cluster admin.
    pub fn admin_token(&self) -> &str {
        self.plane.token("admin").unwrap()
    }

    /// The CA that issued the API server's certificate, PEM.
    pub fn ca_file(&self) -> PathBuf {
        self.plane.ca_file()
    }

    /// A kubeconfig of a cluster admin.
    pub fn kubeconfig(&self) -> &Path {
        self.plane.kubectl().kubeconfig()
    }

    /// The sum over all labels of one of the API server's own metrics; 0 before the first observation.
    pub fn metric(&self, name: &str) -> f64 {
        sum(&self.kubectl(&["get", "--raw=/metrics"]).expect_success(), name)
    }

    /// `http://127.0.0.1:PORT` of a `kubectl proxy`, for clients without TLS and token.
    pub fn proxy_url(&self) -> String {
        let mut proxy = self.proxy.lock().unwrap_or_else(PoisonError::into_inner);
        if proxy.is_none() {
            *proxy = Some(self.start_proxy().unwrap());
        }
        proxy.as_ref().map(|proxy| proxy.url.clone()).unwrap_or_default()
    }

    fn start_proxy(&self) -> Result<Proxy> {
        let (kubectl, log) = (
            self.plane.kubectl(),
            self.plane.scratch().path().join("kubectl-proxy.log"),
        );
        let output = File::create(&log)?;
        let same_output = output.try_clone()?;
        let mut process = Supervised::start(kubectl.program(), None, |command| {
            let command = command.args(["proxy", "--port=0"]).envs(kubectl.environment());
            command.stdout(same_output).stderr(output);
        })?;
        let url = wait_until(TIMEOUT, "kubectl proxy tells its address", || {
            let said = fs::read_to_string(&log)?;
            if let Some(status) = process.exit_status()? {
                return Ok(Err(anyhow!("kubectl proxy ended with {status}: {said}")));
            }
            let address = said.lines().find_map(|line| line.strip_prefix("Starting to serve on "));
            Ok(Ok(format!("http://{}", address.context("it says nothing")?)))
        })??;
        Ok(Proxy { url, process })
    }

    /// The pids of everything that runs for this bed.
    pub fn pids(&self) -> Vec<u32> {
        let mut pids = self.plane.pids();
        if let Some(Ok(rollouts)) = self.rollouts.get() {
            pids.extend(rollouts.pids());
        }
        let proxy = self.proxy.lock().unwrap_or_else(PoisonError::into_inner);
        pids.extend(proxy.iter().map(|proxy| proxy.process.pid()));
        pids
    }

    /// Where its data and logs are.
    pub fn folder(&self) -> &Path {
        self.plane.scratch().path()
    }
}

/// Programs for the need, looked for once; `None` after saying why there are none.
fn assets_for(needs: Needs) -> Option<&'static Assets> {
    static FOR_API_SERVER: OnceLock<Result<Search>> = OnceLock::new();
    static FOR_ROLLOUTS: OnceLock<Result<Search>> = OnceLock::new();
    let once = match needs {
        Needs::ApiServer => &FOR_API_SERVER,
        Needs::Rollouts => &FOR_ROLLOUTS,
    };
    let search = once.get_or_init(|| {
        let given = folder("KUBEBUILDER_ASSETS")?;
        Sources {
            given: given.as_deref(),
            home: &home()?,
            go: "go",
            tell,
        }
        .find(needs)
    });
    match search {
        Ok(Search::Found(assets)) => Some(assets),
        Ok(Search::Absent(reason)) => skip(reason),
        Err(error) => panic!("{error:#}"),
    }
}

/// The folder that a variable names. Absolute, since programs are started in other folders.
fn folder(variable: &str) -> std::io::Result<Option<PathBuf>> {
    std::env::var_os(variable).map(std::path::absolute).transpose()
}

/// kubectl without a cluster, for a test that runs it by way of another program. `None` after a line that says why there is none;
/// see [`skip`].
pub fn kubectl_program() -> Option<PathBuf> {
    Some(assets_for(Needs::ApiServer)?.path("kubectl"))
}

/// The top folder of this repository.
pub fn repository() -> &'static Path {
    static TOP: LazyLock<PathBuf> = LazyLock::new(|| {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        here.ancestors().nth(2).unwrap().to_owned()
    });
    &TOP
}

/// Where programs are built into and taken from.
pub fn home() -> std::io::Result<PathBuf> {
    let named = folder("DORGU_TESTBED")?;
    Ok(named.unwrap_or_else(|| repository().join(".testbed")))
}

/// The sum of a metric's samples in the text format.
fn sum(exposition: &str, name: &str) -> f64 {
    let samples = exposition.lines().filter(|line| {
        line.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('{') || rest.starts_with(' '))
    });
    samples
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}
