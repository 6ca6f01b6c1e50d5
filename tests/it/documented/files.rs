//! A reader without a cluster: `dorgu serve` in one terminal, `curl` in another.
//!
//! Ports are the kernel's choice, since tests run side by side; the commands stay as they are, for the process is told by
//! its environment and curl by its configuration.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::install::clone;
use super::reader::Reader;
use crate::bed::{Dorgu, Output};

/// What the page says, and what is dialled instead.
const SAID: &str = "127.0.0.1:9443";

pub(super) struct Files {
    serving: Option<Dorgu>,
    clone: TempDir,
}

impl Files {
    /// There is nothing that such a reader lacks.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "as other readers start, which may have to be skipped"
    )]
    pub(super) fn start() -> Option<Box<dyn Reader>> {
        Some(Box::new(Self {
            serving: None,
            clone: clone(),
        }))
    }

    /// In place of what was served before, as after Ctrl-C.
    fn serve(&mut self, command: &str) -> Output {
        if let Some(mut before) = self.serving.take() {
            before.signal("INT");
            assert!(before.wait().success(), "{:?}", before.lines());
        }
        let dorgu = Dorgu::typed(self.clone.path(), command);
        let url = dorgu.webhook_url();
        let address = url.split('/').nth(2).expect("an address");
        let curlrc = format!("connect-to = \"{SAID}:{address}\"\n");
        fs::write(self.clone.path().join(".curlrc"), curlrc).unwrap();
        self.serving = Some(dorgu);
        Output {
            command: command.to_owned(),
            code: Some(0),
            stdout: String::new(),
            stderr: String::new(),
        }
    }
}

impl Reader for Files {
    fn types(&mut self, command: &str) -> Output {
        if command.starts_with("dorgu serve") {
            return self.serve(command);
        }
        let mut shell = Command::new("sh");
        shell
            .args(["-ec", command])
            .current_dir(self.clone.path())
            .stdin(Stdio::null());
        shell.env("CURL_HOME", self.clone.path()).env("PATH", path());
        let output = shell.output().unwrap_or_else(|error| panic!("sh: {error}"));
        Output {
            command: command.to_owned(),
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// With our program in it.
fn path() -> std::ffi::OsString {
    let ours = Path::new(env!("CARGO_BIN_EXE_dorgu")).parent().expect("a folder");
    let machines = std::env::var_os("PATH").unwrap_or_default();
    let all = [ours.to_owned()].into_iter().chain(std::env::split_paths(&machines));
    std::env::join_paths(all).expect("a path")
}
