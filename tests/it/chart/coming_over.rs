//! Migrates from the Go operator's chart to ours, step by step as docs/from-the-go-operator.md describes, with a chart of its
//! form.

use std::fs;

use anyhow::ensure;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{NAMESPACE, RELEASE, TIMEOUT, ca_bundle, chart, get, left, persona, persona_with_status, theirs};
use crate::bed::{Bed, Helm, Options, wait_until};

/// What a user of theirs has set; it stays valid.
const VALUES: &str = "webhook: {enabled: true, mode: enforcing}\nresources: {limits: {memory: 256Mi}}\n";

/// A cluster with their release, as its documentation has users make it: the Secret, the caBundle, a persona.
pub(crate) fn before(server_side: &str) -> Option<(Bed, Helm, TempDir)> {
    let helm = Helm::find()?;
    let bed = Bed::start(&Options::default())?;
    let helm = helm.on(&bed);
    let theirs = theirs::chart();
    fs::write(theirs.path().join("mine.yaml"), VALUES).unwrap();
    let folder = theirs.path().display().to_string();
    let values = format!("{folder}/mine.yaml");
    let install = [
        "install",
        RELEASE,
        &folder,
        "-n",
        NAMESPACE,
        "--create-namespace",
        "-f",
        &values,
        server_side,
    ];
    helm.run(&install).expect_success();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {"name": format!("{RELEASE}-webhook-certs"), "namespace": NAMESPACE},
        "stringData": {"tls.crt": "theirs", "tls.key": "theirs"},
    });
    bed.apply(&secret.to_string()).expect_success();
    let patch = json!([{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": ca_bundle()}]);
    let patch = format!("--patch={patch}");
    let configuration = format!("{RELEASE}-deployment");
    bed.kubectl(&[
        "patch",
        "validatingwebhookconfiguration",
        &configuration,
        "--type=json",
        &patch,
    ])
    .expect_success();
    persona_with_status(&bed);
    Some((bed, helm, theirs))
}

/// Their release, upgraded to our chart with their values.
fn come_over(server_side: &str, more: &[&str]) {
    let Some((bed, helm, theirs)) = before(server_side) else {
        return;
    };
    let (kept, deployment) = (persona(&bed), get(&bed, &["deployment", RELEASE, "-n", NAMESPACE]));
    let bundle =
        get(&bed, &["validatingwebhookconfigurations"])["items"][0]["webhooks"][0]["clientConfig"]["caBundle"].clone();

    let ours = chart().display().to_string();
    let values = theirs.path().join("mine.yaml").display().to_string();
    let upgrade = [&["upgrade", RELEASE, &ours, "-n", NAMESPACE, "-f", &values], more].concat();
    // Helm knows nothing of CustomResourceDefinitions that it installed from `crds/`, and says so.
    let refused = helm.run(&upgrade).expect_failure();
    assert!(refused.contains("invalid ownership metadata"), "{refused}");
    assert_eq!(persona(&bed), kept);
    helm.run(&[&upgrade[..], &["--take-ownership"]].concat())
        .expect_success();

    // Nothing that users made is touched, and what they set is held.
    assert_eq!(persona(&bed), kept);
    let now = get(&bed, &["deployment", RELEASE, "-n", NAMESPACE]);
    assert_eq!(
        now["metadata"]["uid"], deployment["metadata"]["uid"],
        "the same Deployment goes on"
    );
    let container = &now["spec"]["template"]["spec"]["containers"];
    assert_eq!(container.as_array().map(Vec::len), Some(1));
    let container = &container[0];
    assert_eq!(container["command"], Value::Null);
    assert_eq!(container["args"][0], "serve");
    let args: Vec<&str> = container["args"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(args.contains(&"--webhook-mode=enforcing"), "{args:?}");
    assert_eq!(
        container["resources"]["limits"],
        json!({"cpu": "500m", "memory": "256Mi"})
    );
    assert_eq!(container["volumeMounts"], Value::Null);
    let configuration = get(
        &bed,
        &["validatingwebhookconfiguration", &format!("{RELEASE}-deployment")],
    );
    let resources =
        ["/webhooks/0", "/webhooks/1"].map(|entry| configuration.pointer(&format!("{entry}/rules/0/resources")));
    assert_eq!(
        resources,
        [Some(&json!(["deployments"])), Some(&json!(["deployments/scale"]))]
    );
    assert_eq!(
        configuration["webhooks"][0]["clientConfig"]["caBundle"], bundle,
        "the process replaces it, not Helm"
    );
    assert!(
        bed.kubectl(&["get", "secret", &format!("{RELEASE}-webhook-certs"), "-n", NAMESPACE])
            .succeeded()
    );
    let selectable = get(&bed, &["crd", "applicationpersonas.dorgu.io"]);
    assert!(
        selectable["spec"]["versions"][0]["selectableFields"].is_array(),
        "the definitions are ours now"
    );
    let selected = wait_until(TIMEOUT, "the new field is selectable", || {
        let by_name = [
            "get",
            "applicationpersonas",
            "-A",
            "--field-selector=spec.name=orders",
            "-o=name",
        ];
        let found = bed.kubectl(&by_name).checked()?;
        ensure!(found == "applicationpersona.dorgu.io/orders\n", "{found}");
        Ok(())
    });
    selected.unwrap_or_else(|error| panic!("{error:#}"));

    // From here on it is a release like any other.
    helm.run(&upgrade).expect_success();
    helm.run(&["uninstall", RELEASE, "-n", NAMESPACE]).expect_success();
    assert_eq!(left(&bed, "validatingwebhookconfigurations"), [""; 0]);
    assert_eq!(persona(&bed), kept);
}

#[test]
fn a_release_that_helm_3_made_comes_over() {
    // Helm 3 patched. Helm 4 continues that for a release that was created so.
    come_over("--server-side=false", &[]);
}

#[test]
fn a_release_that_helm_4_made_comes_over() {
    come_over("--server-side=true", &[]);
}

#[test]
fn a_certificate_that_users_made_goes_on_being_used_when_they_say_so() {
    let Some(helm) = Helm::find() else { return };
    let set = [
        "--set",
        "webhook.enabled=true,webhook.existingSecret=dorgu-operator-webhook-certs",
    ];
    let rendered = super::by_name(&super::template(&helm, NAMESPACE, &set).expect_success());
    let deployment = &rendered[&("Deployment".to_owned(), RELEASE.to_owned())];
    let args = &deployment["spec"]["template"]["spec"]["containers"][0]["args"];
    let named = json!("--webhook-secret=dorgu-operator-webhook-certs");
    assert!(args.as_array().unwrap().contains(&named), "{args}");
    let roles = rendered.values().filter(|object| object["kind"] == "Role");
    let rules = roles.flat_map(|role| role["rules"].as_array().unwrap());
    for rule in rules.filter(|rule| rule["resources"][0] == "secrets") {
        assert_eq!(rule["resourceNames"], json!(["dorgu-operator-webhook-certs"]));
        assert_eq!(rule["verbs"], json!(["list", "watch"]), "it is only read");
    }
}
