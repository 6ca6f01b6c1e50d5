//! The commands of docs/rules.md for the findings that are about a persona or a namespace, typed in where the finding is:
//! the API server takes each, and the finding is gone. Those about a Deployment are typed in `cluster::typed`.

use std::fs;
use std::path::Path;

use anyhow::ensure;
use dorgu::policy::Rule;
use serde_json::json;

use super::{Stage, TIMEOUT, crds, install_crds};
use crate::bed::{Bed, Needs, Options, wait_until};

/// The `kubectl` commands in the section of a rule, for this namespace.
fn commands(rule: Rule, namespace: &str) -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules.md");
    let text = fs::read_to_string(file).expect("readable");
    let heading = format!("\n## {}\n", rule.name());
    let section = text.split(&heading).nth(1).expect("a section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let code = section.split('`').skip(1).step_by(2);
    let typed = code.filter(|code| code.starts_with("kubectl"));
    let placed = |command: String| {
        command
            .replace("namespace shop", &format!("namespace {namespace}"))
            .replace('\n', " ")
    };
    typed.map(str::to_owned).map(placed).collect()
}

fn type_in(stage: &Stage<'_>, command: &str) -> String {
    let typed = stage.bed.shell(command);
    assert!(typed.succeeded(), "{command}\n{typed}");
    typed.stdout
}

/// Stores a persona as one was that is older than the validation in the CRD.
fn store_unvalidated(bed: &Bed, persona: &str) {
    let spec = json!({
        "type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {"name": {"type": "string"}, "tier": {"type": "string"}},
    });
    let path = "/spec/versions/0/schema/openAPIV3Schema/properties/spec";
    let loose = json!([{"op": "replace", "path": path, "value": spec}]).to_string();
    let crd = "applicationpersonas.dorgu.io";
    bed.kubectl(&["patch", "crd", crd, "--type=json", "--patch", &loose])
        .expect_success();
    // The API server takes a moment to follow.
    let stored = wait_until(TIMEOUT, "the persona is stored", || {
        let output = bed.apply(persona);
        ensure!(output.succeeded(), "{output}");
        Ok(())
    });
    stored.unwrap();
    let folder = crds().display().to_string();
    bed.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", &folder])
        .expect_success();
    let strict = wait_until(TIMEOUT, "the validation is back", || {
        let again = persona.replace("\"orders\"", "\"other\"");
        let output = bed.kubectl_in(&["apply", "--dry-run=server", "-f", "-"], &again);
        ensure!(!output.succeeded(), "{output}");
        Ok(())
    });
    strict.unwrap();
}

#[test]
fn a_value_that_cannot_be_read_is_gone_after_the_command_of_its_rule() {
    let Some(bed) = Bed::start(&Options::default()) else {
        return;
    };
    install_crds(&bed);
    let stage = Stage::new(&bed, "unreadable", &[]);
    let mut persona = stage.persona("orders", 1);
    persona["spec"]["resources"] = json!({"limits": {"cpu": "abc"}});
    store_unvalidated(&bed, &persona.to_string());
    let text = "spec.resources.limits.cpu 'abc' is not a quantity; check skipped";
    stage.until_told("orders", text, true);
    let commands = commands(Rule::PersonaValueUnreadable, &stage.namespace);
    let [command] = commands.as_slice() else {
        panic!("one command: {commands:?}")
    };
    type_in(&stage, command);
    stage.until_told("orders", text, false);
    let said = stage.ask("orders");
    assert!(!said.contains("is not a quantity"), "{said}");
}

#[test]
fn personas_that_share_an_app_are_found_and_one_is_deleted_by_the_commands_of_their_rule() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let stage = Stage::new(bed, "twins", &[]);
    let mut copy = stage.persona("orders", 1);
    copy["metadata"]["name"] = json!("orders-copy");
    let other = stage.persona("carts", 1);
    for persona in [stage.persona("orders", 1), copy, other] {
        bed.apply(&persona.to_string()).expect_success();
    }
    let text = "'orders', 'orders-copy' share spec.name 'orders'";
    stage.until_told("orders", text, true);
    let commands = commands(Rule::PersonaDuplicate, &stage.namespace);
    let [find, delete] = commands.as_slice() else {
        panic!("two commands: {commands:?}")
    };
    let found = type_in(&stage, find);
    let mut names: Vec<&str> = found
        .lines()
        .skip(1)
        .filter_map(|line| line.split(' ').next())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["orders", "orders-copy"], "{found}");
    type_in(&stage, delete);
    stage.until_told("orders", "share spec.name", false);
    let left = type_in(&stage, find);
    assert!(left.contains("orders") && !left.contains("orders-copy"), "{left}");
}

#[test]
fn an_unknown_mode_is_gone_after_the_commands_of_its_rule() {
    let Some(bed) = Bed::shared(Needs::ApiServer) else {
        return;
    };
    let stage = Stage::new(bed, "unknown", &[]);
    bed.apply(&stage.persona("orders", 1).to_string()).expect_success();
    let namespace = format!("namespace/{}", stage.namespace);
    let unknown = "dorgu.io/mode=Enforcing";
    let texts = [
        format!("Namespace '{}': label", stage.namespace),
        "ApplicationPersona 'orders': annotation".to_owned(),
    ];
    bed.kubectl(&["label", &namespace, unknown]).expect_success();
    stage
        .kubectl(&["annotate", "applicationpersona", "orders", unknown])
        .expect_success();
    let commands = commands(Rule::ModeUnknown, &stage.namespace);
    assert_eq!(commands.len(), texts.len(), "{commands:?}");
    for (text, command) in texts.iter().zip(&commands) {
        stage.until_told("orders", text, true);
        type_in(&stage, command);
        stage.until_told("orders", text, false);
    }
    let said = stage.ask("orders");
    assert!(!said.contains("ignored"), "{said}");
}
