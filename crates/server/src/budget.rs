//! Bounds how many bytes of request bodies are buffered at once, over all connections and listeners that share the budget.
//! Clients decide the size of request bodies, and of no other memory of the process. A quarter of the budget is reserved for
//! bodies up to [`SMALL`], which nearly all reviews are, so that large bodies cannot keep them out.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

const MIB: u64 = 1024 * 1024;

/// Bodies up to this size may use the whole budget, larger ones not the reserve.
pub const SMALL: usize = 256 * 1024;

/// The reserve is one such part of the budget.
const RESERVED_PART: usize = 4;

/// The budget where memory is not scarce.
const DEFAULT_BYTES: usize = 64 * 1024 * 1024;

/// The budget where the process may use [`SMALL_LIMIT`] or less, as in upstream's chart.
const SMALL_BYTES: usize = 48 * 1024 * 1024;
const SMALL_LIMIT: u64 = 128 * MIB;

/// A budget of memory for request bodies. Clones share it.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    held: AtomicUsize,
    total: usize,
    /// How many callers wait for room. With none, releasing notifies no one.
    waiting: AtomicUsize,
    freed: Notify,
}

impl Budget {
    /// A budget of `bytes`.
    #[must_use]
    pub fn new(bytes: usize) -> Budget {
        Budget(Arc::new(Shared {
            held: AtomicUsize::new(0),
            total: bytes,
            waiting: AtomicUsize::new(0),
            freed: Notify::new(),
        }))
    }

    /// 64 MiB; 48 MiB where the cgroup's memory limit is 128 MiB or less.
    #[must_use]
    pub fn for_this_process() -> Budget {
        let cgroups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Budget::new(bytes_for(memory_limit(Path::new("/sys/fs/cgroup"), &cgroups)))
    }

    /// The whole budget in bytes.
    #[must_use]
    pub fn total(&self) -> usize {
        self.0.total
    }

    /// Bytes held now.
    #[must_use]
    pub fn held(&self) -> usize {
        self.0.held.load(Ordering::Relaxed)
    }

    /// A reservation of nothing, for a body of this announced length; it can grow.
    pub(super) fn hold_nothing(&self, announced: Option<usize>) -> Hold<'_> {
        Hold {
            budget: &self.0,
            bytes: 0,
            large: announced.is_some_and(|bytes| bytes > SMALL),
        }
    }
}

/// A reservation in a budget, released on drop.
#[derive(Debug)]
pub(super) struct Hold<'b> {
    budget: &'b Shared,
    bytes: usize,
    large: bool,
}

impl<'b> Hold<'b> {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The bytes that all reservations together may reach for one more body of this size.
    pub(super) fn limit(&self, bytes: usize) -> usize {
        let total = self.budget.total;
        if self.large || bytes > SMALL {
            total - total / RESERVED_PART
        } else {
            total
        }
    }

    /// Bytes that all reservations hold now.
    pub(super) fn held_by_all(&self) -> usize {
        self.budget.held.load(Ordering::Relaxed)
    }

    /// Grows the reservation to `bytes` in all, or fails at once.
    pub(super) fn grow_to(&mut self, bytes: usize) -> Result<(), Exhausted> {
        let more = bytes.saturating_sub(self.bytes);
        if more > 0 {
            let limit = self.limit(bytes);
            let fits = |held: usize| held.checked_add(more).filter(|held| *held <= limit);
            let grown = self.budget.held.fetch_update(Ordering::SeqCst, Ordering::Relaxed, fits);
            grown.map_err(|_| Exhausted)?;
            self.bytes = bytes;
        }
        Ok(())
    }

    /// Releases what exceeds `bytes`.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        let surplus = self.bytes.saturating_sub(bytes);
        if surplus > 0 {
            self.budget.held.fetch_sub(surplus, Ordering::SeqCst);
            self.bytes = bytes;
            // Ordered with `Waiting`: either this sees the waiting caller, or that caller sees the room.
            if self.budget.waiting.load(Ordering::SeqCst) > 0 {
                self.budget.freed.notify_waiters();
            }
        }
    }

    /// From now on other reservations notify when they release memory.
    pub(super) fn wait(&self) -> Waiting<'b> {
        self.budget.waiting.fetch_add(1, Ordering::SeqCst);
        Waiting(self.budget)
    }
}

/// Registers a caller that waits for room, until dropped.
#[derive(Debug)]
pub(super) struct Waiting<'b>(&'b Shared);

impl<'b> Waiting<'b> {
    /// Resolves when memory was released after this call.
    pub(super) fn freed(&self) -> Notified<'b> {
        self.0.freed.notified()
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

/// The budget does not have that much left.
#[derive(Debug)]
pub(super) struct Exhausted;

fn bytes_for(memory_limit: Option<u64>) -> usize {
    match memory_limit {
        Some(limit) if limit <= SMALL_LIMIT => SMALL_BYTES,
        _ => DEFAULT_BYTES,
    }
}

/// The smallest memory limit of the process's cgroup and those above it; version 2 and version 1 of the file layout.
/// `root` is where the cgroup file system is mounted, `cgroups` the text of `/proc/self/cgroup`. Inside a container both
/// the path and the mount are usually cut down to the container's own group, so groups that are not there are passed over.
fn memory_limit(root: &Path, cgroups: &str) -> Option<u64> {
    let mut limits = Vec::new();
    for line in cgroups.lines() {
        // "hierarchy:controllers:path"
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let (mount, file) = if controllers.is_empty() {
            (root.to_owned(), "memory.max")
        } else if controllers.split(',').any(|controller| controller == "memory") {
            (root.join("memory"), "memory.limit_in_bytes")
        } else {
            continue;
        };
        let group = mount.join(path.trim_start_matches('/'));
        let groups = group.ancestors().take_while(|group| group.starts_with(&mount));
        // "max", and version 1's number near 2^63, mean no limit.
        limits.extend(groups.filter_map(|group| fs::read_to_string(group.join(file)).ok()?.trim().parse::<u64>().ok()));
    }
    limits.into_iter().min()
}

#[cfg(test)]
mod tests;
