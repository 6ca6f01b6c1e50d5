//! The API server, as far as anyone here talks to it: where it is, and how a kind is followed.
//!
//! Owns connections, lists, watches and their retries, how an object or its status is written, the election by a
//! Lease, who is behind a token, and one look at things for a command that ends. Knows no persona: what an object says
//! is for a [`Decode`], what happens to it for the closure that [`follow`] is given.

mod access;
mod backoff;
mod cache;
mod cluster_source;
pub mod conditions;
mod decode;
mod error;
mod events;
mod lease;
mod object;
mod queue;
mod resource;
mod server;
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
pub use object::{Skipped, Verdict, apply, create, dry_run_create, get, list, list_each, merge, read};
pub use queue::{Queue, Reconciled};
pub use resource::{Followed, Name, Resource, Scope, discover};
pub use server::{ServerInfo, can, raw_text, server_info, version};
pub use state::WatchState;
pub use status::{Current, Outcome, write_if_changed};
pub use trouble::Trouble;
pub use watch::{Event, follow, follow_many};

#[cfg(test)]
mod tests;
