//! Divides the file descriptors of the process among its listeners, since all listeners have one limit together. Connections
//! to the ports of the probes and the metrics cannot use up the descriptors of the webhook.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::limits::Limits;

/// Descriptors that are not connections: listeners, logs, file watches, Kubernetes watches, and room to spare.
const RESERVED: usize = 128;

/// Connections to the probes, and to the metrics, at once. A kubelet and a Prometheus need one or two each.
const PROBES: usize = 64;
const METRICS: usize = 32;

/// Where descriptors are few, the probes and the metrics each get one such part of them.
const PART: usize = 8;

/// The limits of every listener of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// The webhook: everything that the others leave, up to the limit's own bound.
    pub webhook: Limits,
    /// The probes.
    pub probes: Limits,
    /// The metrics.
    pub metrics: Limits,
}

impl Shares {
    /// The shares of a process that may open this many files; `None` where there is no limit.
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

/// Raises the soft limit of open files to the hard limit, and returns it; `None` for no limit. The soft limit is low by default
/// for programs that use `select`, which this one does not.
///
/// # Errors
/// The system denies it; the limit stays what it was.
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
