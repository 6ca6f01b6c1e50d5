//! The command itself: what it writes and prints, and with what exit code.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::folder as corpus_folder;

/// What a run came to.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) code: Option<i32>,
    pub(super) out: String,
    pub(super) error: String,
}

impl Run {
    /// Runs `dorgu fix` in a folder, with the personas of the corpus.
    pub(super) fn with_input(folder: &Path, arguments: &[&str], input: &str) -> Run {
        let mut child = Command::new(env!("CARGO_BIN_EXE_dorgu"))
            .current_dir(folder)
            .arg("fix")
            .arg("--personas")
            .arg(corpus_folder().join("personas.yaml"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut stdin = child.stdin.take().expect("piped");
        stdin.write_all(input.as_bytes()).expect("it reads");
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        Run {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            error: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }
}

/// The same without input.
pub(super) fn fix(folder: &Path, arguments: &[&str]) -> Run {
    Run::with_input(folder, arguments, "")
}

const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: orders, labels: {app.kubernetes.io/name: orders}}
spec:
  replicas: 3
  template:
    spec:
      containers:
      - name: api # the API
        image: registry.example.com/orders:1.4.2
        resources:
          limits: {cpu: 4, memory: 2Gi}
";

/// It without its errors.
fn without_errors() -> String {
    DEPLOYMENT.to_owned()
        + "      securityContext:
        runAsNonRoot: true
"
}

fn written(text: &str) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("x.yaml"), text).expect("written");
    folder
}

fn read(folder: &TempDir) -> String {
    fs::read_to_string(folder.path().join("x.yaml")).expect("readable")
}

#[test]
fn a_file_is_fixed_once() {
    let folder = written(DEPLOYMENT);
    let run = fix(folder.path(), &["--dry-run", "x.yaml"]);
    assert_eq!(
        (run.code, run.out.as_str(), run.error.as_str()),
        (Some(0), "x.yaml: 1 finding would be fixed\n", "")
    );
    assert_eq!(read(&folder), DEPLOYMENT);
    let run = fix(folder.path(), &["x.yaml"]);
    assert_eq!(
        (run.code, run.out.as_str(), run.error.as_str()),
        (Some(0), "x.yaml: 1 finding fixed\n", "")
    );
    let after = read(&folder);
    assert_eq!(after, without_errors());
    let run = fix(folder.path(), &["x.yaml"]);
    assert_eq!((run.code, run.out.as_str(), run.error.as_str()), (Some(0), "", ""));
    assert_eq!(read(&folder), after);
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
}

#[test]
fn warnings_are_fixed_when_asked_for() {
    let folder = written(DEPLOYMENT);
    let run = fix(folder.path(), &["--all", "."]);
    assert_eq!((run.code, run.error.as_str()), (Some(0), ""), "{run:?}");
    let after = read(&folder);
    for line in [
        "      - name: api # the API\n",
        "          readOnlyRootFilesystem: true\n",
        "        livenessProbe:\n          httpGet:\n            path: /healthz\n            port: 8080\n",
    ] {
        assert!(after.contains(line), "{line}\n{after}");
    }
}

#[test]
fn the_diff_is_the_fix() {
    let folder = written(DEPLOYMENT);
    let run = fix(folder.path(), &["x.yaml", "-o", "diff"]);
    assert_eq!((run.code, run.error.as_str()), (Some(0), ""));
    assert_eq!(read(&folder), DEPLOYMENT);
    assert_eq!(
        run.out,
        "--- a/x.yaml\n+++ b/x.yaml\n@@ -10,3 +10,5 @@\n         image: registry.example.com/orders:1.4.2\n         resources:\n           limits: {cpu: 4, memory: 2Gi}\n+      securityContext:\n+        runAsNonRoot: true\n"
    );
}

