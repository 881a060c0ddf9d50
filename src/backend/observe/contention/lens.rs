//! How many of the blocks show their stacks, and which of those are looked at.
//!
//! ```text
//! blocks ──one in so many──► told ──the first of each word, and some more──► looked at
//! ```
//!
//! A stack takes the target about as long to show as all the rest of a block, and
//! the observer far longer to read, while a few say by which calls a lock is
//! waited for. So of a program that blocks often only some blocks are told with
//! their stacks, more where it blocks less; of each word the first in a second
//! are looked at, that no lock stays without a name because others are waited for
//! more often, and beyond that some of all. How many waits a stack stands for is
//! found by sharing out all waits of the word.

use std::collections::{HashMap, VecDeque};

use crate::model::Nanos;

/// So many stacks are told in a second.
const TOLD: f64 = 500.0;
/// The first so many of each word are looked at in a second, and so many of all
/// words, spread over the second.
const OF_EACH: u32 = 8;
const OF_ALL: f64 = 128.0;
/// No more of those at once.
const AT_ONCE: f64 = 12.0;
/// At first one in so many is told, until it is known how often the program blocks.
pub(super) const FIRST_PERIOD: u64 = 16;
/// A program with a rhythm would show one beat of it at a fixed step: it changes this
/// often.
const VARY: Nanos = Nanos(200_000_000);
/// So many changes are remembered.
const CHANGES: usize = 32;

/// How stacks are chosen.
#[derive(Debug)]
pub(super) struct Lens {
    /// Since when one in how many is told.
    periods: VecDeque<(Nanos, u64)>,
    /// Blocks per second, of late.
    rate: f64,
    turned: Nanos,
    looks: HashMap<u64, u32>,
    /// How many more may be looked at now.
    room: f64,
    /// Whether in this second not every block was told and looked at.
    pub(super) thinned: bool,
}

impl Lens {
    pub(super) fn new(now: Nanos) -> Self {
        Lens {
            periods: VecDeque::from([(Nanos::ZERO, FIRST_PERIOD)]),
            rate: 0.0,
            turned: now,
            looks: HashMap::new(),
            room: AT_ONCE,
            thinned: true,
        }
    }

    /// One in how many blocks is told with its stack.
    pub(super) fn period(&self) -> u64 {
        self.periods.back().map_or(FIRST_PERIOD, |&(_, period)| period)
    }

    /// How many blocks a stack of this moment stands for.
    pub(super) fn weight(&self, time: Nanos) -> u64 {
        let then = self.periods.iter().rev().find(|(since, _)| *since <= time);
        then.or(self.periods.front()).map_or(1, |&(_, period)| period)
    }

    /// Whether a stack of a thread that waits for this word is worth a look.
    pub(super) fn wants(&mut self, word: u64) -> bool {
        let looks = self.looks.entry(word).or_default();
        let wanted = *looks < OF_EACH || self.room >= 1.0;
        if *looks >= OF_EACH && wanted {
            self.room -= 1.0;
        }
        *looks = looks.saturating_add(1);
        self.thinned |= !wanted;
        wanted
    }

    /// After a turn with so many blocks: one in how many is to be told from now on,
    /// if that changes. At once where the program blocks more often.
    pub(super) fn turn(&mut self, now: Nanos, blocks: u64) -> Option<u64> {
        let lasted = now.since(self.turned).as_secs_f64();
        let rate = blocks as f64 / lasted.max(0.001);
        self.turned = now;
        self.room = (self.room + lasted * OF_ALL).min(AT_ONCE);
        self.rate = rate.max(self.rate * 0.8);
        let wanted = (self.rate / TOLD).ceil().max(1.0) as u64;
        let (since, period) = self.periods.back().copied().unwrap_or_default();
        let other = wanted > period || wanted * 2 <= period || (period > 1 && now.since(since) > VARY);
        other.then(|| {
            let spread = if wanted > 1 { now.0 % (wanted / 2 + 2) } else { 0 };
            self.thinned |= period > 1 || wanted > 1;
            if self.periods.len() == CHANGES {
                self.periods.pop_front();
            }
            self.periods.push_back((now, wanted + spread));
            wanted + spread
        })
    }

    /// Ends a second: whether not every block in it was told and looked at.
    pub(super) fn close_second(&mut self) -> bool {
        self.looks.clear();
        let next = self.period() > 1;
        std::mem::replace(&mut self.thinned, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(lens: &mut Lens, from: u64, blocks: u64) -> Vec<u64> {
        let turn = |turn: u64| lens.turn(Nanos((from + turn) * 40_000_000), blocks);
        (1..=25).filter_map(turn).collect()
    }

    #[test]
    fn the_more_blocks_the_fewer_show_their_stacks() {
        let mut lens = Lens::new(Nanos::ZERO);
        assert_eq!((lens.period(), lens.weight(Nanos(1))), (FIRST_PERIOD, FIRST_PERIOD));
        // 400 a second: all.
        assert_eq!(turns(&mut lens, 0, 16), [1]);
        assert!(lens.close_second() && !lens.thinned);
        // 50,000 a second: one in 100 to 151, and not always the same.
        let periods = turns(&mut lens, 25, 2_000);
        assert!(periods.len() >= 4 && periods.iter().all(|period| (100..=151).contains(period)), "{periods:?}");
        assert!(periods.windows(2).any(|pair| pair[0] != pair[1]), "{periods:?}");
        assert!(lens.thinned);
        assert_eq!(lens.weight(Nanos(500_000_000)), 1, "of before it changed");
        assert_eq!(lens.weight(Nanos(u64::MAX)), *periods.last().unwrap());
        assert!(lens.close_second() && lens.thinned, "and so in the next second");
    }

    #[test]
    fn a_word_that_is_seldom_waited_for_is_looked_at_however_many_others_there_are() {
        let mut lens = Lens::new(Nanos::ZERO);
        let mut of = |word| (0..2_000).filter(|_| lens.wants(word)).count();
        assert_eq!((of(8), of(16), of(8)), (OF_EACH as usize + AT_ONCE as usize, OF_EACH as usize, 0));
        assert!(lens.thinned);
        lens.turn(Nanos::from_secs(3), 0);
        assert_eq!((0..2_000).filter(|_| lens.wants(8)).count(), AT_ONCE as usize, "no more at once");
        lens.close_second();
        assert_eq!((0..2_000).filter(|_| lens.wants(16)).count(), OF_EACH as usize, "the first of a second");
    }
}
