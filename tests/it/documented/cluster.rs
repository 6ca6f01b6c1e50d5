//! Follows a page with a whole cluster: what is installed runs, as far as a test can simulate nodes.
//!
//! Fake nodes report pods as ready. The pod that answers reviews is a process of ours, with what the Deployment gives it,
//! behind the Service. It is replaced when the Deployment changes. A command's effects are awaited before the next one runs, as
//! a user would see them.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use std::time::Duration;

use super::install::clone;
use super::reader::Reader;
use crate::bed::{Addresses, Bed, Helm, Needs, Options, Output, Pod, Service, may_play_node, wait_until};

const NAMESPACE: &str = "dorgu-system";
const DEPLOYMENT: &str = "dorgu-operator";
const SERVICE: &str = "dorgu-operator-webhook";
const REGISTRATION: &str = "dorgu-operator-deployment";
const ACCOUNT: &str = "system:serviceaccount:dorgu-system:dorgu-operator";
/// A namespace with a persona and a Deployment that violates it, which shows whether the webhook is in effect.
const LOOKOUT: &str = "z-lookout";

const TIMEOUT: Duration = Duration::from_secs(60);

pub(super) struct Cluster {
    // Dropped in this order: pods before the API server that they would miss.
    pod: Option<(Value, Pod)>,
    service: Option<(Value, Service)>,
    clone: TempDir,
    bed: Bed,
}

/// What is installed, as the API server has it; null where it is not.
struct Installed {
    template: Value,
    /// The Service's uid.
    service: Value,
    /// The registration's uid.
    registration: Value,
}

impl Cluster {
    pub(super) fn start() -> Option<Box<dyn Reader>> {
        may_play_node()?;
        let _ = Helm::find()?;
        let bed = Bed::start(&Options {
            needs: Needs::Rollouts,
            ..Options::default()
        })?;
        Some(Box::new(Self {
            pod: None,
            service: None,
            clone: clone(),
            bed,
        }))
    }

    fn installed(&self) -> Installed {
        let deployment = format!("deployment/{DEPLOYMENT}");
        let service = format!("service/{SERVICE}");
        let registration = format!("validatingwebhookconfiguration/{REGISTRATION}");
        let get = ["get", "-o=json", "--ignore-not-found", "-n", NAMESPACE];
        let listed = self
            .bed
            .kubectl(&[&get[..], &[&deployment, &service, &registration]].concat());
        let listed = listed.expect_success();
        let items: Vec<Value> = match listed.trim() {
            "" => Vec::new(),
            listed => serde_json::from_str::<Value>(listed).unwrap()["items"]
                .as_array()
                .cloned()
                .unwrap_or_default(),
        };
        let of = |kind: &str, pointer: &str| {
            let object = items.iter().find(|object| object["kind"] == kind);
            object
                .and_then(|object| object.pointer(pointer))
                .cloned()
                .unwrap_or_default()
        };
        Installed {
            template: of("Deployment", "/spec/template"),
            service: of("Service", "/metadata/uid"),
            registration: of("ValidatingWebhookConfiguration", "/metadata/uid"),
        }
    }

    /// Runs what the Deployment says now, behind what the Service says now.
    fn keep_up(&mut self, installed: &Installed) {
        if self.service.as_ref().map(|(uid, _)| uid).unwrap_or(&Value::Null) != &installed.service {
            self.service = None;
            if installed.service != Value::Null {
                let service = Service::of(&self.bed, NAMESPACE, SERVICE);
                if let Some((_, pod)) = &self.pod {
                    service.send_to(pod);
                }
                self.service = Some((installed.service.clone(), service));
            }
        }
        if self.pod.as_ref().map(|(template, _)| template).unwrap_or(&Value::Null) == &installed.template {
            return;
        }
        let before = self.pod.take();
        if installed.template != Value::Null {
            self.until_bound();
            let pod = Pod::of(&self.bed, NAMESPACE, DEPLOYMENT, Addresses::OfItsOwn);
            if let Some((_, service)) = &self.service {
                service.send_to(&pod);
            }
            pod.until_ready();
            self.pod = Some((installed.template.clone(), pod));
        }
        if let Some((_, mut pod)) = before {
            if let Some((_, service)) = &self.service {
                service.forget(&pod);
            }
            pod.interrupt();
        }
    }

    fn until_bound(&self) {
        self.wait("the account may do what its roles say", |cluster| {
            let question = ["auth", "can-i", "watch", "deployments", "-A", "--as", ACCOUNT];
            cluster.bed.kubectl(&question).checked()
        });
    }

