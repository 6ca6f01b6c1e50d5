//! Personas out of files, without a cluster; and what the group of commands says of itself.

use std::fs;
use std::path::Path;

use dorgu::manifest;
use dorgu::policy::quantity::Quantity;
use dorgu::schema::Kinds;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{assert_fails, dorgu};
use crate::bed::Output;

fn generate(args: &[&str], stdin: &str) -> Output {
    dorgu(&[&["generate"], args].concat(), &[], stdin)
}

/// The documents of a text as an API server stores them.
#[track_caller]
fn stored(text: &str) -> Vec<Value> {
    let read = manifest::read(text);
    assert_eq!(read.error, None, "{text}");
    let kinds = Kinds::read(&dorgu::api::crds(), |text| Quantity::parse(text).is_ok()).expect("schemas");
    let kind = kinds.find("dorgu.io/v1", "ApplicationPersona").expect("the kind");
    let stored = read.documents.iter().map(|document| {
        let created = kind
            .create(document.to_value(), "default")
            .unwrap_or_else(|errors| panic!("{errors:?}\n{text}"));
        assert_eq!(created.warnings, [], "{text}");
        created.object
    });
    stored.collect()
}

fn deployment(name: &str, namespace: Option<&str>) -> Value {
    let resources = json!({"requests": {"cpu": 1, "memory": "64Mi"}, "limits": {"cpu": 2}});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/name": name}},
        "spec": {"template": {"spec": {"containers": [{"name": "app", "image": "app:1", "resources": resources}]}}},
    })
}

#[test]
fn a_rendered_chart_gives_a_persona_for_each_deployment() {
    let autoscaler = json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "minReplicas": 3, "maxReplicas": 8},
    });
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}});
    let objects = [
        deployment("web", None),
        service,
        autoscaler,
        deployment("worker", Some("jobs")),
    ];
    let text = objects
        .map(|object| format!("---\n# Source: chart/templates/x.yaml\n{object}\n"))
        .concat();
    let output = generate(&["-", "--dry-run", "--namespace=shop"], &text);
    assert_eq!(output.code, Some(0), "{output}");
    assert!(
        output
            .stderr
            .contains("dorgu: deployment/web: no memory limit: container app has none"),
        "{output}"
    );
    let personas = stored(&output.stdout);
    let of = |pointer: &str| {
        personas
            .iter()
            .map(|persona| persona.pointer(pointer).cloned())
            .collect::<Vec<_>>()
    };
    assert_eq!(of("/metadata/name"), [Some(json!("worker")), Some(json!("web"))]);
    assert_eq!(of("/metadata/namespace"), [Some(json!("jobs")), Some(json!("shop"))]);
    assert_eq!(of("/spec/scaling/minReplicas"), [Some(json!(1)), Some(json!(3))]);
    assert_eq!(of("/spec/scaling/maxReplicas"), [Some(json!(1)), Some(json!(8))]);
    // A number is a quantity, too.
    assert_eq!(of("/spec/resources/limits/cpu"), [Some(json!("2")), Some(json!("2"))]);
    assert_eq!(of("/spec/resources/limits/memory"), [None, None]);
}

#[test]
fn a_file_is_written_once_and_never_overwritten_silently() {
    let folder = TempDir::new().expect("a folder");
    let manifest = folder.path().join("web.json");
    fs::write(&manifest, deployment("web", None).to_string()).expect("written");
    let (manifest, out) = (manifest.display().to_string(), folder.path().join("new/out"));
    let line = [manifest.as_str(), "--output", out.to_str().expect("text")];
    let run = |more: &[&str]| generate(&[&line[..], more].concat(), "");
    let first = run(&[]);
    assert_eq!((first.code, first.stdout.as_str()), (Some(0), ""), "{first}");
    assert!(first.stderr.contains("persona.yaml: 1 persona\n"), "{first}");
    let file = out.join("persona.yaml");
    let written = fs::read_to_string(&file).expect("written");
    assert_eq!(stored(&written)[0]["metadata"]["name"], "web");
    assert_eq!(run(&[]).code, Some(0), "the same content is no loss");
    fs::write(&file, "edited").expect("written");
    let refused = run(&[]);
    assert_eq!(refused.code, Some(1), "{refused}");
    assert!(
        refused
            .stderr
            .contains("exists and has other content; --force overwrites it"),
        "{refused}"
    );
    assert_eq!(fs::read_to_string(&file).expect("kept"), "edited");
    assert_eq!(run(&["--force"]).code, Some(0));
    assert_eq!(fs::read_to_string(&file).expect("written"), written);
    let entries = fs::read_dir(&out).expect("a folder").count();
    assert_eq!(entries, 1, "nothing is left beside it");
}

