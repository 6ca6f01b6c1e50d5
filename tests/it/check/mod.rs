//! `dorgu check` as the real program, over files: what it reads, what it compares with, and what it says of bad input.

mod input;
mod offline;
mod old;
mod rendered;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A persona for [`deployment`].
const PERSONA: &str = "\
apiVersion: dorgu.io/v1
kind: ApplicationPersona
metadata: {name: orders, namespace: default}
spec:
  name: orders
  type: api
  resources: {limits: {cpu: 500m}}
  policies: {security: {runAsNonRoot: true}}
";

/// A Deployment with one error under [`PERSONA`], by not running as another user than root, one more with too much CPU, and
/// three warnings.
fn deployment(name: &str, cpu: &str) -> String {
    format!(
        "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  labels: {{app.kubernetes.io/name: orders}}
spec:
  template:
    spec:
      containers:
        - name: api
          image: registry.example/api:1
          resources: {{limits: {{cpu: {cpu}}}}}
"
    )
}

/// A folder in which the program runs, with [`PERSONA`] in `personas.yaml`.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Place {
        let folder = TempDir::new().expect("a folder");
        let place = Place { folder };
        place.write("personas.yaml", PERSONA);
        place
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        fs::write(&path, text).expect("written");
        path
    }

    /// `dorgu` with these arguments, without a cluster.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dorgu"));
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if ["DORGU_", "KUBE", "GIT_", "HELM_"]
                .iter()
                .any(|own| name.starts_with(own))
            {
                command.env_remove(&*name);
            }
        }
        command.env("HOME", "/nowhere").current_dir(self.path()).args(args);
        command.stdin(Stdio::null());
        command
    }

    /// `dorgu check --personas personas.yaml` with these arguments. Too much CPU is an error.
    fn check(&self, args: &[&str]) -> Checked {
        let level = "--rule-level=cpu-limit-above-persona=deny";
        let all = [&["check", "--personas", "personas.yaml", level], args].concat();
        Checked::of(&self.command(&all).output().expect("the program runs"))
    }
}

const SEVERITIES: [&str; 3] = ["error", "warning", "info"];

/// The outcome of a run.
#[derive(Debug)]
struct Checked {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Checked {
    /// The rows of the table, a finding each.
    fn rows(&self) -> Vec<&str> {
        let is_row = |line: &&str| {
            line.split_whitespace()
                .nth(1)
                .is_some_and(|word| SEVERITIES.contains(&word))
        };
        self.stdout
            .lines()
            .filter(|line| !line.starts_with(' '))
            .filter(is_row)
            .collect()
    }

    fn of(output: &Output) -> Checked {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Checked {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }
}
