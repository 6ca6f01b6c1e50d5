//! Follows the page about Git: the objects on the page match the real definitions of Argo CD and Flux, and its commands run
//! where the process has written its caBundle.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::blocks::read;
use super::install::clone;
use super::reader::Reader;
use crate::bed::{Bed, Helm, Options, Output, skip, wait_until};
use crate::chart::ca_bundle;

const TIMEOUT: Duration = Duration::from_secs(60);

/// Where their CustomResourceDefinitions are: a Go module, which has them as a folder, and the file in it.
const THEIRS: [(&str, &str); 4] = [
    (
        "github.com/argoproj/argo-cd/v3@v3.4.0",
        "manifests/crds/application-crd.yaml",
    ),
    (
        "github.com/fluxcd/helm-controller@v1.6.1",
        "config/crd/bases/helm.toolkit.fluxcd.io_helmreleases.yaml",
    ),
    (
        "github.com/fluxcd/source-controller@v1.9.0",
        "config/crd/bases/source.toolkit.fluxcd.io_gitrepositories.yaml",
    ),
    (
        "github.com/fluxcd/kustomize-controller@v1.9.0",
        "config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml",
    ),
];

/// The file of a module, from Go's module cache or proxy.
fn of_module((module, file): (&str, &str)) -> Result<PathBuf> {
    let folder = TempDir::new()?;
    let mut go = Command::new("go");
    go.args(["mod", "download", "-json", module])
        .current_dir(folder.path())
        .env("GOWORK", "off");
    let output = go.output().context("go")?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{module}: {said}");
    let answer: Value = serde_json::from_str(&said)?;
    let source = answer["Dir"].as_str().with_context(|| format!("{module}: no folder"))?;
    Ok(Path::new(source).join(file))
}

/// The YAML documents that the page shows.
fn shown() -> Vec<String> {
    let text = read("docs/gitops.md");
    let blocks = text
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next());
    blocks.map(str::to_owned).collect()
}

#[test]
fn what_the_page_shows_is_valid_for_argo_cd_and_flux() {
    // A machine that built the control plane has Go. Where the programs were given, it may not.
    if !Command::new("go")
        .arg("version")
        .output()
        .is_ok_and(|go| go.status.success())
    {
        let _: Option<()> = skip("Go is not installed, whose module proxy has the definitions of Argo CD and Flux");
        return;
    }
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    for theirs in THEIRS {
        let file = of_module(theirs).unwrap_or_else(|error| panic!("{error:#}"));
        bed.kubectl(&["create", "-f", &file.display().to_string()])
            .expect_success();
    }
    for namespace in ["argocd", "flux-system", "dorgu-system", "shop"] {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        bed.apply(&namespace.to_string()).expect_success();
    }
    let crds = super::root().join("manifests/crds").display().to_string();
    bed.kubectl(&["apply", "--server-side", "-f", &crds]).expect_success();
    let shown = shown();
    assert!(shown.len() >= 4, "{shown:?}");
    let apply = [
        "apply",
        "--server-side",
        "--dry-run=server",
        "--validate=strict",
        "-f",
        "-",
    ];
    for documents in shown {
        let accepted = wait_until(TIMEOUT, "it is accepted", || {
            let applied = bed.kubectl_in(&apply, &documents);
            // Kinds that were made a moment ago may not be served yet; whatever else is wrong stays wrong.
            ensure!(!applied.stderr.contains("no matches for kind"), "{applied}");
            Ok(applied)
        });
        let applied = accepted.unwrap_or_else(|error| panic!("{error:#}"));
        assert!(
            applied.succeeded() && applied.warnings().is_empty(),
            "{documents}\n{applied}"
        );
    }
    // So that the above can fail.
    let misspelt = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: x, namespace: argocd}\n\
                    spec: {project: default, destination: {}, source: {repoURL: x, chartt: y}}\n";
    let refused = bed.kubectl_in(&apply, misspelt).expect_failure();
    assert!(refused.contains("chartt"), "{refused}");
}

/// Where the page's commands are typed in: the process has written the caBundle of what Git knows nothing of.
struct Repository {
    bed: Bed,
    clone: TempDir,
}

pub(super) fn reader() -> Option<Box<dyn Reader>> {
    let _ = Helm::find()?;
    let bed = Bed::start(&Options::default())?;
    let clone = clone();
    fs::write(
        clone.path().join("values.yaml"),
        "webhook: {enabled: true}\nreplicaCount: 2\n",
    )
    .unwrap();
    Some(Box::new(Repository { bed, clone }))
}

impl Reader for Repository {
    fn types(&mut self, command: &str) -> Output {
        self.bed.shell_in(self.clone.path(), command)
    }

    fn afterwards(&mut self, command: &str) {
        if !command.contains("kubectl apply") {
            return;
        }
        // What the process applies; any certificate will do.
        let names = [
            "validate-deployment.dorgu.io",
            "validate-scale.dorgu.io",
            "validate-persona.dorgu.io",
        ];
        let written = names.map(|entry| {
            json!({
                "name": entry, "sideEffects": "None", "admissionReviewVersions": ["v1"],
                "clientConfig": {"caBundle": ca_bundle()},
            })
        });
        let configuration = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "dorgu-operator-deployment"},
            "webhooks": written,
        });
        let apply = ["apply", "--server-side", "--field-manager=dorgu-certs", "-f", "-"];
        self.bed.kubectl_in(&apply, &configuration.to_string()).expect_success();
    }
}
