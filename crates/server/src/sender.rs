//! [`Sender`] is the handle by which the reader of a request's body uses the connection that the body arrives on.
//!
//! Through it the reader records how much memory the body holds and whether it waits for memory, learns that the connection
//! was evicted, and evicts slow bodies of other connections.

use std::sync::Arc;

use tokio::time::Instant;

use super::track::Connection;

/// The connection of a request. Clones are the same connection.
#[derive(Clone, Debug, Default)]
pub struct Sender(Option<Arc<Connection>>);

impl Sender {
    /// No known connection, for a body from elsewhere. It is not evicted and evicts none.
    #[must_use]
    pub fn unknown() -> Sender {
        Sender(None)
    }

    pub(super) fn of(connection: Arc<Connection>) -> Sender {
        Sender(Some(connection))
    }

    /// Whether it was evicted. The reader of a body asks whenever it waits.
    pub(super) fn is_ousted(&self) -> bool {
        self.0.as_ref().is_some_and(|connection| connection.is_ousted())
    }

    /// Records how much is reserved for its body now.
    pub(super) fn holds(&self, bytes: usize) {
        if let Some(connection) = &self.0 {
            connection.holds(bytes);
        }
    }

    /// Records whether it waits for memory. Meanwhile its body is not read.
    pub(super) fn waits_for_room(&self, waits: bool) {
        if let Some(connection) = &self.0 {
            connection.state().wait_for_room(waits, Instant::now());
        }
    }

    /// Whether it has shown nothing yet and its address, holding `bytes`, would hold more than half of what is left of `limit`.
    pub(super) fn would_crowd(&self, bytes: usize, limit: usize, held: usize) -> bool {
        let Some(connection) = &self.0 else { return false };
        if connection.state().shown {
            return false;
        }
        let others = connection.others.upgrade();
        others.is_some_and(|others| others.would_crowd(connection, bytes, limit, held))
    }

    /// Evicts the slowest bodies until `bytes` more of `limit` are free, only those of the sender's address where it crowds.
    /// Returns whether any was slow.
    pub(super) fn ask_for_room(&self, bytes: usize, limit: usize, crowds: bool) -> bool {
        let Some(connection) = &self.0 else { return false };
        let only = crowds.then_some(connection.address);
        let others = connection.others.upgrade();
        others.is_some_and(|others| others.evict_bodies(bytes, limit, only, connection))
    }
}
