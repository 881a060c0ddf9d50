//! Recording durations: an HDR histogram (hdrhistogram.org) that becomes a
//! [`Distribution`] for a line of text and for a drawing.
//!
//! It keeps three significant digits from 1 ns to 60 s; what is longer counts
//! as 60 s. All its memory (230 kB, touched only where something is counted)
//! is there from the start, so that recording never allocates.

use hdrhistogram::Histogram;

use crate::model::Nanos;
use crate::model::histogram::{Distribution, Quantiles};

const LONGEST: Nanos = Nanos::from_secs(60);

/// A histogram that is being filled.
#[derive(Clone, Debug)]
pub struct Recorder {
    histogram: Histogram<u64>,
}

impl Recorder {
    /// An empty one.
    ///
    /// # Panics
    /// Never: the bounds are constants that hdrhistogram accepts.
    pub fn new() -> Self {
        #[expect(clippy::expect_used, reason = "constant bounds, accepted in every test")]
        let histogram = Histogram::new_with_bounds(1, LONGEST.0, 3).expect("1 ns to 60 s with 3 digits");
        Recorder { histogram }
    }

    /// Counts one duration.
    #[inline]
    pub fn record(&mut self, duration: Nanos) {
        self.histogram.saturating_record(duration.0);
    }

    /// Counts everything that `other` counted.
    pub fn add(&mut self, other: &Recorder) {
        // Fails only where `other` has wider bounds; all have the same.
        let _ = self.histogram.add(&other.histogram);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.histogram.reset();
    }

    /// How many durations were counted.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The figures of what was counted; all zero where nothing was.
    pub fn quantiles(&self) -> Quantiles {
        let h = &self.histogram;
        if h.is_empty() {
            return Quantiles::default();
        }
        // A bucket stands for its highest value; none was above the maximum.
        let at = |q: f64| Nanos(h.value_at_quantile(q).min(h.max()));
        Quantiles {
            count: h.len(),
            mean: Nanos(h.mean().round() as u64),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: Nanos(h.max()),
        }
    }

    /// The figures and the counts over logarithmic buckets.
    pub fn distribution(&self) -> Distribution {
        let mut distribution = Distribution { quantiles: self.quantiles(), ..Distribution::default() };
        for step in self.histogram.iter_recorded() {
            // The value iterated to is the highest of its bucket.
            let value = self.histogram.median_equivalent(step.value_iterated_to());
            let bucket = Distribution::bucket(Nanos(value));
            if distribution.counts.is_empty() {
                distribution.first = bucket;
            }
            let index = (bucket - distribution.first) as usize;
            if distribution.counts.len() <= index {
                distribution.counts.resize(index + 1, 0);
            }
            distribution.counts[index] += step.count_since_last_iteration();
        }
        distribution
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Recorder::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_what_was_recorded() {
        let mut recorder = Recorder::new();
        assert_eq!(recorder.quantiles(), Quantiles::default());
        for ns in 1..=1000 {
            recorder.record(Nanos(ns * 1000));
        }
        let q = recorder.quantiles();
        let near = |got: Nanos, want: u64| (got.0 as f64 / want as f64 - 1.0).abs() < 0.002;
        assert_eq!(q.count, 1000);
        assert!(near(q.p50, 500_000) && near(q.p90, 900_000) && near(q.p99, 990_000), "{q:?}");
        assert!(near(q.max, 1_000_000) && near(q.mean, 500_500), "{q:?}");
        assert!(q.p999 <= q.max);
    }

    #[test]
    fn a_distribution_has_every_count_in_its_bucket() {
        let mut recorder = Recorder::new();
        let values = [1_u64, 1, 7, 41_000, 41_000, 44_000, 59_000_000_000, 80_000_000_000];
        for ns in values {
            recorder.record(Nanos(ns));
        }
        let d = recorder.distribution();
        assert_eq!(d.counts.iter().sum::<u64>(), values.len() as u64);
        assert_eq!((d.first, d.counts[0]), (0, 2));
        let at = |ns| d.counts[(Distribution::bucket(Nanos(ns)) - d.first) as usize];
        assert_eq!((at(7), at(41_000)), (1, 3));
        assert!(d.counts.last().is_some_and(|&last| last > 0), "no trailing zeros");
    }

    #[test]
    fn adding_and_clearing() {
        let (mut a, mut b) = (Recorder::new(), Recorder::new());
        a.record(Nanos(10));
        b.record(Nanos(20));
        a.add(&b);
        assert_eq!((a.count(), a.quantiles().max), (2, Nanos(20)));
        a.clear();
        assert_eq!(a.distribution(), Distribution::default());
    }
}
