//! `dorgu doctor` on a healthy installation, and on the same with one thing broken at a time: it names exactly that, and the
//! command that it prints fixes it.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use dorgu::server::tls::Authority;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{DEPLOYMENT, Installed, NAMESPACE, TIMEOUT, WEBHOOK_SERVICE};
use crate::bed::{Addresses, Bed, Options, wait_until, write_kubeconfig};

const CONFIGURATION: &str = "dorgu-operator-deployment";
const SECRET: &str = "dorgu-operator-webhook-ca";

/// What the doctor said, and how it ended.
struct Said {
    code: Option<i32>,
    report: Value,
}

impl Said {
    /// Of the doctor with this kubeconfig.
    fn of(kubeconfig: &str, args: &[&str]) -> Result<Said> {
        let mut dorgu = Command::new(env!("CARGO_BIN_EXE_dorgu"));
        dorgu
            .args(["doctor", "--output=json", "--kubeconfig", kubeconfig])
            .args(args);
        let output = dorgu.env_clear().env("HOME", "/nowhere").output()?;
        let errors = String::from_utf8_lossy(&output.stderr);
        Ok(Said {
            code: output.status.code(),
            report: serde_json::from_slice(&output.stdout).with_context(|| errors.into_owned())?,
        })
    }

    fn lines(&self) -> impl Iterator<Item = &Value> {
        self.report["checks"].as_array().into_iter().flatten()
    }

    /// The checks that did not end well.
    fn found(&self) -> Vec<&str> {
        let found = self
            .lines()
            .filter(|line| line["status"] == "warn" || line["status"] == "fail");
        found.filter_map(|line| line["check"].as_str()).collect()
    }

    fn skipped(&self) -> Vec<&str> {
        let skipped = self.lines().filter(|line| line["status"] == "skip");
        skipped.filter_map(|line| line["check"].as_str()).collect()
    }

    fn is_well(&self) -> Result<()> {
        ensure!(
            self.code == Some(0) && self.found().is_empty() && self.skipped().is_empty(),
            "{:?}: {:#}",
            self.code,
            self.report
        );
        Ok(())
    }

    /// Exactly this check has a finding, and exactly one.
    fn finds_only(&self, check: &str) -> Result<Value> {
        ensure!(
            self.code == Some(1) && self.found() == [check],
            "{:?}: {:#}",
            self.code,
            self.report
        );
        let line = self.lines().find(|line| line["check"] == check);
        let findings = line.and_then(|line| line["findings"].as_array()).context("findings")?;
        let [finding] = &findings[..] else {
            anyhow::bail!("not one finding: {findings:?}");
        };
        Ok(finding.clone())
    }
}

fn doctor(bed: &Bed, args: &[&str]) -> Result<Said> {
    Said::of(&bed.kubeconfig().display().to_string(), args)
}

fn until_well(installed: &Installed) {
    let well = wait_until(TIMEOUT, "the doctor finds nothing", || {
        doctor(&installed.bed, &[])?.is_well()
    });
    well.unwrap_or_else(|error| panic!("{error:#}\n{}", installed.said()));
}

/// Waits until the doctor finds exactly this; what it says.
fn until_found(installed: &Installed, check: &str, args: &[&str]) -> Value {
    let found = wait_until(TIMEOUT, &format!("the doctor finds {check} and nothing else"), || {
        doctor(&installed.bed, args)?.finds_only(check)
    });
    found.unwrap_or_else(|error| panic!("{error:#}\n{}", installed.said()))
}

/// The shipped manifests, one pod, and what a controller manager says of two, since none runs here.
fn well() -> Option<Installed> {
    let mut installed = Installed::new(&Options::default())?;
    installed.run_pod(Addresses::OfItsOwn);
    installed.apply_example("shop-namespace.yaml").expect_success();
    installed.apply_example("orders-persona.yaml").expect_success();
    let status = json!({"status": {"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}});
    let patch = [
        "patch",
        "deployment",
        DEPLOYMENT,
        "--subresource=status",
        "--patch",
        &status.to_string(),
    ];
    installed.at_home(&patch).expect_success();
    installed.bed.apply(&slice(true)).expect_success();
    installed.until_guarded();
    until_well(&installed);
    Some(installed)
}

/// What lies behind the Service, ready or not.
fn slice(ready: bool) -> String {
    let labels = json!({"kubernetes.io/service-name": WEBHOOK_SERVICE});
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "webhook-1", "namespace": NAMESPACE, "labels": labels},
        "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": ready}}],
        "ports": [{"name": "webhook", "port": 9443}],
    })
    .to_string()
}