#[test]
fn a_bare_source_tree_says_in_one_line_that_it_cannot_yet() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().display().to_string();
    for file in ["Dockerfile", "main.go", "package.json", "broken.yaml"] {
        let text = if file == "broken.yaml" { "a: [" } else { "{}" };
        fs::write(folder.path().join(file), text).expect("written");
        for command in ["generate", "apply"] {
            let output = dorgu(&[command, &path], &[], "");
            assert_fails(
                &output,
                1,
                &["a persona cannot be made from a source tree yet", "helm template"],
            );
        }
    }
}

#[test]
fn a_persona_in_the_input_governs_and_the_rest_is_generated() {
    let persona = json!({
        "apiVersion": "dorgu.io/v1", "kind": "ApplicationPersona", "metadata": {"name": "of-web"},
        "spec": {"name": "web", "type": "web"},
    });
    let text = [persona, deployment("web", None), deployment("cart", None)]
        .map(|object| format!("---\n{object}\n"))
        .concat();
    let output = generate(&["-", "--dry-run"], &text);
    let personas = stored(&output.stdout);
    assert_eq!(
        (personas.len(), &personas[0]["metadata"]["name"]),
        (1, &json!("cart")),
        "{output}"
    );
    assert!(
        output
            .stderr
            .contains("deployment/web is left out: applicationpersona/of-web governs it"),
        "{output}"
    );
}

#[test]
fn another_name_for_the_app_is_written_and_doubted() {
    let text = deployment("web", None).to_string();
    let output = generate(&["-", "--dry-run", "--name=shop-web"], &text);
    let personas = stored(&output.stdout);
    assert_eq!(
        (&personas[0]["metadata"]["name"], &personas[0]["spec"]["name"]),
        (&json!("shop-web"), &json!("shop-web"))
    );
    assert!(
        output.stderr.contains("set its label app.kubernetes.io/name=shop-web"),
        "{output}"
    );
    let two = format!("{text}\n---\n{}", deployment("cart", None));
    assert_eq!(generate(&["-", "--dry-run", "--name=x"], &two).code, Some(1));
}

#[test]
fn odd_texts_come_back_from_the_yaml_as_they_were() {
    let odd = [
        "yes",
        "010",
        "1e3",
        "~",
        "null",
        "- x",
        "a: b",
        "#x",
        " x ",
        "\"",
        "'",
        "é\u{1f600}",
        "0x1f",
        "12:30",
        "@x",
        "%x",
        "!x",
    ];
    for text in odd {
        let mut object = deployment("web", None);
        object["metadata"]["annotations"] = json!({"dorgu.io/owner": text, "dorgu.io/team": format!("{text}\n{text}")});
        let output = generate(&["-", "--dry-run"], &object.to_string());
        let personas = stored(&output.stdout);
        assert_eq!(personas[0]["spec"]["ownership"]["owner"], text, "{output}");
        assert_eq!(
            personas[0]["spec"]["ownership"]["team"],
            format!("{text}\n{text}"),
            "{output}"
        );
    }
}

#[test]
fn bad_input_is_named_with_its_place_and_nothing_is_written() {
    let folder = TempDir::new().expect("a folder");
    let out = folder.path().join("out");
    let out = out.to_str().expect("text");
    let good = deployment("web", None).to_string();
    for (text, words) in [
        (format!("{good}\n---\na: ["), "-:3: "),
        (
            good.replace("\"64Mi\"", "\"lots\""),
            "-:1: container app: resources.requests.memory: \"lots\" is not a quantity",
        ),
    ] {
        let output = generate(&["-", "--output", out], &text);
        assert_eq!((output.code, output.stdout.as_str()), (Some(1), ""), "{output}");
        assert!(
            output.stderr.contains(words) && output.stderr.contains("nothing was done"),
            "{output}"
        );
        assert!(!Path::new(out).exists(), "{output}");
    }
    assert_fails(
        &generate(&["/nowhere/at/all"], ""),
        1,
        &["cannot read /nowhere/at/all", "No such file"],
    );
    assert_eq!(generate(&["--from=pod/x"], "").code, Some(2));
}

#[test]
fn the_group_alone_shows_its_commands_and_a_mistyped_one_gets_the_nearest() {
    let help = dorgu(&[], &[], "");
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""), "{help}");
    for command in ["apply", "diff", "generate", "import", "list", "status"] {
        assert!(help.stdout.contains(&format!("\n  {command} ")), "{help}");
    }
    let mistyped = dorgu(&["statsu"], &[], "");
    assert_eq!((mistyped.code, mistyped.stdout.as_str()), (Some(2), ""), "{mistyped}");
    assert!(mistyped.stderr.contains("'status'"), "{mistyped}");
    for line in [
        &["list", "-o", "text"][..],
        &["import", "-n", "shop"],
        &["import", "-n", "shop", "--all", "--name=x"],
    ] {
        assert_eq!(dorgu(line, &[], "").code, Some(2), "{line:?}");
    }
}
