//! What templates render from values, without a cluster.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::{NAMESPACE, by_name, chart, manifests, objects, template, value_sets};
use crate::bed::{Bed, Helm, Needs};

/// What Helm adds to everything, and a Namespace, which Helm makes by `--create-namespace` or not at all.
const OF_HELM: [&str; 3] = [
    "app.kubernetes.io/managed-by",
    "helm.sh/chart",
    "helm.sh/resource-policy",
];

#[test]
fn lint_has_nothing_to_say_to_any_values() {
    let Some(helm) = Helm::find() else { return };
    for (name, file) in value_sets() {
        let (chart, file) = (chart().display().to_string(), file.display().to_string());
        let linted = helm
            .run(&["lint", "--strict", &chart, "--values", &file])
            .expect_success();
        assert!(
            !linted.contains("[WARNING]") && !linted.contains("[ERROR]"),
            "{name}: {linted}"
        );
    }
}

#[test]
fn rendering_twice_gives_the_same_bytes() {
    let Some(helm) = Helm::find() else { return };
    for (name, file) in value_sets() {
        let file = file.display().to_string();
        let render = || template(&helm, NAMESPACE, &["--values", &file]).expect_success();
        assert!(render() == render(), "{name} differs from itself");
    }
}

#[test]
fn what_is_packaged_renders_the_same_and_holds_no_values_of_tests() {
    let Some(helm) = Helm::find() else { return };
    let folder = tempfile::TempDir::new().unwrap();
    let (chart, into) = (chart().display().to_string(), folder.path().display().to_string());
    helm.run(&["package", &chart, "--destination", &into]).expect_success();
    let package = format!("{into}/dorgu-operator-{}.tgz", env!("CARGO_PKG_VERSION"));
    let render = |chart: &str| {
        helm.run(&["template", "x", chart, "--set", "webhook.enabled=true"])
            .expect_success()
    };
    assert!(render(&package) == render(&chart));
    let listed = Command::new("tar").args(["-tzf", &package]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("dorgu-operator/values.schema.json\n"), "{listed}");
    assert!(!listed.contains("/ci/"), "{listed}");
}

#[test]
fn the_chart_and_the_manifests_are_the_same_objects() {
    let (Some(helm), Some(bed)) = (Helm::find(), Bed::shared(Needs::ApiServer)) else {
        return;
    };
    let folder = manifests().display().to_string();
    let mut manifests = by_name(&bed.kubectl(&["kustomize", &folder]).expect_success());
    assert!(
        manifests
            .remove(&("Namespace".to_owned(), NAMESPACE.to_owned()))
            .is_some()
    );
    let values = ["--set", "webhook.enabled=true,replicaCount=2"];
    let mut chart = by_name(&template(&helm, NAMESPACE, &values).expect_success());
    for object in manifests.values_mut().chain(chart.values_mut()) {
        without_helms(object);
    }
    let names = |objects: &BTreeMap<_, _>| objects.keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        names(&manifests),
        names(&chart),
        "manifests on the left, chart on the right"
    );
    for (name, object) in &manifests {
        let (left, right) = (pretty(object), pretty(&chart[name]));
        assert!(left == right, "{name:?}\nmanifests:\n{left}\nchart:\n{right}");
    }
}

/// Takes away labels and annotations that only Helm sets, wherever labels are.
fn without_helms(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, value| {
                let emptied = key == "annotations" && {
                    without_helms(value);
                    value.as_object().is_some_and(serde_json::Map::is_empty)
                };
                !OF_HELM.contains(&key.as_str()) && !emptied
            });
            fields.values_mut().for_each(without_helms);
        }
        Value::Array(items) => items.iter_mut().for_each(without_helms),
        _ => {}
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

#[test]
fn templates_make_no_certificate_look_nothing_up_and_run_no_hook() {
    for entry in fs::read_dir(chart().join("templates")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        for banned in [
            "lookup",
            "genCA",
            "genSelfSigned",
            "genSigned",
            "genPrivateKey",
            "rand",
            "now",
            "helm.sh/hook",
        ] {
            let word = |rest: &str| !rest.starts_with(|next: char| next.is_ascii_alphanumeric());
            let calls = actions(&text).any(|action| {
                let mut calls = action.match_indices(banned);
                calls.any(|(at, _)| {
                    let before = action[..at].chars().next_back().unwrap_or(' ');
                    !before.is_ascii_alphanumeric() && word(&action[at + banned.len()..])
                })
            });
            assert!(!calls, "{}: {banned}", path.display());
        }
        assert!(!text.contains("helm.sh/hook"), "{}", path.display());
    }
}

