//! Each cause of a failure has its own line and exit code.

use std::fs;

use crate::bed::{Bed, Options, write_kubeconfig};
use crate::watched::install_crds;

use super::{Stage, assert_fails, dorgu, orders};

/// Every command that needs a cluster, and something to read.
const COMMANDS: &[&[&str]] = &[
    &["apply", "-"],
    &["diff", "-f", "-"],
    &["generate", "--from=deployment/orders", "--dry-run"],
    &["import", "--all"],
    &["list"],
    &["status", "orders"],
];

#[test]
fn a_missing_definition_is_named_with_the_command_that_installs_it() {
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    let stage = Stage::on(&bed, "undefined");
    for command in COMMANDS {
        let output = stage.dorgu_in(command, &orders(2).to_string());
        assert_fails(
            &output,
            3,
            &[
                "CustomResourceDefinition is missing",
                "dorgu crd | kubectl apply --server-side -f -",
            ],
        );
    }
    // The command that is printed fixes it.
    bed.shell_with_dorgu("dorgu crd | kubectl apply --server-side -f -")
        .expect_success();
    install_crds(&bed);
    stage.dorgu(&["list"]).expect_success();
}

#[test]
fn a_missing_object_is_no_missing_definition() {
    let Some(stage) = Stage::new("absent") else { return };
    let namespace = stage.namespace.clone();
    let status = stage.dorgu(&["status", "nowhere"]);
    assert_fails(
        &status,
        4,
        &[
            "applicationpersona.dorgu.io/nowhere in namespace",
            &namespace,
            "does not exist",
        ],
    );
    assert_fails(&stage.dorgu(&["status", "../../../version"]), 4, &["does not exist"]);
    let import = stage.dorgu(&["import", "--name=orders"]);
    assert_fails(&import, 4, &["deployment/orders does not exist", "it has none"]);
    let generate = stage.dorgu(&["generate", "--from=deployment/orders", "--dry-run"]);
    assert_fails(&generate, 4, &["deployment/orders does not exist"]);
    // As admin, since an account has no rights in a namespace that does not exist.
    let admin = [("KUBECONFIG", stage.bed.kubeconfig())];
    let apply = dorgu(
        &["apply", "-", "--namespace=no-such-namespace"],
        &admin,
        &orders(2).to_string(),
    );
    assert_fails(&apply, 4, &["there is no namespace no-such-namespace"]);
}

#[test]
fn a_missing_right_is_named_by_verb_kind_and_namespace() {
    let Some(stage) = Stage::new("forbidden") else { return };
    let namespace = stage.namespace.clone();
    // Bound to its own namespace, it may not list all.
    let all = dorgu(&["list"], &[("KUBECONFIG", &stage.kubeconfig())], "");
    assert_fails(
        &all,
        5,
        &["a right is missing: list on applicationpersonas.dorgu.io in all namespaces"],
    );
    stage.unbind();
    for (command, verb) in COMMANDS.iter().zip(["get", "get", "list", "list", "list", "get"]) {
        let output = stage.dorgu_in(command, &orders(2).to_string());
        let right = format!("a right is missing: {verb} on applicationpersonas.dorgu.io in namespace {namespace};");
        assert_fails(
            &output,
            5,
            &[&right, &format!("system:serviceaccount:{namespace}:person")],
        );
    }
    // One verb less than the page names, one by one.
    for (verbs, command, missing) in [
        (
            "get,list,create",
            &["apply", "-"][..],
            "patch on applicationpersonas.dorgu.io",
        ),
        (
            "get,list,patch",
            &["apply", "-"],
            "create on applicationpersonas.dorgu.io",
        ),
        ("list", &["apply", "-"], "get on applicationpersonas.dorgu.io"),
        ("list", &["import", "--all"], "list on deployments.apps"),
    ] {
        let role = [
            "create",
            "role",
            "less",
            "--resource=applicationpersonas.dorgu.io",
            &format!("--verb={verbs}"),
        ];
        stage.kubectl(&role).expect_success();
        let account = format!("--serviceaccount={namespace}:person");
        stage
            .kubectl(&["create", "rolebinding", "less", "--role=less", &account])
            .expect_success();
        let output = stage.dorgu_in(command, &orders(2).to_string());
        assert_fails(&output, 5, &[&format!("{missing} in namespace {namespace}")]);
        stage.kubectl(&["delete", "rolebinding,role", "less"]).expect_success();
    }
}

#[test]
fn credentials_that_are_not_accepted_are_a_missing_right_and_not_a_lost_server() {
    let Some(stage) = Stage::new("unknown") else { return };
    let (url, ca) = (stage.bed.api_url(), stage.bed.ca_file());
    write_kubeconfig(&stage.kubeconfig(), &url, &ca, "no-token").expect("written");
    assert_fails(
        &stage.dorgu(&["list"]),
        5,
        &["does not accept the credentials", "log in again"],
    );
}

#[test]
fn autoscalers_that_may_not_be_read_are_taken_as_absent_and_named() {
    let Some(stage) = Stage::new("no-hpa") else { return };
    stage.unbind();
    let account = format!("--serviceaccount={}:person", stage.namespace);
    let rule = "--resource=applicationpersonas.dorgu.io,deployments.apps";
    stage
        .kubectl(&["create", "role", "less", rule, "--verb=list"])
        .expect_success();
    stage
        .kubectl(&["create", "rolebinding", "less", "--role=less", &account])
        .expect_success();
    let output = stage.dorgu(&["import", "--all"]);
    assert_eq!(output.code, Some(0), "{output}");
    let wanted = format!(
        "list on horizontalpodautoscalers.autoscaling in namespace {}",
        stage.namespace
    );
    assert!(output.stderr.contains(&wanted), "{output}");
}

#[test]
fn a_cluster_that_cannot_be_reached_is_one_line() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let file = folder.path().join("kubeconfig");
    let ca = folder.path().join("ca.crt");
    let authority = rcgen::generate_simple_self_signed(["nowhere".to_owned()]).expect("a certificate");
    fs::write(&ca, authority.cert.pem()).expect("written");
    write_kubeconfig(&file, "https://127.0.0.1:1", &ca, "t").expect("written");
    let kubeconfig = file.display().to_string();
    for command in COMMANDS {
        let line = [command, &["--namespace=shop", "--kubeconfig", &kubeconfig][..]].concat();
        assert_fails(
            &dorgu(&line, &[], &orders(2).to_string()),
            6,
            &["https://127.0.0.1:1 cannot be reached"],
        );
    }
    assert_fails(
        &dorgu(&["list"], &[], ""),
        6,
        &["no cluster is configured: pass --kubeconfig FILE"],
    );
    let nowhere = dorgu(&["list", "--kubeconfig=/nowhere/kubeconfig"], &[], "");
    assert_fails(&nowhere, 6, &["/nowhere/kubeconfig"]);
    let context = dorgu(&["list", "--kubeconfig", &kubeconfig, "--context=other"], &[], "");
    assert_fails(&context, 6, &["other"]);
}
