//! Durations counted in little memory, for there may be thousands of locks: 64
//! steps to a power of two, so a quantile is at most 1.6 % above the true one.
//!
//! ```text
//! below 128 ns   each nanosecond for itself
//! above          the 7 highest bits
//! ```

use std::collections::BTreeMap;

use crate::model::Nanos;
use crate::model::histogram::{Distribution, Quantiles};

/// The bits that are kept.
const BITS: u32 = 7;

/// Counted durations.
#[derive(Clone, Debug, Default)]
pub(super) struct Durations {
    steps: BTreeMap<u16, u64>,
    count: u64,
    sum: u64,
    longest: u64,
}

impl Durations {
    /// Counts one.
    pub(super) fn record(&mut self, duration: Nanos) {
        *self.steps.entry(step(duration.0)).or_default() += 1;
        self.count += 1;
        self.sum = self.sum.saturating_add(duration.0);
        self.longest = self.longest.max(duration.0);
    }

    /// Counts all that another has counted.
    pub(super) fn add(&mut self, other: &Durations) {
        for (&step, &count) in &other.steps {
            *self.steps.entry(step).or_default() += count;
        }
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
        self.longest = self.longest.max(other.longest);
    }

    /// The figures and the shape.
    pub(super) fn distribution(&self) -> Distribution {
        let mut distribution = Distribution { quantiles: self.quantiles(), ..Distribution::default() };
        for (&step, &count) in &self.steps {
            let bucket = Distribution::bucket(Nanos(lowest(step)));
            if distribution.counts.is_empty() {
                distribution.first = bucket;
            }
            let index = (bucket - distribution.first) as usize;
            if distribution.counts.len() <= index {
                distribution.counts.resize(index + 1, 0);
            }
            distribution.counts[index] += count;
        }
        distribution
    }

    fn quantiles(&self) -> Quantiles {
        let at = |share: f64| {
            let rank = ((share * self.count as f64).ceil() as u64).max(1);
            let mut passed = 0;
            let found = self.steps.iter().find(|&(_, &count)| {
                passed += count;
                passed >= rank
            });
            Nanos(found.map_or(0, |(&step, _)| (lowest(step + 1) - 1).min(self.longest)))
        };
        if self.count == 0 {
            return Quantiles::default();
        }
        Quantiles {
            count: self.count,
            mean: Nanos(self.sum / self.count),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: Nanos(self.longest),
        }
    }
}

/// Where a number is counted.
fn step(nanos: u64) -> u16 {
    let above = (u64::BITS - nanos.leading_zeros()).saturating_sub(BITS);
    // Above 127 the highest of the seven bits is always set: six tell.
    (u64::from(above << (BITS - 1)) + (nanos >> above)) as u16
}

/// The least number that is counted there.
fn lowest(step: u16) -> u64 {
    let half = 1 << (BITS - 1);
    let above = u64::from(step / half).saturating_sub(1);
    let kept = u64::from(step) - above * u64::from(half);
    kept.checked_shl(above as u32).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_begins_where_the_one_before_ends() {
        for step_number in 0..3_000 {
            let first = lowest(step_number);
            assert_eq!(step(first), step_number);
            assert_eq!(step(lowest(step_number + 1) - 1), step_number);
        }
        assert_eq!((step(0), step(127), step(128), step(129)), (0, 127, 128, 128));
        assert!(step(u64::MAX) < u16::MAX);
    }

    #[test]
    fn the_figures_are_near_those_of_what_was_counted() {
        let (mut one, mut other) = (Durations::default(), Durations::default());
        for number in 1..=1_000_u64 {
            let half = if number % 2 == 0 { &mut one } else { &mut other };
            half.record(Nanos(number * 1_000));
        }
        one.add(&other);
        let figures = one.distribution().quantiles;
        let near = |got: Nanos, want: u64| got.0 >= want && (got.0 as f64) < want as f64 * 1.017;
        assert!(near(figures.p50, 500_000) && near(figures.p90, 900_000) && near(figures.p99, 990_000), "{figures:?}");
        assert_eq!((figures.count, figures.mean, figures.max), (1_000, Nanos(500_500), Nanos(1_000_000)));
        assert_eq!(one.distribution().counts.iter().sum::<u64>(), 1_000);
        assert_eq!(Durations::default().distribution(), Distribution::default());
    }
}
