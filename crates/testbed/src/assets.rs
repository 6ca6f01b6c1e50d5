//! Finds the programs of the control plane: in the folder that the environment names, or those that an earlier run has
//! built, or by building them now.
//!
//! This file searches and decides; `build.rs` builds.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::Needs;
use super::build::{Build, versions};

const FOR_API_SERVER: [&str; 3] = ["etcd", "kube-apiserver", "kubectl"];
const FOR_ROLLOUTS: [&str; 4] = ["kube-controller-manager", "kube-scheduler", "kwok", STAGES_FILE];
const STAGES_FILE: &str = "kwok-stages.yaml";
/// The versions that were built. Written last, so a folder with this file is complete.
const STAMP: &str = "versions";

/// A folder with the programs.
#[derive(Clone, Debug)]
pub(crate) struct Assets {
    folder: PathBuf,
}

/// The programs for the need, or in one sentence why there are none.
pub(crate) enum Search {
    /// They are here.
    Found(Assets),
    /// No error: this machine cannot run such a test.
    Absent(String),
}

/// Where to search, and where to report progress.
pub(crate) struct Sources<'a> {
    /// The value of `KUBEBUILDER_ASSETS`.
    pub given: Option<&'a Path>,
    /// The folder, ignored by git, that builds go into.
    pub home: &'a Path,
    /// The Go command.
    pub go: &'a str,
    /// Prints a line of progress for a user who waits for minutes.
    pub tell: fn(&str),
}

impl Assets {
    /// The path of a program or of [`Self::stages`].
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The Stage objects for kwok, one YAML file.
    pub(crate) fn stages(&self) -> PathBuf {
        self.path(STAGES_FILE)
    }

    fn is_of(&self, versions: &str) -> bool {
        fs::read_to_string(self.path(STAMP)).is_ok_and(|stamp| stamp == versions)
    }
}

impl Sources<'_> {
    /// Searches in the order of `tests/bed/README.md`. Builds when nothing else is left, which takes minutes.
    ///
    /// An error means that something is broken: a given folder without the programs, or a build that fails.
    pub(crate) fn find(&self, needs: Needs) -> Result<Search> {
        if let Some(folder) = self.given {
            let (lacks, shown) = (missing(folder, &FOR_API_SERVER), folder.display());
            ensure!(lacks.is_empty(), "KUBEBUILDER_ASSETS is {shown}, which has no {lacks}");
            let lacks = missing(folder, &FOR_ROLLOUTS);
            if needs == Needs::Rollouts && !lacks.is_empty() {
                return Ok(Search::Absent(format!(
                    "KUBEBUILDER_ASSETS ({shown}) has no {lacks}; unset it, and they are built with Go"
                )));
            }
            return Ok(Search::Found(Assets {
                folder: folder.to_owned(),
            }));
        }
        let built = Assets {
            folder: self.home.join("bin"),
        };
        let versions = versions()?;
        if built.is_of(&versions) {
            return Ok(Search::Found(built));
        }
        if !go_is_there(self.go) {
            let (bin, go) = (built.folder.display(), self.go);
            return Ok(Search::Absent(format!(
                "there is no control plane: KUBEBUILDER_ASSETS is not set, {bin} was not built, and `{go}` is not installed",
            )));
        }
        self.build(&built, &versions)
            .context("cannot build the control plane")?;
        Ok(Search::Found(built))
    }

    /// Builds into a folder beside, and moves the result when it is complete. Of several processes one builds and the others
    /// wait.
    fn build(&self, assets: &Assets, versions: &str) -> Result<()> {
        let home = self.home;
        fs::create_dir_all(home).with_context(|| home.display().to_string())?;
        let lock = File::create(home.join("lock"))?;
        if lock.try_lock().is_err() {
            (self.tell)(&format!(
                "waiting for another process that builds {}",
                assets.folder.display()
            ));
            lock.lock()?;
        }
        if assets.is_of(versions) {
            return Ok(());
        }
        let fresh = home.join("bin.new");
        if fresh.exists() {
            fs::remove_dir_all(&fresh)?;
        }
        fs::create_dir_all(&fresh)?;
        let log = home.join("build.log");
        let build = Build {
            go: self.go,
            log: &log,
            into: &fresh,
            tell: self.tell,
        };
        build.control_plane()?;
        fs::write(fresh.join(STAGES_FILE), build.kwok()?)?;
        // One by one, since other tests keep their tools there, too. Running programs keep the files they started from.
        fs::create_dir_all(&assets.folder)?;
        let stamp = assets.path(STAMP);
        if stamp.exists() {
            fs::remove_file(&stamp)?;
        }
        for entry in fs::read_dir(&fresh)? {
            let entry = entry?;
            fs::rename(entry.path(), assets.folder.join(entry.file_name()))?;
        }
        fs::remove_dir(&fresh)?;
        fs::write(stamp, versions)?;
        (self.tell)(&format!("built {}", assets.folder.display()));
        Ok(())
    }
}

/// Only a missing Go is a reason to skip. A Go that cannot build reports why, and that is a failure.
pub(super) fn go_is_there(go: &str) -> bool {
    let mut go = Command::new(go);
    go.arg("version").stdout(Stdio::null()).stderr(Stdio::null());
    go.status().is_ok()
}

/// The names of missing programs, for a sentence; empty when none are missing.
fn missing(folder: &Path, names: &[&str]) -> String {
    let missing: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| !folder.join(name).is_file())
        .collect();
    missing.join(", ")
}

/// Prints a line of progress.
pub(super) fn tell(line: &str) {
    say(&format!("test bed: {line}"));
}

/// Prints a line past the capture of `eprintln!`, which would keep it until the test fails.
pub(super) fn say(line: &str) {
    // Without a standard error no one can read it.
    drop(std::io::stderr().write_all(format!("{line}\n").as_bytes()));
}