/// What stands between the braces.
fn actions(text: &str) -> impl Iterator<Item = &str> {
    text.split("{{").skip(1).filter_map(|rest| rest.split("}}").next())
}

#[test]
fn what_users_filter_by_is_joined_to_the_entry_for_workloads_only() {
    let Some(helm) = Helm::find() else { return };
    let entries = |set: &[&str]| {
        let usual = ["--set", "webhook.enabled=true"];
        let rendered = by_name(&template(&helm, NAMESPACE, &[&usual, set].concat()).expect_success());
        let name = (
            "ValidatingWebhookConfiguration".to_owned(),
            "dorgu-operator-deployment".to_owned(),
        );
        let entries = rendered[&name]["webhooks"].as_array().unwrap().clone();
        let [workloads, scale, _personas] = <[Value; 3]>::try_from(entries).unwrap();
        (workloads, scale)
    };
    let labelled = json!({"key": "app.kubernetes.io/name", "operator": "Exists"});
    let (workloads, scale) = entries(&[]);
    assert_eq!(workloads["objectSelector"], json!({"matchExpressions": [labelled]}));
    assert_eq!(scale["objectSelector"], Value::Null);

    let exempt = json!({"key": "exempt", "operator": "DoesNotExist"});
    let condition = json!([{"name": "mine", "expression": "true"}]);
    let theirs = [
        "--set-json".to_owned(),
        format!(
            "webhook.objectSelector={}",
            json!({"matchLabels": {"team": "shop"}, "matchExpressions": [exempt]})
        ),
        "--set-json".to_owned(),
        format!("webhook.matchConditions={condition}"),
    ];
    let theirs: Vec<&str> = theirs.iter().map(String::as_str).collect();
    let (workloads, scale) = entries(&theirs);
    let joined = json!({"matchLabels": {"team": "shop"}, "matchExpressions": [exempt, labelled]});
    assert_eq!(workloads["objectSelector"], joined);
    assert_eq!(workloads["matchConditions"], condition);
    assert_eq!(
        (&scale["objectSelector"], &scale["matchConditions"]),
        (&Value::Null, &Value::Null)
    );

    let chain = ["--set", "webhook.match=chain"];
    assert_eq!(entries(&chain).0["objectSelector"], Value::Null);
    let (workloads, _) = entries(&[&chain[..], &theirs].concat());
    assert_eq!(workloads["objectSelector"]["matchExpressions"], json!([exempt]));

    let required = ["--set", "webhook.requireLabel=true"];
    assert_eq!(entries(&required).0["objectSelector"], Value::Null);
    let (workloads, scale) = entries(&[&required[..], &theirs].concat());
    assert_eq!(workloads["objectSelector"]["matchExpressions"], json!([exempt]));
    assert_eq!(scale["objectSelector"], Value::Null);
    let ignored = [&required[..], &["--set", "webhook.rules=upstream"]].concat();
    assert_eq!(
        entries(&ignored).0["objectSelector"],
        json!({"matchExpressions": [labelled]}),
        "the process ignores it with the rules of upstream"
    );
}

#[test]
fn personas_are_sent_for_warnings_alone_unless_that_is_switched_off() {
    let Some(helm) = Helm::find() else { return };
    let rendered = |set: &str| {
        let set = format!("webhook.enabled=true,{set}");
        by_name(&template(&helm, NAMESPACE, &["--set", set.trim_end_matches(',')]).expect_success())
    };
    let entries = |objects: &BTreeMap<(String, String), Value>| {
        let name = "dorgu-operator-deployment".to_owned();
        let configuration = &objects[&("ValidatingWebhookConfiguration".to_owned(), name)];
        configuration["webhooks"].as_array().unwrap().clone()
    };
    let switched_off = |objects: &BTreeMap<(String, String), Value>| {
        let deployment = &objects[&("Deployment".to_owned(), "dorgu-operator".to_owned())];
        let args = &deployment["spec"]["template"]["spec"]["containers"][0]["args"];
        args.as_array().unwrap().contains(&json!("--persona-webhook=false"))
    };
    // What may be set for Deployments does not make a persona wait, or be denied.
    let on = rendered("webhook.failurePolicy=Fail,webhook.timeoutSeconds=10");
    let entry = &entries(&on)[2];
    assert_eq!(entry["name"], "validate-persona.dorgu.io");
    assert_eq!(
        (&entry["failurePolicy"], &entry["timeoutSeconds"]),
        (&json!("Ignore"), &json!(1))
    );
    assert_eq!(entry["clientConfig"]["service"]["path"], "/validate-persona");
    assert!(!switched_off(&on));
    let off = rendered("webhook.personas.enabled=false");
    assert_eq!(entries(&off).len(), 2);
    assert!(switched_off(&off));
}

