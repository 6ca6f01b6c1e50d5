//! An API server accepts the manifests.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use anyhow::ensure;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{DEPLOYMENT, NAMESPACE, TIMEOUT, apply, manifests};
use crate::bed::{Bed, Needs, Options, wait_until};

const CONFIGURATION: &str = "dorgu-operator-deployment";

#[test]
fn the_manifests_are_accepted_strictly_and_applying_them_again_changes_nothing() {
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    let folder = manifests().display().to_string();
    let first = apply(&bed, &["--validate=strict"]);
    assert!(first.warnings().is_empty(), "{first}");
    assert_every_line(&first.expect_success(), "created");
    let versions = versions(&bed, &folder);

    // kubectl says "configured" of a budget every time, since it replaces selectors whole; the object stays as it is.
    apply(&bed, &["--validate=strict"]).expect_success();
    assert_eq!(self::versions(&bed, &folder), versions);

    // Another manager takes over: the same fields, so only who manages them changes, once.
    let server_side = ["--server-side", "--validate=strict"];
    let taken = apply(&bed, &server_side);
    assert!(taken.warnings().is_empty(), "{taken}");
    assert_every_line(&taken.expect_success(), "serverside-applied");
    let versions = self::versions(&bed, &folder);
    apply(&bed, &server_side).expect_success();
    assert_eq!(self::versions(&bed, &folder), versions);
}

#[test]
fn the_single_file_is_the_same_objects_and_one_apply_of_it_installs_everything() {
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    let (folder, file) = (manifests().display().to_string(), manifests().join("install.yaml"));
    let text = std::fs::read_to_string(&file).expect("the single file");
    let of_folder = by_name(&bed.kubectl(&["kustomize", &folder]).expect_success());
    assert_eq!(
        by_name(&text),
        of_folder,
        "install.yaml on the left, kubectl kustomize on the right"
    );

    // On an empty cluster: nothing may be needed before it is there.
    let file = file.display().to_string();
    let apply = || bed.kubectl(&["apply", "-f", &file, "--server-side", "--validate=strict"]);
    let first = apply();
    assert!(first.warnings().is_empty(), "{first}");
    assert_every_line(&first.expect_success(), "serverside-applied");
    let versions = versions(&bed, &folder);
    apply().expect_success();
    assert_eq!(self::versions(&bed, &folder), versions);
    let established = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"];
    bed.kubectl(&established).expect_success();
}

#[test]
fn restricted_pod_security_admits_our_pods_and_no_laxer_ones() {
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    apply(&bed, &[]).expect_success();
    let admitted = bed.kubectl_in(&["create", "--dry-run=server", "-f", "-"], &pod(&bed).to_string());
    assert!(admitted.warnings().is_empty(), "{admitted}");
    admitted.expect_success();

    let mut lax = pod(&bed);
    lax["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = json!(true);
    let refused = bed.kubectl_in(&["create", "--dry-run=server", "-f", "-"], &lax.to_string());
    let refused = refused.expect_failure();
    assert!(refused.contains("violates PodSecurity"), "{refused}");
}

#[test]
fn the_deployment_rolls_out_on_nodes_of_their_own() {
    let options = Options {
        needs: Needs::Rollouts,
        ..Options::default()
    };
    let Some(bed) = Bed::start(&options) else { return };
    apply(&bed, &[]).expect_success();
    let status = [
        "rollout",
        "status",
        "deployment",
        DEPLOYMENT,
        "-n",
        NAMESPACE,
        "--timeout=60s",
    ];
    bed.kubectl(&status).expect_success();
    let nodes = r#"-o=jsonpath={range .items[*]}{.spec.nodeName}{"\n"}{end}"#;
    let nodes = bed.kubectl(&["get", "pods", "-n", NAMESPACE, nodes]).expect_success();
    let mut nodes: Vec<&str> = nodes.lines().collect();
    nodes.sort_unstable();
    nodes.dedup();
    assert_eq!(nodes.len(), 2, "{nodes:?}");

    let budget = wait_until(TIMEOUT, "the budget counts both", || {
        let allowed = "-o=jsonpath={.status.disruptionsAllowed}";
        let allowed = bed.kubectl(&["get", "poddisruptionbudget", DEPLOYMENT, "-n", NAMESPACE, allowed]);
        let allowed = allowed.checked()?;
        ensure!(allowed == "1", "it allows {allowed}");
        Ok(())
    });
    budget.unwrap_or_else(|error| panic!("{error:#}"));
}

#[test]
fn what_the_process_writes_into_the_registration_is_nobody_elses_and_stays() {
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    // Any certificate will do.
    let ca = std::fs::read(bed.ca_file()).expect("a CA");
    let ca = json!(k8s_openapi::ByteString(ca));
    let bundle = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": CONFIGURATION},
        "webhooks": [{"name": "validate-deployment.dorgu.io", "clientConfig": {"caBundle": ca}}],
    });
    let patch = || apply_as("dorgu-certs", &bed, &bundle);
    // Of a registration that is not there the process's patch cannot even make a new one.
    let refused = patch();
    assert!(
        refused.starts_with("HTTP/1.1 422") && refused.contains("sideEffects: Required value"),
        "{refused}"
    );

    let written = "-o=jsonpath={.webhooks[0].clientConfig.caBundle} {.metadata.resourceVersion}";
    let written = || bed.kubectl(&["get", "validatingwebhookconfiguration", CONFIGURATION, written]);
    let ca = ca.as_str().expect("base64");
    apply(&bed, &[]).expect_success();
    assert!(patch().starts_with("HTTP/1.1 200"));
    let before = written().expect_success();
    assert!(before.starts_with(ca), "{before}");
    apply(&bed, &[]).expect_success();
    assert_eq!(written().expect_success(), before);
    apply(&bed, &["--server-side"]).expect_success();
    let taken = written().expect_success();
    assert!(taken.starts_with(ca), "{taken}");
    assert!(patch().starts_with("HTTP/1.1 200"));
    assert_eq!(written().expect_success(), taken);
}

