//! Sorting what is short or seldom sorted, with the algorithm compiled only once.
//!
//! The standard library's sorts are compiled anew, some five kilobytes each, for
//! every type and order. These cost one more allocation and a call for each
//! comparison; what is sorted often or in thousands has the library's. Collecting into
//! an ordered map or set sorts, too.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Sorts by comparisons; what is equal keeps its order.
pub fn by<T>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    let mut from: Vec<usize> = (0..items.len()).collect();
    places(&mut from, &|a, b| compare(&items[a], &items[b]));
    // Each cycle of the permutation, from place to place.
    for start in 0..from.len() {
        let mut at = start;
        loop {
            let next = std::mem::replace(&mut from[at], at);
            if next == start {
                break;
            }
            items.swap(at, next);
            at = next;
        }
    }
}

/// Sorts by a key; what is equal keeps its order.
pub fn by_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    by(items, |a, b| key(a).cmp(&key(b)));
}

/// Sorts places by what stands there; what is equal keeps its order.
pub fn places(places: &mut [usize], compare: &dyn Fn(usize, usize) -> Ordering) {
    places.sort_by(|a, b| compare(*a, *b));
}

/// What `collect` makes, without sorting first.
pub fn map<K: Ord, V>(items: impl Iterator<Item = (K, V)>) -> BTreeMap<K, V> {
    let mut map = BTreeMap::new();
    map.extend(items);
    map
}

/// What `collect` makes, without sorting first.
pub fn set<T: Ord>(items: impl Iterator<Item = T>) -> BTreeSet<T> {
    let mut set = BTreeSet::new();
    set.extend(items);
    set
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_sorts_as_the_standard_library_does(mut items: Vec<(u8, u32)>) {
            let mut told = items.clone();
            told.sort_by_key(|item| item.0);
            by_key(&mut items, |item| item.0);
            prop_assert_eq!(&items, &told);
            prop_assert_eq!(map(items.iter().copied()), told.iter().copied().collect());
            prop_assert_eq!(set(items.into_iter()), told.into_iter().collect());
        }
    }
}
