//! `dorgu check` with a cluster: personas, namespaces and settings are those of the API server.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::fixed::{generate::Generator, generate::personas};
use crate::bed::{Bed, Options, write_kubeconfig};

struct Checked {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn check(folder: &Path, args: &[&str]) -> Checked {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dorgu"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("DORGU_") {
            command.env_remove(name);
        }
    }
    let output = command
        .arg("check")
        .args(args)
        .current_dir(folder)
        .output()
        .expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Checked {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

fn operator(args: &[&str]) -> String {
    let args = [&["serve"], args].concat();
    let pod = json!({"containers": [{"name": "manager", "image": "x", "args": args}]});
    let labels = json!({"app": "dorgu"});
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "dorgu-operator", "namespace": "dorgu-system"},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
    });
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "dorgu-system"}});
    json!({"apiVersion": "v1", "kind": "List", "items": [namespace, deployment]}).to_string()
}

/// A kubeconfig of an account with one Role or none.
fn account(bed: &Bed, folder: &Path, namespace: &str, rules: &Value) -> String {
    let name = format!("reader-{}", rules.as_array().map_or(0, Vec::len));
    let metadata = json!({"name": name, "namespace": namespace});
    let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name});
    let objects = [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules}),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata, "roleRef": role,
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        }),
    ];
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    bed.apply(&list.to_string()).expect_success();
    let token = bed.kubectl(&["create", "token", &name, "--namespace", namespace, "--duration=1h"]);
    let file = folder.join(&name);
    write_kubeconfig(&file, &bed.api_url(), &bed.ca_file(), token.expect_success().trim()).expect("written");
    file.to_str().expect("text").to_owned()
}

#[test]
fn a_check_with_a_cluster_finds_what_a_check_with_files_finds() {
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    crate::watched::install_crds(&bed);
    let namespace = bed.namespace("live", &[("dorgu.io/validate", "true"), ("dorgu.io/mode", "enforcing")]);
    let folder = TempDir::new().expect("a folder");
    let place = folder.path();
    let all: Vec<Value> = personas(&namespace);
    let documents = |all: &[Value]| all.iter().map(Value::to_string).collect::<Vec<_>>().join("\n---\n");
    let labels = json!({"dorgu.io/validate": "true", "dorgu.io/mode": "enforcing"});
    let mode = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}});
    let with_mode = format!("{}\n---\n{mode}\n", documents(&all));
    fs::write(place.join("personas.yaml"), with_mode).expect("written");
    let applied = json!({"apiVersion": "v1", "kind": "List", "items": all});
    bed.apply(&applied.to_string()).expect_success();
    let mut generator = Generator::new(1, &namespace);
    let questions = (0..40).map(|number| generator.question(number));
    let objects: Vec<Value> = questions
        .filter(|question| !question.is_scale())
        .map(|question| question.object)
        .collect();
    fs::create_dir(place.join("apps")).expect("created");
    fs::write(place.join("apps/all.yaml"), documents(&objects)).expect("written");

    let admin = format!("--kubeconfig={}", bed.kubeconfig().display());
    let live = |args: &[&str]| check(place, &[&[admin.as_str(), "-n", &namespace, "apps"], args].concat());
    let files = |args: &[&str]| {
        check(
            place,
            &[&["--personas=personas.yaml", "-n", &namespace, "apps"], args].concat(),
        )
    };
    let same = |one: &Checked, other: &Checked| {
        // Of two findings at one place either may be first.
        let sorted = |checked: &Checked| {
            let mut lines: Vec<String> = checked.stdout.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(one), sorted(other), "{}", one.stderr);
        assert_eq!(one.code, other.code, "{}", one.stderr);
    };
    let unknown = "the settings of dorgu in the cluster are unknown";
    let without = live(&[]);
    assert!(without.stdout.lines().count() > 20, "{}", without.stderr);
    same(&without, &files(&[]));
    let said =
        format!("{unknown}, so that those of flags decide: it is not there (Deployment dorgu-operator in namespace");
    assert!(without.stderr.contains(&said), "{}", without.stderr);
    assert!(!without.stderr.contains("is not called for"), "{}", without.stderr);

    // The arguments of the operator decide, and flags win.
    let flags = [
        "--rule-level=cpu-limit-above-persona=off,memory-limit-missing=deny",
        "--match=chain",
    ];
    bed.apply(&operator(&flags)).expect_success();
    let by_operator = live(&[]);
    assert_ne!(by_operator.stdout, without.stdout);
    assert!(!by_operator.stderr.contains(unknown), "{}", by_operator.stderr);
    same(&by_operator, &files(&flags));
    same(&live(&["--rules=complete"]), &without);
    let elsewhere = live(&["--operator=dorgu-system/other"]);
    assert!(
        elsewhere.stderr.contains("Deployment other in namespace dorgu-system"),
        "{}",
        elsewhere.stderr
    );
    bed.apply(&operator(&["--match=newer"])).expect_success();
    let newer = live(&[]);
    assert!(
        newer.stderr.contains(unknown) && newer.stderr.contains("newer"),
        "{}",
        newer.stderr
    );

    // A namespace that the webhook is not called for.
    bed.kubectl(&["label", "namespace", &namespace, "dorgu.io/validate-"])
        .expect_success();
    let left_out = live(&["--rules=complete"]);
    same(&left_out, &without);
    let said = format!("the webhook is not called for {namespace}, which has no label dorgu.io/validate");
    assert!(left_out.stderr.contains(&said), "{}", left_out.stderr);

    // An account that may list the personas of one namespace.
    let rules = json!([{"apiGroups": ["dorgu.io"], "resources": ["applicationpersonas"], "verbs": ["list"]}]);
    let reader = account(&bed, place, &namespace, &rules);
    let reader = format!("--kubeconfig={reader}");
    let by_reader = check(place, &[&reader, "-n", &namespace, "apps"]);
    fs::write(place.join("modeless.yaml"), documents(&all)).expect("written");
    let modeless = check(place, &["--personas=modeless.yaml", "-n", &namespace, "apps"]);
    assert_ne!(modeless.stdout, without.stdout);
    same(&by_reader, &modeless);
    for line in [
        "you may not get it (Deployment dorgu-operator in namespace dorgu-system".to_owned(),
        "you may not list namespaces; their modes count as unset".to_owned(),
        "you may not list clusterpersonas.dorgu.io; levels that the platform sets there are not applied".to_owned(),
        format!("in all namespaces; only those of namespace {namespace} are read"),
        format!("you may not list personaexceptions.dorgu.io in namespace {namespace}; none is applied"),
    ] {
        assert!(by_reader.stderr.contains(&line), "{line}: {}", by_reader.stderr);
    }
    let nothing = account(&bed, place, &namespace, &json!([]));
    let nothing = format!("--kubeconfig={nothing}");
    let by_none = check(place, &[&nothing, "-n", &namespace, "--rules=complete", "apps"]);
    assert_eq!(
        (by_none.code, by_none.stdout.as_str()),
        (Some(2), ""),
        "{}",
        by_none.stderr
    );
    let last = by_none.stderr.lines().last().unwrap_or_default();
    assert!(
        last.contains("cannot be read") && last.contains("--personas PATH"),
        "{last}"
    );
}
