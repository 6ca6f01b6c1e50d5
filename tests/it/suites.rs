//! `dorgu test` as a user runs it: the suites of the repository, without a network, and every expectation broken once.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::bed::skip_without_rights;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The program in a folder, without the environment of the machine. A kubeconfig that anything reads is an error.
fn command(program: &str, before: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(before).env_clear().current_dir(folder);
    command.env("KUBECONFIG", "/nowhere/kubeconfig").env("HOME", "/nowhere");
    command
}

fn dorgu(folder: &Path, args: &[&str]) -> Output {
    let mut command = command(env!("CARGO_BIN_EXE_dorgu"), &["test"], folder);
    command.args(args).output().expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_suites_of_the_repository_pass() {
    for folder in ["tests/suites", "manifests/examples"] {
        let output = dorgu(root(), &[folder]);
        let (shown, said) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{shown}{said}");
        assert!(shown.contains(" 0 failed\n"), "{shown}");
        assert_eq!(said, "", "{folder}");
    }
}

#[test]
fn suites_need_no_network() {
    let alone = ["--map-root-user", "--net"];
    let allowed = Command::new("unshare").args(alone).arg("true").output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        let _: Option<()> = skip_without_rights("a network of its own takes Linux, util-linux and user namespaces");
        return;
    }
    let program = [&alone[..], &[env!("CARGO_BIN_EXE_dorgu"), "test", "tests/suites"]].concat();
    let unshare = ["/usr/bin/unshare", "/bin/unshare"]
        .into_iter()
        .find(|path| Path::new(path).exists());
    let output = command(unshare.unwrap_or("unshare"), &program, root())
        .output()
        .expect("it runs");
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
}

/// A copy of the suites with one change.
fn changed(file: &str, from: &str, to: &str) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let source = root().join("tests/suites");
    fs::create_dir(folder.path().join("manifests")).expect("a folder");
    let mut found = 0;
    for name in [
        "exceptions-test.yaml",
        "settings-test.yaml",
        "manifests/persona.yaml",
        "manifests/deployments.yaml",
    ] {
        let mut text = fs::read_to_string(source.join(name)).expect("a suite");
        if name == file {
            found = text.matches(from).count();
            text = text.replacen(from, to, 1);
        }
        fs::write(folder.path().join(name), text).expect("written");
    }
    assert!(found > 0, "{file} has no {from}");
    folder
}

#[test]
fn each_expectation_that_is_broken_fails_the_run_and_shows_what_was_found() {
    const SUITE: &str = "exceptions-test.yaml";
    const REPLICAS: &str = "replicas (1) below persona minimum (2)";
    for (file, from, to, words) in [
        (
            SUITE,
            "standing: excepted",
            "standing: new",
            [
                "expected  warning replicas-below-minimum, new",
                "found     warning replicas-below-minimum, persona orders, excepted: replicas (1)",
            ],
        ),
        (
            SUITE,
            "at: 2026-02-01T00:00:00Z",
            "at: 2026-03-01T00:00:00Z",
            ["expected  allowed", "found     denied"],
        ),
        (
            SUITE,
            "at: 2026-03-01T00:00:00Z",
            "at: 2026-02-01T00:00:00Z",
            ["expected  denied", "found     allowed: it has no error that counts"],
        ),
        (
            SUITE,
            "severity: error, standing: new",
            "severity: info",
            ["expected  info replicas-below-minimum", REPLICAS],
        ),
        (
            SUITE,
            "standing: before",
            "standing: new",
            ["expected  error replicas-below-minimum, new", ", before: replicas (1)"],
        ),
        (
            SUITE,
            "rule: replicas-below-minimum",
            "rule: replicas-below-maximum",
            [
                "expected  rule replicas-below-maximum",
                "did you mean replicas-below-minimum?",
            ],
        ),
        (
            SUITE,
            "deployment: two",
            "deployment: tow",
            ["expected  Deployment tow", "did you mean two?"],
        ),
        (
            SUITE,
            "deployment: two",
            "deployment: one",
            ["expected  no finding", REPLICAS],
        ),
        (
            SUITE,
            "governed: false",
            "governed: true",
            [
                "expected  a persona that governs shop/billing",
                "the personas of the suite are shop/orders",
            ],
        ),
        (
            SUITE,
            "  old: manifests/deployments.yaml\n",
            "",
            ["expected  allowed", REPLICAS],
        ),
        (
            "settings-test.yaml",
            "container: api, ",
            "container: app, ",
            ["expected  container app", "did you mean api?"],
        ),
        (
            "settings-test.yaml",
            "platform/default}",
            "platform/defaults}",
            ["expected  persona platform/defaults", "did you mean platform/default?"],
        ),
        (
            "settings-test.yaml",
            ", dorgu.io/mode: enforcing",
            "",
            [
                "expected  denied",
                "found     allowed: process, namespace and persona are advisory",
            ],
        ),
        (
            "settings-test.yaml",
            "  defaultPersonasNamespace: platform\n",
            "",
            [
                "expected  error requests-missing, container api, persona platform/default",
                "found     no finding",
            ],
        ),
        (
            "settings-test.yaml",
            "requests-missing: deny, ",
            "",
            ["expected  error requests-missing", "warning requests-missing"],
        ),
        (
            "manifests/persona.yaml",
            "minReplicas: 2",
            "minReplicas: 1",
            [
                "expected  warning replicas-below-minimum, excepted",
                "found     no finding",
            ],
        ),
    ] {
        let folder = changed(file, from, to);
        let output = dorgu(folder.path(), &["."]);
        let shown = text(&output.stdout);
        assert_eq!(
            output.status.code(),
            Some(1),
            "{from} -> {to}\n{shown}{}",
            text(&output.stderr)
        );
        for word in words {
            assert!(shown.contains(word), "{from} -> {to} shows no {word:?}\n{shown}");
        }
    }
}