/// A patch of the webhook configuration.
fn patch(operation: &str, path: &str, value: &Value) -> Vec<String> {
    let patch = json!([{"op": operation, "path": format!("/webhooks/0/{path}"), "value": value}]);
    let words = [
        "patch",
        "validatingwebhookconfiguration",
        CONFIGURATION,
        "--type=json",
        "--patch",
    ];
    words
        .map(str::to_owned)
        .into_iter()
        .chain([patch.to_string()])
        .collect()
}

fn words(command: &str) -> Vec<String> {
    command.split(' ').map(str::to_owned).collect()
}

#[test]
fn each_thing_that_breaks_is_named_alone_and_mended_by_the_command_that_is_printed() {
    let Some(mut installed) = well() else { return };
    let ca = ByteString(std::fs::read(installed.bed.ca_file()).expect("a CA"));
    let field = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/ownership";
    let older = json!([{"op": "remove", "path": field}]).to_string();
    let crd = [
        "patch",
        "crd",
        "applicationpersonas.dorgu.io",
        "--type=json",
        "--patch",
        &older,
    ];
    let elsewhere = json!({"spec": {"selector": {"app.kubernetes.io/name": "other"}}}).to_string();
    let astray = [
        "patch",
        "service",
        "dorgu-operator-webhook",
        "-n",
        NAMESPACE,
        "--patch",
        &elsewhere,
    ];
    let breaks: Vec<(&str, Vec<Vec<String>>)> = vec![
        ("opt-in", vec![words("label namespace shop dorgu.io/validate-")]),
        ("modes", vec![words("label namespace default dorgu.io/mode=Enforcing")]),
        (
            "opt-in-excluded",
            vec![words("label namespace kube-system dorgu.io/validate=true")],
        ),
        (
            "failure-policy",
            vec![patch("replace", "failurePolicy", &json!("Fail"))],
        ),
        ("object-selector", vec![patch("remove", "objectSelector", &Value::Null)]),
        (
            "rules",
            vec![patch("replace", "rules/0/operations", &json!(["CREATE"]))],
        ),
        ("crds", vec![crd.map(str::to_owned).into()]),
        (
            "rights",
            vec![words("delete clusterrolebinding dorgu-operator-manager")],
        ),
        ("service", vec![astray.map(str::to_owned).into()]),
        (
            "deployment",
            vec![words("scale deployment dorgu-operator -n dorgu-system --replicas=0")],
        ),
        (
            "webhook-configuration",
            vec![words("delete validatingwebhookconfiguration dorgu-operator-deployment")],
        ),
        // The form of the registration before.
        (
            "webhook-configuration",
            vec![words(concat!(
                "apply -f ",
                env!("CARGO_MANIFEST_DIR"),
                "/tests/it/installed/one-entry.yaml"
            ))],
        ),
        (
            // From here on another writer is said to manage the caBundle, or the process would fix it first.
            "ca-bundle",
            vec![
                words(
                    "annotate validatingwebhookconfiguration dorgu-operator-deployment cert-manager.io/inject-ca-from=a/b",
                ),
                patch("remove", "clientConfig/caBundle", &Value::Null),
            ],
        ),
        ("ca-trust", vec![patch("replace", "clientConfig/caBundle", &json!(ca))]),
    ];
    for (check, commands) in breaks {
        for command in commands {
            let command: Vec<&str> = command.iter().map(String::as_str).collect();
            installed.bed.kubectl(&command).expect_success();
        }
        let finding = until_found(&installed, check, &[]);
        let cure = finding["cure"].as_str().expect("a cure");
        println!("{check}: {}\n  {cure}", finding["seen"]);
        installed.bed.shell_with_dorgu(cure).expect_success();
        until_well(&installed);
    }
    let stored = installed
        .bed
        .kubectl(&["get", "deployments", "-n", "shop", "-o", "name"]);
    assert_eq!(stored.expect_success(), "", "the trial Deployments were stored");

    // The process ends, and the control plane still lists it, so only the dry run shows it.
    assert!(installed.pods[0].stop().success(), "{}", installed.said());
    let finding = until_found(&installed, "webhook-call", &["--exclude=lease"]);
    let seen = finding["seen"].as_str().expect("words");
    assert!(seen.contains("the API server called and got no answer"), "{seen}");
    until_found(&installed, "lease", &[]);

    expire(&installed);
    let finding = until_found(&installed, "certificate", &["--exclude=lease"]);
    assert!(
        finding["seen"]
            .as_str()
            .is_some_and(|seen| seen.starts_with("expired 25 h ago")),
        "{finding}"
    );
}

