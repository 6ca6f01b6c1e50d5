//! A map of which a copy with one changed entry costs little: readers keep the copy they took, writers publish the next one.
//!
//! Entries are spread over shards by a hash of their key. A change copies one shard and the list of shards, so its cost
//! hardly grows with the number of entries. Everything else is shared with the previous version. Entries of one key are
//! adjacent, so a search returns them as one slice.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Weak};

/// A change copies this many pointers and the entries of one shard. At 10,000 entries both have about the size of a memory
/// page; at 100,000 a shard still holds only about 200.
const SHARDS: usize = 512;

/// An entry with its own key, a namespace and a name in it. The namespace is empty for cluster-scoped kinds.
pub(super) trait Keyed {
    /// Namespace and name.
    fn key(&self) -> (&str, &str);
    /// Orders the entries of one key and distinguishes them.
    fn rank(&self) -> &str {
        ""
    }
    /// Whether `other`, of the same key and rank, is equal, so that the stored entry can stay.
    fn same(&self, other: &Self) -> bool;
}

/// Entries, sorted by the hash of their key, then by key and rank, with the hashes beside them. A search dereferences an entry
/// only where the hash matches.
#[derive(Debug)]
struct Shard<V> {
    hashes: Box<[u32]>,
    entries: Box<[Arc<V>]>,
}

/// An entry and the hash of its key, before it is placed in a shard.
type Slot<V> = (u32, Arc<V>);

/// Entries by namespace and name.
#[derive(Debug)]
pub(super) struct Table<V> {
    shards: Arc<[Arc<Shard<V>>]>,
    hasher: RandomState,
    len: usize,
}

/// Identifies a version of a table. It keeps only the list of shards in memory.
#[derive(Debug)]
pub(super) struct Edition<V>(Weak<[Arc<Shard<V>>]>);

impl<V> PartialEq for Edition<V> {
    fn eq(&self, other: &Edition<V>) -> bool {
        self.0.ptr_eq(&other.0)
    }
}

impl<V> Clone for Table<V> {
    fn clone(&self) -> Table<V> {
        Table {
            shards: Arc::clone(&self.shards),
            hasher: self.hasher.clone(),
            len: self.len,
        }
    }
}

impl<V> Default for Table<V> {
    fn default() -> Table<V> {
        let empty = Arc::new(Shard::from(Vec::new()));
        Table {
            shards: std::iter::repeat_n(empty, SHARDS).collect(),
            hasher: RandomState::new(),
            len: 0,
        }
    }
}

impl<V: Keyed> Table<V> {
    /// A table of these entries. Of several with one key and rank the last stays.
    pub(super) fn build(entries: impl IntoIterator<Item = Arc<V>>) -> Table<V> {
        let mut table = Table::default();
        let mut shards: Vec<Vec<Slot<V>>> = std::iter::repeat_with(Vec::new).take(SHARDS).collect();
        for entry in entries {
            let hash = table.hash(entry.key());
            if let Some(shard) = shards.get_mut(shard_of(hash)) {
                shard.push((hash, entry));
            }
        }
        for shard in &mut shards {
            // The sort is stable, so that of equal entries the last stays last.
            shard.sort_by(|a, b| place(a).cmp(&place(b)));
            shard.dedup_by(|next, kept| {
                let equal = place(next) == place(kept);
                if equal {
                    std::mem::swap(next, kept);
                }
                equal
            });
            table.len += shard.len();
        }
        // Most shards of a small table are empty and share one allocation.
        let empty = Arc::new(Shard::from(Vec::new()));
        let shard = |slots: Vec<Slot<V>>| match slots.as_slice() {
            [] => Arc::clone(&empty),
            _ => Arc::new(slots.into()),
        };
        table.shards = shards.into_iter().map(shard).collect();
        table
    }

    /// The entry of that key; of several the first.
    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<&Arc<V>> {
        self.all(namespace, name).first()
    }

    /// Every entry of that key, by rank.
    pub(super) fn all(&self, namespace: &str, name: &str) -> &[Arc<V>] {
        let hash = self.hash((namespace, name));
        let shard = self.shards.get(shard_of(hash));
        shard.map_or(&[], |shard| shard.all(hash, (namespace, name)))
    }

    /// All entries, those of one key together, by rank.
    pub(super) fn by_key(&self) -> impl Iterator<Item = &[Arc<V>]> {
        let shards = self.shards.iter();
        shards.flat_map(|shard| shard.entries.chunk_by(|one, next| one.key() == next.key()))
    }

    /// Equal to the edition of the same table as long as no entry was added or removed.
    pub(super) fn edition(&self) -> Edition<V> {
        Edition(Arc::downgrade(&self.shards))
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// All entries, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<V>> {
        self.shards.iter().flat_map(|shard| shard.entries.iter())
    }

