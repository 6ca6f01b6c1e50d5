//! File descriptors are the process's, so they are shared out once, among all listeners: what strangers take on the ports of
//! the probes and the metrics is never missing at the webhook.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::limits::Limits;

/// Descriptors that are not connections: listeners, logs, file watches, Kubernetes watches, and room to spare.
const RESERVED: usize = 128;

/// Connections of the probes and of the metrics at once. A kubelet and a Prometheus each need one or two.
const PROBES: usize = 64;
const METRICS: usize = 32;

/// The part of what there is for connections that each of those two gets where there is little.
const PART: usize = 8;

/// The limits of every listener of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// What reviews are answered by: everything that the others leave, up to the limit's own bound.
    pub webhook: Limits,
    /// The probes.
    pub probes: Limits,
    /// The metrics.
    pub metrics: Limits,
}

impl Shares {
    /// The shares of a process that may open so many files; `None` where there is no limit.
    #[must_use]
    pub fn of(files: Option<u64>) -> Shares {
        let files = files.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
        let room = files.saturating_sub(RESERVED).max(files / 2);
        let few = |most: usize| most.min(room / PART).max(1);
        let (probes, metrics) = (few(PROBES), few(METRICS));
        let webhook = Limits::default();
        Shares {
            webhook: Limits {
                max_connections: webhook
                    .max_connections
                    .min(room.saturating_sub(probes + metrics))
                    .max(1),
                ..webhook
            },
            probes: Limits::beside(probes),
            metrics: Limits::beside(metrics),
        }
    }
}

/// Raises the number of files that may be open at once to the most that the process may give itself, and says how many that
/// is: `None` for no limit. It is low by default for programs that use `select`, which this one does not.
///
/// # Errors
/// The system refuses; the limit stays what it was.
pub fn raise() -> io::Result<Option<u64>> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return Ok(current);
    }
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    )?;
    Ok(getrlimit(Resource::Nofile).current)
}

/// How many files may be open at once; `None` for no limit.
#[must_use]
pub fn limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

#[cfg(test)]
mod tests;
