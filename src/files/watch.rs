//! Notices changes in the folders, and has them read again.
//!
//! Folders are watched, never files: an editor and a kubelet replace files, and a watch on a file sees only its first
//! replacement. After every change all folders are watched again, since there may be new ones and links may lead elsewhere.
//! Only then the files are checked, so that no change falls in between. A file that is still changing is read when its size
//! and modification time have rested; the thread wakes for that. A slow poll of sizes and times finds what a file system
//! does not report. All of this runs on a thread of its own.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant, SystemTime};

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind, RenameMode};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::folder::At;
use super::rest::Arrivals;
use super::{Folder, Loaded};

/// How long no event must come before files are read: one save causes several.
const QUIET: Duration = Duration::from_millis(50);
/// How long a series of events may delay reading.
const TIMEOUT: Duration = Duration::from_millis(300);
/// The interval of the poll while every folder is watched.
const SLOW_POLL: Duration = Duration::from_secs(5);
/// The interval while some folder cannot be watched or read: no event reports that it is back.
const FAST_POLL: Duration = Duration::from_millis(500);

/// A running watch; ends when dropped.
#[derive(Debug)]
pub struct Watch {
    messages: Sender<Message>,
}

enum Message {
    Changed {
        /// The target of a rename, and when it was reported.
        renamed: Option<(PathBuf, SystemTime)>,
    },
    Stop,
}

/// Continues to read `folder`, and delivers its content whenever that differs from the result of the first read. `deliver` is
/// called on the watch's own thread and may block it.
///
/// # Errors
/// No thread can be started. Folders that cannot be watched are no error: they are polled twice a second instead.
pub fn watch(folder: Folder, deliver: impl FnMut(Loaded) + Send + 'static) -> io::Result<Watch> {
    let (messages, inbox) = channel();
    let notify = notifier(messages.clone())
        .inspect_err(|error| tracing::warn!(%error, "folders cannot be watched; looking twice a second"));
    launch(folder, notify.ok(), messages, inbox, deliver)
}

fn launch(
    folder: Folder,
    notify: Option<RecommendedWatcher>,
    messages: Sender<Message>,
    inbox: Receiver<Message>,
    deliver: impl FnMut(Loaded) + Send + 'static,
) -> io::Result<Watch> {
    let complete = notify.is_some();
    let keeper = Worker {
        folder,
        notify,
        watched: BTreeSet::new(),
        complete,
        hidden: false,
        stamp: 0,
    };
    std::thread::Builder::new()
        .name("personas".to_owned())
        .spawn(move || keeper.run(&inbox, deliver))?;
    Ok(Watch { messages })
}

/// Reports events in the given folders, until dropped.
fn notifier(events: Sender<Message>) -> notify::Result<RecommendedWatcher> {
    notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let renamed = match event {
            Ok(event) if !matters(event.kind) => return,
            Ok(event) => renamed_to(event).map(|path| (path, SystemTime::now())),
            // It may stand for lost events.
            Err(_) => None,
        };
        // The inbox is closed only when the watch has ended.
        let _ = events.send(Message::Changed { renamed });
    })
}

impl Drop for Watch {
    fn drop(&mut self) {
        // A closed inbox means that the thread has ended. It is not waited for: it may be reading a large file, or a folder of
        // a file system that hangs, and what it still delivers changes nothing any more.
        let _ = self.messages.send(Message::Stop);
    }
}

/// The state of the thread.
struct Worker {
    folder: Folder,
    notify: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
    /// Every folder that can be read is watched.
    complete: bool,
    /// Some folder cannot be read.
    hidden: bool,
    stamp: u64,
}

/// Why the thread woke.
#[derive(PartialEq, Eq)]
enum Woken {
    /// Something may have happened.
    Changed,
    /// A file has rested, or must be reported as unsettled.
    Due,
    /// It is to end.
    Stop,
}