    /// Waits until violations are reported, or until they are not, as the installation demands.
    fn until_guarded(&self, wanted: bool) {
        self.wait("a persona on the lookout is served", |cluster| {
            let (metadata, labels) = (
                json!({"name": LOOKOUT, "namespace": LOOKOUT}),
                json!({"dorgu.io/validate": "true"}),
            );
            let namespace =
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": LOOKOUT, "labels": labels}});
            let spec = json!({"name": LOOKOUT, "type": "api", "scaling": {"minReplicas": 2, "maxReplicas": 3}});
            let persona = json!({
                "apiVersion": "dorgu.io/v1", "kind": "ApplicationPersona", "metadata": metadata, "spec": spec,
            });
            cluster.bed.apply(&format!("{namespace}\n---\n{persona}")).checked()
        });
        self.until_answered(&format!("breaches are seen: {wanted}"), |answer| {
            answer.stderr.contains("below persona minimum") == wanted
        });
    }

    /// Waits until the answer to a violation in that namespace is as expected. Nothing is stored.
    fn until_answered(&self, what: &str, is_wanted: impl Fn(&Output) -> bool) {
        let labels = json!({"app.kubernetes.io/name": LOOKOUT});
        let container = json!({"name": "app", "image": "example.com/app:1"});
        let breach = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": LOOKOUT, "namespace": LOOKOUT, "labels": labels},
            "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": {
                "metadata": {"labels": labels}, "spec": {"containers": [container]},
            }},
        });
        let breach = breach.to_string();
        self.wait(what, |cluster| {
            let answer = cluster
                .bed
                .kubectl_in(&["create", "--dry-run=server", "-f", "-"], &breach);
            ensure!(is_wanted(&answer), "{answer}");
            Ok(())
        });
    }

    /// Waits until a mode that was given to a namespace or a persona counts: changes of a kind are seen in their order, so
    /// it does as soon as one that came later does.
    fn until_modes_count(&self, change: &[&str]) {
        let set = |mode: &str| {
            let later = [change, &[LOOKOUT, "--namespace", LOOKOUT, mode]].concat();
            self.bed.kubectl(&later).expect_success();
        };
        set("dorgu.io/mode=enforcing");
        self.until_answered("a later mode counts", |answer| !answer.succeeded());
        set("dorgu.io/mode-");
        self.until_answered("and is taken back", Output::succeeded);
    }

    /// Waits until every persona's status is about the persona as it is now: then reviews know it, too.
    fn until_personas_are_known(&self) {
        self.wait("the personas are known", |cluster| {
            let listed = cluster
                .bed
                .kubectl(&["get", "applicationpersonas", "-A", "-o=json"])
                .checked()?;
            let listed: Value = serde_json::from_str(&listed)?;
            for persona in listed["items"].as_array().context("a list")? {
                let conditions = persona["status"]["conditions"].as_array();
                let seen = conditions
                    .into_iter()
                    .flatten()
                    .find(|condition| condition["type"] == "Ready");
                let (seen, generation) = (
                    seen.map(|seen| &seen["observedGeneration"]),
                    &persona["metadata"]["generation"],
                );
                ensure!(seen == Some(generation), "{}", persona["metadata"]["name"]);
            }
            Ok(())
        });
    }

    fn wait<T>(&self, what: &str, look: impl Fn(&Self) -> Result<T>) {
        let waited = wait_until(TIMEOUT, what, || look(self).map(drop));
        let said = || {
            self.pod
                .as_ref()
                .map(|(_, pod)| pod.process().lines().join("\n"))
                .unwrap_or_default()
        };
        waited.unwrap_or_else(|error| panic!("{error:#}\n{}", said()));
    }
}

impl Reader for Cluster {
    fn types(&mut self, command: &str) -> Output {
        self.bed.shell_in(self.clone.path(), command)
    }

    fn afterwards(&mut self, command: &str) {
        if ["helm ", "-k manifests", "validatingwebhookconfiguration"]
            .iter()
            .any(|word| command.contains(word))
        {
            let installed = self.installed();
            self.keep_up(&installed);
            let answers = self.pod.is_some() && self.service.is_some();
            self.until_guarded(answers && installed.registration != Value::Null);
        }
        for change in [["label", "namespace"], ["annotate", "applicationpersona"]] {
            if self.pod.is_some() && command.contains("dorgu.io/mode") && command.contains(&change.join(" ")) {
                self.until_modes_count(&change);
            }
        }
        if self.pod.is_some() && command.contains("persona") {
            self.until_personas_are_known();
        }
    }
}
