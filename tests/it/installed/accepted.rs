//! What an API server says to the manifests.

use anyhow::ensure;
use serde_json::{Value, json};

use super::{DEPLOYMENT, NAMESPACE, PATIENCE, apply, manifests};
use crate::bed::{Bed, Needs, Options, wait_until};

#[test]
fn the_manifests_are_accepted_strictly_and_applying_them_again_changes_nothing() {
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    let first = apply(&bed, &["--validate=strict"]);
    assert!(first.warnings().is_empty(), "{first}");
    assert_every_line(&first.expect_success(), "created");
    let versions = versions(&bed);

    assert_every_line(&apply(&bed, &["--validate=strict"]).expect_success(), "unchanged");
    assert_eq!(self::versions(&bed), versions);

    // Another manager takes over: the same fields, so only who manages them changes, once.
    let server_side = ["--server-side", "--validate=strict"];
    let taken = apply(&bed, &server_side);
    assert!(taken.warnings().is_empty(), "{taken}");
    assert_every_line(&taken.expect_success(), "serverside-applied");
    let versions = self::versions(&bed);
    apply(&bed, &server_side).expect_success();
    assert_eq!(self::versions(&bed), versions);

    let folder = manifests().display().to_string();
    assert_eq!(bed.kubectl(&["diff", "-k", &folder]).expect_success(), "");
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

    let budget = wait_until(PATIENCE, "the budget counts both", || {
        let allowed = "-o=jsonpath={.status.disruptionsAllowed}";
        let allowed = bed.kubectl(&["get", "poddisruptionbudget", DEPLOYMENT, "-n", NAMESPACE, allowed]);
        let allowed = allowed.checked()?;
        ensure!(allowed == "1", "it allows {allowed}");
        Ok(())
    });
    budget.unwrap_or_else(|error| panic!("{error:#}"));
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

/// The resource version of every object of the manifests. The Deployment's generation, since nothing but us writes it here.
fn versions(bed: &Bed) -> Vec<String> {
    let folder = manifests().display().to_string();
    let columns = "-o=custom-columns=KIND:.kind,NAME:.metadata.name,VERSION:.metadata.resourceVersion";
    let objects = bed.kubectl(&["get", "-k", &folder, "--no-headers", columns]);
    // A CustomResourceDefinition has a status that the API server writes.
    let objects = objects.expect_success();
    let ours = objects
        .lines()
        .filter(|line| !line.starts_with("CustomResourceDefinition"));
    ours.map(str::to_owned).collect()
}

fn assert_every_line(output: &str, end: &str) {
    assert!(output.lines().count() >= 14, "{output}");
    for line in output.lines() {
        assert!(line.ends_with(end), "{line}");
    }
}