impl Worker {
    fn run(mut self, inbox: &Receiver<Message>, mut deliver: impl FnMut(Loaded)) {
        let mut arrivals = Arrivals::default();
        let mut woken = Woken::Changed;
        while woken != Woken::Stop {
            if woken == Woken::Changed {
                self.watch_folders();
            }
            let at = At {
                now: Instant::now(),
                arrivals: &arrivals,
            };
            if let Some(loaded) = self.folder.refresh(at) {
                deliver(loaded);
            }
            arrivals = Arrivals::default();
            woken = self.wait(inbox, &mut arrivals);
        }
    }

    /// Watches every folder that matters now.
    ///
    /// A folder may appear, unreported, between the walk and the watch on its parent. So this repeats until none did.
    fn watch_folders(&mut self) {
        let mut now = self.folder.walk();
        if let Some(notify) = &mut self.notify {
            for folder in std::mem::take(&mut self.watched) {
                // A folder that was removed took its watch with it.
                let _ = notify.unwatch(&folder);
            }
            let was_complete = std::mem::replace(&mut self.complete, true);
            loop {
                let before = std::mem::take(&mut now.folders);
                for folder in &before {
                    if self.watched.contains(folder) {
                        continue;
                    }
                    match notify.watch(folder, RecursiveMode::NonRecursive) {
                        Ok(()) => {
                            self.watched.insert(folder.clone());
                        }
                        // Its removal is reported by its parent.
                        Err(_) if !folder.exists() => {}
                        Err(error) => {
                            if was_complete {
                                tracing::warn!(folder = %folder.display(), %error, "cannot be watched; looking twice a second");
                            }
                            self.complete = false;
                        }
                    }
                }
                now = self.folder.walk();
                if now.folders.is_subset(&before) {
                    break;
                }
            }
        }
        self.stamp = now.stamp;
        self.hidden = !now.unreadable.is_empty();
    }

    /// Waits until a refresh is due.
    fn wait(&self, inbox: &Receiver<Message>, arrivals: &mut Arrivals) -> Woken {
        let poll = if self.complete && !self.hidden {
            SLOW_POLL
        } else {
            FAST_POLL
        };
        let mut looked = Instant::now();
        loop {
            let due = self.folder.due();
            let next = due.map_or(looked + poll, |due| due.min(looked + poll));
            match inbox.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(Message::Changed { renamed }) => {
                    record(renamed, arrivals);
                    return settle(inbox, arrivals);
                }
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return Woken::Stop,
                Err(RecvTimeoutError::Timeout) if due.is_some_and(|due| due <= Instant::now()) => return Woken::Due,
                Err(RecvTimeoutError::Timeout) if self.folder.walk().stamp != self.stamp => return Woken::Changed,
                Err(RecvTimeoutError::Timeout) => looked = Instant::now(),
            }
        }
    }
}

/// Waits until a burst of events is over.
fn settle(inbox: &Receiver<Message>, arrivals: &mut Arrivals) -> Woken {
    let start = Instant::now();
    while start.elapsed() < TIMEOUT {
        match inbox.recv_timeout(QUIET) {
            Ok(Message::Changed { renamed }) => record(renamed, arrivals),
            Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return Woken::Stop,
            Err(RecvTimeoutError::Timeout) => break,
        }
    }
    Woken::Changed
}

fn record(renamed: Option<(PathBuf, SystemTime)>, arrivals: &mut Arrivals) {
    if let Some((path, reported)) = renamed {
        arrivals.record(path, reported);
    }
}

/// The target of a rename. Where the system does not say which path that is, a rename is a change like any other.
fn renamed_to(event: notify::Event) -> Option<PathBuf> {
    match event.kind {
        EventKind::Modify(ModifyKind::Name(RenameMode::To | RenameMode::Both)) => event.paths.into_iter().next_back(),
        _ => None,
    }
}

/// Whether an event can mean new contents. Opening and reading a file cannot; the latter is what this module does.
fn matters(kind: EventKind) -> bool {
    !matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

#[cfg(test)]
mod tests;
