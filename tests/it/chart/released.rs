//! The life of a release: installed, upgraded to a chart with other CustomResourceDefinitions, removed.

use std::fs;
use std::path::Path;

use anyhow::ensure;
use serde_json::{Value, json};

use super::{NAMESPACE, RELEASE, TIMEOUT, ca_bundle, chart, copied, get, left, persona, persona_with_status};
use crate::alerts::runbooks::emergency_stop;
use crate::bed::{Bed, Helm, Needs, Options, Output, wait_until};

/// A bed, and helm on it.
fn bed() -> Option<(Bed, Helm)> {
    let helm = Helm::find()?;
    // Owners' deaths are noticed by controllers only.
    let options = Options {
        needs: Needs::ApiServer,
        ..Options::default()
    };
    let bed = Bed::start(&options)?;
    let helm = helm.on(&bed);
    Some((bed, helm))
}

fn release(helm: &Helm, verb: &str, chart: &str, args: &[&str]) -> String {
    let usual = [
        verb,
        RELEASE,
        chart,
        "--namespace",
        NAMESPACE,
        "--set",
        "webhook.enabled=true",
    ];
    helm.run(&[&usual, args].concat()).expect_success()
}

/// The chart as it might have been before: a field of personas and a value are not there yet.
fn before() -> tempfile::TempDir {
    let folder = copied();
    let file = folder.path().join("files/crds/dorgu.io_applicationpersonas.yaml");
    let mut crd: Value = serde_saphyr::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let spec = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";
    let fields = crd.pointer_mut(spec).and_then(Value::as_object_mut).unwrap();
    assert!(fields.remove("dependencies").is_some());
    fs::write(&file, crd.to_string()).unwrap();
    folder
}

fn knows_dependencies(bed: &Bed) -> bool {
    let crd = get(bed, &["crd", "applicationpersonas.dorgu.io"]);
    let spec = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/dependencies";
    crd.pointer(spec).is_some()
}

#[test]
fn an_upgrade_changes_the_definitions_and_keeps_every_persona_with_its_status() {
    let Some((bed, helm)) = bed() else { return };
    let before = before();
    release(
        &helm,
        "install",
        &before.path().display().to_string(),
        &["--create-namespace"],
    );
    assert!(!knows_dependencies(&bed));
    persona_with_status(&bed);
    let kept = persona(&bed);
    assert_eq!(kept["status"]["phase"], "Active");

    release(
        &helm,
        "upgrade",
        &chart().display().to_string(),
        &["--reset-then-reuse-values"],
    );
    assert!(knows_dependencies(&bed));
    assert_eq!(persona(&bed), kept);
}

#[test]
fn an_upgrade_leaves_the_ca_bundle_to_the_process() {
    let Some((bed, helm)) = bed() else { return };
    let chart = chart().display().to_string();
    release(&helm, "install", &chart, &["--create-namespace"]);
    let name = format!("{RELEASE}-deployment");
    let bundle = ca_bundle();
    // What the process applies; any certificate will do.
    let names = [
        "validate-deployment.dorgu.io",
        "validate-scale.dorgu.io",
        "validate-persona.dorgu.io",
    ];
    let written = names.map(|entry| {
        json!({
            "name": entry, "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "clientConfig": {"caBundle": bundle},
        })
    });
    let configuration = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": written,
    });
    let apply = ["apply", "--server-side", "--field-manager=dorgu-certs", "-f", "-"];
    bed.kubectl_in(&apply, &configuration.to_string()).expect_success();
    release(
        &helm,
        "upgrade",
        &chart,
        &["--set", "webhook.mode=enforcing,webhook.timeoutSeconds=5"],
    );
    let entries = get(&bed, &["validatingwebhookconfiguration", &name])["webhooks"].clone();
    let entries = entries.as_array().unwrap();
    assert_eq!(entries.len(), names.len());
    for (entry, seconds) in entries.iter().zip([5, 5, 1]) {
        assert_eq!(entry["timeoutSeconds"], seconds);
        assert_eq!(entry["clientConfig"]["caBundle"], bundle);
    }
}

#[test]
fn an_uninstall_leaves_no_webhook_and_every_persona() {
    let Some((bed, helm)) = bed() else { return };
    release(
        &helm,
        "install",
        &chart().display().to_string(),
        &["--create-namespace"],
    );
    assert_eq!(
        left(&bed, "validatingwebhookconfigurations"),
        [format!("{RELEASE}-deployment")]
    );
    persona_with_status(&bed);
    let kept = persona(&bed);

    helm.run(&["uninstall", RELEASE, "--namespace", NAMESPACE])
        .expect_success();
    let kinds = [
        "validatingwebhookconfigurations",
        "deployments",
        "services",
        "serviceaccounts",
        "clusterroles",
        "clusterrolebindings",
        "roles",
        "rolebindings",
        "poddisruptionbudgets",
    ];
    for kind in kinds {
        assert_eq!(left(&bed, kind), [""; 0], "{kind}");
    }
    assert_eq!(persona(&bed), kept);
}

#[test]
fn personas_go_with_the_release_only_where_that_was_asked_for() {
    let Some((bed, helm)) = bed() else { return };
    release(
        &helm,
        "install",
        &chart().display().to_string(),
        &["--create-namespace", "--set", "crds.keep=false"],
    );
    helm.run(&["uninstall", RELEASE, "--namespace", NAMESPACE])
        .expect_success();
    bed.kubectl(&[
        "wait",
        "--for=delete",
        "crd/applicationpersonas.dorgu.io",
        "--timeout=30s",
    ])
    .expect_success();
}

