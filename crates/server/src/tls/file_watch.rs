//! Notices that files may have changed, by a watch on their **directories**: a kubelet replaces a mounted Secret by renaming
//! a symbolic link beside the files, and a watch on a file itself sees only the first such change. A slow poll covers what
//! no watch reports: network file systems, links to other directories, a directory that was itself replaced.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};

/// How often to check without an event.
const POLL: Duration = Duration::from_secs(10);

/// A change is complete when no event came for this long: certificate and key are rarely replaced in one step.
const QUIET: Duration = Duration::from_millis(100);

/// In a directory with constant events, check at least this often.
const MAX_UNREST: Duration = Duration::from_millis(500);

/// A watch on the directories of some files.
pub(super) struct FileWatch {
    directories: Vec<Directory>,
    /// `None` where the system provides no watch; then there is only the poll.
    watcher: Option<RecommendedWatcher>,
    events: mpsc::Receiver<()>,
    poll: Duration,
}

struct Directory {
    path: PathBuf,
    /// Device and inode of the directory watched under this path.
    watched: Option<(u64, u64)>,
}

impl FileWatch {
    /// Watches from now on. Create it before the first read.
    pub(super) fn new(files: &[&Path]) -> FileWatch {
        let (sender, events) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // Reading the files is itself an access event. Any other event, an overflow and an error are reasons to check.
            if !matches!(
                event,
                Ok(Event {
                    kind: EventKind::Access(_),
                    ..
                })
            ) {
                // A full channel already holds a notification.
                let _ = sender.try_send(());
            }
        });
        let watcher = watcher
            .inspect_err(
                |error| tracing::warn!(%error, "no file watch to be had; certificate files are polled every 10 s"),
            )
            .ok();
        let mut watch = FileWatch {
            directories: directories(files),
            watcher,
            events,
            poll: POLL,
        };
        watch.follow_directories();
        watch
    }

    /// The poll alone.
    #[cfg(test)]
    pub(super) fn polling(files: &[&Path], poll: Duration) -> FileWatch {
        let (_, events) = mpsc::channel(1);
        FileWatch {
            directories: directories(files),
            watcher: None,
            events,
            poll,
        }
    }

    /// Resolves when the files should be read again. They need not have changed.
    pub(super) async fn changed(&mut self) {
        tokio::select! {
            Some(()) = self.events.recv() => {
                let latest = Instant::now() + MAX_UNREST;
                while let Ok(Some(())) = timeout_at(latest.min(Instant::now() + QUIET), self.events.recv()).await {}
            }
            () = sleep(self.poll) => {}
        }
        self.follow_directories();
    }

    /// Watches every directory that is a different one under the same path.
    fn follow_directories(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        for directory in &mut self.directories {
            let found = std::fs::metadata(&directory.path)
                .ok()
                .map(|metadata| (metadata.dev(), metadata.ino()));
            if found == directory.watched {
                continue;
            }
            // The old watch is dead where its directory is gone.
            let _ = watcher.unwatch(&directory.path);
            directory.watched = None;
            if found.is_some() {
                match watcher.watch(&directory.path, RecursiveMode::NonRecursive) {
                    Ok(()) => directory.watched = found,
                    Err(error) => {
                        tracing::warn!(directory = %directory.path.display(), %error, "cannot watch; polled every 10 s");
                    }
                }
            }
        }
    }
}

/// The directories of the files, each once.
fn directories(files: &[&Path]) -> Vec<Directory> {
    let mut paths: Vec<PathBuf> = files
        .iter()
        .map(|file| match file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        })
        .collect();
    paths.sort();
    paths.dedup();
    paths
        .into_iter()
        .map(|path| Directory { path, watched: None })
        .collect()
}
