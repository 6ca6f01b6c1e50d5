//! Writes commands for a user to paste. They name the examined cluster and are quoted for a shell.

use k8s_openapi::api::apps::v1::Deployment;
use serde_json::{Value, json};

use super::setup::Setup;
use crate::install::Installation;
use crate::policy::Matching;
use crate::policy::Mode;

/// The parts that all commands for this cluster and installation share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commands {
    /// `--kubeconfig`, as given.
    pub kubeconfig: Option<String>,
    /// `--context`, as given.
    pub context: Option<String>,
}

impl Commands {
    /// A kubectl command line.
    pub fn kubectl(&self, rest: impl std::fmt::Display) -> String {
        format!("kubectl{} {rest}", self.flags("--kubeconfig", "--context"))
    }

    /// kubectl in a namespace.
    pub fn kubectl_in(&self, namespace: &str, rest: impl std::fmt::Display) -> String {
        // Before the rest, which may end in a comment.
        self.kubectl(format_args!("--namespace {} {rest}", word(namespace)))
    }

    fn flags(&self, kubeconfig: &str, context: &str) -> String {
        let given = [(kubeconfig, &self.kubeconfig), (context, &self.context)];
        let given = given.iter().filter_map(|(flag, value)| Some((flag, value.as_ref()?)));
        given.map(|(flag, value)| format!(" {flag} {}", word(value))).collect()
    }

    /// Sets one field of one entry of the webhook configuration.
    pub(super) fn set_field(&self, setup: &Setup, entry: usize, field: &str, value: &Value) -> String {
        self.patch(
            setup,
            &json!([{"op": "add", "path": format!("/webhooks/{entry}/{field}"), "value": value}]),
        )
    }

    /// Changes the webhook configuration by a JSON patch.
    pub(super) fn patch(&self, setup: &Setup, patch: &Value) -> String {
        let name = word(&setup.configuration);
        self.kubectl(format_args!(
            "patch validatingwebhookconfiguration {name} --type=json --patch={}",
            word(&patch.to_string())
        ))
    }

    /// Restores every object of the installation with the tool that installed it.
    pub(super) fn install_again(&self, setup: &Setup, deployment: Option<&Deployment>) -> String {
        let annotation = |key: &str| deployment?.metadata.annotations.as_ref()?.get(key).cloned();
        if let Some(release) = annotation("meta.helm.sh/release-name") {
            return format!(
                "helm upgrade {} charts/dorgu-operator --namespace {} --reset-then-reuse-values{}",
                word(&release),
                word(&setup.namespace),
                self.flags("--kubeconfig", "--kube-context")
            );
        }
        let apply = self.kubectl("apply -f -");
        let shipped = Installation::of([]);
        if setup.name != shipped.fullname {
            // `dorgu manifests` supports one name only.
            return self.kubectl("apply -k manifests   # in the folder that it was installed from");
        }
        let mut manifests = "dorgu manifests".to_owned();
        let mut option = |name: &str, value: String| manifests.extend([" ", name, " ", word(&value).as_str()]);
        if setup.namespace != shipped.namespace {
            option("--namespace", setup.namespace.clone());
        }
        if let Some(spec) = deployment.and_then(|deployment| deployment.spec.as_ref()) {
            let replicas = spec.replicas.unwrap_or(1).max(1);
            if replicas != i32::from(shipped.replicas) {
                option("--replicas", replicas.to_string());
            }
            let pod = spec.template.spec.as_ref();
            let image = pod.and_then(|pod| pod.containers.first()?.image.clone());
            if let Some(image) = image.filter(|image| *image != shipped.image) {
                option("--image", image);
            }
        }
        if setup.rulebook.mode == Mode::Enforcing {
            option("--webhook-mode", "enforcing".to_owned());
        }
        if setup.matching == Matching::Chain {
            option("--match", "chain".to_owned());
        }
        if setup.requires_label {
            manifests.push_str(" --require-label");
        }
        format!("{manifests} | {apply}")
    }

    /// Shows the logs of the pods.
    pub(super) fn logs(&self, setup: &Setup) -> String {
        let name = word(&setup.name);
        self.kubectl_in(
            &setup.namespace,
            format_args!("logs deployment/{name} --all-pods --prefix --tail=50"),
        )
    }
}

/// Quotes a word for a shell.
pub(super) fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
