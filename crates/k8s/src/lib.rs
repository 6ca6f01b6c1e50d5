//! The API server, as far as anyone here talks to it: where it is, and how a kind is followed.
//!
//! Owns connections, lists, watches and their retries, how an object or its status is written, the election by a
//! Lease, who is behind a token, and one look at things for a command that ends. Knows no persona: what an object says
//! is for a [`Decode`], what happens to it for the closure that [`follow`] is given.

mod access;
mod create;
mod error;
mod lease;
mod look;
mod object;
mod pass;
mod pauses;
mod place;
mod resource;
mod seen;
mod state;
mod status;
mod trial;
mod version;
mod watch;

pub use access::{Access, Denial, Memory};
pub use create::create;
pub use error::{CallError, Failure, Panicked, catch_panic};
pub use kube::Client;
pub use lease::{Election, Leadership, LeaseName, Timings, election, identity, pod_name};
pub use look::{get, list, may, page};
pub use object::{apply, merge, read};
pub use pass::{Skipped, pass};
pub use pauses::Pauses;
pub use place::{Place, PlaceError, client};
pub use resource::{Followed, Name, Resource};
pub use seen::{Decode, Unreadable, from_json};
pub use state::WatchState;
pub use status::{Current, Outcome, write_if_changed};
pub use trial::{Verdict, try_out};
pub use version::{Greeting, greet, version};
pub use watch::{Event, follow, follow_many};

#[cfg(test)]
mod tests;
