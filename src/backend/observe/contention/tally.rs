//! What was counted of one futex word.

use std::collections::HashMap;
use std::hash::Hash;

use super::durations::Durations;
use crate::model::{Nanos, Pid};

/// A thread and its process.
pub(super) type Whole = (Pid, Pid);

/// What was counted of one futex word.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Whether processes may share it.
    pub(super) shared: bool,
    /// Waits that ended.
    pub(super) waits: u64,
    /// How long they took, as far as that is known.
    pub(super) waited: Nanos,
    /// Those of which beginning and end were told.
    pub(super) durations: Durations,
    /// Those ended by nobody who is proven to have.
    pub(super) unproven: u64,
    /// How often and how long each thread waited.
    pub(super) waiters: HashMap<Pid, (u64, Nanos)>,
    /// How many waits each thread ended.
    pub(super) wakers: HashMap<Whole, u64>,
    /// Who woke whom.
    pub(super) pairs: HashMap<(Pid, Pid), u64>,
    /// How many waits came about by each stack.
    pub(super) stacks: HashMap<usize, u64>,
    /// Whether not every wait has told its stack.
    pub(super) thinned: bool,
}

impl Tally {
    /// Counts all that another has counted.
    pub(super) fn add(&mut self, other: &Tally) {
        self.shared |= other.shared;
        self.waits += other.waits;
        self.waited = Nanos(self.waited.0 + other.waited.0);
        self.durations.add(&other.durations);
        self.unproven += other.unproven;
        for (&tid, &(waits, waited)) in &other.waiters {
            let known = self.waiters.entry(tid).or_default();
            *known = (known.0 + waits, Nanos(known.1.0 + waited.0));
        }
        add_all(&mut self.wakers, &other.wakers);
        add_all(&mut self.pairs, &other.pairs);
        add_all(&mut self.stacks, &other.stacks);
        self.thinned |= other.thinned;
    }

    /// The stacks with the waits that each stands for: where only some have told
    /// theirs, all waits are shared out among those.
    pub(super) fn shares(&self) -> impl Iterator<Item = (usize, u64)> {
        let told: u64 = self.stacks.values().sum();
        let scale = if self.thinned && told > 0 { self.waits as f64 / told as f64 } else { 1.0 };
        let each = self.stacks.iter().map(move |(&way, &waits)| (way, (waits as f64 * scale).round() as u64));
        each.filter(|&(_, waits)| waits > 0)
    }

    /// Counts a wait of a thread that took so long.
    pub(super) fn wait(&mut self, tid: Pid, waited: Nanos) {
        self.waits += 1;
        self.waited = Nanos(self.waited.0 + waited.0);
        let known = self.waiters.entry(tid).or_default();
        *known = (known.0 + 1, Nanos(known.1.0 + waited.0));
    }

    /// Counts that a thread was woken by another.
    pub(super) fn wake(&mut self, waker: Whole, woken: Pid) {
        *self.wakers.entry(waker).or_default() += 1;
        *self.pairs.entry((waker.1, woken)).or_default() += 1;
    }
}

fn add_all<K: Copy + Eq + Hash>(to: &mut HashMap<K, u64>, from: &HashMap<K, u64>) {
    for (&key, &count) in from {
        *to.entry(key).or_default() += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_waits_are_shared_out_among_the_stacks_that_were_told() {
        let mut tally = Tally { waits: 1_000, stacks: HashMap::from([(1, 30), (2, 10)]), ..Tally::default() };
        let shares = |tally: &Tally| tally.shares().collect::<HashMap<_, _>>();
        assert_eq!(shares(&tally), HashMap::from([(1, 30), (2, 10)]), "each for itself");
        tally.add(&Tally { thinned: true, ..Tally::default() });
        assert_eq!(shares(&tally), HashMap::from([(1, 750), (2, 250)]));
        assert!(shares(&Tally { thinned: true, waits: 5, ..Tally::default() }).is_empty());
    }
}