#[test]
fn there_is_no_image_but_ours_and_the_users() {
    let Some(helm) = Helm::find() else { return };
    let all = value_sets();
    let (_, everything) = all.iter().find(|(name, _)| name == "everything").unwrap();
    let values = everything.display().to_string();
    let rendered = template(
        &helm,
        NAMESPACE,
        &["--values", &values, "--set-json", "extraContainers=[]"],
    )
    .expect_success();
    let images: Vec<&str> = rendered
        .lines()
        .filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("image: "))
        .collect();
    assert_eq!(images.len(), 1, "{images:?}");
    assert!(images[0].contains("team/dorgu@sha256:"), "{images:?}");
    for kind in ["Job", "CronJob", "DaemonSet", "StatefulSet"] {
        assert!(!rendered.contains(&format!("kind: {kind}\n")), "{kind}");
    }
}

#[test]
fn names_follow_the_release_as_those_of_the_go_operators_chart() {
    let Some(helm) = Helm::find() else { return };
    let chart = chart().display().to_string();
    let long = "a-release-of-which-the-name-is-just-as-long-as-can-be";
    let cut = format!("{long}-dorgu-operator").chars().take(63).collect::<String>();
    let cases = [
        ("dorgu-operator", "", "dorgu-operator"),
        ("my-dorgu-operator-2", "", "my-dorgu-operator-2"),
        ("guard", "", "guard-dorgu-operator"),
        ("guard", "nameOverride=gate", "guard-gate"),
        ("guard", "fullnameOverride=gate", "gate"),
        (long, "", cut.trim_end_matches('-')),
    ];
    for (release, set, fullname) in cases {
        let set = format!("webhook.enabled=true,{set}");
        let rendered = helm
            .run(&["template", release, &chart, "--set", set.trim_end_matches(',')])
            .expect_success();
        let objects = objects(&rendered);
        let names = |kind: &str| {
            let of_kind = objects.iter().filter(|object| object["kind"] == kind);
            of_kind
                .map(|object| object["metadata"]["name"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(names("Deployment"), [fullname]);
        for name in objects
            .iter()
            .map(|object| object["metadata"]["name"].as_str().unwrap())
        {
            assert!(name.len() <= 63, "{name}");
        }
        if fullname.len() < 50 {
            assert_eq!(
                names("ValidatingWebhookConfiguration"),
                [format!("{fullname}-deployment")]
            );
            assert_eq!(
                names("ClusterRole"),
                ["manager", "exception-viewer", "exception-editor", "metrics-reader"]
                    .map(|role| format!("{fullname}-{role}"))
            );
            assert_eq!(
                names("Service"),
                [format!("{fullname}-metrics"), format!("{fullname}-webhook")]
            );
        }
    }
}

#[test]
fn the_right_to_grant_exceptions_is_added_to_no_role_but_the_one_that_is_named() {
    let Some(helm) = Helm::find() else { return };
    let labels = |set: &str| {
        let rendered = template(&helm, NAMESPACE, &["--set", set]).expect_success();
        let objects = by_name(&rendered);
        let role = &objects[&("ClusterRole".to_owned(), "dorgu-operator-exception-editor".to_owned())];
        let labels = role["metadata"]["labels"].as_object().unwrap().clone();
        let aggregated = labels.into_iter().filter(|(key, _)| key.contains("aggregate-to"));
        aggregated.map(|(key, _)| key).collect::<Vec<_>>()
    };
    assert_eq!(labels("rbac.exceptionEditors="), [""; 0]);
    assert_eq!(
        labels("rbac.exceptionEditors=admin"),
        ["rbac.authorization.k8s.io/aggregate-to-admin"]
    );
}

#[test]
fn a_users_label_never_changes_what_the_deployment_selects() {
    let Some(helm) = Helm::find() else { return };
    let set = "commonLabels.app\\.kubernetes\\.io/name=other,podLabels.app\\.kubernetes\\.io/instance=other";
    let rendered = template(&helm, NAMESPACE, &["--set", set, "--set", "podLabels.team=shop"]).expect_success();
    let objects = by_name(&rendered);
    let deployment = &objects[&("Deployment".to_owned(), "dorgu-operator".to_owned())];
    let (selector, labels) = (
        &deployment["spec"]["selector"]["matchLabels"],
        &deployment["spec"]["template"]["metadata"]["labels"],
    );
    for (key, value) in selector.as_object().unwrap() {
        assert_eq!(&labels[key], value);
    }
    assert_eq!(selector.as_object().unwrap().len(), 2);
    assert_eq!(labels["team"], "shop");
}
