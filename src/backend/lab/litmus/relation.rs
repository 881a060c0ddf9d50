//! Relations over the events of one execution, as bit matrices, with the
//! operators that memory models are written in.

use std::ops::{BitAnd, BitOr, Sub};

/// The most events an execution may have: a row is a machine word.
pub const MOST_EVENTS: usize = 64;

/// A set of events, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Set(pub u64);

impl Set {
    /// Whether event `e` is in it.
    pub fn contains(self, e: usize) -> bool {
        self.0 >> e & 1 == 1
    }

    /// Adds event `e`.
    pub fn insert(&mut self, e: usize) {
        self.0 |= 1 << e;
    }

    /// Its events, in order.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let e = left.trailing_zeros() as usize;
            (left != 0).then(|| {
                left &= left - 1;
                e
            })
        })
    }

    /// Whether nothing is in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for Set {
    type Output = Set;
    fn bitor(self, other: Set) -> Set {
        Set(self.0 | other.0)
    }
}

impl BitAnd for Set {
    type Output = Set;
    fn bitand(self, other: Set) -> Set {
        Set(self.0 & other.0)
    }
}

/// A relation: row `a` holds every `b` that `a` is related to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// Those from `size` on are empty.
    all: [u64; MOST_EVENTS],
    size: usize,
}

impl Relation {
    /// The empty relation over `size` events.
    ///
    /// # Panics
    /// Where `size` exceeds [`MOST_EVENTS`].
    pub fn empty(size: usize) -> Self {
        assert!(size <= MOST_EVENTS, "an execution of {size} events");
        Relation { all: [0; MOST_EVENTS], size }
    }

    fn rows(&self) -> &[u64] {
        &self.all[..self.size]
    }

    fn rows_mut(&mut self) -> &mut [u64] {
        &mut self.all[..self.size]
    }

    /// How many events there are.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Relates `a` to `b`.
    pub fn insert(&mut self, a: usize, b: usize) {
        self.rows_mut()[a] |= 1 << b;
    }

    /// Relates `a` to `b` no longer.
    pub fn remove(&mut self, a: usize, b: usize) {
        self.rows_mut()[a] &= !(1 << b);
    }

    /// Relates `a` to just these.
    pub fn set_row(&mut self, a: usize, row: Set) {
        self.rows_mut()[a] = row.0;
    }

    /// Whether `a` is related to `b`.
    pub fn contains(&self, a: usize, b: usize) -> bool {
        self.rows()[a] >> b & 1 == 1
    }

    /// What `a` is related to.
    pub fn row(&self, a: usize) -> Set {
        Set(self.rows()[a])
    }

    /// All pairs, in order.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.size()).flat_map(|a| self.row(a).iter().map(move |b| (a, b)))
    }

    /// Whether no events are related.
    pub fn is_empty(&self) -> bool {
        self.rows().iter().all(|row| *row == 0)
    }

    fn map(&self, row: impl Fn(usize, u64) -> u64) -> Relation {
        let mut result = Relation::empty(self.size);
        for (a, (new, own)) in result.rows_mut().iter_mut().zip(self.rows()).enumerate() {
            *new = row(a, *own);
        }
        result
    }

    /// Adds the pairs of another.
    pub fn unite(&mut self, other: &Relation) {
        self.rows_mut().iter_mut().zip(other.rows()).for_each(|(row, other)| *row |= other);
    }

    /// `self ; other`
    #[must_use]
    pub fn then(&self, other: &Relation) -> Relation {
        self.map(|_, row| Set(row).iter().fold(0, |all, b| all | other.rows()[b]))
    }

    /// `self⁻¹`
    #[must_use]
    pub fn inverse(&self) -> Relation {
        let mut result = Relation::empty(self.size());
        for (a, b) in self.pairs() {
            result.insert(b, a);
        }
        result
    }

    /// `self?`: self or the same event.
    #[must_use]
    pub fn optional(&self) -> Relation {
        self.map(|a, row| row | 1 << a)
    }

    /// `self⁺`: the transitive closure.
    #[must_use]
    pub fn closure(&self) -> Relation {
        let mut result = self.clone();
        for through in 0..self.size() {
            let onwards = result.rows()[through];
            if onwards == 0 {
                continue;
            }
            for row in result.rows_mut() {
                if *row >> through & 1 == 1 {
                    *row |= onwards;
                }
            }
        }
        result
    }

    /// `self*`: closure, or the same event.
    #[must_use]
    pub fn star(&self) -> Relation {
        self.closure().optional()
    }

    /// `[set] ; self`
    #[must_use]
    pub fn from(&self, set: Set) -> Relation {
        self.map(|a, row| if set.contains(a) { row } else { 0 })
    }

    /// `self ; [set]`
    #[must_use]
    pub fn to(&self, set: Set) -> Relation {
        self.map(|_, row| row & set.0)
    }

    /// `self \ id`
    #[must_use]
    pub fn irreflexive_part(&self) -> Relation {
        self.map(|a, row| row & !(1 << a))
    }

    /// Whether no event is related to itself.
    pub fn is_irreflexive(&self) -> bool {
        (0..self.size()).all(|a| !self.contains(a, a))
    }

    /// Whether following it never leads back.
    pub fn is_acyclic(&self) -> bool {
        let mut left = if self.size() == MOST_EVENTS { u64::MAX } else { (1 << self.size()) - 1 };
        loop {
            // Whoever leads to nothing that is left is on no cycle. Most relations
            // lead to later events, so the last come first.
            let before = left;
            for a in (0..self.size()).rev() {
                if self.rows()[a] & left == 0 {
                    left &= !(1 << a);
                }
            }
            if left == 0 || left == before {
                return left == 0;
            }
        }
    }
}

