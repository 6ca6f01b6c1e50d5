//! Apply, diff, list and status.

use serde_json::{Value, json};

use super::{Stage, assert_fails, orders};

#[test]
fn a_persona_is_created_configured_and_unchanged() {
    let Some(stage) = Stage::new("applied") else { return };
    let apply = |minimum: u32, more: &[&str]| {
        let args = [&["apply", "-"], more].concat();
        stage.dorgu_in(&args, &orders(minimum).to_string()).expect_success()
    };
    let line = |did: &str| format!("applicationpersona.dorgu.io/orders {did}\n");
    assert_eq!(apply(2, &["--dry-run=server"]), line("created (server dry run)"));
    assert_eq!(apply(2, &[]), line("created"));
    let first = stage.persona("orders");
    assert_eq!(apply(2, &[]), line("unchanged"));
    let second = stage.persona("orders");
    for field in ["generation", "resourceVersion", "managedFields"] {
        assert_eq!(first["metadata"][field], second["metadata"][field], "{field}");
    }
    assert_eq!(first["metadata"]["managedFields"][0]["manager"], "dorgu-cli");
    assert_eq!(first["metadata"]["managedFields"][0]["operation"], "Apply");
    // Defaults are the API server's and no one's fields.
    let owned = first["metadata"]["managedFields"][0]["fieldsV1"].to_string();
    assert!(
        owned.contains("f:minReplicas") && !owned.contains("f:behavior"),
        "{owned}"
    );
    assert_eq!(apply(3, &["--dry-run=server"]), line("configured (server dry run)"));
    assert_eq!(stage.persona("orders")["spec"]["scaling"]["minReplicas"], 2);
    assert_eq!(apply(3, &[]), line("configured"));
    assert_eq!(apply(4, &["-o", "name"]), "applicationpersona.dorgu.io/orders\n");
    let printed: Value = serde_json::from_str(&apply(4, &["--json"])).expect("JSON");
    assert_eq!(printed["spec"]["scaling"]["minReplicas"], 4);
    assert_eq!(printed["metadata"]["managedFields"], Value::Null);
    assert_eq!(stage.persona("orders")["metadata"]["generation"], 3);
}

#[test]
fn a_conflict_names_manager_and_field_and_nothing_is_forced_without_the_flag() {
    let Some(stage) = Stage::new("conflict") else { return };
    stage.dorgu_in(&["apply", "-"], &orders(2).to_string()).expect_success();
    let patch = json!({"spec": {"scaling": {"minReplicas": 5}}}).to_string();
    let edit = [
        "patch",
        "applicationpersona",
        "orders",
        "--type=merge",
        "--field-manager=jane",
        "-p",
        &patch,
    ];
    stage.kubectl(&edit).expect_success();
    let refused = stage.dorgu_in(&["apply", "-"], &orders(3).to_string());
    assert_fails(
        &refused,
        7,
        &[
            "field manager \"jane\" owns .spec.scaling.minReplicas",
            "--force-conflicts",
            &stage.namespace,
        ],
    );
    assert_eq!(stage.persona("orders")["spec"]["scaling"]["minReplicas"], 5);
    let forced = stage.dorgu_in(&["apply", "-", "--force-conflicts"], &orders(3).to_string());
    assert_eq!(
        forced.expect_success(),
        "applicationpersona.dorgu.io/orders configured\n"
    );
    assert_eq!(stage.persona("orders")["spec"]["scaling"]["minReplicas"], 3);
}

#[test]
fn an_unknown_field_and_an_invalid_value_are_named_with_their_line_and_nothing_is_sent() {
    let Some(stage) = Stage::new("strict") else { return };
    let text = "apiVersion: dorgu.io/v1\nkind: ApplicationPersona\nmetadata: {name: orders}\nspec:\n  name: orders\n  type: \
                apy\n---\napiVersion: dorgu.io/v1\nkind: ApplicationPersona\nmetadata: {name: cart}\nspec: {name: cart, type: api, \
                tear: x}\n";
    let refused = stage.dorgu_in(&["apply", "-"], text);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused}");
    assert!(
        refused.stderr.contains("dorgu: -:6: spec.type: Unsupported value"),
        "{refused}"
    );
    assert!(
        refused.stderr.contains("-:11: unknown field \"spec.tear\""),
        "{refused}"
    );
    assert_eq!(stage.dorgu(&["list", "-o", "name"]).expect_success(), "");
}

#[test]
fn an_exported_persona_can_be_applied_again() {
    let Some(stage) = Stage::new("exported") else { return };
    let applied = stage
        .bed
        .kubectl_in(&["apply", "-n", &stage.namespace, "-f", "-"], &orders(2).to_string());
    applied.expect_success();
    let exported = stage.persona("orders").to_string();
    let again = stage.dorgu_in(&["apply", "-"], &exported);
    assert_eq!(again.expect_success(), "applicationpersona.dorgu.io/orders unchanged\n");
}

#[test]
fn what_fails_costs_no_other_object() {
    let Some(stage) = Stage::new("several") else { return };
    let elsewhere = |name: &str, namespace: &str| {
        let mut object = orders(2);
        object["metadata"] = json!({"name": name, "namespace": namespace});
        object
    };
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [
        elsewhere("a", &stage.namespace), elsewhere("b", "default"), elsewhere("c", &stage.namespace),
    ]});
    let output = super::dorgu(
        &["apply", "-"],
        &[("KUBECONFIG", &stage.kubeconfig())],
        &list.to_string(),
    );
    let lines = "applicationpersona.dorgu.io/a created\napplicationpersona.dorgu.io/c created\n";
    assert_eq!((output.code, output.stdout.as_str()), (Some(5), lines), "{output}");
    assert!(
        output
            .stderr
            .contains("get on applicationpersonas.dorgu.io in namespace default"),
        "{output}"
    );
    let mixed = stage.dorgu_in(&["apply", "-"], &list.to_string());
    assert!(
        mixed
            .stderr
            .contains("metadata.namespace is default, but --namespace says"),
        "{mixed}"
    );
    assert_eq!(mixed.code, Some(1));
}

