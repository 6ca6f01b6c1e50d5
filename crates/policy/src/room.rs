//! Bounds the memory that an object takes while it is read. A few bytes of JSON can need a hundred times their size in
//! memory, and a list in each item of a list the square of that. So all lists of one object share one bound ([`Room`]).
//!
//! What is really held is counted: lists as they grow, texts that had to be copied, the ratchet's data about the stored
//! object, and the findings about the container that has most. The findings of a whole request need little memory, since few
//! of them are kept ([`crate::attributed`]).

use std::cell::RefCell;

use crate::attributed;
use crate::power::{Lifetime, Power, StoredContainer, USUAL_POWERS};

/// How many containers of both kinds, and capabilities that they add, an object may have to be judged: far more than any
/// running pod, and few enough to be judged in milliseconds.
pub const MOST_PARTS: usize = 10_000;

/// The memory that judging a small review may take, in bytes.
const LEAST: usize = 8 << 20;
/// For a large review, that memory is this many times its size.
const TIMES: usize = 4;

/// The memory beside the object: the findings that are kept, and the answer made of them, as text and as JSON.
const ANSWER: usize = attributed::MOST_BYTES + (640 << 10);
/// The memory for a container where those without a demanded user are listed, in the findings of two personas and in a third
/// that is being merged.
const LISTED: usize = 3 * size_of::<&str>();

/// An item of a list that is kept.
pub(super) trait Item: Sized {
    /// Its memory beside its place in the list.
    fn cost(&self) -> Cost;
}

/// The cost of one item.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    /// Bytes outside the list: texts that could not be borrowed, and what is derived from them.
    pub(super) heap: usize,
    /// How many powers it may give a container: those of a stored object are kept.
    pub(super) powers: u32,
    /// How many findings there may be about it.
    pub(super) findings: u32,
    /// Whether it is a container, to which the previous items belong.
    pub(super) is_container: bool,
}

/// The memory that list items may still take, over all lists within one [`within`], and what they have taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    bytes: usize,
    /// Bytes in lists and texts, and their peak while a list grew.
    held: usize,
    peak: usize,
    // Never more than a few for each of `MOST_PARTS`. Small, since a review carries two of these while it is read.
    items: u32,
    containers: u32,
    powers: u32,
    /// Findings about the container that is being read, and the most about one.
    findings: u32,
    most_findings: u32,
    /// Whether the object is the stored one, of which powers are kept and nothing is found.
    is_stored: bool,
    exceeded: bool,
}

impl Room {
    /// The room for a review of this many bytes: four times its size, or 8 MiB.
    pub fn of_review(bytes: usize) -> Room {
        Room {
            bytes: bytes.saturating_mul(TIMES).max(LEAST),
            ..Room::by_number()
        }
    }

    /// Room for [`MOST_PARTS`], whatever they cost.
    pub fn by_number() -> Room {
        Room {
            items: MOST_PARTS as u32,
            bytes: usize::MAX,
            ..Room::default()
        }
    }

    /// The room that an object leaves for the one that it replaces.
    #[must_use]
    pub fn of_stored(self) -> Room {
        Room {
            items: MOST_PARTS as u32,
            bytes: self.bytes.saturating_sub(self.needed()),
            is_stored: true,
            ..Room::default()
        }
    }

    /// Whether there was no room for an item, so that the object was read in part.
    pub fn is_exceeded(self) -> bool {
        self.exceeded
    }

    /// Whether there is no room left for a stored object that is the same.
    pub fn is_exceeded_by_another(self) -> bool {
        let left = self.of_stored();
        let same = Room {
            is_stored: true,
            ..self
        };
        self.exceeded || same.peak.max(same.needed()) > left.bytes
    }

    /// Why there was no room.
    pub fn reason(self) -> String {
        match self.items {
            0 => format!("more than {MOST_PARTS} containers and added capabilities"),
            _ => format!(
                "more containers and added capabilities than can be judged in {} MiB, or in {TIMES} times the review's size",
                LEAST >> 20
            ),
        }
    }

    /// The memory that is held at once while the object is judged.
    fn needed(self) -> usize {
        let beside = match self.is_stored {
            true => powers(self.containers as usize, self.powers as usize),
            false => {
                ANSWER
                    + self.containers as usize * LISTED
                    + self.most_findings.max(self.findings) as usize * attributed::BYTES_WHILE_MERGED
            }
        };
        self.held + beside
    }

    /// Takes room for a list whose items have this size and that grows; false where there is none.
    fn grows(&mut self, size: usize, [from, to]: [usize; 2]) -> bool {
        // Both lists exist for a moment.
        let peak = self.peak.max(self.held + to * size);
        let grown = (to - from) * size;
        let fits = peak <= self.bytes && self.needed() + grown <= self.bytes;
        if fits {
            self.peak = peak;
            self.held += grown;
        }
        fits
    }

    /// Takes room for one more item; false where there is none.
    fn takes(&mut self, cost: Cost) -> bool {
        let mut after = *self;
        after.held += cost.heap;
        after.powers += cost.powers;
        after.findings += cost.findings;
        if cost.is_container {
            after.containers += 1;
            after.most_findings = after.most_findings.max(std::mem::take(&mut after.findings));
        }
        let fits = self.items > 0 && after.needed() <= self.bytes;
        if fits {
            after.items -= 1;
            *self = after;
        }
        fits
    }
}

/// The memory of the two tables that are kept of a stored object: its containers by name, and their powers. The latter is made for the usual number, and
/// doubled where they are more. A table is a power of two in size and at most seven eighths full.
fn powers(containers: usize, powers: usize) -> usize {
    const ENTRY: usize = size_of::<((&str, Power<'_>), Lifetime)>() + 1;
    const CONTAINER: usize = size_of::<(&str, StoredContainer<'_>)>() + 1;
    let table = |entries: usize| ENTRY * (entries * 8 / 7).next_power_of_two().max(4);
    let (made, grown) = (table(USUAL_POWERS * containers), table(powers));
    let by_name = CONTAINER * (containers * 8 / 7).next_power_of_two().max(4);
    by_name
        + match grown > made {
            true => grown + grown / 2,
            false => made,
        }
}

thread_local! {
    /// The room of the object that is being read on this thread. A thread-local, since the readers are derived and cannot carry
    /// it.
    static ROOM: RefCell<Option<Room>> = const { RefCell::new(None) };
}

/// Reads with this much room, of which the rest is left. Items without room are skipped.
pub fn within<T>(room: &mut Room, read: impl FnOnce() -> T) -> T {
    /// Restores the previous value, also after a panic.
    struct Before(Option<Room>);
    impl Drop for Before {
        fn drop(&mut self) {
            ROOM.set(self.0);
        }
    }
    let _before = Before(ROOM.replace(Some(*room)));
    let value = read();
    if let Some(left) = ROOM.take() {
        *room = left;
    }
    value
}

/// Takes room for one item; false when there is none. Outside of [`within`] there is room for everything.
pub(super) fn take<T: Item>(item: &T) -> bool {
    change(|room| room.takes(item.cost()))
}

/// Takes room for a list that grows from one capacity to another; false when there is none.
pub(super) fn grow<T>(from: usize, to: usize) -> bool {
    change(|room| room.grows(size_of::<T>(), [from, to]))
}

fn change(take: impl FnOnce(&mut Room) -> bool) -> bool {
    // Borrowed, since taking it out and putting it back would copy all of it twice for each item.
    ROOM.with_borrow_mut(|room| match room {
        Some(room) => {
            let has_room = take(room);
            room.exceeded |= !has_room;
            has_room
        }
        None => true,
    })
}

#[cfg(test)]
mod tests;
