//! Another project's webhook that denies every canary, by its recipe in `loadtest/peers`: two processes behind the same Service,
//! under the same registration, with certificates in a folder as a kubelet mounts a Secret.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tempfile::TempDir;

use super::fleet::{ENDPOINT_DELAY, Fleet, OVERLAP, SHOP};
use super::recipes::{Recipe, free_address};
use crate::bed::{Bed, Options, Service, Supervised, may_play_node, wait_until};
use crate::installed::storm;
use crate::server::support::{Authority, Pair};

/// Time for a start on a busy machine, and for an end: what a kubelet gives a pod by default.
const TIMEOUT: Duration = Duration::from_secs(60);
const GRACE: Duration = Duration::from_secs(30);
const NAME: &str = "peer";
const HOME: &str = "peers";
/// Its name in denials.
const WEBHOOK: &str = "deny.peers.example.com";
const HOST: &str = "peer.peers.svc";

/// Two replicas of one of them.
pub(super) struct Peers {
    // Dropped in this order: who answers before who asks.
    replicas: Vec<Replica>,
    service: Service,
    recipe: &'static Recipe,
    mounted: Mounted,
    authority: Authority,
    /// Every CA that was ever trusted, PEM.
    bundle: String,
    bed: Bed,
    started: usize,
}

struct Replica {
    name: String,
    process: Supervised,
}

impl Peers {
    /// `None` where this machine cannot play node.
    pub(super) fn start(name: &str, options: &Options) -> Option<Peers> {
        may_play_node()?;
        let recipe = Recipe::named(name).unwrap_or_else(|error| panic!("{error:#}"));
        let bed = Bed::start(options)?;
        Some(Peers::on(bed, recipe).unwrap_or_else(|error| panic!("{error:#}")))
    }

    fn on(bed: Bed, recipe: &'static Recipe) -> Result<Peers> {
        let opted_in = json!({"dorgu.io/validate": "true"});
        let namespace = |name: &str, labels| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME, "namespace": HOME},
            "spec": {"selector": {"app": NAME}, "ports": [{"port": 443, "targetPort": "webhook"}]},
        });
        let list = [namespace(SHOP, opted_in), namespace(HOME, json!({})), service];
        let list = json!({"apiVersion": "v1", "kind": "List", "items": list});
        bed.apply(&list.to_string()).checked()?;

        let authority = Authority::new("the first");
        let bundle = authority.pem();
        let mounted = Mounted::new(&authority.issue(NAME, &[HOST], |_| {}))?;
        let service = Service::of(&bed, HOME, NAME);
        recipe.install(&bed, mounted.folder.path())?;
        let mut peers = Peers {
            replicas: Vec::new(),
            service,
            recipe,
            mounted,
            authority,
            bundle,
            bed,
            started: 0,
        };
        peers.run()?;
        peers.recipe.apply_policies(&peers.bed)?;
        peers.run()?;
        peers.trust()?;
        Ok(peers)
    }

    /// One more, ready and behind the Service until it is removed.
    fn run(&mut self) -> Result<()> {
        self.started += 1;
        let name = format!("{NAME}-{}", self.started);
        let log = File::create(self.mounted.folder.path().join(format!("{name}.log")))?;
        let same_log = log.try_clone()?;
        let (address, probed) = (free_address()?, free_address()?);
        let began = Instant::now();
        let mut process = Supervised::start(self.recipe.path("recipe"), None, |command| {
            self.recipe.serve(command, address, probed, self.bed.kubeconfig());
            command.arg(self.mounted.folder.path()).stdout(same_log).stderr(log);
        })?;
        wait_until(TIMEOUT, "the peer is ready", || {
            if let Some(status) = process.exit_status()? {
                return Ok(Err(anyhow::anyhow!("{name} ended with {status}; {}", self.said())));
            }
            Ok(Ok(self.recipe.ready(began, address, probed)?))
        })??;
        self.service.add(&name, address, || true);
        self.replicas.push(Replica { name, process });
        Ok(())
    }

    /// Registers them, or trusts more.
    fn trust(&self) -> Result<()> {
        let bundle = json!(k8s_openapi::ByteString(self.bundle.clone().into_bytes()));
        let configuration = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": NAME},
            "webhooks": [{
                "name": WEBHOOK, "admissionReviewVersions": ["v1"], "sideEffects": "None",
                "failurePolicy": "Ignore", "timeoutSeconds": 3,
                "clientConfig": {
                    "caBundle": bundle,
                    "service": {"name": NAME, "namespace": HOME, "path": self.recipe.reviews},
                },
                "rules": [{
                    "apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"],
                    "operations": ["CREATE", "UPDATE"],
                }],
                "namespaceSelector": {"matchLabels": {"dorgu.io/validate": "true"}},
            }],
        });
        self.bed.apply(&configuration.to_string()).checked()?;
        Ok(())
    }
}