#[test]
fn a_diff_says_what_changes_and_exits_as_kubectl_does() {
    let Some(stage) = Stage::new("diff") else { return };
    let diff = |minimum: u32, more: &[&str]| {
        let args = [&["diff", "-f", "-"], more].concat();
        stage.dorgu_in(&args, &orders(minimum).to_string())
    };
    let new = diff(2, &[]);
    assert_eq!(new.code, Some(1), "{new}");
    assert!(
        new.stdout.contains("orders in namespace") && new.stdout.contains("would be created\n"),
        "{new}"
    );
    assert!(new.stdout.contains("spec.scaling.minReplicas: unset -> 2\n"), "{new}");
    stage.dorgu_in(&["apply", "-"], &orders(2).to_string()).expect_success();
    let same = diff(2, &[]);
    assert_eq!(
        (same.code, same.stdout.as_str(), same.stderr.as_str()),
        (Some(0), "", ""),
        "{same}"
    );
    let changed = diff(3, &[]);
    let wanted = format!(
        "applicationpersona.dorgu.io/orders in namespace {} would change\n  spec.scaling.minReplicas: 2 -> 3\n    stricter: fewer \
         replicas than 3 instead of 2 are denied where the persona is enforced (replicas-below-minimum)\n",
        stage.namespace
    );
    assert_eq!(
        (changed.code, changed.stdout.as_str()),
        (Some(1), wanted.as_str()),
        "{changed}"
    );
    let printed: Value = serde_json::from_str(&diff(3, &["--json"]).stdout).expect("JSON");
    let change = &printed["items"][0]["changes"][0];
    assert_eq!(
        (&change["field"], &change["effect"]),
        (&json!("spec.scaling.minReplicas"), &json!("stricter"))
    );
    assert_eq!(diff(3, &["-o", "name"]).stdout, "applicationpersona.dorgu.io/orders\n");
    // A failure is no difference.
    let broken = stage.dorgu_in(&["diff", "-f", "-"], "a: [");
    assert_eq!((broken.code, broken.stdout.as_str()), (Some(2), ""), "{broken}");
    let none = stage.dorgu_in(&["diff", "-f", "-"], "kind: Deployment\napiVersion: apps/v1\n");
    assert_fails(&none, 2, &["there is no ApplicationPersona in the input"]);
}

#[test]
fn list_and_status_print_what_the_operator_reports() {
    let Some(stage) = Stage::new("listed") else { return };
    let none = stage.dorgu(&["list"]);
    assert_eq!((none.code, none.stdout.as_str()), (Some(0), ""), "{none}");
    assert!(
        none.stderr
            .contains(&format!("no ApplicationPersonas in namespace {}", stage.namespace)),
        "{none}"
    );
    let none: Value = serde_json::from_str(&stage.dorgu(&["list", "--json"]).stdout).expect("JSON");
    assert_eq!((&none["kind"], &none["items"]), (&json!("List"), &json!([])));
    stage.dorgu_in(&["apply", "-"], &orders(2).to_string()).expect_success();
    let unknown = stage.dorgu(&["status", "orders"]);
    assert!(unknown.expect_success().contains("It has no status yet"));
    let status =
        json!({"status": {"phase": "Active", "health": {"status": "Healthy"}, "validation": {"passed": true}}});
    let patch = [
        "patch",
        "applicationpersona",
        "orders",
        "--subresource=status",
        "--type=merge",
        "-p",
        &status.to_string(),
    ];
    stage.kubectl(&patch).expect_success();
    let listed = stage.dorgu(&["list"]).expect_success();
    let row = listed
        .lines()
        .nth(1)
        .expect("a row")
        .split_whitespace()
        .collect::<Vec<_>>();
    assert_eq!(
        row[..4],
        ["orders", stage.namespace.as_str(), "Active", "Healthy"],
        "{listed}"
    );
    let wide = stage.dorgu(&["list", "-o", "wide"]).expect_success();
    assert!(wide.contains("APPLICATION") && wide.contains("true"), "{wide}");
    assert_eq!(
        stage.dorgu(&["list", "-o", "name", "-l", "no=such"]).expect_success(),
        ""
    );
    let shown = stage.dorgu(&["status", "orders"]).expect_success();
    assert!(
        shown.contains("Phase:       Active\n") && shown.contains("Validation:  Passed\n"),
        "{shown}"
    );
    // Output is no terminal, so nothing is coloured.
    assert!(!shown.contains('\u{1b}'), "{shown}");
    let object: Value = serde_json::from_str(&stage.dorgu(&["status", "orders", "-o", "json"]).stdout).expect("JSON");
    assert_eq!(object["status"]["phase"], "Active");
    let yaml = stage.dorgu(&["status", "orders", "-o", "yaml"]).expect_success();
    assert!(yaml.contains("phase: Active"), "{yaml}");
}

#[test]
fn a_name_with_an_underscore_finds_the_persona_that_can_have_no_such_name() {
    let Some(stage) = Stage::new("underscore") else { return };
    let mut object = orders(2);
    object["metadata"]["name"] = json!("my-orders");
    stage.dorgu_in(&["apply", "-"], &object.to_string()).expect_success();
    assert!(
        stage
            .dorgu(&["status", "My_orders"])
            .expect_success()
            .starts_with("my-orders in namespace")
    );
}
