//! `certs/`: the certificates of its script are served and trusted, and its cert-manager objects name what the shipped
//! manifests name.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::bed::Dorgu;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Runs the script over a folder of its own.
fn make(folder: &Path, args: &[&str]) {
    let made = Command::new(root().join("certs/make")).args(args).arg(folder).output();
    let made = made.expect("it runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

fn serve(folder: &Path, more: &str) -> Dorgu {
    let examples = root().join("manifests/examples");
    let command = format!(
        "dorgu serve --personas {} --webhook-cert-path . {more}",
        examples.display()
    );
    Dorgu::typed(folder, &command)
}

/// Asks as the page says.
fn ask(dorgu: &Dorgu, folder: &Path, more: &[&str]) -> Output {
    let review = format!("@{}", root().join("manifests/examples/review.json").display());
    let mut curl = Command::new("curl");
    curl.current_dir(folder)
        .args(["--silent", "--show-error", "--cacert", "ca.crt"]);
    curl.args(["--header", "Content-Type: application/json", "--data", &review]);
    curl.args(more).arg(dorgu.webhook_url());
    curl.output().expect("curl")
}

#[track_caller]
fn assert_answered(output: &Output) {
    let answer: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(answer["response"]["auditAnnotations"]["persona"], "orders");
}

#[test]
fn a_ca_and_a_leaf_of_the_script_are_served_and_a_second_run_keeps_the_ca() {
    let folder = TempDir::new().expect("a folder");
    make(folder.path(), &[]);
    let dorgu = serve(folder.path(), "");
    assert_answered(&ask(&dorgu, folder.path(), &[]));
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect("written");
    let (ca, leaf) = (read("ca.crt"), read("tls.crt"));
    make(folder.path(), &[]);
    assert_eq!(read("ca.crt"), ca);
    assert_ne!(read("tls.crt"), leaf);
    assert_answered(&ask(&dorgu, folder.path(), &[]));
    // Also by the name that API servers call.
    let mut verify = Command::new("openssl");
    verify.current_dir(folder.path()).args(["verify", "-CAfile", "ca.crt"]);
    verify.args(["-verify_hostname", "dorgu-operator-webhook.dorgu-system.svc", "tls.crt"]);
    let verified = verify.output().expect("openssl");
    assert!(
        verified.status.success(),
        "{}",
        String::from_utf8_lossy(&verified.stderr)
    );
}

#[test]
fn with_mutual_tls_only_the_named_client_is_answered() {
    let (folder, other) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    make(folder.path(), &["--client", "kube-apiserver"]);
    make(other.path(), &["--client", "kube-apiserver"]);
    let trusting = "--client-ca-file client-ca.crt --client-allowed-names kube-apiserver";
    let dorgu = serve(folder.path(), trusting);
    let shown = ["--cert", "client.crt", "--key", "client.key"];
    assert_answered(&ask(&dorgu, folder.path(), &shown));
    assert!(
        !ask(&dorgu, folder.path(), &[]).status.success(),
        "no certificate is shown"
    );
    let foreign = |name: &str| other.path().join(name).display().to_string();
    let (certificate, key) = (foreign("client.crt"), foreign("client.key"));
    let answered = ask(&dorgu, folder.path(), &["--cert", &certificate, "--key", &key]);
    assert!(!answered.status.success(), "another authority signed it");
    make(folder.path(), &["--client", "somebody-else"]);
    assert!(!ask(&dorgu, folder.path(), &shown).status.success(), "another name");
}

#[test]
fn key_material_is_ignored_by_git_and_the_rest_is_not() {
    let ignored = |name: &str| {
        let mut git = Command::new("git");
        git.current_dir(root())
            .args(["check-ignore", "--quiet", "--no-index", name]);
        git.status().expect("git").success()
    };
    for name in [
        "ca.crt",
        "ca.key",
        "tls.crt",
        "tls.key",
        "client-ca.key",
        "client.crt",
        "own.pem",
    ] {
        assert!(ignored(&format!("certs/{name}")), "{name}");
    }
    for name in ["README.md", "make", "cert-manager/vault.yaml"] {
        assert!(!ignored(&format!("certs/{name}")), "{name}");
    }
}

fn objects(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

#[test]
fn what_cert_manager_is_asked_for_is_what_the_manifests_name() {
    let deployment = &objects(&root().join("manifests/deployment.yaml"))[0];
    let args: Vec<&str> = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
        .as_array()
        .expect("arguments")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let flag = |name: &str| args.iter().find_map(|arg| arg.strip_prefix(name)).expect("a flag");
    let (secret, service) = (flag("--webhook-secret="), flag("--webhook-service="));
    let namespace = deployment["metadata"]["namespace"].as_str().expect("a namespace");
    for name in ["self-signed", "internal-ca", "vault"] {
        let objects = objects(&root().join(format!("certs/cert-manager/{name}.yaml")));
        let leaf = objects.last().expect("a certificate");
        assert_eq!(leaf["kind"], "Certificate", "{name}");
        assert_eq!(leaf["spec"]["secretName"], secret, "{name}");
        let names = leaf["spec"]["dnsNames"].as_array().expect("names");
        assert!(
            names.contains(&format!("{service}.{namespace}.svc").into()),
            "{name}: {names:?}"
        );
        for object in &objects {
            assert_eq!(object["metadata"]["namespace"], namespace, "{name}");
            assert_eq!(object["apiVersion"], "cert-manager.io/v1", "{name}");
            // Each reference leads to an object of the same file.
            let reference = &object["spec"]["issuerRef"];
            let found = objects
                .iter()
                .any(|other| other["kind"] == reference["kind"] && other["metadata"]["name"] == reference["name"]);
            assert!(reference.is_null() || found, "{name}: {reference}");
            let signs_with = &object["spec"]["ca"]["secretName"];
            let made_here = objects.iter().any(|other| other["spec"]["secretName"] == *signs_with);
            assert!(
                signs_with.is_null() || made_here || name == "internal-ca",
                "{name}: {signs_with}"
            );
        }
    }
}