impl Fleet for Peers {
    fn bed(&mut self) -> &mut Bed {
        &mut self.bed
    }

    fn words(&self) -> &'static str {
        WEBHOOK
    }

    fn canary(&self) -> String {
        storm::deployment("canary").to_string()
    }

    fn replace_in_turn(&mut self) {
        let mut leaving = Vec::new();
        for _ in 0..self.replicas.len() {
            self.run().unwrap_or_else(|error| panic!("{error:#}"));
            let mut old = self.replicas.remove(0);
            old.process.signal("TERM").expect("sent");
            std::thread::sleep(ENDPOINT_DELAY);
            self.service.remove(&old.name);
            leaving.push(old);
        }
        for mut old in leaving {
            // One that does not end by itself is killed, as a kubelet does it; that is no failure of the storm.
            if let Err(error) = old.process.wait(GRACE) {
                println!("{}: {error}", old.name);
                old.process.kill();
            }
        }
    }

    fn rotate_leaf(&mut self) {
        let pair = self.authority.issue(NAME, &[HOST], |_| {});
        let swapped = self.mounted.swap(&pair);
        let installed = swapped.and_then(|()| self.recipe.install_objects(&self.bed, self.mounted.folder.path()));
        installed.unwrap_or_else(|error| panic!("{error:#}"));
    }

    fn rotate_ca(&mut self) {
        self.authority = Authority::new("another");
        self.bundle.push_str(&self.authority.pem());
        self.trust().unwrap_or_else(|error| panic!("{error:#}"));
        std::thread::sleep(OVERLAP);
        self.rotate_leaf();
    }

    fn cut_watches(&mut self) {
        // Their connections to the API server are their own; those that deny everything have none.
    }

    fn personas(&self) -> Vec<String> {
        Vec::new()
    }

    fn said(&self) -> String {
        let logs = (1..=self.started).filter_map(|number| {
            let log = self.mounted.folder.path().join(format!("{NAME}-{number}.log"));
            let text = fs::read_to_string(log).ok()?;
            let lines: Vec<&str> = text.lines().collect();
            Some(lines[lines.len().saturating_sub(20)..].join("\n"))
        });
        logs.collect::<Vec<_>>().join("\n")
    }
}

/// `tls/tls.crt` and `tls/tls.key` as a kubelet mounts a Secret: links into a folder that a link names, and that link
/// changes.
struct Mounted {
    folder: TempDir,
    versions: std::cell::Cell<u32>,
}

impl Mounted {
    fn new(pair: &Pair) -> Result<Mounted> {
        let mounted = Mounted {
            folder: TempDir::new()?,
            versions: std::cell::Cell::new(0),
        };
        fs::create_dir(mounted.tls())?;
        mounted.swap(pair)?;
        for file in ["tls.crt", "tls.key"] {
            symlink(Path::new("..data").join(file), mounted.tls().join(file))?;
        }
        Ok(mounted)
    }

    fn tls(&self) -> PathBuf {
        self.folder.path().join("tls")
    }

    fn swap(&self, pair: &Pair) -> Result<()> {
        let number = self.versions.get() + 1;
        self.versions.set(number);
        let version = format!("..version-{number}");
        let folder = self.tls().join(&version);
        fs::create_dir(&folder).with_context(|| folder.display().to_string())?;
        fs::write(folder.join("tls.crt"), &pair.certificate)?;
        fs::write(folder.join("tls.key"), &pair.key)?;
        let next = self.tls().join("..data_tmp");
        symlink(&version, &next)?;
        fs::rename(&next, self.tls().join("..data"))?;
        Ok(())
    }
}

#[test]
fn a_mounted_pair_changes_in_one_step_under_the_same_names() -> Result<()> {
    let authority = Authority::new("any");
    let (first, second) = (
        authority.issue(NAME, &[HOST], |_| {}),
        authority.issue(NAME, &[HOST], |_| {}),
    );
    let mounted = Mounted::new(&first)?;
    let read = |file: &str| fs::read_to_string(mounted.tls().join(file));
    ensure!(read("tls.crt")? == first.certificate && read("tls.key")? == first.key);
    mounted.swap(&second)?;
    ensure!(read("tls.crt")? == second.certificate && read("tls.key")? == second.key);
    Ok(())
}
