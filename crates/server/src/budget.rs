//! How many bytes of request bodies may be buffered at once, over all connections and listeners that share the budget.
//! It bounds the one part of our memory whose size strangers decide.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const MIB: u64 = 1024 * 1024;

/// The budget where memory is not scarce.
const DEFAULT_BYTES: usize = 64 * 1024 * 1024;

/// The budget where the process may use [`SMALL_LIMIT`] or less, as in upstream's chart.
const SMALL_BYTES: usize = 48 * 1024 * 1024;
const SMALL_LIMIT: u64 = 128 * MIB;

/// A share of memory for request bodies. Clones share it.
#[derive(Clone, Debug)]
pub struct Budget {
    // Nobody waits for room, so a number is enough.
    held: Arc<AtomicUsize>,
    total: usize,
}

impl Budget {
    /// A budget of `bytes`.
    #[must_use]
    pub fn new(bytes: usize) -> Budget {
        Budget {
            held: Arc::default(),
            total: bytes,
        }
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
        self.total
    }

    /// Bytes held now.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Holds nothing yet, and can be made to hold more.
    pub(super) fn hold_nothing(&self) -> Hold<'_> {
        Hold { budget: self, bytes: 0 }
    }
}

/// A part of a budget, given back on drop.
#[derive(Debug)]
pub(super) struct Hold<'b> {
    budget: &'b Budget,
    bytes: usize,
}

impl Hold<'_> {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Holds `bytes` in all, or says no at once.
    pub(super) fn grow_to(&mut self, bytes: usize) -> Result<(), Exhausted> {
        let more = bytes.saturating_sub(self.bytes);
        if more > 0 {
            let fits = |held: usize| held.checked_add(more).filter(|held| *held <= self.budget.total);
            let grown = self
                .budget
                .held
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
            grown.map_err(|_| Exhausted)?;
            self.bytes = bytes;
        }
        Ok(())
    }

    /// Gives back what is over `bytes`.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        let surplus = self.bytes.saturating_sub(bytes);
        if surplus > 0 {
            self.budget.held.fetch_sub(surplus, Ordering::Relaxed);
            self.bytes = bytes;
        }
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
