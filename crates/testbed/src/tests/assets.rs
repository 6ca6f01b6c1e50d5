//! Searches for programs, with folders of empty files and a script in place of Go.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Output, Stdio};

use tempfile::TempDir;

use super::super::Needs;
use super::super::assets::{Search, Sources};
use super::super::skip::verdict;
use super::rerun;

const NO_GO: &str = "/nowhere/go";

/// The folder that was found, or the reason, or the error.
fn find(needs: Needs, given: Option<&Path>, home: &Path, go: &str) -> String {
    match (Sources {
        given,
        home,
        go,
        tell: |_| {},
    })
    .find(needs)
    {
        Ok(Search::Found(assets)) => format!("found {}", assets.path("").display()),
        Ok(Search::Absent(reason)) => format!("absent: {reason}"),
        Err(error) => format!("error: {error:#}"),
    }
}

fn folder_with(names: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for name in names {
        fs::write(folder.path().join(name), "").unwrap();
    }
    folder
}

/// A `go` that leaves empty programs behind and a line in `home/calls` for each call.
fn pretended_go(home: &Path, build: &str) -> String {
    let script = format!(
        r#"#!/bin/sh
echo "$*" >> '{home}/calls'
case $1 in
  build) {build}; cd "$5" && touch server kube-apiserver kube-controller-manager kube-scheduler kubectl ;;
  install) touch "$GOBIN/kwok" ;;
  mod) echo '{{"Dir": "{home}/kwok"}}' ;;
esac
"#,
        home = home.display()
    );
    for stage in super::super::build::STAGES {
        let path = home.join("kwok/kustomize/stage").join(stage);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("name: {stage}\n")).unwrap();
    }
    let path = home.join("go");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

#[test]
fn given_assets_win_and_the_reason_names_what_rollouts_lack() {
    let given = folder_with(&["etcd", "kube-apiserver", "kubectl"]);
    let home = TempDir::new().unwrap();
    let found = find(Needs::ApiServer, Some(given.path()), home.path(), NO_GO);
    assert_eq!(found, format!("found {}/", given.path().display()));
    assert_eq!(
        find(Needs::Rollouts, Some(given.path()), home.path(), NO_GO),
        format!(
            "absent: KUBEBUILDER_ASSETS ({}) has no kube-controller-manager, kube-scheduler, kwok, kwok-stages.yaml; \
             unset it, and they are built with Go",
            given.path().display()
        )
    );
}

#[test]
fn a_given_folder_without_the_programs_is_an_error_and_not_a_reason_to_skip() {
    let given = folder_with(&["etcd"]);
    assert_eq!(
        find(Needs::ApiServer, Some(given.path()), given.path(), NO_GO),
        format!(
            "error: KUBEBUILDER_ASSETS is {}, which has no kube-apiserver, kubectl",
            given.path().display()
        )
    );
}

#[test]
fn without_assets_and_without_go_the_reason_names_both() {
    let home = TempDir::new().unwrap();
    assert_eq!(
        find(Needs::ApiServer, None, home.path(), NO_GO),
        format!(
            "absent: there is no control plane: KUBEBUILDER_ASSETS is not set, {}/bin was not built, and \
             `/nowhere/go` is not installed",
            home.path().display()
        )
    );
}

#[test]
fn a_build_happens_once_and_again_for_other_versions() {
    let home = TempDir::new().unwrap();
    let go = pretended_go(home.path(), "sleep 0.2");
    let bin = home.path().join("bin");
    let found = format!("found {}/", bin.display());
    // Two at once: one builds, the other waits and uses the result.
    std::thread::scope(|scope| {
        for needs in [Needs::ApiServer, Needs::Rollouts] {
            let (found, go) = (&found, &go);
            let home = home.path();
            scope.spawn(move || assert_eq!(find(needs, None, home, go), *found));
        }
    });
    let builds = || {
        let calls = fs::read_to_string(home.path().join("calls")).unwrap();
        calls.lines().filter(|call| call.starts_with("build ")).count()
    };
    assert_eq!(builds(), 1);
    assert!(bin.join("etcd").exists() && bin.join("kwok").exists());
    let stages = fs::read_to_string(bin.join("kwok-stages.yaml")).unwrap();
    assert_eq!(stages.matches("---\nname: ").count(), 5, "{stages}");
    let versions = fs::read_to_string(bin.join("versions")).unwrap();
    assert!(versions.starts_with("k8s.io/kubernetes v1."), "{versions}");
    assert!(versions.ends_with("\nsigs.k8s.io/kwok v0.8.0\n"), "{versions}");

    fs::write(bin.join("versions"), versions.replace("v0.8.0", "v0.7.0")).unwrap();
    fs::write(bin.join("another-tests-tool"), "").unwrap();
    assert!(find(Needs::Rollouts, None, home.path(), NO_GO).starts_with("absent: "));
    assert_eq!(find(Needs::Rollouts, None, home.path(), &go), found);
    assert_eq!(builds(), 2);
    assert!(bin.join("another-tests-tool").exists());
}

#[test]
fn the_readme_builds_by_hand_what_is_pinned() {
    let readme = include_str!("../../../../tests/bed/README.md");
    for version in super::super::build::versions().unwrap().lines() {
        assert!(
            readme.contains(&format!("'{version}'")),
            "tests/bed/README.md does not stamp {version}"
        );
    }
    for stage in super::super::build::STAGES {
        assert!(
            readme.contains(stage.trim_end_matches(".yaml")),
            "tests/bed/README.md does not read {stage}"
        );
    }
}

#[test]
fn a_build_that_fails_shows_what_go_said_and_leaves_nothing_half_done() {
    let home = TempDir::new().unwrap();
    let go = pretended_go(home.path(), "echo 'dial tcp: no route to host' >&2; exit 1");
    let error = find(Needs::ApiServer, None, home.path(), &go);
    assert!(error.starts_with("error: cannot build the control plane: "), "{error}");
    assert!(error.ends_with("dial tcp: no route to host"), "{error}");
    assert!(!home.path().join("bin").exists());
}

#[test]
fn a_skip_is_one_line_that_passes_unless_it_is_forbidden() {
    let line = "skipped: a test because reasons".to_owned();
    assert_eq!(verdict("a test", "reasons", None), Ok(line.clone()));
    assert_eq!(verdict("a test", "reasons", Some("")), Ok(line.clone()));
    assert_eq!(verdict("a test", "reasons", Some("0")), Ok(line));
    assert_eq!(
        verdict("a test", "reasons", Some("1")),
        Err("a test would be skipped because reasons, and DORGU_TESTS_MUST_NOT_SKIP=1 forbids it".to_owned())
    );
}

#[test]
fn a_test_on_a_machine_with_nothing_is_seen_to_skip_or_fails_where_it_must_not() {
    let nothing = TempDir::new().unwrap();
    let run = |must_not_skip: &str| -> Output {
        let mut test = rerun("objects_are_admitted_stored_and_counted");
        test.env_remove("KUBEBUILDER_ASSETS")
            .env("DORGU_TESTBED", nothing.path())
            .env("PATH", nothing.path());
        test.env("DORGU_TESTS_MUST_NOT_SKIP", must_not_skip)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    let skipped = run("0");
    let said = String::from_utf8(skipped.stderr).unwrap();
    assert!(skipped.status.success(), "{said}");
    let line = "skipped: tests::objects_are_admitted_stored_and_counted because there is no control plane: ";
    assert!(said.starts_with(line), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");

    assert!(!run("1").status.success());
}
