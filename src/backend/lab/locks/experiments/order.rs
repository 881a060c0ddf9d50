//! The order in which locks are taken, and an inversion of it, which is warned
//! of before it is a deadlock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::{Notes, Told};
use crate::backend::lab::locks::circle;

/// The orders seen so far.
#[derive(Debug, Default)]
pub struct LockOrder {
    /// `(held, taken)`.
    edges: BTreeSet<(usize, usize)>,
    held: BTreeMap<usize, Vec<usize>>,
}

/// Locks that were taken in a circle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inversion {
    /// The locks, each of which was held while the next was taken; the first
    /// follows the last.
    pub locks: Vec<usize>,
}

impl LockOrder {
    /// A thread is about to take a lock. Says so where that makes a circle, the
    /// first time.
    pub fn wants(&mut self, thread: usize, lock: usize) -> Option<Inversion> {
        let mut found = None;
        for held in self.held.get(&thread).cloned().unwrap_or_default() {
            if self.edges.insert((held, lock)) {
                found = found.or_else(|| circle::path(&self.edges, lock, held).map(|locks| Inversion { locks }));
            }
        }
        found
    }

    /// It has it.
    pub fn got(&mut self, thread: usize, lock: usize) {
        self.held.entry(thread).or_default().push(lock);
    }

    /// It lets it go.
    pub fn released(&mut self, thread: usize, lock: usize) {
        if let Some(held) = self.held.get_mut(&thread) {
            held.retain(|other| *other != lock);
        }
    }
}

pub(super) const INVERSION: Told = Told {
    tell: invert,
    statement: "The two threads never met, so nothing happened; but they took two locks in opposite orders, and at \
                another time each would hold what the other wants. The order of acquisitions tells before it does.",
};

const NAMES: [&str; 2] = ["A", "B"];

/// Two threads, one after the other.
fn invert(notes: &mut Notes) {
    let locks = Arc::new([Mutex::new(()), Mutex::new(())]);
    let order = Arc::new(Mutex::new(LockOrder::default()));
    let mut warnings = 0;
    for (number, sequence) in [[0, 1], [1, 0]].into_iter().enumerate() {
        let (locks, order) = (locks.clone(), order.clone());
        let life = move || {
            let mut guards = Vec::new();
            let mut found = None;
            for lock in sequence {
                let wants = |lock| order.lock().unwrap_or_else(PoisonError::into_inner).wants(number, lock);
                found = found.or(wants(lock));
                guards.push(locks[lock].lock().unwrap_or_else(PoisonError::into_inner));
                order.lock().unwrap_or_else(PoisonError::into_inner).got(number, lock);
            }
            drop(guards);
            let mut order = order.lock().unwrap_or_else(PoisonError::into_inner);
            for lock in &sequence {
                order.released(number, *lock);
            }
            found
        };
        let ended = thread::spawn(life).join();
        let taken: Vec<_> = sequence.iter().map(|lock| NAMES[*lock]).collect();
        notes.add(format!("t{number} took {} and let both go", taken.join(", then ")), ended.is_ok());
        if let Ok(Some(inversion)) = ended {
            let mut circle: Vec<_> = inversion.locks.iter().map(|lock| NAMES[*lock]).collect();
            circle.extend(circle.first().copied());
            notes.add(format!("warning: t{number} inverted the order {}", circle.join(" → ")), true);
            warnings += 1;
        }
    }
    if warnings != 1 {
        notes.add(format!("{warnings} warnings, not one"), false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(order: &mut LockOrder, thread: usize, locks: &[usize]) -> Option<Inversion> {
        let mut found = None;
        for &lock in locks {
            found = found.or(order.wants(thread, lock));
            order.got(thread, lock);
        }
        for &lock in locks {
            order.released(thread, lock);
        }
        found
    }

    #[test]
    fn one_order_is_never_warned_of_and_a_circle_is_once() {
        let mut order = LockOrder::default();
        assert_eq!(take(&mut order, 0, &[1, 2, 3]), None);
        assert_eq!(take(&mut order, 1, &[1, 3]), None);
        assert_eq!(take(&mut order, 1, &[2]), None, "held by itself");
        assert_eq!(take(&mut order, 2, &[3, 1]), Some(Inversion { locks: vec![1, 3] }));
        assert_eq!(take(&mut order, 2, &[3, 1]), None, "known already");
    }

    #[test]
    fn a_circle_over_several_threads_is_found_whole() {
        let mut order = LockOrder::default();
        for lock in 0..4 {
            assert_eq!(take(&mut order, lock, &[lock, lock + 1]), None);
        }
        assert_eq!(take(&mut order, 9, &[4, 0]), Some(Inversion { locks: vec![0, 1, 2, 3, 4] }));
    }

    #[test]
    fn a_lock_taken_twice_is_a_circle_of_one() {
        let mut order = LockOrder::default();
        assert_eq!(take(&mut order, 0, &[7, 7]), Some(Inversion { locks: vec![7] }));
    }
}
