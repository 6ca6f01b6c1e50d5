//! File mode: keeps the index equal to the folders' content, and logs every file that cannot be used.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use jiff::Timestamp;
use tokio::sync::watch;

use crate::files::{Folder, Loaded, Watch};
use crate::index::Index;
use crate::world::fill;

/// What metrics report about the folders.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FileFacts {
    /// Problems found at the last read. Each is a document that is not served as written.
    pub(super) problems: usize,
    /// Files that have been changing for long; their last good version is served.
    pub(super) unsettled: usize,
    /// When a read last changed something.
    pub(super) last_change: Timestamp,
}

/// Reads the folders, fills the index, and follows them until the watch is dropped.
///
/// # Errors
/// A folder cannot be read at all. An invalid file in it is logged and skipped.
pub(super) fn follow(folders: &[PathBuf], index: Arc<Index>) -> anyhow::Result<(Watch, watch::Receiver<FileFacts>)> {
    let (facts, receiver) = watch::channel(FileFacts::default());
    let publish = move |loaded: Loaded| {
        tell(&loaded);
        facts.send_replace(FileFacts {
            problems: loaded.problems.len(),
            unsettled: loaded.unsettled.len(),
            last_change: Timestamp::now(),
        });
        fill(&index, loaded);
    };
    let mut folder = Folder::open(folders)?;
    publish(folder.first()?);
    let watch = crate::files::watch(folder, publish).context("cannot watch the persona folders")?;
    Ok((watch, receiver))
}

fn tell(loaded: &Loaded) {
    for problem in &loaded.problems {
        tracing::error!(%problem, "Cannot use a persona file; its last good version, if there was one, is still served");
    }
    for warning in &loaded.warnings {
        tracing::warn!(%warning, "Something in a persona file is ignored");
    }
    tracing::info!(
        personas = loaded.personas.len(),
        namespaces = loaded.namespaces.len(),
        problems = loaded.problems.len(),
        skipped = loaded.skipped,
        "Read the persona folders"
    );
}
