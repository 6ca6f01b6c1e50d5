//! Runs the real kubectl against one API server, and holds its output. kubectl sees neither this machine's kubeconfig nor
//! its home.

use std::fmt;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::json;

/// kubectl with a kubeconfig.
#[derive(Clone, Debug)]
pub(crate) struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
    home: PathBuf,
}

impl Kubectl {
    /// `home` takes the discovery cache.
    pub(crate) fn new(program: PathBuf, kubeconfig: PathBuf, home: PathBuf) -> Self {
        Self {
            program,
            kubeconfig,
            home,
        }
    }

    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Writes the kubeconfig.
    pub(crate) fn configure(&self, server: &str, ca: &Path, token: &str) -> Result<()> {
        write_kubeconfig(&self.kubeconfig, server, ca, token)
    }

    /// The command with its environment, for a caller that keeps it running.
    pub(crate) fn environment(&self) -> [(&'static str, &Path); 2] {
        [("KUBECONFIG", &self.kubeconfig), ("HOME", &self.home)]
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// Runs it to its end. A failure is an [`Output`], too; an error means that it could not be started.
    pub(crate) fn run(&self, args: &[&str], stdin: Option<&str>) -> Result<Output> {
        let mut command = Command::new(&self.program);
        // A proxy or a KUBERC of this machine's user must not affect it.
        command.args(args).env_clear().envs(self.environment());
        command.stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        let spawned = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.with_context(|| self.program.display().to_string())?;
        let pipe = child.stdin.take();
        let output = std::thread::scope(|scope| {
            // In another thread, since a long input and a long output would otherwise deadlock.
            scope.spawn(move || {
                if let (Some(mut pipe), Some(text)) = (pipe, stdin) {
                    // kubectl may reject its arguments before it has read anything; its exit code shows that.
                    drop(pipe.write_all(text.as_bytes()));
                }
            });
            child.wait_with_output()
        })?;
        Ok(Output::of(format!("kubectl {}", args.join(" ")), &output))
    }

    /// Runs lines as a user types them in this folder, with these programs and kubectl in the path.
    pub(crate) fn shell(&self, folder: &Path, lines: &str, programs: &[&Path]) -> Result<Output> {
        let kubectl = self.program.parent().context("a folder")?;
        let ours = programs.iter().filter_map(|program| program.parent()).chain([kubectl]);
        let machines = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(ours.map(Path::to_owned).chain(std::env::split_paths(&machines)))?;
        let mut shell = Command::new("sh");
        shell.args(["-ec", lines]).current_dir(folder).stdin(Stdio::null());
        shell.env_clear().envs(self.environment()).env("PATH", path);
        Ok(Output::of(lines.to_owned(), &shell.output()?))
    }
}

/// What a command line printed and how it ended.
#[derive(Clone, Debug)]
pub struct Output {
    /// What was run, as a person would type it.
    pub command: String,
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it said on standard error.
    pub stderr: String,
}

impl Output {
    pub(super) fn of(command: String, output: &std::process::Output) -> Self {
        Self {
            command,
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Whether it exited with 0.
    pub fn succeeded(&self) -> bool {
        self.code == Some(0)
    }

    /// The texts of the `Warning: ` lines, in order.
    pub fn warnings(&self) -> Vec<&str> {
        self.stderr
            .lines()
            .filter_map(|line| line.strip_prefix("Warning: "))
            .collect()
    }

    /// The standard output, or everything as an error when the command failed.
    pub fn checked(self) -> Result<String> {
        if self.succeeded() {
            return Ok(self.stdout);
        }
        bail!("{self}")
    }

    /// The standard output of a command that has to succeed.
    #[track_caller]
    pub fn expect_success(self) -> String {
        assert!(self.succeeded(), "{self}");
        self.stdout
    }

    /// The standard error of a command that has to fail.
    #[track_caller]
    pub fn expect_failure(self) -> String {
        assert!(!self.succeeded(), "should have failed: {self}");
        self.stderr
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self
            .code
            .map_or_else(|| "a signal".to_owned(), |code| format!("code {code}"));
        write!(
            f,
            "`{}` ended with {code}\n{}{}",
            self.command, self.stdout, self.stderr
        )
    }
}

/// A kubeconfig of one user of one server. JSON, since every JSON document is YAML.
pub fn write_kubeconfig(path: &Path, server: &str, ca: &Path, token: &str) -> Result<()> {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "bed", "cluster": { "server": server, "certificate-authority": ca } }],
        "users": [{ "name": "user", "user": { "token": token } }],
        "contexts": [{ "name": "bed", "context": { "cluster": "bed", "user": "user" } }],
        "current-context": "bed",
    });
    fs::write(path, config.to_string()).with_context(|| path.display().to_string())
}
