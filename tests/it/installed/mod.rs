//! The shipped manifests on a real API server, and the process started exactly as they say: its arguments, environment and
//! account. No step in between, and nothing as admin except what a user does.

mod accepted;
mod denials;
mod doctor;
mod enforced;
mod holder;
mod image;
mod load;
mod metrics;
mod rights;
mod runbooks;
mod running;
mod split;
pub(crate) mod storm;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::bed::{Addresses, Bed, Options, Output, Pod, Service, may_play_node, wait_until};

/// Where the shipped manifests live, and what they are called there.
pub(crate) const NAMESPACE: &str = "dorgu-system";
pub(crate) const DEPLOYMENT: &str = "dorgu-operator";
const WEBHOOK_SERVICE: &str = "dorgu-operator-webhook";
const LEASE: &str = "48ec518d.dorgu.io";
const ACCOUNT: &str = "system:serviceaccount:dorgu-system:dorgu-operator";

/// How long a change may take on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

/// An API server with the manifests applied, the Service played, and pods behind it.
pub(crate) struct Installed {
    // Dropped in this order: pods before the API server that they would miss.
    pub(crate) pods: Vec<Pod>,
    pub(crate) webhook: Service,
    pub(crate) bed: Bed,
}

impl Installed {
    /// No pod yet; `None` where this machine cannot play node.
    pub(crate) fn new(options: &Options) -> Option<Self> {
        may_play_node()?;
        let bed = Bed::start(options)?;
        apply(&bed, &[]).expect_success();
        until_bound(&bed);
        Some(Self {
            pods: Vec::new(),
            webhook: Service::of(&bed, NAMESPACE, WEBHOOK_SERVICE),
            bed,
        })
    }

    /// Two pods, and a namespace in which a violation is warned about.
    fn guarding() -> Option<Self> {
        let mut installed = Installed::new(&Options::default())?;
        installed.run_pod(Addresses::OfItsOwn);
        installed.run_pod(Addresses::OfItsOwn);
        installed.apply_example("shop-namespace.yaml").expect_success();
        installed.apply_example("orders-persona.yaml").expect_success();
        installed.until_guarded();
        Some(installed)
    }

    /// One more pod of the Deployment, ready, behind the Service.
    fn run_pod(&mut self, addresses: Addresses) -> &Pod {
        let pod = Pod::of(&self.bed, NAMESPACE, DEPLOYMENT, addresses);
        self.serve(pod)
    }

    /// The same with another program.
    fn run_program(&mut self, program: &Path) -> &Pod {
        let pod = Pod::of_program(&self.bed, NAMESPACE, DEPLOYMENT, program);
        self.serve(pod)
    }

    /// Puts it behind the Service, and waits until it is ready.
    fn serve(&mut self, pod: Pod) -> &Pod {
        self.webhook.send_to(&pod);
        self.pods.push(pod);
        let pod = &self.pods[self.pods.len() - 1];
        pod.until_ready();
        pod
    }

    /// kubectl in the namespace of the installation.
    fn at_home(&self, args: &[&str]) -> Output {
        self.bed.kubectl(&[&["--namespace", NAMESPACE], args].concat())
    }

    /// Which pod holds the Lease.
    fn holder(&self) -> anyhow::Result<usize> {
        let holder = self.at_home(&["get", "lease", LEASE, "-o=jsonpath={.spec.holderIdentity}"]);
        let holder = holder.checked()?;
        let name = holder.split('_').next();
        let found = self.pods.iter().position(|pod| Some(pod.name()) == name);
        found.with_context(|| format!("the holder {holder:?} is none of our pods"))
    }

    /// Waits until one of the pods holds it.
    pub(crate) fn until_held(&self) -> (usize, Duration) {
        let started = Instant::now();
        let held = wait_until(TIMEOUT, "one of the pods holds the Lease", || self.holder());
        let holder = held.unwrap_or_else(|error| panic!("{error:#}\n{}", self.said()));
        (holder, started.elapsed())
    }

    /// What the pods said, for the message of a failure.
    fn said(&self) -> String {
        let said = self
            .pods
            .iter()
            .map(|pod| format!("{}:\n{}", pod.name(), pod.process().lines().join("\n")));
        said.collect::<Vec<_>>().join("\n")
    }

    /// `kubectl apply -f` of a file in `manifests/examples`.
    fn apply_example(&self, file: &str) -> Output {
        self.example(&["apply"], file)
    }

    /// kubectl with a file in `manifests/examples`.
    fn example(&self, args: &[&str], file: &str) -> Output {
        let file = manifests().join("examples").join(file).display().to_string();
        self.bed.kubectl(&[args, &["-f", &file]].concat())
    }
}

/// Waits until the API server acts on the account's roles: a process that came before would be refused, and say so.
fn until_bound(bed: &Bed) {
    let bound = wait_until(TIMEOUT, "the account may do what its roles say", || {
        let question = ["auth", "can-i", "watch", "deployments", "-A", "--as", ACCOUNT];
        bed.kubectl(&question).checked()
    });
    bound.unwrap_or_else(|error| panic!("{error:#}"));
}

fn manifests() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/manifests"))
}

/// `kubectl apply -k manifests`, as docs/operating.md says it.
fn apply(bed: &Bed, args: &[&str]) -> Output {
    let folder = manifests().display().to_string();
    bed.kubectl(&[&["apply", "-k", &folder], args].concat())
}
