//! Finds helm as `assets` finds the programs of the control plane, by building it with Go if necessary. It also holds helm's
//! output.
//!
//! helm has its own stamp, so that another version does not rebuild the control plane. This file knows no chart.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context as _, Result};

use super::assets::{go_is_there, tell};
use super::build::Build;
use super::kubectl::Output;
use super::{Bed, home, skip};

const MODULE: &str = "helm.sh/helm/v4";
const VERSION: &str = "v4.3.1";
/// Which helm is beside it; written last.
const STAMP: &str = "helm.version";

/// helm, with or without a cluster.
#[derive(Clone, Debug)]
pub struct Helm {
    program: PathBuf,
    /// Its environment variables.
    environment: Vec<(&'static str, OsString)>,
}

impl Helm {
    /// `None` after a line that says why there is none; see [`skip`].
    pub fn find() -> Option<Self> {
        match found() {
            Ok(Ok(program)) => Some(Self {
                program: program.clone(),
                environment: vec![("HOME", "/nonexistent".into()), ("KUBECONFIG", "/nonexistent".into())],
            }),
            Ok(Err(reason)) => skip(reason),
            Err(error) => panic!("{error:#}"),
        }
    }

    /// The program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// As the cluster admin of this bed.
    pub fn on(self, bed: &Bed) -> Self {
        let home = bed.folder().join("helm");
        Self {
            environment: vec![
                ("HOME", home.into_os_string()),
                ("KUBECONFIG", bed.kubeconfig().as_os_str().to_owned()),
            ],
            ..self
        }
    }

    /// Runs it to its end. A failure is an [`Output`], too.
    pub fn run(&self, args: &[&str]) -> Output {
        let output = Command::new(&self.program)
            .args(args)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        Output::of(format!("helm {}", args.join(" ")), &output)
    }
}

/// Looked for once.
fn found() -> &'static Result<Result<PathBuf, String>> {
    static FOUND: OnceLock<Result<Result<PathBuf, String>>> = OnceLock::new();
    FOUND.get_or_init(search)
}

/// The program, for a shell's path, where there is one.
pub(super) fn program() -> Option<PathBuf> {
    found().as_ref().ok()?.as_ref().ok().cloned()
}

/// The program, or in one sentence why there is none.
fn search() -> Result<Result<PathBuf, String>> {
    if let Some(folder) = std::env::var_os("KUBEBUILDER_ASSETS") {
        let given = Path::new(&folder).join("helm");
        if given.is_file() {
            return Ok(Ok(std::path::absolute(given)?));
        }
    }
    find(&home()?, "go", tell)
}

fn find(home: &Path, go: &str, tell: fn(&str)) -> Result<Result<PathBuf, String>> {
    let (bin, wanted) = (home.join("bin"), format!("{MODULE} {VERSION}\n"));
    let (program, stamp) = (bin.join("helm"), bin.join(STAMP));
    let is_built = || program.is_file() && fs::read_to_string(&stamp).is_ok_and(|built| built == wanted);
    if is_built() {
        return Ok(Ok(program));
    }
    if !go_is_there(go) {
        let bin = bin.display();
        return Ok(Err(format!(
            "there is no helm: KUBEBUILDER_ASSETS has none, {bin} has not the one that is pinned, and `{go}` is not installed"
        )));
    }
    fs::create_dir_all(home).with_context(|| home.display().to_string())?;
    // The control plane's builds take the same lock: two at a time would only be slower.
    let lock = File::create(home.join("lock"))?;
    lock.lock()?;
    if is_built() {
        return Ok(Ok(program));
    }
    let fresh = home.join("helm.new");
    fs::create_dir_all(&fresh)?;
    let build = Build {
        go,
        log: &home.join("build-helm.log"),
        into: &fresh,
        tell,
    };
    tell(&format!("building helm {VERSION} with Go"));
    build
        .install(&format!("{MODULE}/cmd/helm@{VERSION}"))
        .context("cannot build helm")?;
    fs::create_dir_all(&bin)?;
    if stamp.exists() {
        fs::remove_file(&stamp)?;
    }
    fs::rename(fresh.join("helm"), &program)?;
    fs::remove_dir(&fresh)?;
    fs::write(stamp, wanted)?;
    Ok(Ok(program))
}

#[test]
fn helm_is_built_once_and_again_when_another_one_is_pinned() {
    use std::os::unix::fs::PermissionsExt as _;

    let home = tempfile::TempDir::new().unwrap();
    let go = home.path().join("go");
    let script = r#"echo "$*" >> "$0.calls"; if [ "$1" = install ]; then touch "$GOBIN/helm"; fi"#;
    fs::write(&go, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&go, fs::Permissions::from_mode(0o755)).unwrap();
    let find = || find(home.path(), go.to_str().unwrap(), |_| {}).unwrap().unwrap();
    let built = || {
        let calls = fs::read_to_string(home.path().join("go.calls")).unwrap();
        calls.lines().filter(|call| call.starts_with("install ")).count()
    };
    assert_eq!(find(), home.path().join("bin/helm"));
    find();
    assert_eq!(built(), 1);
    fs::write(home.path().join("bin").join(STAMP), "helm.sh/helm/v4 v4.0.0\n").unwrap();
    find();
    assert_eq!(built(), 2);
}

#[test]
fn without_go_the_reason_names_what_there_is_not() {
    let home = tempfile::TempDir::new().unwrap();
    let reason = find(home.path(), "/nowhere/go", |_| {}).unwrap().unwrap_err();
    assert!(reason.starts_with("there is no helm: "), "{reason}");
}
