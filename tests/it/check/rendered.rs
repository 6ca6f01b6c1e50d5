//! Charts and kustomizations: rendered by their own programs, with places in what the user wrote.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::process::Stdio;

use super::{Checked, Place, deployment};
use crate::bed::{Helm, kubectl_program};

/// A chart in `charts/shop` whose CPU limit is a value, with a subchart and a test.
fn chart(place: &Place) {
    let template = deployment("{{ .Release.Name }}", "{{ .Values.cpu | quote }}");
    place.write(
        "charts/shop/Chart.yaml",
        "apiVersion: v2\nname: shop-chart\nversion: 1.0.0\n",
    );
    place.write("charts/shop/values.yaml", "cpu: 1\n");
    place.write("charts/shop/templates/app.yaml", &template);
    place.write(
        "charts/shop/templates/config.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
    );
    let test = deployment("test", "9").replace("  labels:", "  annotations: {helm.sh/hook: test}\n  labels:");
    place.write("charts/shop/templates/tests/test.yaml", &test);
    place.write(
        "charts/shop/charts/sub/Chart.yaml",
        "apiVersion: v2\nname: sub\nversion: 1.0.0\n",
    );
    place.write("charts/shop/charts/sub/templates/deep.yaml", &deployment("sub", "3"));
    place.write("prod.yaml", "cpu: 100m\n");
    place.write("old.yaml", &deployment("mine", "1"));
}

/// A folder for `PATH` with these programs alone.
fn programs(place: &Place, programs: &[(&str, PathBuf)]) -> String {
    let bin = place.path().join("bin");
    let _ = fs::remove_dir_all(&bin);
    fs::create_dir(&bin).expect("created");
    for (name, program) in programs {
        symlink(program, bin.join(name)).expect("a link");
    }
    bin.to_str().expect("text").to_owned()
}

fn check(place: &Place, path: &str, args: &[&str]) -> Checked {
    let level = "--rule-level=cpu-limit-above-persona=deny";
    let all = [&["check", "--personas", "personas.yaml", level, "--render"], args].concat();
    let mut command = place.command(&all);
    // Where a configuration would make the programs do something else.
    command
        .env("PATH", path)
        .env("HELM_NAMESPACE", "other")
        .env("HELM_DEBUG", "true");
    Checked::of(&command.output().expect("the program runs"))
}

fn files(checked: &Checked) -> Vec<&str> {
    let rows = checked.rows().into_iter();
    let mut files: Vec<&str> = rows.filter_map(|row| row.split_whitespace().next()).collect();
    files.dedup();
    files
}

#[test]
fn a_chart_is_rendered_with_its_values() {
    let Some(helm) = Helm::find() else { return };
    let place = Place::new();
    chart(&place);
    let path = programs(&place, &[("helm", helm.program().to_owned())]);
    let all = check(&place, &path, &["charts/shop"]);
    assert_eq!(all.code, Some(1), "{all:?}");
    let wanted = [
        "charts/shop/charts/sub/templates/deep.yaml:1:1",
        "charts/shop/templates/app.yaml:1:1",
    ];
    assert_eq!(files(&all), wanted, "{all:?}");
    assert!(!all.stdout.contains("CPU limit 9"), "a test: {all:?}");

    let limits = |args: &[&str]| {
        let checked = check(&place, &path, &[args, &["charts/shop"]].concat());
        checked
            .rows()
            .into_iter()
            .filter(|row| row.contains("CPU limit"))
            .count()
    };
    assert_eq!(limits(&[]), 2);
    assert_eq!(limits(&["--values", "prod.yaml"]), 1);
    assert_eq!(limits(&["--values", "prod.yaml", "--set", "cpu=2"]), 2);
    let named = check(
        &place,
        &path,
        &["--release-name", "mine", "--old", "old.yaml", "charts/shop/"],
    );
    assert_eq!(named.code, Some(1), "the subchart's is new: {named:?}");
    let before = check(&place, &path, &["charts/shop", "--old", "charts/shop"]);
    assert_eq!(before.code, Some(0), "{before:?}");
    place.write(
        "old.yaml",
        &format!("{}---\n{}", deployment("mine", "1"), deployment("sub", "3")),
    );
    let named = check(
        &place,
        &path,
        &["--release-name", "mine", "--old", "old.yaml", "charts/shop/"],
    );
    assert_eq!(named.code, Some(0), "{named:?}");
    // A namespace without a persona.
    let elsewhere = check(&place, &path, &["-n", "elsewhere", "charts/shop"]);
    assert_eq!(elsewhere.code, Some(0), "{elsewhere:?}");

    for (args, word) in [
        (&["--values", "none.yaml", "charts/shop"][..], "--values: No such file"),
        (
            &["--values", "https://x.example/a", "charts/shop"],
            "--values: No such file",
        ),
        (&["--set", "a", "charts/shop"], "helm: "),
        (&["--release-name=-x", "charts/shop"], "charts/shop: helm: "),
        (&["charts/shop", "--old", "git:HEAD"], "git worktree add"),
    ] {
        let checked = check(&place, &path, args);
        assert_eq!(checked.code, Some(2), "{args:?}: {checked:?}");
        assert!(checked.stderr.contains(word), "{word}: {checked:?}");
        assert_eq!(checked.stderr.lines().count(), 1, "{args:?}: {checked:?}");
    }
    // From within, and from beside.
    let within = [&["check", "--personas", "../../personas.yaml", "--render"][..], &["."]].concat();
    let mut command = place.command(&within);
    command.current_dir(place.path().join("charts/shop")).env("PATH", &path);
    let within = Checked::of(&command.output().expect("the program runs"));
    assert_eq!(
        files(&within),
        ["charts/sub/templates/deep.yaml:1:1", "templates/app.yaml:1:1"],
        "{within:?}"
    );
}

