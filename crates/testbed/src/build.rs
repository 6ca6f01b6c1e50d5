//! Builds etcd, the Kubernetes programs and kwok with an installed Go. Go downloads their source as modules.
//! `tests/bed/kubernetes/go.mod` pins the versions of etcd and Kubernetes; `KWOK_VERSION` pins kwok's. The caller chooses the
//! folder for the programs.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::scratch::tail;

/// The main module whose `tool` lines name what is built.
const GO_MOD: &str = include_str!("../../../tests/bed/kubernetes/go.mod");
const KUBERNETES: &str = "k8s.io/kubernetes";
const ETCD: &str = "go.etcd.io/etcd/server/v3";
/// kwok has its own dependencies, which must not change those of Kubernetes, so it is not in that module.
const KWOK: &str = "sigs.k8s.io/kwok";
const KWOK_VERSION: &str = "v0.8.0";

/// The Stage objects of kwok's module that make nodes ready, keep them so, and run, finish and delete pods.
pub(super) const STAGES: [&str; 5] = [
    "node/fast/node-initialize.yaml",
    "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "pod/fast/pod-ready.yaml",
    "pod/fast/pod-complete.yaml",
    "pod/fast/pod-delete.yaml",
];

/// One build with Go into the folder `into`.
pub(super) struct Build<'a> {
    pub(super) go: &'a str,
    /// Takes what Go says.
    pub(super) log: &'a Path,
    pub(super) into: &'a Path,
    pub(super) tell: fn(&str),
}

impl Build<'_> {
    /// etcd and the Kubernetes programs.
    pub(super) fn control_plane(&self) -> Result<()> {
        let version = pinned(KUBERNETES)?;
        (self.tell)(&format!(
            "building Kubernetes {version} and etcd {} with Go: minutes the first time, then kept in {}",
            pinned(ETCD)?,
            self.into.parent().unwrap_or(self.into).display()
        ));
        // Without a version, clients fail on the placeholder in the source.
        let stamped = "k8s.io/component-base/version";
        let mut numbers = version.trim_start_matches('v').split('.');
        let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
        let ldflags = format!(
            "-s -w -X {stamped}.gitVersion={version} -X {stamped}.gitMajor={major} -X {stamped}.gitMinor={minor} \
             -X {stamped}.gitTreeState=clean"
        );
        let module = super::repository().join("tests/bed/kubernetes");
        let mut into = self.into.as_os_str().to_owned();
        into.push("/");
        // `tool` is every tool line of the module.
        self.go(|go| {
            go.args(["build", "-ldflags", &ldflags, "-o"])
                .arg(into)
                .arg("tool")
                .current_dir(module)
        })?;
        // Go names a program after the last element of its path that is no version.
        fs::rename(self.into.join("server"), self.into.join("etcd"))?;
        Ok(())
    }

    /// kwok; returns its Stage objects, one YAML text, so that none of them is copied into this repository.
    pub(super) fn kwok(&self) -> Result<String> {
        (self.tell)(&format!("building kwok {KWOK_VERSION} with Go"));
        self.install(&format!("{KWOK}/cmd/kwok@{KWOK_VERSION}"))?;
        let module = format!("{KWOK}@{KWOK_VERSION}");
        let answer = self.go(|go| go.args(["mod", "download", "-json", &module]))?;
        let answer: serde_json::Value = serde_json::from_str(&answer)?;
        let source = answer["Dir"]
            .as_str()
            .with_context(|| format!("go mod download {module} names no folder"))?;
        let mut stages = String::new();
        for stage in STAGES {
            let path = Path::new(source).join("kustomize/stage").join(stage);
            stages.push_str("---\n");
            stages.push_str(&fs::read_to_string(&path).with_context(|| path.display().to_string())?);
        }
        Ok(stages)
    }

    /// A program of a module with dependencies of its own: `module/path@version`.
    pub(super) fn install(&self, program: &str) -> Result<()> {
        self.go(|go| go.args(["install", program]).env("GOBIN", self.into))?;
        Ok(())
    }

    /// Runs Go with its messages in the log; returns what it printed.
    fn go(&self, configure: impl FnOnce(&mut Command) -> &mut Command) -> Result<String> {
        let mut command = Command::new(self.go);
        command
            .env("CGO_ENABLED", "0")
            .env("GOWORK", "off")
            .stdin(Stdio::null())
            .stderr(File::create(self.log)?);
        // Outside this repository, whose own modules would otherwise affect the build.
        command.current_dir(self.into);
        let output = configure(&mut command).output()?;
        if !output.status.success() {
            bail!("{command:?} failed with {}; {}", output.status, tail(self.log));
        }
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// Name and version of everything that is built, one a line: the content of the stamp.
pub(super) fn versions() -> Result<String> {
    Ok(format!(
        "{KUBERNETES} {}\n{ETCD} {}\n{KWOK} {KWOK_VERSION}\n",
        pinned(KUBERNETES)?,
        pinned(ETCD)?
    ))
}

/// The version of a module that our go.mod requires.
fn pinned(module: &str) -> Result<&'static str> {
    GO_MOD
        .lines()
        .find_map(|line| line.trim().strip_prefix(module)?.strip_prefix(' ')?.split(' ').next())
        .with_context(|| format!("tests/bed/kubernetes/go.mod requires no {module}"))
}
