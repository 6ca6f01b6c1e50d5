//! Elections on a real API server, by an account that may create leases, and get and update this one, and nothing else.

mod away;
mod takeover;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use dorgu::k8s::{Client, ClusterSource, Leadership, LeaseName, Timings, client, election};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::bed::{Bed, write_kubeconfig};

/// Short intervals for tests, long enough for a machine that compiles at the same time.
const QUICK: Timings = Timings {
    lease: Duration::from_secs(6),
    renew: Duration::from_secs(4),
    retry: Duration::from_secs(1),
};

/// How long anything may take on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A namespace with a Lease to contend for.
struct Contest<'b> {
    bed: &'b Bed,
    lease: LeaseName,
    client: Client,
    _folder: TempDir,
}

impl<'b> Contest<'b> {
    /// With the rights that docs/operating.md names.
    async fn new(bed: &'b Bed) -> Contest<'b> {
        let place = Contest::without_rights(bed).await;
        place.grant();
        place
    }

    async fn without_rights(bed: &'b Bed) -> Contest<'b> {
        let namespace = bed.namespace("lease", &[]);
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "dorgu", "namespace": namespace}});
        bed.apply(&account.to_string()).expect_success();
        let token = bed.kubectl(&["create", "token", "dorgu", "--namespace", &namespace, "--duration=1h"]);
        let folder = TempDir::new().expect("a folder");
        let file = folder.path().join("kubeconfig");
        write_kubeconfig(&file, &bed.api_url(), &bed.ca_file(), token.expect_success().trim()).expect("written");
        let config = ClusterSource::Kubeconfig(file).config().await.expect("a configuration");
        Contest {
            bed,
            lease: LeaseName {
                namespace,
                name: dorgu::api::names::LEASE.to_owned(),
            },
            client: client(config).expect("a client"),
            _folder: folder,
        }
    }

    fn grant(&self) {
        let LeaseName { namespace, name } = &self.lease;
        let group = "coordination.k8s.io";
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": "leader", "namespace": namespace},
            "rules": [
                {"apiGroups": [group], "resources": ["leases"], "verbs": ["create"]},
                {"apiGroups": [group], "resources": ["leases"], "resourceNames": [name], "verbs": ["get", "update"]},
            ],
        });
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "leader", "namespace": namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "leader"},
            "subjects": [{"kind": "ServiceAccount", "name": "dorgu", "namespace": namespace}],
        });
        let list = json!({"apiVersion": "v1", "kind": "List", "items": [role, binding]});
        self.bed.apply(&list.to_string()).expect_success();
    }

    fn candidate(&self, identity: &str, timings: Timings) -> Candidate {
        let (election, leadership) = election(self.client.clone(), self.lease.clone(), identity.to_owned());
        let (release, released) = oneshot::channel();
        let task = tokio::spawn(election.with_timings(timings).run(async {
            if released.await.is_err() {
                std::future::pending().await
            }
        }));
        Candidate {
            leadership,
            task,
            release,
        }
    }

    fn kubectl(&self, args: &[&str]) -> String {
        let namespace = &self.lease.namespace;
        let output = self.bed.kubectl(&[&["--namespace", namespace], args].concat());
        output.expect_success()
    }

    /// The stored `spec`.
    fn spec(&self) -> Value {
        let text = self.kubectl(&["get", "lease", &self.lease.name, "--output=json"]);
        let lease: Value = serde_json::from_str(&text).expect("JSON");
        lease["spec"].clone()
    }
}

struct Candidate {
    leadership: Leadership,
    task: JoinHandle<()>,
    release: oneshot::Sender<()>,
}

/// Looks all the time whether two hold it.
struct Watchdog {
    task: JoinHandle<()>,
    stop: Arc<AtomicBool>,
    both: Arc<AtomicUsize>,
}

impl Watchdog {
    fn over(candidates: &[&Candidate]) -> Watchdog {
        let all: Vec<Leadership> = candidates.iter().map(|one| one.leadership.clone()).collect();
        let (stop, both) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&both));
        let task = tokio::spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                if all.iter().filter(|one| one.held()).count() > 1 {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
        Watchdog { task, stop, both }
    }

    async fn assert_never_two(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("it went on looking");
        assert_eq!(
            self.both.load(Ordering::Relaxed),
            0,
            "moments at which two held the Lease"
        );
    }
}

/// Several threads: kubectl calls block, and elections must not.
fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(future)
}

/// Within [`TIMEOUT`], or the test fails.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(TIMEOUT, future).await;
    waited.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}
