//! Keeps the first items of many, in the order of a key, and does not store the others.

/// Keeps the first `most` of the added items, in the order of a key; of equal ones those added first.
#[derive(Debug)]
pub(super) struct First<T, K> {
    list: Vec<T>,
    key: fn(&T) -> K,
    most: usize,
    /// The key of the last kept item, once there are more. An item that does not sort before it is dropped.
    last: Option<K>,
}

impl<T, K: Ord> First<T, K> {
    pub(super) fn new(most: usize, key: fn(&T) -> K) -> Self {
        First {
            list: Vec::new(),
            key,
            most,
            last: None,
        }
    }

    /// Adds one more: in constant time on average, since the list is sorted only when it has doubled.
    pub(super) fn add(&mut self, item: T) {
        if self.last.as_ref().is_some_and(|last| (self.key)(&item) >= *last) {
            return;
        }
        let (length, most) = (self.list.len(), self.most.saturating_mul(2));
        if length == self.list.capacity() {
            self.list.reserve_exact((2 * length).max(4).min(most) - length);
        }
        self.list.push(item);
        if self.list.len() >= most {
            self.sort();
        }
    }

    /// The first ones, in order.
    pub(super) fn into_list(mut self) -> Vec<T> {
        self.sort();
        self.list
    }

    fn sort(&mut self) {
        self.list.sort_by_key(self.key);
        self.list.truncate(self.most);
        if self.list.len() == self.most {
            self.last = self.list.last().map(self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_kept_in_order_and_of_equal_ones_those_that_came_first() {
        // Every number below 1,000 in some order, in pairs that are equal by their key.
        let numbers: Vec<u32> = (0..1_000).map(|number| number * 379 % 1_000).collect();
        for most in [1, 2, 7, 100, 999, 1_000, 5_000, usize::MAX] {
            let mut first = First::new(most, |number: &u32| number / 2);
            numbers.iter().for_each(|number| first.add(*number));
            assert!(first.list.capacity() <= most.saturating_mul(2).min(2_000), "{most}");
            let mut all = numbers.clone();
            all.sort_by_key(|number| number / 2);
            all.truncate(most);
            assert_eq!(first.into_list(), all, "{most}");
        }
    }
}
