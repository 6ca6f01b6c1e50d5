//! A map that is cheap to copy with one entry changed: readers keep the copy they took, writers publish the next one.
//!
//! Entries are spread over shards by a hash of their key; a change copies one shard and the list of shards, so its cost
//! hardly grows with the number of entries, and everything else is shared with the version before. Entries of one key
//! stand side by side, so all of them are found at once and need no list of their own.

use std::cmp::Ordering;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

/// A change copies this many pointers and the entries of one shard: at 10,000 entries the two are of one size with the
/// memory of a page, and at 100,000 a shard still holds only about 200.
const SHARDS: usize = 512;

/// An entry names its own key, a namespace and a name in it; the namespace is empty where there is none.
pub(super) trait Keyed {
    /// Namespace and name.
    fn key(&self) -> (&str, &str);
    /// Tells entries of one key apart, where several may have it, and orders them.
    fn rank(&self) -> &str {
        ""
    }
    /// Whether `other`, of the same key and rank, says the same, so that the entry that is there can stay.
    fn same(&self, other: &Self) -> bool;
}

/// Sorted by key and rank.
type Shard<V> = Arc<[Arc<V>]>;

/// Entries by namespace and name.
#[derive(Debug)]
pub(super) struct Table<V> {
    shards: Arc<[Shard<V>]>,
    hasher: RandomState,
    len: usize,
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
        let empty: Shard<V> = Arc::new([]);
        Table {
            shards: std::iter::repeat_n(empty, SHARDS).collect(),
            hasher: RandomState::new(),
            len: 0,
        }
    }
}

impl<V: Keyed> Table<V> {
    /// A table of these entries; of several with one key and rank the last stays.
    pub(super) fn build(entries: impl IntoIterator<Item = Arc<V>>) -> Table<V> {
        let mut table = Table::default();
        let mut shards: Vec<Vec<Arc<V>>> = std::iter::repeat_with(Vec::new).take(SHARDS).collect();
        for entry in entries {
            let number = table.shard_of(entry.key());
            if let Some(shard) = shards.get_mut(number) {
                shard.push(entry);
            }
        }
        for shard in &mut shards {
            // Stable, so that of equal ones the last stands last.
            shard.sort_by(|a, b| place(&**a).cmp(&place(&**b)));
            shard.dedup_by(|next, kept| {
                let equal = place(&**next) == place(&**kept);
                if equal {
                    std::mem::swap(next, kept);
                }
                equal
            });
            table.len += shard.len();
        }
        table.shards = shards.into_iter().map(Shard::from).collect();
        table
    }

    /// The entry of that key; of several the first.
    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<&Arc<V>> {
        self.all(namespace, name).first()
    }

    /// Every entry of that key, by rank.
    pub(super) fn all(&self, namespace: &str, name: &str) -> &[Arc<V>] {
        let key = (namespace, name);
        let shard = self.shards.get(self.shard_of(key)).map_or(&[][..], |shard| shard);
        let from = shard.partition_point(|entry| entry.key() < key);
        let entries = shard.get(from..).unwrap_or_default();
        let count = entries.iter().take_while(|entry| entry.key() == key).count();
        entries.get(..count).unwrap_or_default()
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// All entries, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<V>> {
        self.shards.iter().flat_map(|shard| shard.iter())
    }

    /// Entries of either table that the other does not have, and of those with one key that are not the same entry both,
    /// if they `differ`.
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

    /// Puts an entry in place of the one with its key and rank, if there is one.
    pub(super) fn put(&mut self, entry: Arc<V>) {
        let number = self.shard_of(entry.key());
        let Some(shard) = self.shards.get(number) else { return };
        let mut entries = shard.to_vec();
        match search(shard, place(&*entry)) {
            Ok(place) => {
                if let Some(there) = entries.get_mut(place) {
                    *there = entry;
                }
            }
            Err(place) => {
                entries.insert(place, entry);
                self.len += 1;
            }
        }
        self.store(number, entries);
    }

    /// Takes the entry of that key and rank out; false when there is none.
    pub(super) fn remove(&mut self, namespace: &str, name: &str, rank: &str) -> bool {
        let number = self.shard_of((namespace, name));
        let Some(shard) = self.shards.get(number) else {
            return false;
        };
        let Ok(place) = search(shard, ((namespace, name), rank)) else {
            return false;
        };
        let mut entries = shard.to_vec();
        entries.remove(place);
        self.len -= 1;
        self.store(number, entries);
        true
    }

    /// The entry that stands for `entry`: the one that is here already when it says the same.
    pub(super) fn reuse(&self, entry: Arc<V>) -> Arc<V> {
        let (namespace, name) = entry.key();
        match self.get(namespace, name) {
            Some(there) if there.same(&entry) => Arc::clone(there),
            _ => entry,
        }
    }

    fn store(&mut self, number: usize, entries: Vec<Arc<V>>) {
        let mut shards = self.shards.to_vec();
        if let Some(shard) = shards.get_mut(number) {
            *shard = entries.into();
        }
        self.shards = shards.into();
    }

    fn shard_of(&self, key: (&str, &str)) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "of a hash any bits will do")]
        let hash = self.hasher.hash_one(key) as usize;
        hash % SHARDS
    }
}

/// Where an entry stands among those of its shard.
type Place<'e> = ((&'e str, &'e str), &'e str);

fn place<V: Keyed>(entry: &V) -> Place<'_> {
    (entry.key(), entry.rank())
}

fn search<V: Keyed>(shard: &[Arc<V>], wanted: Place<'_>) -> Result<usize, usize> {
    shard.binary_search_by(|entry| -> Ordering { place(&**entry).cmp(&wanted) })
}
