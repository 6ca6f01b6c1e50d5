//! Follows a page without a cluster: `dorgu serve` in one terminal, `curl` in another.
//!
//! The kernel chooses the ports, since tests run side by side. The commands stay unchanged: the process reads its environment
//! and curl its configuration.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::blocks::{of_page, read};
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

/// The first block of a page in this language.
fn first_block(page: &str, language: &str) -> String {
    let page = read(page);
    let (_, rest) = page.split_once(&format!("```{language}\n")).expect("a block");
    rest.split("```").next().unwrap_or_default().to_owned()
}

#[test]
fn the_persona_in_the_readme_gives_the_answer_that_is_printed_there() {
    let clone = clone();
    fs::create_dir(clone.path().join("personas")).unwrap();
    fs::write(
        clone.path().join("personas/orders.yaml"),
        first_block("README.md", "yaml"),
    )
    .unwrap();
    fs::create_dir(clone.path().join("certs")).unwrap();
    let mut reader = Files { serving: None, clone };
    reader.types("dorgu serve --personas personas --write-ca certs/ca.crt");
    let asked = of_page("README.md")
        .into_iter()
        .flat_map(|block| block.steps)
        .find(|step| step.command.starts_with("curl"))
        .expect("a question");
    let answer = reader.types(&asked.command);
    let answer: Value = serde_json::from_str(&answer.expect_success()).unwrap();
    let printed: Value = serde_json::from_str(&first_block("README.md", "json")).unwrap();
    assert_eq!(answer, printed);
}
