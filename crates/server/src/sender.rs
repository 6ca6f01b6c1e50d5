//! Who sends a request's body: what its reader has to know where memory is short, and what others have to know of it.

use std::sync::Arc;

use tokio::time::Instant;

use super::track::Track;

/// The connection that a request came by. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Sender(Option<Arc<Track>>);

impl Sender {
    /// No known connection: a body that came by none of ours. It neither makes room nor asks for any.
    #[must_use]
    pub fn unknown() -> Sender {
        Sender(None)
    }

    pub(super) fn of(track: Arc<Track>) -> Sender {
        Sender(Some(track))
    }

    /// Whether it must make room for others: asked by the reader of a body each time that it waits.
    pub(super) fn is_ousted(&self) -> bool {
        self.0.as_ref().is_some_and(|track| track.is_ousted())
    }

    /// Says how much is held for its body now.
    pub(super) fn holds(&self, bytes: usize) {
        if let Some(track) = &self.0 {
            track.holds(bytes);
        }
    }

    /// Whether it waits for memory, in which time nothing of its body is read.
    pub(super) fn waits_for_room(&self, waits: bool) {
        if let Some(track) = &self.0 {
            track.course().wait_for_room(waits, Instant::now());
        }
    }

    /// Whether it has shown nothing yet and its address would, holding so many bytes, hold more than half of what is left of
    /// `limit`.
    pub(super) fn would_crowd(&self, bytes: usize, limit: usize, held: usize) -> bool {
        let Some(track) = &self.0 else { return false };
        if track.course().shown {
            return false;
        }
        let others = track.others.upgrade();
        others.is_some_and(|others| others.would_crowd(track, bytes, limit, held))
    }

    /// Asks the slowest bodies to make room for so many bytes more of `limit`, only those of the sender's address where it
    /// crowds. Whether any was slow.
    pub(super) fn ask_for_room(&self, bytes: usize, limit: usize, crowds: bool) -> bool {
        let Some(track) = &self.0 else { return false };
        let only = crowds.then_some(track.address);
        let others = track.others.upgrade();
        others.is_some_and(|others| others.evict_bodies(bytes, limit, only, track))
    }
}