/// `[set]`: each of its events related to itself.
pub fn identity(set: Set, size: usize) -> Relation {
    Relation::empty(size).map(|a, _| if set.contains(a) { 1 << a } else { 0 })
}

/// Every event of `a` to every event of `b`.
pub fn product(a: Set, b: Set, size: usize) -> Relation {
    Relation::empty(size).map(|e, _| if a.contains(e) { b.0 } else { 0 })
}

macro_rules! operator {
    ($trait:ident, $method:ident, $combine:expr) => {
        impl $trait<&Relation> for &Relation {
            type Output = Relation;
            fn $method(self, other: &Relation) -> Relation {
                let combine: fn(u64, u64) -> u64 = $combine;
                self.map(|a, row| combine(row, other.rows()[a]))
            }
        }
        impl $trait<Relation> for &Relation {
            type Output = Relation;
            fn $method(self, other: Relation) -> Relation {
                $trait::$method(self, &other)
            }
        }
        impl $trait<&Relation> for Relation {
            type Output = Relation;
            fn $method(self, other: &Relation) -> Relation {
                $trait::$method(&self, other)
            }
        }
        impl $trait<Relation> for Relation {
            type Output = Relation;
            fn $method(self, other: Relation) -> Relation {
                $trait::$method(&self, &other)
            }
        }
    };
}

operator!(BitOr, bitor, |a, b| a | b);
operator!(BitAnd, bitand, |a, b| a & b);
operator!(Sub, sub, |a, b| a & !b);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    type Pairs = BTreeSet<(usize, usize)>;
    const SIZE: usize = 9;

    fn relation(pairs: &Pairs) -> Relation {
        let mut result = Relation::empty(SIZE);
        for (a, b) in pairs {
            result.insert(*a, *b);
        }
        result
    }

    fn pairs(relation: &Relation) -> Pairs {
        relation.pairs().collect()
    }

    fn some_pairs() -> impl Strategy<Value = Pairs> {
        prop::collection::btree_set((0..SIZE, 0..SIZE), 0..16)
    }

    fn composed(a: &Pairs, b: &Pairs) -> Pairs {
        a.iter().flat_map(|(x, y)| b.iter().filter(move |(z, _)| z == y).map(move |(_, w)| (*x, *w))).collect()
    }

    fn closed(a: &Pairs) -> Pairs {
        let mut all = a.clone();
        loop {
            let more: Pairs = all.union(&composed(&all, a)).copied().collect();
            if more == all {
                return all;
            }
            all = more;
        }
    }

    proptest! {
        #[test]
        fn the_algebra_agrees_with_sets_of_pairs(a in some_pairs(), b in some_pairs(), set in 0_u64..1 << SIZE) {
            let (ra, rb, set) = (relation(&a), relation(&b), Set(set));
            prop_assert_eq!(pairs(&(&ra | &rb)), a.union(&b).copied().collect::<Pairs>());
            prop_assert_eq!(pairs(&(&ra & &rb)), a.intersection(&b).copied().collect::<Pairs>());
            prop_assert_eq!(pairs(&(&ra - &rb)), a.difference(&b).copied().collect::<Pairs>());
            prop_assert_eq!(pairs(&ra.then(&rb)), composed(&a, &b));
            prop_assert_eq!(pairs(&ra.inverse()), a.iter().map(|(x, y)| (*y, *x)).collect::<Pairs>());
            let closure = closed(&a);
            prop_assert_eq!(ra.is_acyclic(), closure.iter().all(|(x, y)| x != y));
            prop_assert_eq!(ra.is_irreflexive(), a.iter().all(|(x, y)| x != y));
            prop_assert_eq!(pairs(&ra.closure()), closure);
            prop_assert_eq!(pairs(&ra.optional()), a.iter().copied().chain((0..SIZE).map(|e| (e, e))).collect::<Pairs>());
            prop_assert_eq!(pairs(&ra.from(set)), a.iter().copied().filter(|(x, _)| set.contains(*x)).collect::<Pairs>());
            prop_assert_eq!(pairs(&ra.to(set)), a.iter().copied().filter(|(_, y)| set.contains(*y)).collect::<Pairs>());
            prop_assert_eq!(ra.from(set), identity(set, SIZE).then(&ra));
            prop_assert_eq!(pairs(&ra.irreflexive_part()), a.iter().copied().filter(|(x, y)| x != y).collect::<Pairs>());
        }
    }

    #[test]
    fn the_largest_relation_has_its_last_event() {
        let mut ring = Relation::empty(MOST_EVENTS);
        (1..MOST_EVENTS).for_each(|e| ring.insert(e - 1, e));
        assert!(ring.is_acyclic());
        ring.insert(MOST_EVENTS - 1, 0);
        assert!(!ring.is_acyclic());
    }
}
