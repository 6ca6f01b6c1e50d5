//! The API server, as far as anyone here talks to it: where it is, and how a kind is followed.
//!
//! Owns connections, lists, watches and their retries, and the election by a Lease. Knows no persona: what an object says
//! is for a [`Decode`], what happens to it for the closure that [`follow`] is given. It lists and watches, and writes
//! nothing but the Lease.

mod lease;
mod place;
mod seen;
mod state;
mod watch;

pub use kube::Client;
pub use lease::{Election, LeaseName, Leadership, Timings, election, identity};
pub use place::{Place, PlaceError, client};
pub use seen::{Decode, Name};
pub use state::WatchState;
pub use watch::{Event, Resource, follow};

#[cfg(test)]
mod tests;