#[test]
fn the_json_patch_is_the_fix() {
    let folder = written(DEPLOYMENT);
    let run = fix(folder.path(), &["x.yaml", "-o", "json-patch"]);
    let mut printed: Value = serde_json::from_str(&run.out).expect("JSON");
    let patch: json_patch::Patch = serde_json::from_value(printed[0]["patch"].take()).expect("a patch");
    assert_eq!(printed[0]["target"]["name"], "orders");
    let value = |text: &str| dorgu::manifest::read(text).documents[0].to_value();
    let mut object = value(DEPLOYMENT);
    json_patch::patch(&mut object, &patch).expect("it applies");
    assert_eq!(object, value(&without_errors()));
}

#[test]
fn mode_owner_and_links_stay() {
    let folder = TempDir::new().expect("a folder");
    fs::create_dir(folder.path().join("in")).expect("made");
    let file = folder.path().join("in/x.yaml");
    fs::write(&file, DEPLOYMENT).expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("set");
    symlink("x.yaml", folder.path().join("in/link.yaml")).expect("linked");
    // Away from the folder nothing is followed.
    fs::write(folder.path().join("out.yaml"), DEPLOYMENT).expect("written");
    symlink("../out.yaml", folder.path().join("in/out.yaml")).expect("linked");
    let owner = |file: &Path| {
        let meta = fs::metadata(file).expect("there");
        (meta.uid(), meta.gid(), meta.mode())
    };
    let before = owner(&file);
    let run = fix(folder.path(), &["in"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(run.out.lines().count(), 1, "{run:?}");
    assert_eq!(fs::read_to_string(&file).expect("readable"), without_errors());
    assert_eq!(owner(&file), before);
    assert!(folder.path().join("in/link.yaml").is_symlink());
    assert_eq!(
        fs::read_to_string(folder.path().join("out.yaml")).expect("readable"),
        DEPLOYMENT
    );
}

#[test]
fn a_file_with_hard_links_is_not_written() {
    let folder = written(DEPLOYMENT);
    fs::hard_link(folder.path().join("x.yaml"), folder.path().join("other.txt")).expect("linked");
    let run = fix(folder.path(), &["x.yaml"]);
    let said = "dorgu: x.yaml: not fixed: it has 2 hard links, and only this one would change; copy it first\n";
    assert_eq!((run.code, run.out.as_str(), run.error.as_str()), (Some(1), "", said));
    assert_eq!(read(&folder), DEPLOYMENT);
}

#[test]
fn what_is_left_is_named_and_what_cannot_be_read_is_two() {
    let image = "x.yaml:10:16: error: ";
    let strict = "apiVersion: dorgu.io/v1\nkind: ApplicationPersona\nmetadata: {name: images, namespace: default}\nspec:\n  name: orders\n  type: api\n  policies: {images: {registries: [other.example.com], denyLatest: true}, rules: [{rule: image-registry-not-allowed, level: deny}]}\n";
    let folder = written(&without_errors());
    fs::write(folder.path().join("images.txt"), strict).expect("written");
    let run = fix(folder.path(), &["x.yaml", "--personas", "images.txt"]);
    assert_eq!((run.code, run.out.as_str()), (Some(1), ""), "{run:?}");
    assert!(
        run.error.contains(image) && run.error.contains("not fixed: no right value is known"),
        "{run:?}"
    );
    let run = fix(folder.path(), &["x.yaml", "absent.yaml"]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.error.contains("absent.yaml"), "{run:?}");
}

#[test]
fn personas_that_exclude_each_other_are_named() {
    let persona = |name: &str, minimum: u8, maximum: u8| {
        format!(
            "apiVersion: dorgu.io/v1\nkind: ApplicationPersona\nmetadata: {{name: {name}, namespace: default}}\nspec:\n  name: orders\n  type: api\n  scaling: {{minReplicas: {minimum}, maxReplicas: {maximum}}}\n---\n"
        )
    };
    let folder = written(&without_errors());
    fs::write(
        folder.path().join("p.txt"),
        persona("few", 1, 2) + &persona("many", 5, 9),
    )
    .expect("written");
    let run = fix(folder.path(), &["--all", "x.yaml", "--personas", "p.txt"]);
    assert_eq!((run.code, run.out.as_str()), (Some(1), ""), "{run:?}");
    assert!(run.error.contains("few") && run.error.contains("many"), "{run:?}");
    assert_eq!(read(&folder), without_errors());
}