#[test]
fn manifests_for_another_namespace_and_image_are_accepted_from_a_folder_and_from_a_pipe() {
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    let manifests = |args: &[&str]| {
        let wanted = [
            "manifests",
            "--namespace=guards",
            "--image=registry.example.com/dorgu:7",
            "--replicas=1",
        ];
        let mut dorgu = Command::new(env!("CARGO_BIN_EXE_dorgu"));
        let output = dorgu.args(wanted).args(args).output().expect("the program runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("YAML")
    };
    let folder = TempDir::new().expect("a folder");
    let folder = folder.path().join("made").display().to_string();
    assert_eq!(manifests(&["--output", &folder]), "");
    let applied = bed.kubectl(&["apply", "-k", &folder, "--validate=strict"]);
    assert_every_line(&applied.expect_success(), "created");
    let versions = versions(&bed, &folder);

    bed.kubectl_in(&["apply", "--validate=strict", "-f", "-"], &manifests(&[]))
        .expect_success();
    assert_eq!(self::versions(&bed, &folder), versions);
    let image = "-o=jsonpath={.items[*].spec.template.spec.containers[*].image}";
    let image = bed.kubectl(&["get", "deployments", "-n", "guards", image]);
    assert_eq!(image.expect_success(), "registry.example.com/dorgu:7");
}

/// Server-side apply of the configuration, as the process does it; the whole answer. kubectl would first take over, for that
/// manager, what it ever applied itself.
fn apply_as(manager: &str, bed: &Bed, object: &Value) -> String {
    let proxy = bed.proxy_url();
    let address = proxy.trim_start_matches("http://");
    let path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
    let body = object.to_string();
    let mut stream = TcpStream::connect(address).expect("a proxy");
    write!(
        stream,
        "PATCH {path}/{CONFIGURATION}?fieldManager={manager}&force=true HTTP/1.1\r\nHost: {address}\r\n\
         Content-Type: application/apply-patch+yaml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// A Pod as the Deployment's controller would make it.
fn pod(bed: &Bed) -> Value {
    let deployment = bed.kubectl(&["get", "deployment", DEPLOYMENT, "-n", NAMESPACE, "-o", "json"]);
    let deployment: Value = serde_json::from_str(&deployment.expect_success()).expect("JSON");
    let mut pod = deployment["spec"]["template"].clone();
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod["metadata"]["name"] = json!("from-the-template");
    pod["metadata"]["namespace"] = json!(NAMESPACE);
    pod
}

/// The objects of YAML documents by kind, namespace and name; none twice.
fn by_name(documents: &str) -> BTreeMap<[String; 3], Value> {
    let objects: Vec<Value> = serde_saphyr::from_multiple(documents).expect("YAML documents");
    let mut named = BTreeMap::new();
    for object in objects {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let metadata = &object["metadata"];
        let name = [&object["kind"], &metadata["namespace"], &metadata["name"]].map(text);
        assert!(named.insert(name.clone(), object).is_none(), "{name:?} is there twice");
    }
    named
}

/// The resource version of every object of the manifests.
fn versions(bed: &Bed, folder: &str) -> Vec<String> {
    let columns = "-o=custom-columns=KIND:.kind,NAME:.metadata.name,VERSION:.metadata.resourceVersion";
    let objects = bed.kubectl(&["get", "-k", folder, "--no-headers", columns]);
    // A CustomResourceDefinition has a status that the API server writes.
    let objects = objects.expect_success();
    let ours = objects
        .lines()
        .filter(|line| !line.starts_with("CustomResourceDefinition"));
    ours.map(str::to_owned).collect()
}

fn assert_every_line(output: &str, end: &str) {
    assert!(output.lines().count() > 8, "{output}");
    for line in output.lines() {
        assert!(line.ends_with(end), "{line}");
    }
}