    /// Entries of one table that the other lacks. Entries of one key that are different objects are included on both sides, if
    /// they `differ`.
    pub(super) fn differing<'t>(
        &'t self,
        other: &'t Table<V>,
        differ: impl Fn(&V, &V) -> bool + Copy + 't,
    ) -> impl Iterator<Item = &'t Arc<V>> {
        let missing = |from: &'t Table<V>, to: &'t Table<V>| {
            from.iter().filter(move |entry| {
                let (namespace, name) = entry.key();
                let there = to.get(namespace, name);
                !there.is_some_and(|there| Arc::ptr_eq(there, entry) || !differ(there, entry))
            })
        };
        missing(self, other).chain(missing(other, self))
    }

    /// Adds an entry, or replaces the one with its key and rank.
    pub(super) fn put(&mut self, entry: Arc<V>) {
        let hash = self.hash(entry.key());
        let number = shard_of(hash);
        let Some(shard) = self.shards.get(number) else { return };
        let mut slots = shard.slots();
        match shard.search((hash, entry.key(), entry.rank())) {
            Ok(place) => {
                if let Some(there) = slots.get_mut(place) {
                    *there = (hash, entry);
                }
            }
            Err(place) => {
                slots.insert(place, (hash, entry));
                self.len += 1;
            }
        }
        self.store(number, slots);
    }

    /// Removes the entry of that key and rank; false when there is none.
    pub(super) fn remove(&mut self, namespace: &str, name: &str, rank: &str) -> bool {
        let hash = self.hash((namespace, name));
        let number = shard_of(hash);
        let Some(shard) = self.shards.get(number) else {
            return false;
        };
        let Ok(place) = shard.search((hash, (namespace, name), rank)) else {
            return false;
        };
        let mut slots = shard.slots();
        slots.remove(place);
        self.len -= 1;
        self.store(number, slots);
        true
    }

    /// The stored entry when it equals `entry`, otherwise `entry`.
    pub(super) fn reuse(&self, entry: Arc<V>) -> Arc<V> {
        let (namespace, name) = entry.key();
        match self.get(namespace, name) {
            Some(there) if there.same(&entry) => Arc::clone(there),
            _ => entry,
        }
    }

    fn store(&mut self, number: usize, slots: Vec<Slot<V>>) {
        let mut shards = self.shards.to_vec();
        if let Some(shard) = shards.get_mut(number) {
            *shard = Arc::new(slots.into());
        }
        self.shards = shards.into();
    }

    #[expect(clippy::cast_possible_truncation, reason = "of a hash any bits will do")]
    fn hash(&self, key: (&str, &str)) -> u32 {
        self.hasher.hash_one(key) as u32
    }
}

fn shard_of(hash: u32) -> usize {
    hash as usize % SHARDS
}

impl<V> From<Vec<Slot<V>>> for Shard<V> {
    fn from(slots: Vec<Slot<V>>) -> Shard<V> {
        let (hashes, entries): (Vec<u32>, Vec<Arc<V>>) = slots.into_iter().unzip();
        Shard {
            hashes: hashes.into(),
            entries: entries.into(),
        }
    }
}

impl<V: Keyed> Shard<V> {
    fn slots(&self) -> Vec<Slot<V>> {
        let slots = self.hashes.iter().copied().zip(self.entries.iter().cloned());
        slots.collect()
    }

    fn all(&self, hash: u32, key: (&str, &str)) -> &[Arc<V>] {
        // The empty rank sorts first.
        let from = self.place_for((hash, key, ""));
        let entries = self.entries.get(from..).unwrap_or_default();
        let count = entries.iter().take_while(|entry| entry.key() == key).count();
        entries.get(..count).unwrap_or_default()
    }

    fn search(&self, wanted: Place<'_>) -> Result<usize, usize> {
        let place = self.place_for(wanted);
        match self.place_at(place) {
            Some(there) if there == wanted => Ok(place),
            _ => Err(place),
        }
    }

    /// Where an entry is, or would be inserted.
    fn place_for(&self, wanted: Place<'_>) -> usize {
        let from = self.hashes.partition_point(|other| *other < wanted.0);
        // Nearly always the first with that hash.
        let before = |number: &usize| self.place_at(*number).is_some_and(|there| there < wanted);
        from + (from..).take_while(before).count()
    }

    fn place_at(&self, number: usize) -> Option<Place<'_>> {
        let (hash, entry) = self.hashes.get(number).zip(self.entries.get(number))?;
        Some((*hash, entry.key(), entry.rank()))
    }
}

/// The position of an entry within its shard.
type Place<'e> = (u32, (&'e str, &'e str), &'e str);

fn place<V: Keyed>((hash, entry): &Slot<V>) -> Place<'_> {
    (*hash, entry.key(), entry.rank())
}