#[test]
fn what_cannot_be_read_is_said_on_stderr_with_code_two() {
    for (file, from, to, words) in [
        (
            "exceptions-test.yaml",
            "deployment: two",
            "deploymant: two",
            "exceptions-test.yaml:17: tests[1].deploymant: unknown field",
        ),
        (
            "exceptions-test.yaml",
            "[manifests/persona.yaml]",
            "[manifests/p.yaml]",
            "exceptions-test.yaml:8: manifests/p.yaml: No such file",
        ),
        (
            "manifests/persona.yaml",
            "type: api",
            "type: apy",
            "manifests/persona.yaml:6: spec.type: ",
        ),
        (
            "manifests/deployments.yaml",
            "kind: List",
            "kind: List\nkind: List",
            "manifests/deployments.yaml:3: ",
        ),
        (
            "settings-test.yaml",
            "- name: lab",
            "- name: lap",
            "settings-test.yaml:19: namespace lap has no Deployment",
        ),
    ] {
        let folder = changed(file, from, to);
        for format in ["table", "json", "junit"] {
            let output = dorgu(folder.path(), &[".", "-o", format]);
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{from} -> {to}\n{said}");
            assert!(said.contains(words), "{from} -> {to}: {said}");
        }
    }
    let output = dorgu(root(), &["tests/suites/manifests"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("no suite in it"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn the_flags_hold_where_a_suite_says_nothing() {
    let folder = changed("exceptions-test.yaml", "namespace: shop\n", "");
    let output = dorgu(
        folder.path(),
        &["exceptions-test.yaml", "-o", "json", "--namespace", "lab"],
    );
    let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(shown["suites"][0]["tests"][0]["deployment"], "lab/one");
    assert_eq!(shown["failed"], 0, "{shown}");
    // Without its settings, a suite is judged by those of flags.
    let folder = changed(
        "exceptions-test.yaml",
        "settings: {mode: enforcing}\npersonas: [manifests/persona.yaml]\ndeployments: [manifests/deployments.yaml]\ntests:\n- name: one replica is denied",
        "personas: [manifests/persona.yaml]\ndeployments: [manifests/deployments.yaml]\ntests:\n- name: one replica is denied",
    );
    assert_eq!(dorgu(folder.path(), &["exceptions-test.yaml"]).status.code(), Some(1));
    let enforcing = dorgu(folder.path(), &["exceptions-test.yaml", "--mode", "enforcing"]);
    assert_eq!(enforcing.status.code(), Some(0), "{}", text(&enforcing.stdout));
    // Personas of a flag are those of every suite.
    let folder = changed("exceptions-test.yaml", "personas: [manifests/persona.yaml]\n", "");
    assert_eq!(dorgu(folder.path(), &["exceptions-test.yaml"]).status.code(), Some(1));
}

/// Why a value does not fit a schema; empty where it does. Knows the keywords that ours has, and no other.
fn differences(schema: &Value, whole: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let Some(keywords) = schema.as_object() else {
        assert_eq!(schema, &Value::Bool(true), "{at}");
        return;
    };
    for (keyword, wanted) in keywords {
        let is_fine = match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "default" | "format" => true,
            "$ref" => {
                let pointer = wanted.as_str().and_then(|link| link.strip_prefix('#')).expect("a link");
                differences(whole.pointer(pointer).expect("a definition"), whole, value, at, found);
                true
            }
            "anyOf" | "oneOf" => wanted.as_array().expect("a list").iter().any(|one| {
                let mut inside = Vec::new();
                differences(one, whole, value, at, &mut inside);
                inside.is_empty()
            }),
            "const" => wanted == value,
            "enum" => wanted.as_array().expect("a list").contains(value),
            "type" => {
                let types = wanted.as_array().cloned().unwrap_or_else(|| vec![wanted.clone()]);
                types.iter().any(|name| match name.as_str() {
                    Some("object") => value.is_object(),
                    Some("array") => value.is_array(),
                    Some("string") => value.is_string(),
                    Some("boolean") => value.is_boolean(),
                    Some("null") => value.is_null(),
                    other => panic!("{at}: type {other:?}"),
                })
            }
            "required" => wanted
                .as_array()
                .expect("a list")
                .iter()
                .all(|key| value.get(key.as_str().expect("a key")).is_some()),
            "items" => {
                for (number, item) in value.as_array().into_iter().flatten().enumerate() {
                    differences(wanted, whole, item, &format!("{at}/{number}"), found);
                }
                true
            }
            "properties" => {
                for (key, schema) in wanted.as_object().expect("a map") {
                    if let Some(value) = value.get(key) {
                        differences(schema, whole, value, &format!("{at}/{key}"), found);
                    }
                }
                true
            }
            "additionalProperties" => {
                let known = keywords.get("properties").and_then(Value::as_object);
                let others = value.as_object().into_iter().flatten();
                for (key, value) in others.filter(|(key, _)| known.is_none_or(|known| !known.contains_key(*key))) {
                    let at = format!("{at}/{key}");
                    match wanted {
                        Value::Bool(true) => {}
                        Value::Bool(false) => found.push(format!("{at}: unknown")),
                        schema => differences(schema, whole, value, &at, found),
                    }
                }
                true
            }
            other => panic!("{at}: the keyword {other} is not known here"),
        };
        if !is_fine {
            found.push(format!("{at}: {keyword}"));
        }
    }
}

fn in_schema(suite: &Value) -> Vec<String> {
    let schema = fs::read_to_string(root().join("docs/schemas/persona-test.json")).expect("the schema");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let mut found = Vec::new();
    differences(&schema, &schema, suite, "", &mut found);
    found
}

#[test]
fn the_schema_takes_what_the_program_takes_and_rejects_what_it_rejects() {
    for file in [
        "tests/suites/exceptions-test.yaml",
        "tests/suites/settings-test.yaml",
        "manifests/examples/orders-test.yaml",
    ] {
        let text = fs::read_to_string(root().join(file)).expect("a suite");
        let modeline = text.lines().next().unwrap_or_default();
        let link = modeline
            .strip_prefix("# yaml-language-server: $schema=")
            .expect("a modeline");
        let folder = root().join(file).parent().expect("a folder").join(link);
        assert_eq!(
            folder.canonicalize().expect("it leads there"),
            root()
                .join("docs/schemas/persona-test.json")
                .canonicalize()
                .expect("there")
        );
        for suite in dorgu::manifest::read(&text).documents {
            assert_eq!(in_schema(&suite.to_value()), Vec::<String>::new(), "{file}");
        }
    }
    let suite = |text: &str| dorgu::manifest::read(text).documents[0].to_value();
    let whole = "{apiVersion: dorgu.io/v1, kind: PersonaTest, metadata: {name: a}, tests: [{deployment: a, findings: [{rule: run-as-non-root}]}]}";
    assert_eq!(in_schema(&suite(whole)), Vec::<String>::new());
    let folder = TempDir::new().expect("a folder");
    for (from, to) in [
        ("kind: PersonaTest", "kind: PersonaTests"),
        ("metadata: {name: a}, ", ""),
        ("{name: a}", "{nam: a}"),
        ("[{rule: run-as-non-root}]", "some"),
        ("rule: run-as-non-root", "severity: error"),
        ("deployment: a", "deploymant: a"),
        ("rule: run-as-non-root", "rule: run-as-non-root, severity: bad"),
        ("tests: [", "settings: {mode: strict}, tests: ["),
    ] {
        let changed = whole.replace(from, to);
        assert_ne!(in_schema(&suite(&changed)), Vec::<String>::new(), "{changed}");
        fs::write(folder.path().join("suite.yaml"), &changed).expect("written");
        let output = dorgu(folder.path(), &["suite.yaml"]);
        assert_eq!(output.status.code(), Some(2), "{changed}: {}", text(&output.stdout));
    }
}
