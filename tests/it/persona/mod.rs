//! `dorgu persona` against a real API server, under an account with only the rights that docs/persona.md names.

mod applied;
mod failures;
mod files;
mod imported;
mod shapes;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bed::{Bed, Options, Output, write_kubeconfig};
use crate::watched::install_crds;

/// The role of the page, by its name.
const ROLE: &str = "dorgu-personas";

/// `dorgu persona` without anything of this machine's user.
fn dorgu(args: &[&str], environment: &[(&str, &Path)], stdin: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dorgu"));
    command.arg("persona").args(args).env_clear().env("HOME", "/nowhere");
    command.envs(environment.iter().copied());
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program runs");
    // A command that does not read it may have ended.
    drop(child.stdin.take().expect("a pipe").write_all(stdin.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Output {
        command: format!("dorgu persona {}", args.join(" ")),
        code: output.status.code(),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

/// The role that the page shows.
fn documented_role() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/persona.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let (_, rest) = page.split_once("## Rights").expect("a section");
    let (_, rest) = rest.split_once("```yaml\n").expect("a block");
    rest.split_once("```").expect("its end").0.to_owned()
}

/// An account in a namespace of its own, and `dorgu persona` as that account.
struct Stage<'b> {
    bed: &'b Bed,
    namespace: String,
    folder: TempDir,
}

impl<'b> Stage<'b> {
    /// With the rights of the page in its namespace; `None` where the machine has no API server.
    fn new(prefix: &str) -> Option<Stage<'static>> {
        // Not the bed that others share: a process that watches all namespaces writes the status of every persona there.
        static OWN: OnceLock<Option<Bed>> = OnceLock::new();
        let bed = OWN.get_or_init(|| {
            let bed = Bed::start(&Options::default())?;
            install_crds(&bed);
            Some(bed)
        });
        Some(Stage::on(bed.as_ref()?, prefix))
    }

    fn on(bed: &'b Bed, prefix: &str) -> Stage<'b> {
        let stage = Stage {
            bed,
            namespace: bed.namespace(prefix, &[]),
            folder: TempDir::new().expect("a folder"),
        };
        bed.apply(&documented_role()).expect_success();
        stage.kubectl(&["create", "serviceaccount", "person"]).expect_success();
        stage.bind();
        let token = stage
            .kubectl(&["create", "token", "person", "--duration=1h"])
            .expect_success();
        write_kubeconfig(&stage.kubeconfig(), &bed.api_url(), &bed.ca_file(), token.trim()).expect("written");
        stage
    }

    fn bind(&self) {
        let account = format!("--serviceaccount={}:person", self.namespace);
        let role = format!("--clusterrole={ROLE}");
        self.kubectl(&["create", "rolebinding", "person", &role, &account])
            .expect_success();
    }

    fn unbind(&self) {
        self.kubectl(&["delete", "rolebinding", "person"]).expect_success();
    }

    fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// kubectl as admin in the namespace.
    fn kubectl(&self, args: &[&str]) -> Output {
        self.bed.kubectl(&[&["--namespace", &self.namespace], args].concat())
    }

    /// `dorgu persona COMMAND --namespace NAMESPACE …` as the account.
    fn dorgu(&self, args: &[&str]) -> Output {
        self.dorgu_in(args, "")
    }

    /// The same with something to read.
    fn dorgu_in(&self, args: &[&str], stdin: &str) -> Output {
        let (command, rest) = args.split_first().expect("a command");
        let line = [&[*command, "--namespace", self.namespace.as_str()], rest].concat();
        dorgu(&line, &[("KUBECONFIG", &self.kubeconfig())], stdin)
    }

    /// A persona of the cluster.
    fn persona(&self, name: &str) -> Value {
        let got = self.kubectl(&["get", "applicationpersona", name, "-o=json", "--show-managed-fields"]);
        serde_json::from_str(&got.expect_success()).expect("JSON")
    }
}

/// A persona of the app `orders` without a namespace.
fn orders(minimum: u32) -> Value {
    json!({
        "apiVersion": "dorgu.io/v1", "kind": "ApplicationPersona", "metadata": {"name": "orders"},
        "spec": {"name": "orders", "type": "api", "scaling": {"minReplicas": minimum, "maxReplicas": 9}},
    })
}

/// Ends with this code, says exactly one line on standard error, with these words, and prints no data.
#[track_caller]
fn assert_fails(output: &Output, code: i32, words: &[&str]) {
    assert_eq!(output.code, Some(code), "{output}");
    assert_eq!(output.stdout, "", "{output}");
    assert_eq!(output.stderr.lines().count(), 1, "{output}");
    for word in words {
        assert!(output.stderr.contains(word), "{output} does not say {word:?}");
    }
}
