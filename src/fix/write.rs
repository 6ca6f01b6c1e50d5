//! Replaces a file whole or not at all: the new text is written beside it and takes its name. Mode and owner stay.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

/// Why a file was not written. It is as it was.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// It is not what was read.
    #[error("it changed meanwhile; run the command again")]
    Changed,
    /// Its other names would keep the old text.
    #[error("it has {0} hard links, and only this one would change; copy it first")]
    HardLinks(u64),
    /// It is a folder, a pipe or a device.
    #[error("it is no regular file")]
    NoFile,
    /// It would get another owner.
    #[error("its owner {uid}:{gid} cannot be kept: {error}; run as that user")]
    Owner {
        /// The user.
        uid: u32,
        /// The group.
        gid: u32,
        /// The system's reason.
        error: std::io::Error,
    },
    /// It would get another mode.
    #[error("its mode {0:o} cannot be kept")]
    Mode(u32),
    /// The system failed.
    #[error("it cannot be written: {0}")]
    Io(#[from] std::io::Error),
}

/// Replaces the text of a file, which must still be `before`. A link is followed.
///
/// # Errors
/// The file cannot be replaced as a whole with the same mode and owner, or has another text.
pub fn replace(path: &Path, before: &str, after: &str) -> Result<(), WriteError> {
    let path = path.canonicalize()?;
    // Opened for writing, since a file without write permission is meant to stay.
    let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
    let was = file.metadata()?;
    if !was.is_file() {
        return Err(WriteError::NoFile);
    }
    if was.nlink() > 1 {
        return Err(WriteError::HardLinks(was.nlink()));
    }
    let mut bytes = Vec::with_capacity(before.len());
    file.read_to_end(&mut bytes)?;
    if bytes != before.as_bytes() {
        return Err(WriteError::Changed);
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = Beside::new(folder.join(format!(".{name}.dorgu-{}", std::process::id())))?;
    fill(&beside.file, &was, after)?;
    // What happens to the file from here on is too late to be seen.
    if !is_same(&was, &std::fs::symlink_metadata(&path)?) {
        return Err(WriteError::Changed);
    }
    beside.take_name_of(&path)?;
    // The new name is on the disk once the folder is.
    File::open(folder).and_then(|folder| folder.sync_all())?;
    Ok(())
}

/// Writes a text with the mode and the owner of another file.
fn fill(mut file: &File, was: &Metadata, text: &str) -> Result<(), WriteError> {
    file.write_all(text.as_bytes())?;
    let is = file.metadata()?;
    let (uid, gid) = (was.uid(), was.gid());
    if (is.uid(), is.gid()) != (uid, gid) {
        fchown(file, Some(uid), Some(gid)).map_err(|error| WriteError::Owner { uid, gid, error })?;
    }
    // Behind the owner, whose change clears some bits.
    file.set_permissions(was.permissions())?;
    if file.metadata()?.permissions().mode() != was.permissions().mode() {
        return Err(WriteError::Mode(was.permissions().mode() & 0o7777));
    }
    file.sync_all()?;
    Ok(())
}

fn is_same(one: &Metadata, other: &Metadata) -> bool {
    let of = |it: &Metadata| {
        let changed = (it.mtime(), it.mtime_nsec(), it.ctime(), it.ctime_nsec());
        (it.dev(), it.ino(), it.size(), it.nlink(), changed)
    };
    of(one) == of(other)
}

/// A file beside another one, removed unless it takes its name.
struct Beside {
    file: File,
    path: Option<PathBuf>,
}

impl Beside {
    fn new(path: PathBuf) -> std::io::Result<Beside> {
        // No other user may read what the file it replaces may be private in.
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        Ok(Beside { file, path: Some(path) })
    }

    fn take_name_of(mut self, path: &Path) -> std::io::Result<()> {
        if let Some(beside) = &self.path {
            std::fs::rename(beside, path)?;
        }
        self.path = None;
        Ok(())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // A file that cannot be removed is left, under a name that is not read as a manifest.
            let _ = std::fs::remove_file(path);
        }
    }
}
