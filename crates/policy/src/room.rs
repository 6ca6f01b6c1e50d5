//! How much of an object is kept while it is read: a few bytes of JSON can ask for a hundred times their size in memory,
//! and a list in each item of a list for the square of it. So there is one count for all lists of one object.

use std::cell::Cell;

use crate::charge::Charge;
use crate::compare::FindingSubject;
use crate::finding::Finding;

/// How many containers of both kinds, and capabilities that they add, an object may have to be judged: far more than any
/// pod that runs, and few enough to be judged in milliseconds.
pub const MOST_PARTS: usize = 10_000;

/// The memory that judging a small review may take, in bytes.
const LEAST: usize = 8 << 20;
/// How many times its size that may be for a large one.
const TIMES: usize = 4;

/// What a finding takes in the list of its object, which may have just doubled.
const LISTED: usize = 2 * size_of::<Finding<'_>>();
/// The same while that list doubles, and in the table by which findings of the stored object are looked up.
const DOUBLING: usize = 4 * size_of::<Finding<'_>>();
/// What it takes in the answer, whose list doubles, too, and in the table by which those of several personas are merged.
const ANSWERED: usize = 2 * size_of::<Charge<'_>>() + 4 * size_of::<FindingSubject<'_>>();

/// An item of a list that is kept.
pub(super) trait Item: Sized {
    /// What it takes itself, in a list that grows by a quarter: it is there twice for a moment.
    const SIZE: usize = size_of::<Self>() * 9 / 4;
    /// The most that is found about it.
    const FINDINGS: usize;
}

/// What the items of lists may still take, over all lists that one [`within`] comes across, and what they took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    items: usize,
    bytes: usize,
    /// Bytes for each finding that there may be.
    finding: usize,
    sizes: usize,
    findings: usize,
    exceeded: bool,
}

impl Room {
    /// What a review of so many bytes may take: four times its size, or 8 MiB.
    pub fn of_review(bytes: usize) -> Room {
        Room {
            bytes: bytes.saturating_mul(TIMES).max(LEAST),
            ..Room::by_number()
        }
    }

    /// Room for [`MOST_PARTS`], whatever they take.
    pub fn by_number() -> Room {
        Room {
            items: MOST_PARTS,
            bytes: usize::MAX,
            finding: LISTED + ANSWERED,
            ..Room::default()
        }
    }

    /// What an object leaves for the one that it replaces: what is found about both is there at once.
    #[must_use]
    pub fn of_stored(self) -> Room {
        Room {
            items: MOST_PARTS,
            bytes: self.bytes,
            finding: DOUBLING,
            ..Room::default()
        }
    }

    /// Whether an item found no room, so that the object was read in part.
    pub fn is_exceeded(self) -> bool {
        self.exceeded
    }

    /// Whether there is no room left for a stored object of the same size.
    pub fn is_exceeded_by_another(self) -> bool {
        self.exceeded || self.sizes + self.findings * DOUBLING > self.bytes
    }

    /// Why something found no room.
    pub fn reason(self) -> String {
        match self.items {
            0 => format!("more than {MOST_PARTS} containers and added capabilities"),
            _ => format!(
                "more containers and added capabilities than can be judged in {} MiB, or in {TIMES} times the review's size",
                LEAST >> 20
            ),
        }
    }
}

thread_local! {
    /// The room of the object that is being read on this thread. It stands here and not in the readers, since those are
    /// derived and have no place for it.
    static ROOM: Cell<Option<Room>> = const { Cell::new(None) };
}

/// Reads with this much room, and gives what is left of it. Items that find none are passed over.
pub fn within<T>(room: Room, read: impl FnOnce() -> T) -> (T, Room) {
    /// Puts back what was there, also after a panic.
    struct Before(Option<Room>);
    impl Drop for Before {
        fn drop(&mut self) {
            ROOM.set(self.0);
        }
    }
    let _before = Before(ROOM.replace(Some(room)));
    let value = read();
    (value, ROOM.get().unwrap_or(room))
}

/// Takes room for one item; false when there is none. Without [`within`] there is room for everything.
pub(super) fn take<T: Item>() -> bool {
    let Some(mut room) = ROOM.get() else { return true };
    let bytes = T::SIZE + T::FINDINGS * room.finding;
    let fits = room.items > 0 && room.bytes >= bytes;
    if fits {
        room.items -= 1;
        room.bytes -= bytes;
        room.sizes += T::SIZE;
        room.findings += T::FINDINGS;
    } else {
        room.exceeded = true;
    }
    ROOM.set(Some(room));
    fits
}

#[cfg(test)]
mod tests;