/// Puts a certificate of the same CA into the Secret that expired yesterday, as another writer would.
fn expire(installed: &Installed) {
    let secret = installed
        .at_home(&["get", "secret", SECRET, "-o", "json"])
        .expect_success();
    let mut secret: Value = serde_json::from_str(&secret).expect("JSON");
    let data = |key: &str| {
        let bytes: ByteString = serde_json::from_value(secret["data"][key].clone()).expect("base64");
        String::from_utf8(bytes.0).expect("PEM")
    };
    let authority = Authority::load(&data("ca.crt"), &data("ca.key")).expect("the CA");
    let yesterday = Timestamp::now() - SignedDuration::from_hours(25);
    let names = ["dorgu-operator-webhook.dorgu-system.svc".to_owned()];
    let leaf = authority.sign(&names, yesterday - SignedDuration::from_hours(48), yesterday);
    let leaf = leaf.expect("a leaf");
    let text = |text: &str| json!(ByteString(text.as_bytes().to_vec()));
    secret["data"] = json!({
        "ca.crt": secret["data"]["ca.crt"],
        "tls.crt": text(&leaf.certificate),
        "tls.key": text(&leaf.key),
    });
    secret["metadata"] = json!({"name": SECRET, "namespace": NAMESPACE});
    installed
        .bed
        .kubectl_in(&["replace", "-f", "-"], &secret.to_string())
        .expect_success();
}

#[test]
fn whoever_may_only_look_around_gets_what_that_shows_and_no_failure() {
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    super::apply(&bed, &[]).expect_success();
    for command in [
        "create serviceaccount visitor -n default",
        "create clusterrole visitor --verb=get,list --resource=deployments.apps,services,namespaces",
        "create clusterrolebinding visitor --clusterrole=visitor --serviceaccount=default:visitor",
    ] {
        bed.kubectl(&command.split(' ').collect::<Vec<_>>()).expect_success();
    }
    let token = bed
        .kubectl(&["create", "token", "visitor", "-n", "default"])
        .expect_success();
    let folder = TempDir::new().expect("a folder");
    let kubeconfig = folder.path().join("kubeconfig");
    write_kubeconfig(&kubeconfig, &bed.api_url(), &bed.ca_file(), token.trim()).expect("written");
    let kubeconfig = kubeconfig.display().to_string();
    let looked = wait_until(TIMEOUT, "the visitor may look", || {
        let said = Said::of(&kubeconfig, &[])?;
        // Nothing runs here, and that is all that can be seen to be wrong.
        ensure!(
            said.code == Some(1) && said.found() == ["deployment", "opt-in"],
            "{:#}",
            said.report
        );
        Ok(said)
    });
    let said = looked.unwrap_or_else(|error| panic!("{error:#}"));
    for check in [
        "crds",
        "rights",
        "webhook-configuration",
        "certificate-secret",
        "webhook-call",
    ] {
        assert!(said.skipped().contains(&check), "{check}: {:#}", said.report);
    }
    let rights = said.lines().find(|line| line["check"] == "rights").expect("the check");
    assert!(
        rights["seen"]
            .as_str()
            .is_some_and(|seen| seen.starts_with("you may not ask")),
        "{rights}"
    );
}
