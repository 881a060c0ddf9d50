//! Chance, without a lock and in a nanosecond.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// A thread's own random numbers. Good enough to vary a workload, and for
/// nothing else. (G. Marsaglia: Xorshift RNGs, Journal of Statistical Software
/// 8(14), 2003; S. Vigna: An experimental exploration of Marsaglia's xorshift
/// generators, ACM TOMS 42(4), 2016.)
#[derive(Debug)]
pub(super) struct Dice(AtomicU64);

impl Dice {
    /// Each number has dice of its own.
    pub(super) fn numbered(number: usize) -> Self {
        // Any odd constant spreads the numbers; zero would stay zero.
        Dice(AtomicU64::new((number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1))
    }

    /// 64 random bits. For one thread at a time: two would throw alike.
    #[inline]
    pub(super) fn throw(&self) -> u64 {
        let mut x = self.0.load(Relaxed);
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.0.store(x, Relaxed);
        x.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Any of `0..n`.
    #[inline]
    pub(super) fn below(&self, n: u64) -> u64 {
        ((u128::from(self.throw()) * u128::from(n)) >> 64) as u64
    }

    /// Above 0, at most 1.
    pub(super) fn unit(&self) -> f64 {
        ((self.throw() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throws_are_spread_evenly() {
        for number in [0, 1, 255] {
            let dice = Dice::numbered(number);
            let mut counts = [0_u32; 10];
            (0..100_000).for_each(|_| counts[dice.below(10) as usize] += 1);
            assert!(counts.iter().all(|n| (9_500..10_500).contains(n)), "{counts:?}");
            let mean = (0..100_000).map(|_| dice.unit()).sum::<f64>() / 100_000.0;
            assert!((0.49..0.51).contains(&mean), "{mean}");
        }
    }
}
