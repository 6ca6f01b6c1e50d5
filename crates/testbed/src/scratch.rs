//! The folder of one bed: data, certificates, kubeconfigs and logs. It knows no process.
//!
//! The folder of a dead process stays, so that its logs can be read, and the next bed that starts removes it. So at most one
//! run's logs are left. A live process holds a lock in its folder, which the kernel releases however the process ends.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

const PREFIX: &str = "dorgu-bed-";
const LOCK: &str = "lock";

/// A fresh folder that only this user can read, since it holds an admin token.
pub(crate) struct Scratch {
    path: PathBuf,
    _alive: File,
}

impl Scratch {
    pub(crate) fn new() -> Result<Self> {
        let parent = std::env::temp_dir();
        sweep(&parent);
        let path = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&parent)?.keep();
        // Locked before it gets its name: a sweep never sees a lock file that is free and young.
        let unnamed = path.join("lock.new");
        let alive = File::create(&unnamed)?;
        alive.lock()?;
        fs::rename(&unnamed, path.join(LOCK))?;
        Ok(Self { path, _alive: alive })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A folder inside, made if it does not exist.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        Ok(path)
    }

    /// Writes a file inside and says where.
    pub(crate) fn write(&self, name: &str, content: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        fs::write(&path, content).with_context(|| path.display().to_string())?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A failing test keeps its logs until the next run. A leftover folder is not worth a failure.
        if !std::thread::panicking() {
            drop(fs::remove_dir_all(&self.path));
        }
    }
}

/// Removes the folders of dead processes. A folder that cannot be read or removed is another user's, and stays.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        if File::open(entry.path().join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok()) {
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}

/// The last lines of a log, for an error message.
pub(crate) fn tail(log: &Path) -> String {
    const LINES: usize = 20;
    match fs::read(log) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let lines: Vec<&str> = text.lines().collect();
            format!(
                "the end of {}:\n{}",
                log.display(),
                lines[lines.len().saturating_sub(LINES)..].join("\n")
            )
        }
        Err(error) => format!("{} cannot be read: {error}", log.display()),
    }
}