#[test]
fn a_chart_on_standard_input_has_places_in_its_templates() {
    let Some(helm) = Helm::find() else { return };
    let place = Place::new();
    chart(&place);
    let folder = place.path().join("charts/shop");
    let rendered = helm.run(&["template", folder.to_str().expect("text")]).expect_success();
    let mut child = place
        .command(&["check", "--personas", "personas.yaml", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(rendered.as_bytes()).expect("written");
    drop(input);
    let checked = Checked::of(&child.wait_with_output().expect("it ends"));
    let wanted = [
        "shop-chart/charts/sub/templates/deep.yaml:1:1",
        "shop-chart/templates/app.yaml:1:1",
    ];
    assert_eq!(
        (checked.code, files(&checked)),
        (Some(1), wanted.to_vec()),
        "{checked:?}"
    );
}

#[test]
fn a_kustomization_has_places_in_its_resources() {
    let Some(kubectl) = kubectl_program() else { return };
    let place = Place::new();
    place.write("base/kustomization.yaml", "resources: [app.yaml]\n");
    place.write("base/app.yaml", &deployment("orders", "1"));
    let overlay = "resources: [../../base, extra.yaml]\nnamePrefix: prod-\n";
    place.write("overlays/prod/kustomization.yaml", overlay);
    place.write("overlays/prod/extra.yaml", &deployment("extra", "1"));
    let path = programs(&place, &[("kubectl", kubectl)]);
    let checked = check(&place, &path, &["overlays/prod"]);
    let wanted = ["base/app.yaml:1:1", "overlays/prod/extra.yaml:1:1"];
    assert_eq!(
        (checked.code, files(&checked)),
        (Some(1), wanted.to_vec()),
        "{checked:?}"
    );
    let same = check(&place, &path, &["overlays/prod", "--old", "overlays/prod"]);
    assert_eq!(same.code, Some(0), "{same:?}");

    place.write(
        "overlays/prod/kustomization.yaml",
        "resources: ['https://x.example/a.yaml']\n",
    );
    let remote = check(&place, &path, &["overlays/prod"]);
    assert_eq!(remote.code, Some(2), "{remote:?}");
    assert!(
        remote.stderr.contains("https://x.example/a.yaml is remote"),
        "{remote:?}"
    );
    place.write(
        "overlays/prod/kustomization.yaml",
        "resources: [extra.yaml]\nnamePrefixes: x\n",
    );
    let wrong = check(&place, &path, &["overlays/prod"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(
        wrong.stderr.contains("kubectl: ") && wrong.stderr.contains("namePrefixes"),
        "{wrong:?}"
    );
    assert!(!wrong.stderr.contains("dorgu-render"), "a temporary file: {wrong:?}");
}

#[test]
fn a_program_that_is_missing_is_one_line_and_nothing_runs_without_the_flag() {
    let place = Place::new();
    chart(&place);
    place.write("overlay/kustomization.yaml", "resources: []\n");
    let ran = place.path().join("ran");
    let trap = place.write("trap", &format!("#!/bin/sh\necho > {}\n", ran.display()));
    fs::set_permissions(&trap, fs::Permissions::from_mode(0o755)).expect("set");
    let traps = ["helm", "kustomize", "kubectl", "git"].map(|name| (name, trap.clone()));
    let path = programs(&place, &traps);
    let mut command = place.command(&["check", "--personas", "personas.yaml", "charts/shop", "overlay"]);
    let without = Checked::of(&command.env("PATH", path).output().expect("the program runs"));
    assert_eq!(without.code, Some(0), "{without:?}");
    assert!(without.stderr.contains("charts/shop: a Helm chart"), "{without:?}");
    assert!(!ran.exists());

    let none = programs(&place, &[]);
    for (folder, words) in [("charts/shop", "needs helm"), ("overlay", "needs kustomize or kubectl")] {
        let checked = check(&place, &none, &[folder]);
        assert_eq!(
            (checked.code, checked.stderr.lines().count()),
            (Some(2), 1),
            "{checked:?}"
        );
        assert!(checked.stderr.contains(words), "{checked:?}");
    }
    let mut command = place.command(&["check", "--personas", "../personas.yaml", "--render", "."]);
    command.current_dir(place.path().join("overlay")).env("PATH", none);
    let here = Checked::of(&command.output().expect("the program runs"));
    assert!(here.stderr.starts_with("dorgu: .: --render needs"), "{here:?}");
}
