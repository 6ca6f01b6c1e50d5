//! Defines the list of registries that a persona allows, and joins those of several personas.
//!
//! An entry allows everything below it: a registry, or a namespace or a repository in one. A name is looked up part by part, so
//! a lookup costs as much for a long list as for a short one.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use super::{DOCKER_HUB, DOCKER_HUB_BEFORE, Name, Reference, is_host, is_valid_host, is_valid_path};
use crate::text::{Shown, cut};

/// Longest list of entries in a line. A line has 256 bytes, of which an image may take some.
const MAX_LISTED: usize = 120;

/// The registries, namespaces and repositories from which images may come.
///
/// Of one persona, or of several together. The latter allows what all of them allow, and knows for the rest which persona is the
/// first that does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registries {
    /// Sorted by name.
    entries: Box<[Entry]>,
    /// Of several personas, the position of the first with a list.
    first: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    /// In full, such as `docker.io/library`.
    name: Box<str>,
    /// Of several personas, the position of the first that does not allow what is below; `None` where all do.
    denied_by: Option<u32>,
}

impl Registries {
    /// Reads a persona's list. `unreadable` gets the entries that are none; these allow nothing.
    pub fn parse<'e>(list: &'e [String], mut unreadable: impl FnMut(&'e str)) -> Registries {
        let mut names = Vec::with_capacity(list.len());
        for entry in list {
            match full_name(entry) {
                Some(name) => names.push(name),
                None => unreadable(entry),
            }
        }
        names.sort_unstable();
        names.dedup();
        let entry = |name| Entry { name, denied_by: None };
        Registries {
            entries: names.into_iter().map(entry).collect(),
            first: 0,
        }
    }

    /// The registries, namespaces and repositories in full, such as `docker.io/library`.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| &*entry.name)
    }

    /// Joins the lists of several personas, each with the persona's position, the first first.
    pub(crate) fn joint(lists: &[(u32, &Registries)]) -> Registries {
        let mut holders: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (number, (_, list)) in lists.iter().enumerate() {
            for entry in &list.entries {
                holders.entry(&entry.name).or_default().push(number);
            }
        }
        let mut allows = vec![false; lists.len()];
        let mut entries = Vec::with_capacity(holders.len());
        for name in holders.keys().copied() {
            allows.fill(false);
            for above in parts(name) {
                for number in holders.get(above).into_iter().flatten() {
                    if let Some(allows) = allows.get_mut(*number) {
                        *allows = true;
                    }
                }
            }
            let denying = allows.iter().zip(lists).find(|(allows, _)| !**allows);
            entries.push(Entry {
                name: name.into(),
                denied_by: denying.map(|(_, (position, _))| *position),
            });
        }
        Registries {
            entries: entries.into(),
            first: lists.first().map_or(0, |(position, _)| *position),
        }
    }

    /// Whether the image may be used. One that cannot be read may not.
    pub(crate) fn allows(&self, image: Option<&Reference<'_>>) -> bool {
        self.denied_by(image).is_none()
    }

    /// The position of the first persona that does not allow the image.
    pub(crate) fn denied_by(&self, image: Option<&Reference<'_>>) -> Option<u32> {
        match image.and_then(|image| self.nearest(image.name)) {
            Some(entry) => entry.denied_by,
            None => Some(self.first),
        }
    }

    /// The longest entry that the name is below.
    fn nearest(&self, name: Name<'_>) -> Option<&Entry> {
        if self.entries.is_empty() {
            return None;
        }
        let whole = name.bytes().count();
        let borders = name.bytes().enumerate().filter(|(_, byte)| *byte == b'/');
        let mut nearest = None;
        for end in borders.map(|(end, _)| end).chain([whole]) {
            let part = name.bytes().take(end);
            let found = self
                .entries
                .binary_search_by(|entry| entry.name.bytes().cmp(part.clone()));
            nearest = found.ok().and_then(|position| self.entries.get(position)).or(nearest);
        }
        nearest
    }
}

/// The entries, as many as a line has room for.
impl Display for Registries {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut listed = 0;
        for (position, entry) in self.entries.iter().enumerate() {
            let left = self.entries.len() - position;
            if position > 0 && listed + entry.name.len() > MAX_LISTED {
                return write!(f, " and {left} more");
            }
            let comma = if position == 0 { "" } else { ", " };
            write!(f, "{comma}{}", cut(Shown(&entry.name), MAX_LISTED))?;
            listed += entry.name.len() + comma.len();
        }
        match self.entries.is_empty() {
            true => f.write_str("no registry"),
            false => Ok(()),
        }
    }
}

/// The name and what it is below, the shortest first.
fn parts(name: &str) -> impl Iterator<Item = &str> {
    let borders = name.match_indices('/').map(|(end, _)| end).chain([name.len()]);
    borders.filter_map(|end| name.get(..end))
}

/// The entry in full: a registry, with a namespace or a repository in it or without. One that names no registry is in the default
/// one, as in a reference. `None` for what is none, such as one with a tag.
fn full_name(entry: &str) -> Option<Box<str>> {
    let entry = entry.strip_suffix('/').unwrap_or(entry);
    let (host, path) = match entry.split_once('/') {
        Some((first, path)) if is_host(first) => (first, Some(path)),
        None if is_host(entry) => (entry, None),
        _ => (DOCKER_HUB, Some(entry)),
    };
    if !is_valid_host(host) || !path.is_none_or(is_valid_path) {
        return None;
    }
    let name = Name {
        host: if host == DOCKER_HUB_BEFORE { DOCKER_HUB } else { host },
        is_official: false,
        path: path.unwrap_or_default(),
    };
    Some(name.bytes().map(char::from).collect::<String>().into())
}
