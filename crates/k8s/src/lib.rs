//! A client of a Kubernetes API server.
//!
//! It provides connections, lists and watches with their retries, requests about objects and their status, a work queue,
//! Events, leader election by a Lease, and the review of bearer tokens. This crate knows no kind of the group dorgu.io:
//! callers say how an object is decoded ([`Decode`]) and what happens to it (the closure that [`follow`] gets).

mod access;
mod backoff;
mod cache;
mod cluster_source;
pub mod conditions;
mod decode;
mod error;
mod events;
mod lease;
mod missing_right;
mod object;
mod queue;
mod resource;
mod server;
mod server_apply;
mod state;
mod status;
pub mod time;
mod trouble;
mod watch;

pub use access::{Access, Denial, Memory};
pub use backoff::Backoff;
pub use cache::{Cache, Named};
pub use cluster_source::{ClusterSource, ClusterSourceError, client};
pub use decode::{Decode, Unreadable, from_json};
pub use error::{CallError, Failure, Panicked, catch_panic};
pub use events::{EventRecorder, Notice, Regarding, Reporter};
pub use kube::Client;
pub use lease::{Election, Leadership, LeaseName, Timings, election, identity, pod_name};
pub use missing_right::MissingRight;
pub use object::{
    Skipped, Verdict, apply, create, dry_run_create, find, get, list, list_each, list_each_in, merge, read,
};
pub use queue::{Queue, Reconciled};
pub use resource::{Followed, Name, Resource, Scope, discover};
pub use server::{ServerInfo, can, raw_text, server_info, version};
pub use server_apply::{ApplyError, Conflict, ServerApply};
pub use state::WatchState;
pub use status::{Current, Outcome, write_if_changed};
pub use trouble::Trouble;
pub use watch::{Event, follow, follow_many};

#[cfg(test)]
mod tests;
