//! [`Cache`] holds all objects of one kind by name. The events of a watch keep it up to date.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::resource::Name;
use super::watch::Event;

/// An object that has a name.
pub trait Named {
    /// Namespace and name.
    fn name(&self) -> Name;
}

/// None before the first list.
type Objects<T> = Option<BTreeMap<Name, Arc<T>>>;

/// The objects of one kind. Written by a watch, read by any thread.
#[derive(Debug)]
pub struct Cache<T>(Mutex<Objects<T>>);

impl<T> Default for Cache<T> {
    fn default() -> Cache<T> {
        Cache(Mutex::new(None))
    }
}

impl<T: Named + PartialEq> Cache<T> {
    /// Applies an event, and returns whether the content of the cache has changed. The list that fills the cache first is always
    /// a change, even when it is empty: from then on an object that is not in the cache is known not to exist.
    pub fn take(&self, event: Event<T>) -> bool {
        let mut all = self.locked();
        match event {
            Event::Applied(object) => {
                let (name, objects) = (object.name(), all.get_or_insert_default());
                if objects.get(&name).is_some_and(|before| **before == object) {
                    return false;
                }
                objects.insert(name, Arc::new(object));
                true
            }
            Event::Deleted(name) => all.get_or_insert_default().remove(&name).is_some(),
            Event::Listed { objects, unreadable } => {
                let mut changed = all.is_none();
                let mut before = all.take().unwrap_or_default();
                // An object that cannot be read keeps its last readable version.
                let kept = unreadable.into_iter().filter_map(|name| {
                    before
                        .get_key_value(&name)
                        .map(|(name, kept)| (name.clone(), Arc::clone(kept)))
                });
                let mut next: BTreeMap<_, _> = kept.collect();
                for object in objects {
                    let name = object.name();
                    let same = before.remove(&name).filter(|before| **before == object);
                    changed |= same.is_none();
                    next.insert(name, same.unwrap_or_else(|| Arc::new(object)));
                }
                changed |= before.keys().any(|name| !next.contains_key(name));
                *all = Some(next);
                changed
            }
        }
    }

    /// All objects by name; `None` before the first list.
    pub fn all(&self) -> Option<Vec<Arc<T>>> {
        self.locked()
            .as_ref()
            .map(|objects| objects.values().cloned().collect())
    }

    fn locked(&self) -> MutexGuard<'_, Objects<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Counted(&'static str, u32);

    impl Named for Counted {
        fn name(&self) -> Name {
            name(self.0)
        }
    }

    fn name(name: &str) -> Name {
        Name {
            namespace: "shop".to_owned(),
            name: name.to_owned(),
        }
    }

    fn listed(objects: Vec<Counted>, unreadable: Vec<Name>) -> Event<Counted> {
        Event::Listed { objects, unreadable }
    }

    #[test]
    fn a_first_list_is_a_change_even_when_it_is_empty() {
        let cache = Cache::default();
        assert!(cache.all().is_none());
        assert!(cache.take(listed(Vec::new(), Vec::new())));
        assert!(!cache.take(listed(Vec::new(), Vec::new())));
        assert_eq!(cache.all(), Some(Vec::new()));
    }

    #[test]
    fn equal_objects_are_no_change_and_stay_the_ones_that_are_there() {
        let cache = Cache::default();
        assert!(cache.take(listed(vec![Counted("a", 1), Counted("b", 1)], Vec::new())));
        let before = cache.all().expect("listed");
        assert!(!cache.take(listed(vec![Counted("b", 1), Counted("a", 1)], Vec::new())));
        assert!(!cache.take(Event::Applied(Counted("a", 1))));
        let after = cache.all().expect("listed");
        assert!(
            before
                .iter()
                .zip(&after)
                .all(|(before, after)| Arc::ptr_eq(before, after))
        );
        assert!(cache.take(Event::Applied(Counted("a", 2))));
        assert!(cache.take(Event::Deleted(name("a"))));
        assert!(!cache.take(Event::Deleted(name("a"))));
    }

    #[test]
    fn an_object_that_cannot_be_read_any_more_stays_as_it_was() {
        let cache = Cache::default();
        cache.take(listed(vec![Counted("a", 1)], Vec::new()));
        assert!(!cache.take(listed(Vec::new(), vec![name("a"), name("never-read")])));
        assert_eq!(cache.all(), Some(vec![Arc::new(Counted("a", 1))]));
        assert!(cache.take(listed(Vec::new(), Vec::new())), "gone");
    }
}
