//! Busy work of a given length: what a thread does inside the lock and outside.
//!
//! It is a chain of dependent multiplications, calibrated once, and not a look
//! at the clock: work that is preempted still has to be done afterwards.

use std::hint::black_box;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};

use super::dice::Dice;
use crate::model::Nanos;
use crate::model::lock::Spread;
use crate::sys::clock;
use crate::sys::tsc::wait_for_all;

/// Steps between two looks at whether to go on: a few microseconds.
const CHUNK: u64 = 4_096;

/// How fast this machine works.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    steps_per_ns: f64,
}

/// An amount of work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    pub(super) steps: u64,
    pub(super) spread: Spread,
}

impl Pace {
    /// Measures how long a step takes: the fastest of several rounds, so that
    /// being preempted in one does not count.
    pub fn calibrate() -> Self {
        const STEPS: u64 = 100_000;
        let fastest = (0..20).map(|_| {
            let begin = clock::monotonic();
            multiply(STEPS);
            clock::monotonic().since(begin).0
        });
        Pace { steps_per_ns: STEPS as f64 / fastest.min().unwrap_or(STEPS).max(1) as f64 }
    }

    /// The work that takes so long on average.
    pub fn work(self, time: Nanos, spread: Spread) -> Work {
        Work { steps: (time.0 as f64 * self.steps_per_ns).round() as u64, spread }
    }
}

impl Work {
    /// Nothing to do.
    #[inline]
    pub fn is_none(self) -> bool {
        self.steps == 0
    }

    /// This time's work, where it varies.
    #[inline]
    pub(super) fn draw(self, dice: &Dice) -> Work {
        if self.spread == Spread::Fixed { self } else { self.drawn(dice) }
    }

    #[inline(never)]
    fn drawn(self, dice: &Dice) -> Work {
        let steps = match self.spread {
            Spread::Fixed => self.steps,
            Spread::Uniform => dice.below(2 * self.steps + 1),
            // The logarithm of a number as small as e⁻²⁰ is as rare as the work
            // is long.
            Spread::Exponential => (-dice.unit().ln().max(-20.0) * self.steps as f64) as u64,
        };
        Work { steps, spread: Spread::Fixed }
    }

    /// Whether it is so little that it may be done without looking up.
    pub fn is_short(self) -> bool {
        self.steps < CHUNK / 8
    }

    /// Does it, or leaves off as soon as `go_on` is false; says whether it was
    /// done.
    #[inline(never)]
    pub fn perform(self, go_on: &AtomicBool) -> bool {
        // A processor works ahead, and past locked instructions too: it would begin before
        // the lock is taken, and do some of one lap's work during the lap before. So nothing
        // begins before the lock was got; and what ends with a store ends before it is let go.
        wait_for_all();
        self.perform_behind_fence(go_on)
    }

    /// As [`Work::perform`], where nothing could have begun before: behind an ordered
    /// stamp.
    #[inline(never)]
    pub(super) fn perform_behind_fence(self, go_on: &AtomicBool) -> bool {
        let mut left = self.steps;
        while left > CHUNK {
            multiply(CHUNK);
            left -= CHUNK;
            if !go_on.load(Relaxed) {
                return false;
            }
            wait_for_all();
        }
        if left > 0 {
            multiply(left);
        }
        true
    }
}

#[inline(never)]
fn multiply(steps: u64) {
    let word = AtomicU64::new(steps);
    let word = black_box(&word);
    let mut x = word.load(Relaxed);
    for _ in 0..steps {
        // The multiplier of Knuth's MMIX; any chain would do that the compiler
        // cannot shorten.
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    }
    word.store(x, Relaxed);
    black_box(word);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_in_proportion_and_can_be_cut_short() {
        let pace = Pace { steps_per_ns: 0.5 };
        let fixed = |steps| Work { steps, spread: Spread::Fixed };
        assert_eq!(pace.work(Nanos(3_000), Spread::Fixed), fixed(1_500));
        assert!(pace.work(Nanos::ZERO, Spread::Fixed).is_none());
        let (on, off) = (AtomicBool::new(true), AtomicBool::new(false));
        assert!(fixed(3 * CHUNK).perform(&on));
        assert!(!fixed(u64::MAX).perform(&off));
        assert!(fixed(10).perform(&off), "short work is done");
    }

    #[test]
    fn work_that_varies_keeps_its_mean() {
        let dice = Dice::numbered(3);
        for (spread, most) in [(Spread::Fixed, 1_000), (Spread::Uniform, 2_000), (Spread::Exponential, 20_000)] {
            let work = Work { steps: 1_000, spread };
            let drawn: Vec<_> = (0..100_000).map(|_| work.draw(&dice).steps).collect();
            let mean = drawn.iter().sum::<u64>() / 100_000;
            assert!((980..=1_020).contains(&mean), "{spread:?}: {mean}");
            assert!(drawn.iter().all(|steps| *steps <= most), "{spread:?}");
            assert_eq!(drawn.iter().any(|steps| *steps != 1_000), spread != Spread::Fixed);
        }
    }
}