#[test]
fn a_second_release_in_another_namespace_takes_nothing_from_the_first() {
    let Some((bed, helm)) = bed() else { return };
    let chart = chart().display().to_string();
    release(&helm, "install", &chart, &["--create-namespace"]);
    let second = ["install", "trial", &chart, "--namespace", "trial", "--create-namespace"];
    helm.run(&[&second[..], &["--set", "webhook.enabled=true,crds.enabled=false"]].concat())
        .expect_success();
    helm.run(&["uninstall", "trial", "--namespace", "trial"])
        .expect_success();
    assert_eq!(
        left(&bed, "validatingwebhookconfigurations"),
        [format!("{RELEASE}-deployment")]
    );
    assert_eq!(left(&bed, "clusterroles").len(), 4);
}

#[test]
fn the_notes_end_with_two_commands_that_work_as_they_stand() {
    let Some((bed, helm)) = bed() else { return };
    let notes = release(
        &helm,
        "install",
        &chart().display().to_string(),
        &["--create-namespace"],
    );
    let mut lines = notes.trim_end().lines().rev();
    let (second, first) = (lines.next().unwrap(), lines.next().unwrap());
    assert_eq!(lines.next(), Some(""), "{notes}");
    let said = bed.shell(first).expect_success();
    assert!(said.contains("namespace/dorgu-trial created"), "{said}");
    assert!(said.contains("applicationpersona.dorgu.io/trial created"), "{said}");
    let said = bed.shell(second).expect_success();
    assert_eq!(said, "deployment.apps/trial created (server dry run)\n");
    // The emergency stop stands among them, too.
    let stop = notes.lines().find(|line| line.contains("kubectl delete")).unwrap();
    bed.shell(stop).expect_success();
    assert_eq!(left(&bed, "validatingwebhookconfigurations"), [""; 0]);
}

#[test]
fn without_the_webhook_the_notes_say_that_nothing_is_checked() {
    let Some((bed, helm)) = bed() else { return };
    let install = [
        "install",
        RELEASE,
        &chart().display().to_string(),
        "--namespace",
        NAMESPACE,
        "--create-namespace",
    ];
    let notes = helm.run(&install).expect_success();
    assert!(notes.contains("nothing is checked at admission"), "{notes}");
    let last = notes.trim_end().lines().next_back().unwrap();
    bed.shell(last).expect_success();
    assert_eq!(left(&bed, "validatingwebhookconfigurations"), [""; 0]);
}

/// A Deployment that is asked about wherever its namespace opts in.
fn deployment(bed: &Bed, namespace: &str) -> Output {
    let labels = json!({"app.kubernetes.io/name": "orders"});
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "orders", "namespace": namespace, "labels": labels},
        "spec": {"selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels}, "spec": {"containers": [{"name": "api", "image": "example.com/orders:1"}]},
        }},
    });
    bed.kubectl_in(&["create", "--dry-run=server", "-f", "-"], &deployment.to_string())
}

#[test]
fn with_every_pod_down_the_cluster_stays_usable_and_one_command_is_always_enough() {
    let Some((bed, helm)) = bed() else { return };
    let chart = chart().display().to_string();
    release(
        &helm,
        "install",
        &chart,
        &["--create-namespace", "--set", "webhook.failurePolicy=Fail"],
    );
    bed.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}).to_string())
        .expect_success();
    for namespace in ["shop", "kube-system", NAMESPACE] {
        bed.kubectl(&["label", "namespace", namespace, "dorgu.io/validate=true"])
            .expect_success();
    }
    // No pod answers, and this policy then denies.
    let refused = wait_until(TIMEOUT, "the registration is in force", || {
        let created = deployment(&bed, "shop");
        ensure!(!created.succeeded(), "{created}");
        Ok(created.stderr)
    });
    let refused = refused.unwrap_or_else(|error| panic!("{error:#}"));
    assert!(refused.contains("failed calling webhook"), "{refused}");
    // What keeps the cluster alive is never asked about, nor are we about ourselves.
    for namespace in ["kube-system", NAMESPACE] {
        deployment(&bed, namespace).expect_success();
    }
    // The usual policy admits what no pod answers.
    release(&helm, "upgrade", &chart, &["--set", "webhook.failurePolicy=Ignore"]);
    let admitted = wait_until(TIMEOUT, "the other policy is in force", || {
        deployment(&bed, "shop").checked()
    });
    admitted.unwrap_or_else(|error| panic!("{error:#}"));

    release(&helm, "upgrade", &chart, &["--set", "webhook.failurePolicy=Fail"]);
    // In the words of docs/runbooks.md.
    let clone = Path::new(env!("CARGO_MANIFEST_DIR"));
    let [stop, _, back, _] = emergency_stop();
    bed.shell_in(clone, &stop).expect_success();
    let admitted = wait_until(TIMEOUT, "the registration is gone", || {
        deployment(&bed, "shop").checked()
    });
    admitted.unwrap_or_else(|error| panic!("{error:#}"));

    bed.shell_in(clone, &back).expect_success();
    assert_eq!(
        left(&bed, "validatingwebhookconfigurations"),
        [format!("{RELEASE}-deployment")]
    );
}
