//! Counting outcomes. Each thread counts into a [`Ledger`] of its own, which
//! anyone may read meanwhile.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::model::litmus::Counts;

/// Bits that select a cell of the table.
const BITS: u32 = 14;

/// A counter with one writer.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    /// Adds. Only the owner does, so that it needs no read-modify-write.
    pub(super) fn add(&self, more: u64) {
        self.0.store(self.0.load(Ordering::Relaxed) + more, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one thread counted.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// How often the thread ran its body.
    pub iterations: Counter,
    /// How many outcomes it looked at.
    pub frames: Counter,
    /// How many satisfied the condition.
    pub witnesses: Counter,
    /// The same, each partner iteration once.
    pub distinct: Counter,
    /// Wall time of its rounds.
    pub elapsed: Counter,
    /// How often each state was seen.
    pub states: States,
}

/// How often each state was seen: a table for small values, a map for others.
#[derive(Debug, Default)]
pub(super) struct States {
    values: usize,
    bits: u32,
    table: Vec<Counter>,
    others: Mutex<HashMap<Vec<i32>, u64>>,
}

impl States {
    /// For states of so many values.
    pub(super) fn new(values: usize) -> Self {
        let bits = (BITS / (values.max(1) as u32)).min(4);
        let cells = if bits == 0 { 0 } else { 1 << (bits * values as u32) };
        let table = std::iter::repeat_with(Counter::default).take(cells).collect();
        States { values, bits, table, others: Mutex::default() }
    }

    /// Counts a state.
    pub(super) fn add(&self, state: &[i32]) {
        let mut cell = 0;
        let mut too_large = self.bits == 0;
        for value in state {
            too_large |= *value < 0 || *value >> self.bits != 0;
            cell = cell << self.bits | *value as usize;
        }
        if too_large {
            *self.others.lock().entry(state.to_vec()).or_default() += 1;
        } else {
            self.table[cell].add(1);
        }
    }

    /// Counts a state many times at once.
    pub(super) fn add_many(&self, state: &[i32], count: u64) {
        if count > 0 {
            *self.others.lock().entry(state.to_vec()).or_default() += count;
        }
    }

    fn each(&self, mut each: impl FnMut(Vec<i32>, u64)) {
        let mask = (1_usize << self.bits) - 1;
        for (cell, counter) in self.table.iter().enumerate() {
            let count = counter.get();
            if count > 0 {
                let shift = |value: usize| self.bits as usize * (self.values - 1 - value);
                each((0..self.values).map(|value| (cell >> shift(value) & mask) as i32).collect(), count);
            }
        }
        for (state, count) in self.others.lock().iter() {
            each(state.clone(), *count);
        }
    }
}

/// What all threads counted together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The counts.
    pub counts: Counts,
    /// How often each state was seen.
    pub states: HashMap<Vec<i32>, u64>,
}

impl Tally {
    /// Adds what was counted elsewhere, before or after.
    pub fn merge(&mut self, other: Tally) {
        let (own, more) = (&mut self.counts, other.counts);
        own.iterations += more.iterations;
        own.frames += more.frames;
        own.witnesses += more.witnesses;
        own.distinct += more.distinct;
        own.elapsed.0 += more.elapsed.0;
        for (state, count) in other.states {
            *self.states.entry(state).or_default() += count;
        }
    }

    /// Adds up what is in the ledgers now.
    pub(super) fn of<'a>(ledgers: impl IntoIterator<Item = &'a Ledger>) -> Self {
        let mut tally = Tally::default();
        for ledger in ledgers {
            let counts = &mut tally.counts;
            counts.iterations += ledger.iterations.get();
            counts.frames += ledger.frames.get();
            counts.witnesses += ledger.witnesses.get();
            counts.distinct += ledger.distinct.get();
            // Rounds begin and end together.
            counts.elapsed.0 = counts.elapsed.0.max(ledger.elapsed.get());
            ledger.states.each(|state, count| *tally.states.entry(state).or_default() += count);
        }
        tally
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_come_back_as_they_went_in() {
        for values in 0..20 {
            let states = States::new(values);
            let small: Vec<i32> = (0..values as i32).map(|value| value % 2).collect();
            let large: Vec<i32> = (0..values as i32).map(|value| value - 7).collect();
            states.add(&small);
            states.add(&small);
            states.add(&large);
            states.add_many(&small, 5);
            let ledger = Ledger { states, ..Ledger::default() };
            let tally = Tally::of([&ledger, &ledger]);
            let expected = if values == 0 { vec![(small, 16)] } else { vec![(large, 2), (small, 14)] };
            let mut found: Vec<_> = tally.states.into_iter().collect();
            found.sort();
            assert_eq!(found, expected, "{values} values");
        }
    }
}
